"""Events as predictors and KServe's agent send them, and a collector over two folders."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
from prometheus_client import CollectorRegistry

from gyre_log.application import application
from gyre_log.collector import Collector
from gyre_log.events import BATCH, REQUEST, RESPONSE
from gyre_log.journal import Journal
from gyre_log.metrics import Metrics
from gyre_log.settings import Settings
from gyre_log.store import Store

NOW = datetime(2026, 11, 24, 8, 15, tzinfo=UTC)
ROW = {"hour": 8, "carrier": "UA", "weekday": 1}
BATCHED = {"content-type": BATCH}


def asked(request: str, rows: list[Any] | None = None, **changes: Any) -> dict[str, Any]:
    event = {
        "specversion": "1.0",
        "id": request,
        "source": "gyre/late/pod-1",
        "type": REQUEST,
        "time": NOW.isoformat(),
        "endpoint": "late-1",
        "gyrecategorical": '["carrier","weekday"]',
        "data": {"instances": [ROW] if rows is None else rows},
    }
    return {key: value for key, value in {**event, **changes}.items() if value is not None}


def answered(request: str, predictions: list[Any] | None = None, **changes: Any) -> dict[str, Any]:
    event = {
        "specversion": "1.0",
        "id": request,
        "source": "gyre/late/pod-1",
        "type": RESPONSE,
        "time": NOW.isoformat(),
        "endpoint": "late-1",
        "gyrecode": 200,
        "gyreseconds": "0.0015",
        "data": {"predictions": [0.25] if predictions is None else predictions},
    }
    return {key: value for key, value in {**event, **changes}.items() if value is not None}


def exchange(id: str) -> list[dict[str, Any]]:
    return [asked(id), answered(id)]


def environment(folder: Path, **changes: str) -> dict[str, str]:
    return {
        "GYRE_LOG_SERVICE": "late",
        "GYRE_LOG_URI": "pvc://runs/log",
        "GYRE_LOG_DIR": str(folder / "log"),
        "GYRE_LOG_JOURNAL": str(folder / "journal"),
        "GYRE_LOG_AUTH": "None",
        **changes,
    }


class World:
    """A collector whose clock is handed in; `run` gives it a loop for as long as a story takes."""

    def __init__(self, folder: Path, **changes: str) -> None:
        self.folder, self.settings = folder, Settings.of(environment(folder, **changes))
        self.now = NOW
        self.store = Store(self.settings.root, self.settings.s3)
        self.collector: Collector

    def run(self, story: Callable[[World], Awaitable[None]], *, leave: bool = True) -> None:
        """`leave`: the process ends as it is told to; else it is as if it had been killed."""

        async def all_of_it() -> None:
            registry = CollectorRegistry()
            journal = Journal(self.settings.journal)
            self.collector = Collector(self.settings, journal, self.store, Metrics(registry), lambda: self.now)
            self.registry = registry
            commit = asyncio.create_task(self.collector.commit())
            self.collector.tasks = [commit, asyncio.create_task(asyncio.sleep(0))]
            transport = httpx.ASGITransport(application(self.collector, registry))
            async with httpx.AsyncClient(transport=transport, base_url="http://log") as self.client:
                try:
                    await story(self)
                finally:
                    if leave:
                        await self.collector.leave(5)
                    else:
                        commit.cancel()
                        self.collector.disk.shutdown()
                        self.collector.cloud.shutdown()
                        journal.close()

        asyncio.run(all_of_it())

    async def send(self, *events: Any, path: str = "/events", **headers: str) -> httpx.Response:
        return await self.client.post(path, content=json.dumps(list(events)), headers={**BATCHED, **headers})

    async def stored(self) -> None:
        """What the storing task does when it is time."""
        await self.collector.seal()
        await self.collector.store_sealed()

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)

    @property
    def files(self) -> list[str]:
        root = self.folder / "log"
        return sorted(path.relative_to(root).as_posix() for path in root.rglob("*.parquet"))

    @property
    def rows(self) -> list[dict[str, Any]]:
        return rows_under(self.folder / "log")


def rows_under(root: Path) -> list[dict[str, Any]]:
    found = [row for path in sorted(root.rglob("part-*.parquet")) for row in pq.ParquetFile(path).read().to_pylist()]
    return sorted(found, key=lambda row: row["id"])
