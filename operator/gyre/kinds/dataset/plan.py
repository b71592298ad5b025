"""What asks for a Job, and what that Job is called. Pure names: the same spec and ledger give the same name.

trigger       everything that makes an earlier scan worthless: source, prepare, scan's image, gyre.dev/requested-at
fingerprint   what spec.prepare would do; while it stays the same, prepare does not run again
step          the Job that the ledger lacks: prepare, then scan; its name carries the number of Jobs recorded before
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from gyre.kinds.dataset.ledger import Failure, Ledger
from gyre.kinds.dataset.model import Dataset

REQUESTED_AT: Final = "gyre.dev/requested-at"
"""Annotation: a new value asks for a new scan."""

FIRST_RETRY: Final = timedelta(minutes=1)
LAST_RETRY: Final = timedelta(hours=1)


class Role(StrEnum):
    PREPARE = "prepare"
    SCAN = "scan"


@dataclass(frozen=True, slots=True)
class Step:
    """The Job that is due, or will be once its time has come."""

    role: Role
    name: str
    trigger: str
    routine: bool
    """Only because spec.scan.every has passed: what was found before still holds as far as anyone knows."""


def step(ds: Dataset, ledger: Ledger) -> Step:
    asked = trigger(ds)
    prepare = ds.spec.prepare is not None and ledger.prepared != fingerprint(ds)
    role = Role.PREPARE if prepare else Role.SCAN
    name = f"{ds.name}-{role}-{_hash(ds.uid, asked, role, ledger.runs)[:8]}"
    return Step(role, name, asked, routine=not prepare and ledger.scanned == asked)


def trigger(ds: Dataset) -> str:
    spec = ds.spec
    prepare = spec.prepare.to_dict() if spec.prepare else None
    scan = {key: value for key, value in spec.scan.to_dict().items() if key != "every"}
    return _hash(_location(ds), prepare, scan, ds.metadata.annotations.get(REQUESTED_AT, ""))


def fingerprint(ds: Dataset) -> str:
    """Time and memory that it is given do not change what it writes."""
    prepare = ds.spec.prepare.to_dict() if ds.spec.prepare else {}
    return _hash(_location(ds), {key: prepare[key] for key in sorted(prepare) if key not in ("resources", "timeout")})


def next_scan(ds: Dataset, ledger: Ledger) -> datetime | None:
    """When the clock asks for a scan; None when it never does."""
    if ds.spec.scan.every is None or ledger.last_scan is None:
        return None
    return ledger.last_scan + ds.spec.scan.every


def retry_delay(failure: Failure) -> timedelta:
    """1 m, 2 m, 4 m, … 1 h."""
    doublings: int = min(failure.count - 1, 10)
    return min(FIRST_RETRY * (1 << doublings), LAST_RETRY)


def _location(ds: Dataset) -> dict[str, Any]:
    """Where the data lie; a claim that has grown is the same place."""
    source = ds.spec.source
    return {"volume": ds.name} if source.volume else source.to_dict()


def _hash(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
