"""The ledger of a Dataset: what its scans found, as text in ConfigMap `<dataset>-versions` and back.

Promises   version numbers only grow, also past the bound; equal ledgers are equal text; at most KEPT entries, so that it
           stays far below a ConfigMap's megabyte.
Never      takes a ledger that cannot be read for an empty one: that would count from one again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

from pydantic import TypeAdapter

from gyre.adapters.pods import moment
from gyre.api.fields import BigCount, Count, Digest, Positive
from gyre.kinds.dataset.report import Report

KEY: Final = "ledger.json"
FORMAT: Final = 1
KEPT: Final = 500


class UnreadableLedger(ValueError):
    """The ConfigMap does not hold a ledger that this operator wrote."""


@dataclass(frozen=True, slots=True)
class Entry:
    version: Positive
    digest: Digest
    time: str
    files: Count | None = None
    rows: BigCount | None = None
    bytes: BigCount | None = None
    same_as: Positive | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """The newest of failures in a row, all under the same trigger."""

    trigger: str
    cause: str
    message: str
    time: str
    count: Positive


@dataclass(frozen=True, slots=True)
class Ledger:
    runs: Count = 0
    """Jobs recorded so far, well or badly ended: part of the next Job's name, so that no name is used twice."""
    prepared: str = ""
    """Fingerprint of the spec.prepare that has run to its end."""
    scanned: str = ""
    """Trigger of the last scan that ended well."""
    scan_time: str = ""
    failure: Failure | None = None
    entries: tuple[Entry, ...] = ()
    """Oldest first."""
    schema: Mapping[str, str] = field(default_factory=dict)
    """Of the newest entry."""

    @property
    def current(self) -> Entry | None:
        return self.entries[-1] if self.entries else None

    @property
    def last_scan(self) -> datetime | None:
        return moment(self.scan_time) if self.scan_time else None

    def with_prepared(self, fingerprint: str) -> Ledger:
        return replace(self, runs=self.runs + 1, prepared=fingerprint, failure=None)

    def with_failure(self, trigger: str, cause: str, message: str, now: datetime) -> Ledger:
        before = self.failure.count if self.failure and self.failure.trigger == trigger else 0
        return replace(
            self, runs=self.runs + 1, failure=Failure(trigger, cause, message, stamp(now), min(before + 1, 1000))
        )

    def with_scan(self, trigger: str, found: Report, now: datetime) -> Ledger:
        """The same digest as the last one is the same version, whatever else was found."""
        scanned = replace(self, runs=self.runs + 1, scanned=trigger, scan_time=stamp(now), failure=None)
        if self.current and self.current.digest == found.digest:
            return scanned
        earlier = (entry.version for entry in reversed(self.entries) if entry.digest == found.digest)
        entry = Entry(
            version=self.current.version + 1 if self.current else 1,
            digest=found.digest,
            time=stamp(now),
            files=found.files,
            rows=found.rows,
            bytes=found.bytes,
            same_as=next(earlier, None),
        )
        return replace(scanned, entries=(*self.entries, entry)[-KEPT:], schema=dict(found.schema))


def stamp(now: datetime) -> str:
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")


def to_data(ledger: Ledger) -> dict[str, str]:
    content = {key: value for key, value in asdict(ledger).items() if value not in (None, "", (), {})}
    if ledger.entries:
        content["entries"] = [{k: v for k, v in asdict(e).items() if v is not None} for e in ledger.entries]
    return {KEY: json.dumps({"format": FORMAT, **content}, sort_keys=True, separators=(",", ":"))}


def from_data(data: Mapping[str, Any] | None) -> Ledger:
    """Raises UnreadableLedger, saying what is wrong. Fields of a newer operator are ignored."""
    try:
        content = json.loads((data or {})[KEY])
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']} is not {FORMAT}")
        ledger = _LEDGER.validate_python(content)
        if not all(before.version < after.version for before, after in pairwise(ledger.entries)):
            raise ValueError("its version numbers do not grow")
        if not all(moment(time) for time in _times(ledger)):
            raise ValueError("a time is not RFC 3339")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableLedger(f"{type(error).__name__}: {error}"[:200]) from error
    return ledger


def _times(ledger: Ledger) -> list[str]:
    """Every time in it that is given."""
    given = [ledger.scan_time, ledger.failure.time if ledger.failure else ""]
    return [*(time for time in given if time), *(entry.time for entry in ledger.entries)]


_LEDGER: Final = TypeAdapter(Ledger)
