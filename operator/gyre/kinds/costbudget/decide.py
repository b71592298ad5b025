"""What to do next with a CostBudget. Pure: the same budget, world and time give the same decision."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from gyre.api.effects import Note, NoteType
from gyre.api.kind import Decision
from gyre.cost.estimate import History
from gyre.cost.meter import Meter
from gyre.cost.usage import entered
from gyre.kinds.costbudget import desired
from gyre.kinds.costbudget.account import Account, account, next_turn, zone_of
from gyre.kinds.costbudget.ledger import ledger_name
from gyre.kinds.costbudget.model import CostBudget
from gyre.kinds.costbudget.observe import Observed
from gyre.kinds.costbudget.reasons import Reason
from gyre.kinds.costbudget.report import Doing

SAID: Final = {
    Doing.WARN: (Reason.WARNED, "passed"),
    Doing.APPROVE: (Reason.APPROVAL_NEEDED, "passed: new TrainingJobs are refused until more is approved"),
    Doing.DENY: (Reason.DENYING, "passed: new TrainingJobs are refused"),
    Doing.PARK: (Reason.PARKING, "passed: new TrainingJobs are refused, running ones are parked after a checkpoint"),
}


def decide(budget: CostBudget, seen: Observed, now: datetime) -> Decision:
    """The books first; what they come to is said once nothing is left to enter."""
    zone = zone_of(budget)
    if zone is None:
        return Decision.stalled(
            Reason.UNKNOWN_TIME_ZONE,
            f"the operator knows no time zone {budget.spec.time_zone!r}: create the budget anew with one of the IANA database",
        )
    if seen.ledger_problem:
        name = ledger_name(budget.name)
        return Decision.stalled(
            Reason.LEDGER_UNREADABLE,
            f"ConfigMap {budget.spec.ledger_namespace}/{name} cannot be read ({seen.ledger_problem}): restore it, "
            "or delete it to begin the books again with what runs now",
        )
    if seen.meter is None:
        return Decision.progressing(
            Reason.STARTING, "creating its ledger", desired.written(budget, Meter(), History(), seen.ledger_version)
        )
    read, history = reading(budget, seen, seen.meter, zone, now), seen.history.entered(seen.ran)
    if read is not None or history != seen.history:
        write = desired.written(budget, read or seen.meter, history, seen.ledger_version)
        news = _news(budget, seen, read, zone, now) if read else ()
        return Decision.progressing(Reason.BILLING, "entering what has run", write, *news)
    found = account(budget, seen, seen.meter, zone, now)
    return replace(said(budget, seen, found), after=next_look(budget, seen.meter, zone, now))


def reading(budget: CostBudget, seen: Observed, meter: Meter, zone: ZoneInfo, now: datetime) -> Meter | None:
    """The meter read anew, where there is something to enter: a run began or ended, a price came, or it is time.

    What is used is entered whenever something is, and is no reason of its own.
    """
    whole = now.replace(microsecond=0)
    looked = meter.seen(seen.sightings, whole, seen.places)
    read = looked.billed(seen.prices, zone, whole)
    return entered(read, seen.samples, seen.prices, zone) if worth(budget, meter, looked, read, whole) else None


def worth(budget: CostBudget, meter: Meter, looked: Meter, read: Meter, whole: datetime) -> bool:
    if looked.spans != meter.spans or looked.unseen != meter.unseen:
        return True
    if any(span.end is not None and read.spans.get(key) != span for key, span in meter.spans.items()):
        return True
    stuck = meter.unpriced(meter.mark) if meter.mark else {}
    if any(read.spans.get(key) != span for key, span in stuck.items()):
        return True
    earning = any(read.spans.get(key) != span for key, span in meter.spans.items())
    due = meter.mark is None or whole >= meter.mark + budget.spec.interval
    return earning and due


def said(budget: CostBudget, seen: Observed, found: Account) -> Decision:
    """The first that is so."""
    if found.missing and not found.exhausted:
        mixed = bool(seen.foreign) and not seen.prices
        reason = Reason.CURRENCY_MIXED if mixed else Reason.PRICES_MISSING
        return Decision.stalled(reason, f"the cost is unknown: {found.missing}")
    share = f"{found.least:f} of {found.amount:f} {budget.spec.currency} spent"
    share = f"at least {share}" if found.missing else share
    if found.action is Doing.NONE:
        return Decision.settled(Reason.EXHAUSTED if found.exhausted else Reason.WITHIN, share)
    reason, what = SAID[found.action]
    return Decision.settled(reason, f"{share}; {found.percent} % {what}{_fix(found.action)}")


def next_look(budget: CostBudget, meter: Meter, zone: ZoneInfo, now: datetime) -> float | None:
    moments = [turn] if (turn := next_turn(budget, zone, now)) else []
    if meter.running and meter.mark is not None:
        moments.append(max(meter.mark + budget.spec.interval, now + timedelta(seconds=1)))
    return (min(moments) - now).total_seconds() if moments else None


def _news(budget: CostBudget, seen: Observed, read: Meter, zone: ZoneInfo, now: datetime) -> tuple[Note, ...]:
    """A threshold that this entry passes is told once: the message holds nothing that moves on."""
    before = account(budget, seen, seen.meter or Meter(), zone, now)
    after = account(budget, seen, read, zone, now)
    if after.action is before.action or after.action is Doing.NONE:
        return ()
    reason, what = SAID[after.action]
    text = f"{after.percent} % of {after.amount:f} {budget.spec.currency} {what}"
    return (Note(reason, text, NoteType.WARNING),)


def _fix(action: Doing) -> str:
    if action is Doing.WARN:
        return ""
    return "; raise spec.amount, or set spec.approval and the annotation gyre.dev/approved-by"
