"""From events to parts: what comes in is made durable before it is acknowledged, and stored after a while.

Promises   what `take` has returned for is in Parquet some time later, once, whatever is killed in between; what is asked a
           second time is acknowledged and not kept twice; when storage is away it takes what the journal has room for, and
           refuses the rest instead of losing it.
Never      blocks the event loop: disk and storage have a thread each.

One task commits, so that everybody who waits shares one fsync; another stores the sealed segments, oldest first.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from gyre_log.faults import Full, Unavailable
from gyre_log.halves import key_of, micros_of, together, unanswered
from gyre_log.journal import Journal
from gyre_log.layout import encoded, parts
from gyre_log.metrics import Metrics
from gyre_log.settings import Settings
from gyre_log.store import Store

log = logging.getLogger(__name__)

SEEN: Final = 20_000
"""Keys by which a second delivery is known: the last ones, kept over a restart."""
CARRIED: Final = 20_000
"""Requests that may wait for their responses at once."""
TICK_SECONDS: Final = 0.5
RETRY_SECONDS: Final = (1.0, 2.0, 5.0, 10.0, 30.0)
RETENTION_SECONDS: Final = 600.0
COUNTED: Final = ("requests", "rows", "labels")


@dataclass(frozen=True, slots=True)
class Waiting:
    records: Sequence[bytes]
    keys: Sequence[str]
    done: asyncio.Future[None]


@dataclass(frozen=True, slots=True)
class Since:
    """Microseconds: when a segment got its first record, and when the oldest that it holds arrived."""

    began: int
    oldest: int


class Collector:
    def __init__(
        self, settings: Settings, journal: Journal, store: Store, metrics: Metrics, clock: Callable[[], datetime]
    ) -> None:
        self.settings, self.journal, self.store, self.metrics, self.clock = settings, journal, store, metrics, clock
        kept = journal.counts()
        self.counts: dict[str, int] = {key: int(kept.get(key, 0)) for key in COUNTED}
        self.duplicates = 0
        self.seen: OrderedDict[str, None] = OrderedDict()
        self.unsure: set[str] = set()  # keys of what is not durable yet
        self.since: dict[int, Since] = {}  # of segments that hold something
        self.queue: asyncio.Queue[Waiting] = asyncio.Queue()
        self.disk, self.cloud = ThreadPoolExecutor(1, "gyre-journal"), ThreadPoolExecutor(1, "gyre-store")
        self.tasks: list[asyncio.Task[None]] = []
        self.nudged, self.leaving, self.checked = asyncio.Event(), False, False
        self.problem = ""
        self.waiting_bytes = journal.bytes
        self.recover()

    @property
    def now(self) -> int:
        return micros_of(self.clock())

    def recover(self) -> None:
        """What another process has left."""
        for number in self.journal.segments():
            header, records = self.journal.read(number)
            self.remember((*header["seen"], *map(key_of, records)))
            arrivals = [record["at"] for record in (*header["carried"], *records)]
            if arrivals:
                self.since[number] = Since(self.now, min(arrivals))

    def remember(self, keys: Iterable[str]) -> None:
        for key in keys:
            self.seen[key] = None
            self.seen.move_to_end(key)
        while len(self.seen) > SEEN:
            self.seen.popitem(last=False)

    # ── in ───────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def take(self, records: Sequence[dict[str, Any]]) -> int:
        """How many were known already; all are durable when it returns. Raises Unavailable."""
        if self.waiting_bytes >= self.settings.journal_bytes:
            why = self.problem or "more comes in than can be stored"
            raise Full(f"{self.waiting_bytes} bytes wait to be stored: {why}")
        now, fresh = self.now, dict[str, dict[str, Any]]()
        for record in records:
            if (key := key_of(record)) not in self.seen:
                fresh.setdefault(key, {**record, "at": now})
        # Remembered before it is durable: who sends it again meanwhile waits for the next fsync, and fails with this one.
        self.remember(fresh)
        self.unsure.update(fresh)
        lines, done = [orjson.dumps(record) for record in fresh.values()], asyncio.get_running_loop().create_future()
        self.queue.put_nowait(Waiting(lines, tuple(fresh), done))
        try:
            await asyncio.shield(done)
        except OSError as error:
            raise Unavailable(f"the journal cannot be written: {error}") from error
        known = len(records) - len(fresh)
        self.duplicates += known
        self.metrics.events.labels("received").inc(len(records))
        self.metrics.events.labels("duplicate").inc(known)
        return known

    async def commit(self) -> None:
        """One fsync for all that wait. When it fails, it fails for whoever came meanwhile, too: they may count on it."""
        loop = asyncio.get_running_loop()
        while True:
            group = [await self.queue.get(), *self.drained()]
            records = [record for waiting in group for record in waiting.records]
            try:
                if records:
                    number = await loop.run_in_executor(self.disk, self.journal.append, records)
                    self.since.setdefault(number, Since(self.now, self.now))
                    self.waiting_bytes += sum(map(len, records)) + 10 * len(records)
            except OSError as error:
                group += self.drained()
                for waiting in group:
                    for key in waiting.keys:
                        self.seen.pop(key, None)
                    self.settle(waiting, error)
                continue
            for waiting in group:
                self.settle(waiting, None)
            if self.journal.grown >= self.settings.segment_bytes:
                self.nudged.set()

    def drained(self) -> list[Waiting]:
        found = []
        while not self.queue.empty():
            found.append(self.queue.get_nowait())
        return found

    def settle(self, waiting: Waiting, error: OSError | None) -> None:
        self.unsure.difference_update(waiting.keys)
        if waiting.done.done():
            return
        if error is None:
            waiting.done.set_result(None)
        else:
            waiting.done.set_exception(error)
            waiting.done.exception()  # its asker may have gone, and nobody else is to complain

    # ── out ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def run_store(self) -> None:
        """Seals what is old or large enough, stores what is sealed, removes what is over; until it is told to leave."""
        failures, retention = 0, self.now
        while not self.leaving:
            pause = RETRY_SECONDS[min(failures, len(RETRY_SECONDS)) - 1] if failures else TICK_SECONDS
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self.nudged.wait()
            if self.leaving:
                return
            self.nudged.clear()
            try:
                if not self.checked:
                    await self.in_cloud(self.store.check, self.settings.service)
                    self.checked = True
                if self.due():
                    await self.seal()
                await self.store_sealed()
                if self.now >= retention:
                    await self.in_cloud(self.remove_hours)
                    retention = self.now + int(RETENTION_SECONDS * 1_000_000)
                failures, self.problem = 0, ""
            except Exception as error:  # a store raises whatever its library does; nothing is lost by trying again
                failures += 1
                self.problem = f"{type(error).__name__}: {error}"[:400]
                self.metrics.failures.inc()
                log.warning("not stored, to be tried again: %s", self.problem)
            self.metrics.lag.set(self.lag())
            self.metrics.waiting.set(self.waiting_bytes)

    def due(self) -> bool:
        since = self.since.get(self.journal.active)
        if since is None:
            return False
        old = self.now - since.began >= self.settings.flush_seconds * 1_000_000
        return old or self.journal.grown >= self.settings.segment_bytes

    async def seal(self, *, patience: float | None = None) -> None:
        """Requests without a response are carried over for `patience` seconds after their arrival."""
        wait, now = self.settings.pair_seconds if patience is None else patience, self.now
        known = [key for key in self.seen if key not in self.unsure]

        def begin_next() -> tuple[int, list[dict[str, Any]]]:
            """In the journal's thread, which does one thing at a time: nothing is appended meanwhile."""
            header, records = self.journal.read(self.journal.active)
            carried = unanswered(header, records, since=now - int(wait * 1_000_000), most=CARRIED)
            seen = [*dict.fromkeys((*known, *map(key_of, records)))][-SEEN:]
            return self.journal.seal({"carried": carried, "seen": seen}), carried

        sealed, carried = await asyncio.get_running_loop().run_in_executor(self.disk, begin_next)
        self.since.setdefault(sealed, Since(now, now))
        if carried:
            oldest = min(record["at"] for record in carried)
            later = self.since.get(sealed + 1)
            self.since[sealed + 1] = Since(later.began if later else now, oldest)

    async def store_sealed(self) -> None:
        loop = asyncio.get_running_loop()
        for number in await loop.run_in_executor(self.disk, self.journal.sealed):
            found = await self.in_cloud(self.store_one, number)
            self.counts = {key: self.counts[key] + found[key] for key in COUNTED}
            await loop.run_in_executor(self.disk, self.journal.forget, number, self.counts)
            for key, value in found.items():
                self.metrics.stored.labels(key).inc(value)
            self.since.pop(number, None)
            self.waiting_bytes = await loop.run_in_executor(self.disk, lambda: self.journal.bytes)

    def store_one(self, number: int) -> dict[str, int]:
        """Twice is once: parts are named by their rows, and the rows depend on the segments alone."""
        header, records = self.journal.read(number)
        exchanges, labels = together(header, records, self.journal.header(number + 1)["carried"])
        made = parts(self.settings.service, exchanges, labels)
        for part in made:
            self.store.put(part.path, encoded(part.table))
        rows = sum(part.table.num_rows for part in made) - len(labels)
        return {"requests": len(exchanges), "rows": rows, "labels": len(labels)}

    def remove_hours(self) -> None:
        if days := self.settings.retention_days:
            gone = self.store.remove_hours(self.settings.service, days, self.clock())
            log.info("%d hours were older than %d days", gone, days)

    async def in_cloud(self, work: Callable[..., Any], *given: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self.cloud, work, *given)

    # ── life ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        self.tasks = [asyncio.create_task(self.commit()), asyncio.create_task(self.run_store())]

    async def leave(self, seconds: float) -> None:
        """Store all, halves too: the next process may have another journal. What cannot be stored stays in the journal."""
        self.leaving = True
        self.nudged.set()
        try:
            async with asyncio.timeout(seconds):
                await asyncio.shield(self.tasks[1])
                if self.journal.active in self.since:
                    await self.seal(patience=0)
                await self.store_sealed()
        except Exception as error:
            log.warning("left in the journal: %s: %s", type(error).__name__, error)
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.cloud.shutdown(wait=False, cancel_futures=True)
        self.disk.shutdown(wait=True)
        self.journal.close()

    def lag(self) -> float:
        """Seconds since the oldest arrived that is not in Parquet."""
        oldest = min((since.oldest for since in self.since.values()), default=None)
        return 0.0 if oldest is None else max(0.0, (self.now - oldest) / 1_000_000)
