"""`python -m gyre_data replay`: the rows of a Dataset as traffic on an endpoint, at a steady rate; what turned out follows late.

Promises   an open loop: request n leaves at n / rate seconds, whether earlier ones were answered or not, so that a slow server
           meets the load that real clients would bring; every request sent is counted once, by status and by the version
           that says it answered (`x-model-version`); no answer counts as status 0. Ends after `--seconds`, or on SIGTERM
           when what was sent is answered.
Never      retries a request, follows a redirect, or keeps a payload.

With several partitions each is asked about for `--seconds`, one after the other: years in minutes. One request is one row (or
`--rows` of them) in the Open Inference Protocol v2 (kserve/open-inference-protocol, specification/protocol/inference_rest.md),
one tensor a feature; names and types are asked of the model's own metadata.
Reports are JSON lines, one every `--every` seconds about those seconds, and at the end one with `"total": true` about all:
`{"at": seconds since 1970, "t": seconds since the start, "rows": "month=05", "sent": 250, "statuses": {"200": 249, "503": 1},
"versions": {"<x-model-version>": {"200": 249, "503": 1}}, "p50": seconds, "p99": seconds}`. Latencies count from the moment the
request was due.
"""

from __future__ import annotations

import asyncio
import json
import math
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TextIO

import aiohttp

from gyre_data.rows import Asked, ReplayError
from gyre_data.truth import Labels

NO_ANSWER: Final = 0
VERSION_HEADER: Final = "x-model-version"
REQUEST_ID: Final = "x-request-id"
MOST_AT_ONCE: Final = 512


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go. `url` without a path; `host` is what the gateway routes by."""

    url: str
    model: str
    host: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 10.0

    @property
    def infer(self) -> str:
        return f"{self.url}/v2/models/{self.model}/infer"

    @property
    def metadata(self) -> str:
        return f"{self.url}/v2/models/{self.model}"

    @property
    def all_headers(self) -> dict[str, str]:
        return {**self.headers, **({"Host": self.host} if self.host else {})}


@dataclass
class Tally:
    """What came of the requests of one report."""

    statuses: Counter[int] = field(default_factory=Counter)
    versions: dict[str, Counter[int]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)

    def add(self, status: int, version: str, seconds: float) -> None:
        self.statuses[status] += 1
        self.versions.setdefault(version, Counter())[status] += 1
        self.seconds.append(seconds)

    def report(self, at: float, **more: Any) -> str:
        ordered = sorted(self.seconds)
        return json.dumps(
            {
                "at": round(time.time(), 3),
                "t": round(at, 3),
                "sent": len(ordered),
                "statuses": {str(status): n for status, n in sorted(self.statuses.items())},
                "versions": {
                    name: {str(status): n for status, n in sorted(found.items())}
                    for name, found in sorted(self.versions.items())
                },
                "p50": quantile(ordered, 0.5),
                "p99": quantile(ordered, 0.99),
                **more,
            }
        )


def quantile(ordered: Sequence[float], q: float) -> float | None:
    """The smallest value that at least a share `q` does not exceed; None of nothing."""
    return round(ordered[max(0, math.ceil(q * len(ordered)) - 1)], 6) if ordered else None


async def inputs_of(session: aiohttp.ClientSession, target: Target) -> list[dict[str, Any]]:
    """What the model says that it takes."""
    try:
        async with session.get(target.metadata, headers=target.all_headers) as answer:
            said = await answer.text()
            if answer.status != 200:
                raise ReplayError(f"GET {target.metadata} (Host {target.host!r}): {answer.status} {said[:200]}")
    except (aiohttp.ClientError, TimeoutError) as error:
        raise ReplayError(f"GET {target.metadata}: {error or type(error).__name__}") from error
    found = json.loads(said).get("inputs")
    if not found:
        raise ReplayError(f"{target.metadata} names no inputs: give a model that says what it takes")
    return list(found)


@dataclass
class Replay:
    """One run; `out` gets the reports."""

    target: Target
    rate: float
    seconds: float
    every: float = 5.0
    labels: Labels | None = None
    out: TextIO = sys.stdout
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._total, self._recent = Tally(), Tally()
        self._stopped = False
        self._rows = ""

    def stop(self) -> None:
        """Send nothing more."""
        self._stopped = True

    async def run(self, made: Iterator[Asked], session: aiohttp.ClientSession) -> Tally:
        """Until the time is over, there is nothing left to ask, or somebody says stop; labels until all are told."""
        telling = asyncio.create_task(self.labels.run(session)) if self.labels else None
        began, reported = self.clock(), 0.0
        gate = asyncio.Semaphore(MOST_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            for number in range(max(1, round(self.rate * self.seconds))):
                due = began + number / self.rate
                await asyncio.sleep(max(0.0, due - self.clock()))
                if self._stopped or (asked := next(made, None)) is None:
                    break
                await gate.acquire()
                self._rows = asked.rows
                task = group.create_task(self._send(session, asked, due))
                task.add_done_callback(lambda _: gate.release())
                if self.clock() - began - reported >= self.every:
                    reported = self.clock() - began
                    self._say(self._recent, reported)
                    self._recent = Tally()
        if self.labels and telling:
            self.labels.close(now=self._stopped)
            await telling
        told = {"labels": self.labels.told} if self.labels else {}
        self._say(self._total, self.clock() - began, total=True, **told)
        return self._total

    async def _send(self, session: aiohttp.ClientSession, asked: Asked, due: float) -> None:
        status, version = NO_ANSWER, ""
        headers = {**self.target.all_headers, "Content-Type": "application/json"}
        try:
            async with session.post(
                self.target.infer, data=asked.body, headers=headers, allow_redirects=False
            ) as answer:
                version = answer.headers.get(VERSION_HEADER, "")
                await answer.read()
                status = answer.status
                if self.labels and status == 200:
                    self.labels.later(answer.headers.get(REQUEST_ID, ""), asked.truth)
        except (aiohttp.ClientError, TimeoutError, OSError):
            pass  # no answer is an answer: it is counted as NO_ANSWER
        for tally in (self._total, self._recent):
            tally.add(status, version, self.clock() - due)

    def _say(self, tally: Tally, at: float, **more: Any) -> None:
        print(tally.report(at, rows=self._rows, **more), file=self.out, flush=True)


async def replay(
    asked: Callable[[Sequence[Mapping[str, Any]]], Iterator[Asked]], run: Replay, align: float = 0.0
) -> Tally:
    """Ask what the model takes, then send what `asked` makes of that; the first request at a multiple of `align` seconds
    since 1970. Raises ReplayError before the first request only."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, run.stop)
    limit = aiohttp.ClientTimeout(total=run.target.timeout)
    connector = aiohttp.TCPConnector(limit=MOST_AT_ONCE)
    async with aiohttp.ClientSession(timeout=limit, connector=connector) as session:
        made = asked(await inputs_of(session, run.target))
        if align:
            await asyncio.sleep(-time.time() % align)
        return await run.run(made, session)
