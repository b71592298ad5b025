"""The status of a DriftMonitor: its conditions as a table, and what its ledger tells of the newest windows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from gyre.adapters.pods import moment
from gyre.api.conditions import Row, Verdict, merge, no, report, unknown, yes
from gyre.api.kind import Decision
from gyre.api.outcomes import standard
from gyre.kinds.driftmonitor.ledger import Entry, Ledger
from gyre.kinds.driftmonitor.model import DriftMonitor
from gyre.kinds.driftmonitor.observe import Observed
from gyre.kinds.driftmonitor.plan import step
from gyre.kinds.driftmonitor.reasons import WORDS, Reason
from gyre.kinds.driftmonitor.told import (
    MAX_HISTORY,
    DataBug,
    DriftMonitorStatus,
    Finding,
    Impact,
    Labelled,
    Past,
    Quality,
    Window,
    Written,
)
from gyre.kinds.driftmonitor.words import described, span, verdict


@dataclass(frozen=True, slots=True)
class Facts:
    newest: Entry | None
    """The newest window, if it was judged under this spec."""

    @property
    def drifted(self) -> Verdict | None:
        entry = self.newest
        if entry is None:
            return None
        word = verdict(entry)
        if entry.found.drifted is None:
            return unknown(word, described(entry))
        return (yes if entry.found.drifted else no)(word, described(entry))

    @property
    def bug(self) -> Verdict | None:
        entry = self.newest
        if entry is None:
            return None
        if found := entry.found.bug:
            return yes(Reason.DATA_BUG_FOUND, f"{found.reason}: {found.message}")
        if entry.found.state != "Judged":
            return unknown(verdict(entry), described(entry))
        return no(Reason.NO_DATA_BUG, f"no known fault in {span(entry)}")

    @property
    def impact(self) -> Verdict | None:
        cost = self.newest.found.cost if self.newest else None
        if cost is None:
            return None
        if cost.estimate is None:
            return unknown(WORDS.get(cost.reason, Reason.NO_LABELS), cost.message)
        word = Reason.MEASURED if cost.basis == "Labels" else Reason.ESTIMATED
        change = f" ({cost.before:.4f} → {cost.now:.4f})" if cost.before is not None and cost.now is not None else ""
        return yes(word, f"{cost.metric} is worse by {cost.estimate:.4f}{change}")

    @property
    def quality(self) -> Verdict | None:
        labels = self.newest.found.labels if self.newest else None
        if labels is None or labels.lost is None:
            return None
        said = f"evidence {labels.evidence:.2f} of {labels.threshold:.2f}"
        return yes(Reason.QUALITY_LOST_FOUND, said) if labels.lost else no(Reason.QUALITY_HELD, said)


NO_LABELS = "labels are needed: 500 to know how often the model errs usually; send them to /labels of the service's log"

CONDITIONS: Final = (
    Row[Facts]("Drifted", lambda f: f.drifted, "no window has been judged under this spec"),
    Row[Facts]("DataBug", lambda f: f.bug, "no window has been judged under this spec"),
    Row[Facts]("ImpactKnown", lambda f: f.impact, "no window has been judged under this spec"),
    Row[Facts]("QualityLost", lambda f: f.quality, NO_LABELS),
)


def summarize(dm: DriftMonitor, seen: Observed, decision: Decision, now: datetime) -> dict[str, Any]:
    ledger = seen.ledger or Ledger()
    due = step(dm, seen.dataset, seen.uri, ledger, now)
    job = seen.job(due.name)
    running = job.name if job and not job.over else ""
    newest = ledger.newest_of(due.trigger)
    rows = report(CONDITIONS, Facts(newest), dm.generation)
    judged = ledger.judged_of(due.trigger)
    return DriftMonitorStatus(
        observed_generation=dm.generation,
        conditions=merge(dm.status.conditions, (*standard(decision, dm.generation), *rows), now),
        drifted=newest.found.drifted if newest else None,
        since=moment(ledger.since) if newest and ledger.since else None,
        worst=tuple(_finding(one) for one in judged.found.worst) if judged else (),
        impact=_impact(newest) if newest else None,
        data_bug=_bug(newest) if newest else None,
        quality=_quality(newest) if newest else None,
        labels=Labelled(seen=ledger.labelled[0], wrong=ledger.labelled[1]) if ledger.labelled else None,
        window=_window(newest) if newest else None,
        windows_seen=ledger.seen,
        windows_skipped=ledger.skipped or None,
        next_window=due.due if due.due > now else None,
        report=Written(uri=judged.found.uri, digest=judged.found.digest) if judged and judged.found.uri else None,
        history=tuple(_past(entry) for entry in reversed(ledger.entries[-MAX_HISTORY:])),
        failures=ledger.failure.count if ledger.failure else None,
        job=running or None,
    ).to_dict()


def _decimal(value: float) -> Decimal:
    return Decimal(repr(round(value, 4)))


def _finding(one: Any) -> Finding:
    numbers = {key: _decimal(getattr(one, key)) for key in ("statistic", "threshold", "effect")}
    return Finding(feature=one.feature, **numbers)


def _impact(entry: Entry) -> Impact | None:
    cost = entry.found.cost
    if cost is None or cost.estimate is None:
        return None
    return Impact(
        estimate=_decimal(cost.estimate),
        metric=cost.metric,
        before=_decimal(cost.before) if cost.before is not None else None,
        now=_decimal(cost.now) if cost.now is not None else None,
        basis=cost.basis or None,
    )


def _bug(entry: Entry) -> DataBug | None:
    bug = entry.found.bug
    return DataBug(reason=bug.reason, feature=bug.feature, message=bug.message) if bug else None


def _quality(entry: Entry) -> Quality | None:
    labels = entry.found.labels
    if not labels.rows and labels.lost is None:
        return None
    evidence, threshold = _decimal(labels.evidence), _decimal(labels.threshold)
    return Quality(labels=labels.rows, errors=labels.errors, evidence=evidence, threshold=threshold)


def _window(entry: Entry) -> Window:
    found = entry.found
    return Window(from_=_time(entry.start), to=_time(entry.end), rows=found.rows, judged=found.judged)


def _past(entry: Entry) -> Past:
    word = "DataBug" if entry.found.bug else "Drifted" if entry.found.drifted else verdict(entry).value
    worst = entry.found.worst[0].feature if entry.found.worst else None
    return Past(to=_time(entry.end), rows=entry.found.rows, verdict=word, worst=worst)


def _time(text: str) -> datetime:
    return moment(text) or datetime.min.replace(tzinfo=UTC)
