"""The status of a Dataset: its conditions as a table, and what its ledger tells."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from gyre.adapters.pods import moment
from gyre.adapters.versions import short
from gyre.api.conditions import Row, Verdict, merge, no, report, yes
from gyre.api.kind import Decision
from gyre.api.outcomes import standard
from gyre.api.quantities import BINARY
from gyre.kinds.dataset.decide import describe
from gyre.kinds.dataset.ledger import Entry, Ledger
from gyre.kinds.dataset.model import MAX_COLUMNS_SHOWN, Dataset, DatasetStatus, Version
from gyre.kinds.dataset.observe import Observed
from gyre.kinds.dataset.plan import fingerprint, next_scan, step, trigger
from gyre.kinds.dataset.reasons import TROUBLES, Reason


@dataclass(frozen=True, slots=True)
class Facts:
    ds: Dataset
    ledger: Ledger
    job: str
    """The Job that is running for this spec; empty when there is none."""

    @property
    def prepared(self) -> Verdict | None:
        if self.ds.spec.prepare is None:
            return yes(Reason.NOT_ASKED, "the data are there already: spec.prepare is not given")
        if self.ledger.prepared == fingerprint(self.ds):
            return yes(Reason.PREPARED)
        return self._failed or no(Reason.PREPARING, "spec.prepare has not run to its end yet")

    @property
    def scanned(self) -> Verdict | None:
        if self._failed:
            return self._failed
        current = self.ledger.current
        if current is None:
            return None
        if self.ledger.scanned == trigger(self.ds):
            return yes(Reason.SCANNED, describe(current))
        return no(Reason.SCANNING, f"last scanned under an earlier spec: {describe(current)}")

    @property
    def running(self) -> Verdict:
        return yes(Reason.SCANNING, self.job) if self.job else no(Reason.IDLE)

    @property
    def _failed(self) -> Verdict | None:
        failure = self.ledger.failure
        if failure is None or failure.trigger != trigger(self.ds):
            return None
        return no(TROUBLES.get(failure.cause, Reason.SCAN_FAILED), failure.message)


CONDITIONS: Final = (
    Row[Facts]("Prepared", lambda f: f.prepared, "gyre has not looked at spec.prepare yet"),
    Row[Facts]("Scanned", lambda f: f.scanned, "the data have never been scanned"),
    Row[Facts]("Scanning", lambda f: f.running, "gyre has not looked at the Dataset yet"),
)


def summarize(ds: Dataset, seen: Observed, decision: Decision, now: datetime) -> dict[str, Any]:
    ledger = seen.ledger or Ledger()
    job = seen.job(step(ds, ledger).name)
    running = job.name if job and not job.over else ""
    rows = report(CONDITIONS, Facts(ds, ledger, running), ds.generation)
    return DatasetStatus(
        observed_generation=ds.generation,
        conditions=merge(ds.status.conditions, (*standard(decision, ds.generation), *rows), now),
        current=_version(ledger.current) if ledger.current else None,
        versions=tuple(_version(entry) for entry in reversed(ledger.entries[-ds.spec.keep_versions :])),
        schema_=dict(list(ledger.schema.items())[:MAX_COLUMNS_SHOWN]),
        last_scan=ledger.last_scan,
        next_scan=next_scan(ds, ledger),
        failures=ledger.failure.count if ledger.failure else None,
        job=running or None,
    ).to_dict()


def _version(entry: Entry) -> Version:
    return Version(
        version=entry.version,
        digest=entry.digest,
        short_digest=short(entry.digest),
        files=entry.files,
        rows=entry.rows,
        bytes=entry.bytes,
        size=human(entry.bytes) if entry.bytes is not None else None,
        time=moment(entry.time) or datetime.min.replace(tzinfo=UTC),
        same_as=entry.same_as,
    )


def human(size: int) -> str:
    """Bytes for people, in about three digits: 999, 1.46Ki, 12.3Mi, 1020Gi."""
    for suffix, unit in reversed(BINARY.items()):
        if size >= unit:
            value = Decimal(size) / unit
            places = "0.01" if value < 10 else "0.1" if value < 100 else "1"
            digits = f"{value.quantize(Decimal(places)):f}"
            return (digits.rstrip("0").rstrip(".") if "." in digits else digits) + suffix
    return str(size)
