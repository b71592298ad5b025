"""How the objectives stand: from the counts of the ledger to budgets and burn rates at the time of a look. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gyre.kinds.servicelevelobjective.counting import Measure
from gyre.kinds.servicelevelobjective.ledger import Ledger
from gyre.kinds.servicelevelobjective.model import ServiceLevelObjective
from gyre.kinds.servicelevelobjective.reasons import Reason
from gyre.stats import burn

RECOVERED: Final = 0.05
"""Of the budget: with so much left it has come back; with less, one bad minute would spend it again."""
NONE: Final = burn.Counts()
SELDOM, OFTEN = 300.0, 5.0
"""Seconds between two looks, at the most and at the least."""


@dataclass(frozen=True, slots=True)
class Stand:
    """One objective at the time of a look. `remaining` is None while nobody can say, and then `message` says why."""

    measure: Measure
    counts: burn.Counts = NONE
    remaining: float | None = None
    burns: tuple[burn.Burn, ...] = ()
    reason: Reason | None = None
    message: str = ""

    @property
    def target(self) -> float:
        return float(self.measure.objective.target) / 100.0

    @property
    def pages(self) -> burn.Burn | None:
        return next((each for each in self.burns if each.rule.page and each.fires), None)

    @property
    def label(self) -> str:
        objective = self.measure.objective
        return f"{objective.name} {objective.target}%"


def every(slo: ServiceLevelObjective) -> float:
    """Seconds between two looks: as often as the shortest window is long."""
    return min(SELDOM, max(OFTEN, burn.shortest(slo.spec.window.total_seconds())))


def stands(slo: ServiceLevelObjective, ledger: Ledger, measures: Sequence[Measure], at: datetime) -> tuple[Stand, ...]:
    return tuple(_stand(slo, ledger, each, at.timestamp()) for each in measures)


def _stand(slo: ServiceLevelObjective, ledger: Ledger, each: Measure, at: float) -> Stand:
    tally = ledger.tallies.get(each.objective.name)
    if each.reason is not None or tally is None:
        return Stand(
            each, reason=each.reason or Reason.TOO_FEW_EVENTS, message=each.message or "nothing is counted yet"
        )
    period, target = slo.spec.window.total_seconds(), float(each.objective.target) / 100.0
    stretches = [burn.Stretch(*numbers) for numbers in tally.stretches]
    counts = burn.within(stretches, at, period)
    burns = burn.burns(stretches, at, period, target, slo.spec.min_events, every(slo))
    least = burn.worth(target, slo.spec.min_events)
    if counts.events < least:
        message = f"{round(counts.events)} events in the window, and it takes {least} to say anything: wait for traffic"
        return Stand(each, counts, None, burns, Reason.TOO_FEW_EVENTS, message)
    return Stand(each, counts, burn.remaining(counts, target), burns)


def worst(found: Sequence[Stand]) -> Stand | None:
    """The one with the least budget; one that burns without enough events for a budget comes before none at all."""
    known = [stand for stand in found if stand.remaining is not None]
    if known:
        return min(known, key=lambda stand: stand.remaining if stand.remaining is not None else 1.0)
    return next((stand for stand in found if stand.pages), found[0] if found else None)


def spent(found: Sequence[Stand]) -> Stand | None:
    """The objective whose budget is spent most, if one's is."""
    least = worst(found)
    return least if least is not None and least.remaining is not None and least.remaining <= 1e-9 else None


def back(found: Sequence[Stand]) -> bool:
    """There is budget again, for all that can be said."""
    return all(stand.remaining is None or stand.remaining >= RECOVERED for stand in found)
