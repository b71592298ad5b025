"""A keyed work queue: each key at most once, never two workers on one key, back-off per key.

The rules are client-go's (`util/workqueue`): a key added while it is being worked on is taken up again afterwards; a key that
fails waits 5 ms, 10 ms, … up to 15 min, with jitter; a sooner wish beats a later one. Nothing is lost: a key that was added is
handed out at least once after the add.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

FIRST_RETRY_SECONDS = 0.005
LONGEST_RETRY_SECONDS = 900.0


def backoff(failures: int, jitter: float) -> float:
    """Seconds to wait after the n-th failure in a row (n ≥ 1); `jitter` in [0, 1) spreads it by up to 20 %."""
    exponent = min(failures - 1, 40)
    return min(FIRST_RETRY_SECONDS * float(2**exponent), LONGEST_RETRY_SECONDS) * (1 + 0.2 * jitter)


class WorkQueue(Generic[K]):
    """All methods but `get` return at once; use it from one event loop only."""

    def __init__(self, *, jitter: Callable[[], float] = random.random) -> None:
        self._jitter = jitter
        self._ready: deque[K] = deque()
        self._background: dict[K, None] = {}
        self._queued: dict[K, float] = {}
        self._working: set[K] = set()
        self._again: set[K] = set()
        self._failures: dict[K, int] = {}
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._something = asyncio.Event()

    def __len__(self) -> int:
        return len(self._queued)

    @property
    def delayed(self) -> int:
        return len(self._timers)

    def add(self, key: K, *, background: bool = False) -> None:
        """Hand the key out soon; `background` keys (start-up) wait until nobody else does, or until they are added without."""
        self._cancel(key)
        if key in self._working:
            self._again.add(key)
            return
        if key in self._queued and (background or key not in self._background):
            return
        self._queued.setdefault(key, asyncio.get_running_loop().time())
        if background:
            self._background[key] = None
        else:
            self._background.pop(key, None)
            self._ready.append(key)
        self._something.set()

    def add_after(self, key: K, seconds: float) -> None:
        """Hand the key out in this many seconds, unless it is already due sooner."""
        if seconds <= 0:
            self.add(key)
            return
        if key in self._queued or key in self._again:
            return
        loop = asyncio.get_running_loop()
        pending = self._timers.get(key)
        if pending is not None and pending.when() <= loop.time() + seconds:
            return
        self._cancel(key)
        self._timers[key] = loop.call_later(seconds, self.add, key)

    def retry(self, key: K, *, at_least: float = 0.0) -> float:
        """Hand the key out again after its back-off; returns the seconds it will wait."""
        self._failures[key] = self._failures.get(key, 0) + 1
        seconds = max(at_least, backoff(self._failures[key], self._jitter()))
        self.add_after(key, seconds)
        return seconds

    def forgive(self, key: K) -> None:
        """The key went well: its next failure starts from the shortest wait again."""
        self._failures.pop(key, None)

    def drop(self, key: K) -> None:
        """The object is gone: no timers, no memory."""
        self._cancel(key)
        self.forgive(key)

    async def get(self) -> tuple[K, float]:
        """The next key and the seconds it waited. The caller must call `done` with it, whatever happens."""
        while not self._queued:
            self._something.clear()
            await self._something.wait()
        key = self._ready.popleft() if self._ready else next(iter(self._background))
        self._background.pop(key, None)
        waited = asyncio.get_running_loop().time() - self._queued.pop(key)
        self._working.add(key)
        return key, waited

    def done(self, key: K) -> None:
        self._working.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    def _cancel(self, key: K) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
