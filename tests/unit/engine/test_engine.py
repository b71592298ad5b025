"""The engine put together, in virtual time and without a single watch event but those that a test hands in."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.sweep.toys import KIND, WIDGET, part_ref, ready, widget, widget_ref
from tests.sweep.world import World
from tests.unit.engine import stories

from gyre.api.gvks import CONFIG_MAP
from gyre.engine.engine import Engine, RestartNeeded


def tell(world: World, story: Callable[[Engine], Awaitable[Any]]) -> None:
    """A story while the engine runs."""
    stories.tell(world, (KIND,), story)


def test_what_exists_at_the_start_is_reconciled() -> None:
    world = World()
    world.create(widget_ref(), widget(parts=2))

    async def story(engine: Engine) -> None:
        await asyncio.sleep(1)
        assert ready(world.find(widget_ref()))
        assert world.find(part_ref(1)) is not None

    tell(world, story)


def test_a_status_that_we_write_ourselves_wakes_those_who_wait_for_it() -> None:
    """Its watch event is no news, since the cache has the answer to the write: nobody else would wake them."""
    world = World()
    world.create(widget_ref("a"), widget("a", friend="z", parts=1))
    world.create(widget_ref("z"), widget("z", parts=1))

    async def story(engine: Engine) -> None:
        await asyncio.sleep(2)
        assert ready(world.find(widget_ref("a")))

    tell(world, story)


def test_an_event_wakes_its_resource_and_a_deletion_its_owner() -> None:
    world = World()

    async def story(engine: Engine) -> None:
        await asyncio.sleep(1)
        engine.event(WIDGET, "ADDED", world.create(widget_ref(), widget(parts=1)))
        await asyncio.sleep(1)
        assert ready(world.find(widget_ref()))
        world.delete(part_ref(0))
        engine.event(CONFIG_MAP, "DELETED", world.history[CONFIG_MAP][-1].obj)
        await asyncio.sleep(1)
        assert world.find(part_ref(0)) is not None

    tell(world, story)


def test_what_no_event_told_is_found_by_the_first_sweep() -> None:
    world = World()

    async def story(engine: Engine) -> None:
        await asyncio.sleep(1)
        world.create(widget_ref(), widget(parts=1))
        await asyncio.sleep(10)
        assert ready(world.find(widget_ref()))

    tell(world, story)


def test_a_system_that_is_installed_later_asks_for_a_fresh_start() -> None:
    world = World()
    world.absent.add(CONFIG_MAP)

    async def story(engine: Engine) -> None:
        assert engine.absent == {CONFIG_MAP}
        await asyncio.sleep(60)
        world.absent.clear()
        world.create(part_ref(0), {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"labels": {}}})
        await asyncio.sleep(400)

    with pytest.raises(BaseExceptionGroup) as caught:
        tell(world, story)
    assert caught.group_contains(RestartNeeded)


def test_the_lease_is_given_back_at_the_end() -> None:
    world = World()

    async def story(engine: Engine) -> None:
        await asyncio.sleep(1)
        assert engine.lease.held()

    tell(world, story)
    lease = next(obj for ref, obj in world.objects.items() if ref.gvk.kind == "Lease")
    assert lease["spec"]["holderIdentity"] == ""
