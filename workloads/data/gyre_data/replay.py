"""`python -m gyre_data replay`: the rows of a Dataset as traffic on an endpoint, at a steady rate.

Promises   an open loop: request n leaves at n / rate seconds, whether earlier ones were answered or not, so that a slow server
           meets the load that real clients would bring; every request sent is counted once, by status and by the version
           that says it answered (`x-model-version`); no answer counts as status 0. Ends after `--seconds`, or on SIGTERM
           when what was sent is answered.
Never      retries, follows a redirect, or keeps a payload.

One request is one row (or `--rows` of them) in the Open Inference Protocol v2 (kserve/open-inference-protocol,
specification/protocol/inference_rest.md), one tensor a feature; names and types are asked of the model's own metadata.
Reports are JSON lines, one every `--every` seconds about those seconds, and at the end one with `"total": true` about all:
`{"at": seconds since 1970, "t": seconds since the start, "sent": 250, "statuses": {"200": 249, "503": 1},
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
import pyarrow as pa
import pyarrow.dataset as ds

NO_ANSWER: Final = 0
VERSION_HEADER: Final = "x-model-version"
TEXT: Final = "BYTES"
MOST_AT_ONCE: Final = 512


class ReplayError(Exception):
    """The replay cannot begin; the message names the fix."""


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


def table_of(path: str, partition: str | None = None) -> pa.Table:
    """The rows of a folder of Parquet, or of one of its partitions (`month=05`; `last` is the last by name)."""
    from pathlib import Path

    folder = Path(path)
    if partition:
        found = sorted(place for place in folder.rglob("*=*") if place.is_dir())
        chosen = found[-1:] if partition == "last" else [place for place in found if place.name == partition]
        if not chosen:
            raise ReplayError(f"{path} has no partition {partition!r}; there are {[place.name for place in found]}")
        folder = chosen[0]
    try:
        table = ds.dataset(str(folder), format="parquet", exclude_invalid_files=True).to_table()
    except (OSError, pa.ArrowInvalid) as error:
        raise ReplayError(f"{folder}: {error}") from error
    if table.num_rows == 0:
        raise ReplayError(f"{folder} has no rows")
    return table


def bodies(table: pa.Table, inputs: Sequence[Mapping[str, Any]], rows: int) -> Iterator[bytes]:
    """The table as bodies of `rows` rows each, from the beginning again at the end. A row that lacks a value is left out."""
    names = [str(one["name"]) for one in inputs]
    if missing := [name for name in names if name not in table.column_names]:
        raise ReplayError(f"the model asks for {', '.join(missing)}, which the rows do not have")
    whole = table.select(names).drop_null()
    if whole.num_rows == 0:
        raise ReplayError("no row has a value in every column that the model asks for")
    types = {str(one["name"]): str(one["datatype"]) for one in inputs}
    while True:
        for batch in whole.to_batches(max_chunksize=rows):
            columns = batch.to_pydict()
            tensors = [
                {
                    "name": name,
                    "shape": [batch.num_rows],
                    "datatype": types[name],
                    "data": [str(value) if types[name] == TEXT else value for value in columns[name]],
                }
                for name in names
            ]
            yield json.dumps({"inputs": tensors}).encode()


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
    out: TextIO = sys.stdout
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._total, self._recent = Tally(), Tally()
        self._stopped = False

    def stop(self) -> None:
        """Send nothing more."""
        self._stopped = True

    async def run(self, made: Iterator[bytes], session: aiohttp.ClientSession) -> Tally:
        began, reported = self.clock(), 0.0
        gate = asyncio.Semaphore(MOST_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            for number in range(max(1, round(self.rate * self.seconds))):
                due = began + number / self.rate
                await asyncio.sleep(max(0.0, due - self.clock()))
                if self._stopped:
                    break
                await gate.acquire()
                task = group.create_task(self._send(session, next(made), due))
                task.add_done_callback(lambda _: gate.release())
                if self.clock() - began - reported >= self.every:
                    reported = self.clock() - began
                    self._say(self._recent, reported)
                    self._recent = Tally()
        self._say(self._total, self.clock() - began, total=True)
        return self._total

    async def _send(self, session: aiohttp.ClientSession, body: bytes, due: float) -> None:
        status, version = NO_ANSWER, ""
        headers = {**self.target.all_headers, "Content-Type": "application/json"}
        try:
            async with session.post(self.target.infer, data=body, headers=headers, allow_redirects=False) as answer:
                version = answer.headers.get(VERSION_HEADER, "")
                await answer.read()
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError):
            pass  # no answer is an answer: it is counted as NO_ANSWER
        for tally in (self._total, self._recent):
            tally.add(status, version, self.clock() - due)

    def _say(self, tally: Tally, at: float, **more: Any) -> None:
        print(tally.report(at, **more), file=self.out, flush=True)


async def replay(table: pa.Table, run: Replay, rows: int = 1) -> Tally:
    """Ask what the model takes, then send. Raises ReplayError before the first request only."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, run.stop)
    limit = aiohttp.ClientTimeout(total=run.target.timeout)
    connector = aiohttp.TCPConnector(limit=MOST_AT_ONCE)
    async with aiohttp.ClientSession(timeout=limit, connector=connector) as session:
        made = bodies(table, await inputs_of(session, run.target), rows)
        return await run.run(made, session)
