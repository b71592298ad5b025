"""What keeps a call from being followed. Pure: the first gate that is shut says why, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, TypeAlias

from gyre.api.durations import format_duration
from gyre.kinds.model.calls import Call
from gyre.kinds.model.ledger import Ledger
from gyre.kinds.model.observe import Observed
from gyre.kinds.model.policy import Retrain
from gyre.kinds.model.reasons import Reason

Shut: TypeAlias = tuple[Reason, str, float | None]
"""(reason, message, seconds until time alone opens it)."""
Gate: TypeAlias = Callable[[Retrain, Observed, Ledger, Call, datetime], Shut | None]


def shut(retrain: Retrain, seen: Observed, ledger: Ledger, call: Call, now: datetime) -> Shut | None:
    return next((found for gate in GATES if (found := gate(retrain, seen, ledger, call, now))), None)


def unknown(retrain: Retrain, seen: Observed, ledger: Ledger, call: Call, now: datetime) -> Shut | None:
    return (Reason.CALL_UNKNOWN, call.unknown, None) if call.unknown else None


def running(retrain: Retrain, seen: Observed, ledger: Ledger, call: Call, now: datetime) -> Shut | None:
    """Never two at once."""
    run = ledger.open
    return (Reason.RUNNING, f"retraining {run.number} still runs", None) if run else None


def data_bug(retrain: Retrain, seen: Observed, ledger: Ledger, call: Call, now: datetime) -> Shut | None:
    """Broken data teach a model what is not so."""
    view = next((view for view in seen.monitors if view.data_bug), None)
    if view is None:
        return None
    fix = "mend the data at their source; it is not drift, and training on it would make it worse"
    return Reason.DATA_BUG, f"DriftMonitor {view.name!r} finds the data broken: {view.data_bug}: {fix}", None


def bad_data(retrain: Retrain, seen: Observed, ledger: Ledger, call: Call, now: datetime) -> Shut | None:
    for name, why in seen.quarantined.items():
        fix = f"mend it, and take annotation gyre.dev/quarantined from Dataset {name!r}"
        return Reason.QUARANTINED, f"Dataset {name!r} is quarantined ({why}): {fix}", None
    for name, view in seen.datasets.items():
        if view is None:
            return Reason.DATA_NOT_READY, f"Dataset {name!r} of the template does not exist: create it", None
        if not view.ready:
            return Reason.DATA_NOT_READY, f"Dataset {name!r} is not ready: {view.message or view.reason}", None
    return None


def cooldown(retrain: Retrain, seen: Observed, ledger: Ledger, call: Call, now: datetime) -> Shut | None:
    if ledger.last is None or call.by_hand:
        return None
    until = ledger.last.at + retrain.cooldown
    left = min((until - now).total_seconds(), retrain.cooldown.total_seconds())  # a clock that was set back
    when = until.strftime("%Y-%m-%d %H:%M UTC")
    return (
        (
            Reason.COOLDOWN,
            f"the last one began less than {format_duration(retrain.cooldown)} ago: not before {when}",
            left,
        )
        if left > 0
        else None
    )


def month(retrain: Retrain, seen: Observed, ledger: Ledger, call: Call, now: datetime) -> Shut | None:
    this = [run for run in ledger.runs if (run.at.year, run.at.month) == (now.year, now.month)]
    if len(this) < retrain.max_per_month:
        return None
    turn = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    turn = turn.replace(year=now.year + 1, month=1) if now.month == 12 else turn.replace(month=now.month + 1)
    message = (
        f"{len(this)} began this month and maxPerMonth is {retrain.max_per_month}: raise it, or wait for next month"
    )
    return Reason.MAX_PER_MONTH, message, (turn - now).total_seconds()


def budget(retrain: Retrain, seen: Observed, ledger: Ledger, call: Call, now: datetime) -> Shut | None:
    if retrain.budget_ref is None:
        return None
    name, view = retrain.budget_ref.name, seen.budget
    if view is None:
        return (
            Reason.BUDGET_UNKNOWN,
            f"CostBudget {name!r} does not exist: create it or fix spec.retrain.budgetRef",
            None,
        )
    if view.exhausted or view.denies or view.parks:
        return Reason.BUDGET_EXHAUSTED, f"CostBudget {name!r} is exhausted: raise it, or wait for its next period", None
    if view.left is None:
        return Reason.BUDGET_UNKNOWN, f"CostBudget {name!r} does not say what is left: give its Provider prices", None
    expected = worth(retrain, seen, call)
    if expected.cost is not None and expected.cost_currency == view.currency and expected.cost > view.left:
        left = f"{view.left} {view.currency}"
        return (
            Reason.BUDGET_EXHAUSTED,
            f"it would cost {expected.cost} {view.currency} and CostBudget {name!r} has {left}",
            None,
        )
    return None


def worth_it(retrain: Retrain, seen: Observed, ledger: Ledger, call: Call, now: datetime) -> Shut | None:
    """Asked where a loss is estimated: of drift."""
    if retrain.worth_it is None or call.drift is None:
        return None
    found, currency = worth(retrain, seen, call), retrain.worth_it.currency
    if found.recovered is None:
        return (
            Reason.WORTH_UNKNOWN,
            f"DriftMonitor {call.drift.name!r} tells no impact: send labels, or drop worthIt",
            None,
        )
    if found.cost is None or found.cost_currency != currency:
        fix = f"give spec.retrain.worthIt.expectedCost in {currency}"
        return Reason.WORTH_UNKNOWN, f"nobody knows what a training costs: {fix}", None
    if found.recovered > found.cost:
        return None
    sums = f"it would recover {found.recovered} {currency} and cost {found.cost} {currency}"
    return Reason.NOT_WORTH_IT, f"{sums}: change valuePerPoint if it is worth more", None


@dataclass(frozen=True, slots=True)
class Worth:
    recovered: Decimal | None
    cost: Decimal | None
    cost_currency: str


def worth(retrain: Retrain, seen: Observed, call: Call) -> Worth:
    """Estimated loss times what a percentage point is worth; and what a training costs, as stated or as the last one did."""
    rule = retrain.worth_it
    impact = call.drift.impact if call.drift else None
    recovered = None
    if rule is not None and impact is not None:
        recovered = (Decimal(repr(impact)) * 100 * rule.value_per_point).quantize(Decimal("0.01"))
    if rule is not None and rule.expected_cost is not None:
        return Worth(recovered, rule.expected_cost, rule.currency)
    told = [job for job in seen.jobs.values() if job.over and job.cost is not None]
    last = max(told, key=lambda job: (len(job.name), job.name), default=None)
    return Worth(recovered, last.cost if last else None, last.currency if last else "")


GATES: Final[tuple[Gate, ...]] = (unknown, running, data_bug, bad_data, cooldown, month, budget, worth_it)
