"""One life of the operator over the model world: the real cache, routes, writer, reconciler and sweep, a plain queue, no tasks.

Promises   deterministic: the same world and the same faults give the same requests in the same order.
Never      sleeps or awaits anything real: the world answers at once, so every coroutine runs through in one go.

`Door` is where faults happen: the operator dies at a chosen write, before it, or after it with the answer lost.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from tests.sweep.world import Told, World

from gyre.api.effects import Gvk, Manifest, Ref
from gyre.api.gvks import EVENT
from gyre.api.kind import Answer, Kind, Object
from gyre.engine.cache import Cache
from gyre.engine.effects import Writer
from gyre.engine.engine import found, known_gvks
from gyre.engine.events import Recorder
from gyre.engine.queue import backoff
from gyre.engine.reconciler import Reconciler
from gyre.engine.routing import Key, Routes
from gyre.engine.sweep import fill, sweep
from gyre.kube import errors
from gyre.kube.paths import KindOf

T = TypeVar("T")


class Killed(BaseException):
    """The operator process ends here and now. Not an Exception: no `except Exception` may survive it."""


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run what never really waits."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        answer: T = done.value
        return answer
    raise AssertionError("a coroutine of the operator waited for something real")


@dataclass(frozen=True, slots=True)
class Write:
    """One request that could change something, as the API server saw it."""

    verb: str
    ref: Ref
    manager: str
    changed: bool
    first: bool
    """The first of its reconcile: whoever dies before it was idle. Before any other: the same as after the one before."""

    def __str__(self) -> str:
        return f"{self.verb} {self.ref} by {self.manager or '-'}{'' if self.changed else ' (no change)'}"


@dataclass(slots=True)
class Death:
    """Die at the n-th write (from 1) of all lives together: `before` it is done, or after it with the answer lost."""

    at: int
    before: bool = False


class Door:
    """`gyre.kube.client.Api` into the world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.death: Death | None = None
        self.writes: list[Write] = []
        self.fresh = False
        self.after_write: Callable[[], None] = lambda: None
        self.refuse: Callable[[str, Ref], errors.ApiError | None] = lambda verb, ref: None

    async def get(self, ref: Ref) -> Object:
        return self.world.get(ref)

    async def create(self, ref: Ref, manifest: Manifest, *, manager: str) -> Object:
        return self._write("create", ref, manager, lambda: self.world.create(ref, manifest, manager=manager))

    async def apply(self, ref: Ref, manifest: Manifest, *, manager: str, subresource: str = "") -> Object:
        verb = "status" if subresource else "apply"
        return self._write(
            verb, ref, manager, lambda: self.world.apply(ref, manifest, manager=manager, subresource=subresource)
        )

    async def replace(self, ref: Ref, manifest: Manifest, *, manager: str) -> Object:
        return self._write("replace", ref, manager, lambda: self.world.replace(ref, manifest, manager=manager))

    async def delete(self, ref: Ref, *, uid: str) -> Object:
        return self._write("delete", ref, "", lambda: self.world.delete(ref, uid=uid))

    async def list(
        self, gvk: Gvk, *, namespace: str = "", selector: str = "", metadata_only: bool = False
    ) -> AsyncIterator[Object]:
        wanted = dict(term.split("=") for term in selector.split(",") if term)
        for obj in self.world.list(gvk, namespace=namespace, labels=wanted):
            yield {"metadata": obj["metadata"]} if metadata_only else obj

    def _write(self, verb: str, ref: Ref, manager: str, act: Callable[[], Object]) -> Object:
        if ref.gvk == EVENT:
            return act()
        problem = self.refuse(verb, ref)
        if problem is not None:
            raise problem
        number, first = len(self.writes) + 1, self.fresh
        self.fresh = False
        dies = self.death is not None and self.death.at == number
        if dies and self.death and self.death.before:
            self.writes.append(Write(verb, ref, manager, False, first))
            raise Killed
        before = self.world.version
        answer = act()
        self.writes.append(Write(verb, ref, manager, self.world.version != before, first))
        self.after_write()
        if dies:
            raise Killed
        return answer


class Operator:
    """From start (`fill`) to death. `deliver` feeds it events, `step` lets it work on one key."""

    def __init__(
        self,
        kinds: Iterable[Kind[Any, Any]],
        door: Door,
        writer: Callable[..., Writer] = Writer,
    ) -> None:
        self.door, self.world = door, door.world
        self.routes = Routes(kinds)
        kinds = tuple(self.routes.kinds.values())
        self.cache = Cache(kinds, self._fetch, partial(found, door), self._ask)
        kind_of = KindOf(known_gvks(kinds))
        self._writer = writer(door, self.cache, kind_of, lambda: True, self._wrote, lambda: "drawn")
        self._recorder = Recorder(door, host="test")
        self._reconciler = Reconciler(
            self.routes.kinds, self.cache, self._writer, self._recorder, now=self.world.clock, monotonic=lambda: 0.0
        )
        self.watched = self.routes.watched()
        self.ready: dict[Key, None] = {}
        self.timers: dict[Key, datetime] = {}
        self.failures: dict[Key, int] = {}
        self.reconciles = 0
        run(fill(door, self.cache, self.watched))
        self.cursors = {gvk: len(self.world.history.get(gvk, ())) for gvk in self.watched}
        self.wake_everything()

    # ── in ───────────────────────────────────────────────────────────────────────────────────────────────────────────

    def pending(self, gvk: Gvk) -> list[Told]:
        return self.world.history.get(gvk, [])[self.cursors[gvk] :]

    def take(self, gvk: Gvk) -> tuple[str, Object] | None:
        """The next event of a watch that concerns its selector; None for one that the watch does not show."""
        told = self.world.history[gvk][self.cursors[gvk]]
        self.cursors[gvk] += 1
        if not self.watched[gvk] or told.managed:
            return told.type, told.obj
        return ("DELETED", told.obj) if told.was_managed else None

    def hear(self, gvk: Gvk, type: str, obj: Object) -> bool:
        """As `Engine.event`; True when it was news."""
        news = self.cache.remove(gvk, obj) if type == "DELETED" else self.cache.observe(gvk, obj)
        if news:
            self._changed(gvk, obj)
        return news

    def sweep(self) -> None:
        run(sweep(self.door, self.cache, self.routes, self._changed))

    def wake_everything(self) -> None:
        for gvk in self.routes.kinds:
            for ref in sorted(self.cache.entries(gvk), key=str):
                self._add(Key.of(ref))

    # ── work ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def fire_timers(self) -> bool:
        due = [key for key, moment in self.timers.items() if moment <= self.world.now]
        for key in due:
            self._add(key)
        return bool(due)

    def step(self) -> Key | None:
        """Reconcile the next key; the same bookkeeping as `Engine._work`."""
        if not self.ready:
            return None
        key = next(iter(self.ready))
        del self.ready[key]
        self.reconciles += 1
        self.door.fresh = True
        result = run(self._reconciler.reconcile(key))
        if result.gone:
            self.failures.pop(key, None)
            self.timers.pop(key, None)
        elif result.failed:
            self.failures[key] = self.failures.get(key, 0) + 1
            self._add_after(key, max(backoff(self.failures[key], 0.0), result.after or 0.0))
        else:
            self.failures.pop(key, None)
            if result.after is not None:
                self._add_after(key, result.after)
        return key

    # ── inside ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _add(self, key: Key) -> None:
        self.timers.pop(key, None)
        self.ready[key] = None

    def _add_after(self, key: Key, seconds: float) -> None:
        if seconds <= 0:
            self._add(key)
        elif key not in self.ready:
            due = self.world.now + timedelta(seconds=seconds)
            self.timers[key] = min(due, self.timers.get(key, due))

    def _changed(self, gvk: Gvk, obj: Object) -> None:
        for key, seconds in self.routes.woken(gvk, obj, self.cache):
            self._add_after(key, seconds)

    def _wrote(self, gvk: Gvk, obj: Object, by: Ref) -> None:
        for key, seconds in self.routes.woken(gvk, obj, self.cache):
            if key.ref != by:
                self._add_after(key, seconds)

    async def _fetch(self, ref: Ref) -> Object | None:
        return self.world.find(ref)

    async def _ask(self, url: str, headers: Mapping[str, str] | None = None, *, max_age: float = 0.0) -> Answer:
        """The world answers at once, so nothing has to be kept."""
        del max_age
        return self.world.answer(url, headers or {})
