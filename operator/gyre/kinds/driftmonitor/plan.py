"""Which window is due, and what its Job is called. Pure names: the same spec, world and ledger give the same name.

window    begins at a multiple of spec.window since 1970, and is due `lateness` after its end; the oldest missing one comes first
trigger   everything that makes an earlier verdict worthless: reference, features, rates, where the log lies,
          gyre.dev/requested-at. Another trigger has the newest window judged anew, and not those before it
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from gyre.adapters.datasets import DatasetView
from gyre.adapters.pods import moment
from gyre.kinds.driftmonitor.ledger import Failure, Ledger
from gyre.kinds.driftmonitor.model import DriftMonitor

REQUESTED_AT: Final = "gyre.dev/requested-at"
"""Annotation: a new value asks for a new look at the newest window."""

MOST_BEHIND: Final = 24
"""After a longer pause the windows before these are skipped, and counted."""
MOST_TRIES: Final = 5
"""So often a window is tried while a newer one waits."""
FIRST_RETRY: Final = timedelta(minutes=1)
LAST_RETRY: Final = timedelta(hours=1)
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Step:
    """The window that is judged next, now or once its time has come."""

    name: str
    trigger: str
    start: datetime
    end: datetime
    due: datetime
    skipped: int = 0
    """Windows before it that will never be judged."""

    @property
    def label(self) -> str:
        return f"{self.start:%Y-%m-%d %H:%M}"


def step(dm: DriftMonitor, dataset: DatasetView | None, uri: str, ledger: Ledger, now: datetime) -> Step:
    asked = trigger(dm, dataset, uri)
    width, lateness = dm.spec.window, dm.spec.lateness
    newest = EPOCH + ((now - lateness - EPOCH) // width) * width  # end of the newest window that may be judged
    done = moment(ledger.done) if ledger.done else None
    skipped = 0
    if done is None or ledger.trigger != asked:
        start = newest - width
    else:
        behind = (newest - done) // width
        skipped = 0 if ledger.started == ledger.done else max(0, behind - MOST_BEHIND)
        start = done + skipped * width
    name = f"{dm.name}-w{start:%Y%m%d%H%M%S}-{_hash(dm.uid, asked, ledger.runs)[:6]}"
    return Step(name, asked, start, start + width, start + width + lateness, skipped)


def trigger(dm: DriftMonitor, dataset: DatasetView | None, uri: str) -> str:
    spec = dm.spec.to_dict()
    kept = {key: value for key, value in spec.items() if key not in ("resources", "timeout", "lateness", "report")}
    digest = dataset.digest if dataset and dm.spec.reference.dataset else ""
    return _hash(kept, digest, uri, dm.metadata.annotations.get(REQUESTED_AT, ""))


def windows_between_false_alarms(dm: DriftMonitor) -> int:
    return max(1, dm.spec.expected_time_between_false_alarms // dm.spec.window)


def retry_delay(failure: Failure) -> timedelta:
    """1 m, 2 m, 4 m, … 1 h."""
    doublings: int = min(failure.count - 1, 10)
    return min(FIRST_RETRY * (1 << doublings), LAST_RETRY)


def _hash(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
