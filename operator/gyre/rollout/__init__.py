"""`gyre rollout status|plot gis/flights`: a canary as it is judged, on the terminal and as a picture.

Promises   shows what the operator itself remembers (the ledger ConfigMap) judged by the operator's own code, so the figures
           are those on which it acts; works while the operator is down.
Never      writes to the cluster; needs more than `get` on the service and its ConfigMap.

    reading.py   from the two objects to a Picture   pure
    view.py      a Picture for the terminal          pure
    plot.py      a Picture as PNG or SVG             needs gyre-operator[plot]
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final, Protocol

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from gyre.api import gvks
from gyre.api.effects import Ref
from gyre.api.kind import Object
from gyre.engine.clock import utc_now
from gyre.kinds.inferenceservice import KIND
from gyre.kinds.inferenceservice.names import rollout_name
from gyre.kube.client import KubeApi
from gyre.kube.errors import ApiError, NotFound
from gyre.rollout.reading import Picture, picture
from gyre.rollout.view import view

EVERY: Final = 2.0
"""Seconds between two readings of `--watch`; the operator looks every ten by default."""
WORDS: Final = (KIND.gvk.kind.lower(), KIND.gvk.plural, *KIND.model.definition.short)


class Getter(Protocol):
    async def get(self, ref: Ref) -> Object: ...


def name_in(what: str) -> str:
    """`gis/flights` or `flights` → flights. Raises LookupError for another kind."""
    kind, slash, name = what.rpartition("/")
    if slash and kind.lower() not in WORDS:
        raise LookupError(f"only an InferenceService rolls out: gis/{name}, not {what}")
    if not name:
        raise LookupError(f"a name is missing: gis/NAME, not {what}")
    return name


async def read(api: Getter, namespace: str, name: str) -> Picture:
    """Raises LookupError when there is no such service, ApiError when nobody answers."""
    try:
        service = await api.get(Ref(gvks.INFERENCE_SERVICE, namespace, name))
    except NotFound as error:
        raise LookupError(f"InferenceService {namespace}/{name} does not exist") from error
    try:
        ledger = await api.get(Ref(gvks.CONFIG_MAP, namespace, rollout_name(name)))
    except NotFound:
        return picture(service, None)
    return picture(service, ledger)


async def status(what: str, namespace: str, *, watch: bool, console: Console) -> None:
    """Prints it once, or keeps it up to date until it is interrupted."""
    name, api = name_in(what), await KubeApi.connect()
    try:
        console.print(view(await read(api, namespace, name), utc_now())) if not watch else await _watch(
            api, namespace, name, console
        )
    finally:
        await api.close()


async def _watch(api: Getter, namespace: str, name: str, console: Console) -> None:
    """An API server that does not answer for a while is said, and asked again."""
    with Live(console=console, auto_refresh=False, vertical_overflow="visible") as live:
        while True:
            live.update(await shown(api, namespace, name), refresh=True)
            await asyncio.sleep(EVERY)


async def shown(api: Getter, namespace: str, name: str) -> RenderableType:
    try:
        return view(await read(api, namespace, name), utc_now())
    except ApiError as error:
        return Text(f"the API server does not answer: {error}", style="yellow")


async def plot(what: str, namespace: str, out: Path) -> None:
    """Writes the picture. Raises LookupError when there is nothing to draw, ImportError without matplotlib."""
    from gyre.rollout.plot import drawn, save

    name, api = name_in(what), await KubeApi.connect()
    try:
        found = await read(api, namespace, name)
    finally:
        await api.close()
    if not found.points:
        raise LookupError(f"no candidate of {namespace}/{name} has been looked at yet: there is no evidence to draw")
    save(drawn(found), out)


__all__ = ["name_in", "plot", "read", "shown", "status"]
