"""The status of a ServiceLevelObjective: its conditions as a table, its budget as people want to see it. Pure.

All of it is of the time at which the counters were asked, rounded to hundredths: without traffic it changes only while what was
counted ages out of the window.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from gyre.api.conditions import Row, Verdict, merge, no, report, unknown, yes
from gyre.api.kind import Decision
from gyre.api.outcomes import standard
from gyre.kinds.servicelevelobjective import words
from gyre.kinds.servicelevelobjective.looking import Look, looked
from gyre.kinds.servicelevelobjective.model import (
    Budget,
    Burn,
    ServiceLevelObjective,
    ServiceLevelObjectiveStatus,
    Standing,
)
from gyre.kinds.servicelevelobjective.observe import Observed
from gyre.kinds.servicelevelobjective.reasons import Reason
from gyre.kinds.servicelevelobjective.standing import Stand, worst

HUNDREDTH: Final = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Facts:
    slo: ServiceLevelObjective
    seen: Observed
    look: Look | None


def counts(facts: Facts) -> Verdict | None:
    readings = facts.seen.readings
    if readings is None:
        return None
    if readings.problem:
        return no(Reason.COUNTS_UNAVAILABLE, readings.problem)
    count = len(readings.proxies)
    return yes(Reason.COUNTS_AVAILABLE, f"{count} gateway pod{' has' if count == 1 else 's have'} answered")


def burning(facts: Facts) -> Verdict | None:
    if facts.look is None:
        return _remembered(facts, "burning")
    if facts.look.ledger.burning:
        return yes(Reason.BURN_RATE_HIGH, words.burning(facts.look))
    if not any(each.counts.events for each in facts.look.stands):
        return unknown(Reason.TOO_FEW_EVENTS, "no events in the window: send requests through the Gateway")
    return no(Reason.WITHIN_BUDGET)


def exhausted(facts: Facts) -> Verdict | None:
    if facts.look is None:
        return _remembered(facts, "exhausted")
    if facts.look.ledger.exhausted:
        return yes(Reason.BUDGET_EXHAUSTED, words.exhausted(facts.slo, facts.look))
    least = worst(facts.look.stands)
    if least is None or least.remaining is None:
        return unknown(
            least.reason or Reason.TOO_FEW_EVENTS if least else Reason.TOO_FEW_EVENTS, least.message if least else ""
        )
    return no(Reason.WITHIN_BUDGET, words.budget(least))


def _remembered(facts: Facts, what: str) -> Verdict | None:
    """While nobody can be asked, what was true stays true: a spent budget does not come back by blindness."""
    ledger = facts.seen.memory.ledger if facts.seen.memory else None
    if ledger is None or not getattr(ledger, what):
        return None
    reason = Reason.BURN_RATE_HIGH if what == "burning" else Reason.BUDGET_EXHAUSTED
    return yes(reason, "as of the last look; the counters cannot be read now")


CONDITIONS: Final = (
    Row[Facts]("CountsAvailable", counts, "no version of the service has traffic yet"),
    Row[Facts]("Burning", burning, "nothing has been counted yet"),
    Row[Facts]("Exhausted", exhausted, "nothing has been counted yet"),
)


def summarize(slo: ServiceLevelObjective, seen: Observed, decision: Decision, now: datetime) -> dict[str, Any]:
    look = looked(slo, seen)
    facts = Facts(slo, seen, look)
    conditions = (*standard(decision, slo.generation), *report(CONDITIONS, facts, slo.generation))
    ledger = look.ledger if look else seen.memory.ledger if seen.memory else None
    least = worst(look.stands) if look else None
    return ServiceLevelObjectiveStatus(
        observed_generation=slo.generation,
        conditions=merge(slo.status.conditions, conditions, now),
        budget=_budget(least) if least else None,
        burn=_burn(least) if least else (),
        objectives=tuple(_standing(each, look) for each in look.stands) if look else (),
        exhausted_since=ledger.exhausted if ledger else None,
        model=(seen.service.model or None) if seen.service else None,
        version=(ledger.version or None) if ledger else None,
    ).to_dict()


def _budget(least: Stand) -> Budget:
    first = least.burns[0] if least.burns else None
    return Budget(
        remaining=_two(least.remaining),
        objective=least.label,
        burn=f"{min(first.rate, first.short_rate):.1f}x" if first and first.enough else None,
    )


def _burn(least: Stand) -> tuple[Burn, ...]:
    return tuple(
        Burn(
            window=timedelta(seconds=round(each.window)),
            rate=_two(min(each.rate, each.short_rate)) or Decimal(0),
            alarm=Decimal(str(each.rule.rate)),
        )
        for each in least.burns
    )


def _standing(each: Stand, look: Look) -> Standing:
    tally = look.ledger.tallies.get(each.measure.objective.name)
    return Standing(
        name=each.measure.objective.name,
        remaining=_two(each.remaining),
        events=round(each.counts.events),
        bad=round(each.counts.bad),
        counted=tally.events if tally else 0,
        counted_bad=tally.bad if tally else 0,
        since=tally.since if tally else None,
        edge=timedelta(seconds=each.measure.edge) if each.measure.edge is not None else None,
        message=each.message,
    )


def _two(value: float | None) -> Decimal | None:
    """Rounded to hundredths, and never a negative zero."""
    if value is None:
        return None
    rounded = Decimal(repr(max(-1e6, min(1e6, value)))).quantize(HUNDREDTH)
    return rounded if rounded else Decimal("0.00")
