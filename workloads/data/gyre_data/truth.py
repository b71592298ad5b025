"""What turned out: labels of rows that were asked about, told to a prediction log some time after the answer.

Promises   each label is posted once its time has come, again until the log has taken it (docs/prediction-log.md, "Labels"), and
           counted as told once; the end waits for those that are not due yet, unless somebody is in a hurry.
Never      slows a request down, or invents a label for a row that has none.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

MOST_AT_ONCE: Final = 2000
LOOK_SECONDS: Final = 1.0
TAKEN: Final = range(200, 300)


@dataclass
class Labels:
    """`url`: of the collector's `/labels`; `after`: seconds from an answer to its label."""

    url: str
    after: float
    headers: Mapping[str, str] = field(default_factory=dict)
    clock: Callable[[], float] = time.monotonic
    told: int = 0
    trouble: str = ""
    """What the log said last when it did not take them."""

    def __post_init__(self) -> None:
        self._waiting: deque[tuple[float, dict[str, Any]]] = deque()
        self._closed, self._hurry = False, False

    def later(self, request_id: str, truth: Sequence[float | None]) -> None:
        """Names are those of the log's rows: `<request id>-<row>`."""
        due = self.clock() + self.after
        for row, label in enumerate(truth):
            if request_id and label is not None:
                self._waiting.append((due, {"id": f"{request_id}-{row}", "label": label}))

    def close(self, *, now: bool) -> None:
        """Nothing will be added; `now`: what is not due yet is told at once."""
        self._closed, self._hurry = True, now

    async def run(self, session: aiohttp.ClientSession) -> None:
        while self._waiting or not self._closed:
            batch = self._due()
            if batch and await self._post(session, [label for _, label in batch]):
                continue
            if batch and self._hurry:  # whoever is in a hurry does not wait for a log that is away
                return
            self._waiting.extendleft(reversed(batch))
            await asyncio.sleep(LOOK_SECONDS)

    def _due(self) -> list[tuple[float, dict[str, Any]]]:
        found: list[tuple[float, dict[str, Any]]] = []
        while self._waiting and len(found) < MOST_AT_ONCE and (self._hurry or self._waiting[0][0] <= self.clock()):
            found.append(self._waiting.popleft())
        return found

    async def _post(self, session: aiohttp.ClientSession, labels: list[dict[str, Any]]) -> bool:
        try:
            async with session.post(self.url, json=labels, headers=dict(self.headers)) as answer:
                said = (await answer.text())[:200]
                if answer.status in TAKEN:
                    self.told += len(labels)
                    return True
                self.trouble = f"{answer.status} {said}"
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self.trouble = str(error) or type(error).__name__
        return False
