"""The engine put together: what the shell starts, feeds with events, and stops.

Order of a start: connect → fill the cache from lists → (streams of events flow from here on) → acquire the lease → wake
everything once → workers. A standby replica keeps its cache warm and writes nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gyre.api.effects import Gvk, Ref
from gyre.api.gvks import EVENT, LEASE
from gyre.api.kind import Kind, Object
from gyre.engine.asking import Asker
from gyre.engine.cache import Cache
from gyre.engine.clock import Monotonic, Now, monotonic, utc_now
from gyre.engine.effects import Writer
from gyre.engine.events import Recorder
from gyre.engine.glancing import Glancer
from gyre.engine.lease import Lease
from gyre.engine.metrics import OBJECTS, QUEUE_DELAYED, QUEUE_DEPTH, QUEUE_SECONDS
from gyre.engine.queue import WorkQueue
from gyre.engine.reconciler import Reconciler
from gyre.engine.routing import Key, Routes
from gyre.engine.sweep import fill, sweep
from gyre.kube import errors
from gyre.kube.client import Api
from gyre.kube.paths import KindOf

log = logging.getLogger("gyre.engine")


@dataclass(frozen=True, slots=True)
class Settings:
    identity: str
    namespace: str = "gyre-system"
    """Where the Lease lives."""
    workers: int = 16
    first_sweep_seconds: float = 5.0
    """Soon after the start: what vanished between our first lists and the start of the streams was told by nobody."""
    sweep_seconds: float = 300.0


class Engine:
    def __init__(
        self,
        kinds: Iterable[Kind[Any, Any]],
        api: Api,
        settings: Settings,
        *,
        now: Now = utc_now,
        clock: Monotonic = monotonic,
    ) -> None:
        self.routes = Routes(kinds)
        self.settings, self._api = settings, api
        self._asker = Asker(now=now, monotonic=clock)
        self._glancer = Glancer(self._find, monotonic=clock)
        self.cache = Cache(self.routes.kinds.values(), self._fetch, self._find, self._asker.ask, self._glancer.glance)
        self.queue: WorkQueue[Key] = WorkQueue()
        self.lease = Lease(
            api,
            namespace=settings.namespace,
            name="gyre-operator",
            identity=settings.identity,
            now=now,
            monotonic=clock,
        )
        writer = Writer(api, self.cache, KindOf(known_gvks(self.routes.kinds.values())), self.lease.held, self._wrote)
        recorder = Recorder(api, host=settings.identity)
        self.reconciler = Reconciler(self.routes.kinds, self.cache, writer, recorder, now=now, monotonic=clock)
        self.absent: set[Gvk] = set()
        self.filled = asyncio.Event()

    # ── life ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def fill(self) -> None:
        while True:
            try:
                self.absent = await fill(self._api, self.cache, self.routes.watched())
                break
            except errors.Unavailable as problem:  # as while the storage of a new CRD is being initialised (429)
                log.warning("the API server is not ready: %s; asking again", problem)
                await asyncio.sleep(problem.retry_after or 1.0)
        for gvk in self.routes.watched():
            OBJECTS.labels(gvk.kind).set(len(self.cache.entries(gvk)))
        if self.absent:
            log.warning("not installed, so not watched: %s", ", ".join(sorted(gvk.kind for gvk in self.absent)))
        self.filled.set()

    async def run(self) -> None:
        """Until cancelled, or until something happens that only a fresh start mends (the lease is lost)."""
        await self.filled.wait()
        async with asyncio.TaskGroup() as group:
            group.create_task(self.lease.keep(), name="lease")
            await self.lease.acquired.wait()
            self.wake_everything()
            group.create_task(self._sweeps(), name="sweep")
            group.create_task(self._gauges(), name="gauges")
            for number in range(self.settings.workers):
                group.create_task(self._work(), name=f"worker-{number}")

    async def stop(self) -> None:
        await self._asker.close()
        await self.lease.release()

    # ── events in ────────────────────────────────────────────────────────────────────────────────────────────────────

    def event(self, gvk: Gvk, type_: str | None, obj: Object) -> None:
        """A watch event: remember the object, wake whom it concerns."""
        news = self.cache.remove(gvk, obj) if type_ == "DELETED" else self.cache.observe(gvk, obj)
        if news:
            self.changed(gvk, obj)

    def changed(self, gvk: Gvk, obj: Object) -> None:
        for key, seconds in self.routes.woken(gvk, obj, self.cache):
            self.queue.add_after(key, seconds)

    def _wrote(self, gvk: Gvk, obj: Object, by: Ref) -> None:
        """The cache knows our own writes already, so their events wake nobody: wake the others now. `by` looks again itself."""
        for key, seconds in self.routes.woken(gvk, obj, self.cache):
            if key.ref != by:
                self.queue.add_after(key, seconds)

    def wake_everything(self) -> None:
        for gvk in self.routes.kinds:
            for ref in self.cache.entries(gvk):
                self.queue.add(Key.of(ref), background=True)

    # ── tasks ────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _work(self) -> None:
        while True:
            key, waited = await self.queue.get()
            QUEUE_SECONDS.observe(waited)
            try:
                result = await self.reconciler.reconcile(key)
            finally:
                self.queue.done(key)
            if result.gone:
                self.queue.drop(key)
            elif result.failed:
                self.queue.retry(key, at_least=result.after or 0.0)
            else:
                self.queue.forgive(key)
                if result.after is not None:
                    self.queue.add_after(key, result.after)

    async def _sweeps(self) -> None:
        await asyncio.sleep(self.settings.first_sweep_seconds)
        while True:
            await sweep(self._api, self.cache, self.routes, self.changed)
            await self._appeared()
            await asyncio.sleep(self.settings.sweep_seconds)

    async def _appeared(self) -> None:
        """A system installed after us brings a kind that no stream watches: only a fresh start picks it up."""
        for gvk in self.absent:
            try:
                async for _ in self._api.list(gvk, metadata_only=True):
                    break
            except errors.ApiError:
                continue
            raise RestartNeeded(f"{gvk.kind} is installed now; starting afresh to watch it")

    async def _gauges(self) -> None:
        while True:
            QUEUE_DEPTH.set(len(self.queue))
            QUEUE_DELAYED.set(self.queue.delayed)
            await asyncio.sleep(1.0)

    async def _fetch(self, ref: Ref) -> Object | None:
        return await fetched(self._api, ref)

    async def _find(self, gvk: Gvk, namespace: str, labels: Mapping[str, str]) -> Sequence[Object]:
        return await found(self._api, gvk, namespace, labels)


async def fetched(api: Api, ref: Ref) -> Object | None:
    """A live GET; None when there is no such object."""
    try:
        return await api.get(ref)
    except errors.NotFound:
        return None


async def found(api: Api, gvk: Gvk, namespace: str, labels: Mapping[str, str]) -> Sequence[Object]:
    """A live LIST by labels; empty when the cluster does not know the kind."""
    selector = ",".join(f"{name}={value}" for name, value in sorted(labels.items()))
    try:
        return [obj async for obj in api.list(gvk, namespace=namespace, selector=selector)]
    except errors.NotFound:
        return []


class RestartNeeded(Exception):
    """The process should end and be started again."""


def known_gvks(kinds: Iterable[Kind[Any, Any]]) -> tuple[Gvk, ...]:
    """Every kind that may be written: ours, their children, what they were granted, and what the engine itself writes."""
    known: dict[Gvk, None] = {EVENT: None, LEASE: None}
    for kind in kinds:
        known.update(dict.fromkeys((kind.gvk, *kind.owns, *(grant.gvk for grant in kind.grants))))
    return tuple(known)
