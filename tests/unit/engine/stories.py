"""The engine at work in virtual time, while a test tells it what happens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from tests.sweep.operators import Door
from tests.sweep.world import EPOCH, World
from tests.unit.engine.virtualtime import run

from gyre.api.kind import Kind
from gyre.engine.engine import Engine, Settings


def tell(world: World, kinds: tuple[Kind[Any, Any], ...], story: Callable[[Engine], Awaitable[Any]]) -> None:
    """Until the story ends, or the engine does, whose exception is raised then."""

    async def whole() -> None:
        clock = asyncio.get_running_loop().time
        settings = Settings(identity="one", workers=2)
        engine = Engine(kinds, Door(world), settings, now=lambda: EPOCH + timedelta(seconds=clock()), clock=clock)
        await engine.fill()
        running = asyncio.create_task(engine.run())
        told = asyncio.ensure_future(story(engine))
        try:
            await asyncio.wait({running, told}, return_when=asyncio.FIRST_COMPLETED)
            await (told if told.done() else running)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await engine.stop()

    run(whole())
