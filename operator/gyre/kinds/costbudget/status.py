"""The status of a CostBudget: its conditions as a table, and what its books come to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from gyre.adapters.prices import rates
from gyre.api.conditions import Row, Verdict, merge, no, report, unknown, yes
from gyre.api.kind import Decision
from gyre.api.outcomes import standard
from gyre.cost.anomalies import Anomaly
from gyre.cost.bill import CENT, Owner, money, shown
from gyre.cost.estimate import History, Took
from gyre.cost.periods import starts
from gyre.cost.prices import Book, Resource
from gyre.cost.text import OTHERS
from gyre.cost.usage import Usage
from gyre.kinds.costbudget.account import Account, Outlook, account, outlook, zone_of
from gyre.kinds.costbudget.model import CostBudget
from gyre.kinds.costbudget.observe import Observed
from gyre.kinds.costbudget.reasons import Reason
from gyre.kinds.costbudget.report import (
    MAX_ANOMALIES,
    MAX_HISTORY,
    MAX_OWNERS,
    AnomalyReport,
    CostBudgetStatus,
    Doing,
    ForecastReport,
    HistoryReport,
    OwnerReport,
    PeriodReport,
    RatesReport,
    UsageReport,
)


@dataclass(frozen=True, slots=True)
class Facts:
    budget: CostBudget
    found: Account
    ahead: Outlook


def exhausted(facts: Facts) -> Verdict | None:
    found, currency = facts.found, facts.budget.spec.currency
    if found.exhausted:
        return yes(Reason.EXHAUSTED, f"{found.least:f} of {found.amount:f} {currency} spent")
    if found.missing:
        return unknown(Reason.PRICES_MISSING, found.missing)
    return no(Reason.NOT_EXHAUSTED)


def priced(facts: Facts) -> Verdict | None:
    return unknown(Reason.PRICES_MISSING, facts.found.missing) if facts.found.missing else yes(Reason.PRICED)


def forecast(facts: Facts) -> Verdict | None:
    return yes(Reason.FORECAST_MADE) if facts.ahead.forecast else None


def metered(facts: Facts) -> Verdict | None:
    use = facts.found.use
    return yes(Reason.SAMPLED, f"somebody looked at {use.sampled} % of what pods cost") if use.known else None


def anomalous(facts: Facts) -> Verdict | None:
    if not facts.ahead.anomalies:
        return no(Reason.ORDINARY)
    first = _anomaly(facts.ahead.anomalies[0])
    return yes(
        Reason.ANOMALY,
        f"{first.extra:f} {facts.budget.spec.currency} since {first.since}: {first.suspect} {first.change}",
    )


CONDITIONS: Final = (
    #   type            what the books say → verdict   None means
    Row[Facts]("Exhausted", exhausted, "gyre has not looked at the books yet"),
    Row[Facts]("Priced", priced, "gyre has not looked at the books yet"),
    Row[Facts](
        "Metered",
        metered,
        "nobody has told what pods use, so that is unknown: metrics.k8s.io does, where metrics-server or the like is installed",
    ),
    Row[Facts]("Forecast", forecast, "fewer than seven whole days of spending are known: no forecast yet"),
    Row[Facts]("Anomalous", anomalous, "gyre has not looked at the books yet"),
)


def summarize(budget: CostBudget, seen: Observed, decision: Decision, now: datetime) -> dict[str, Any]:
    zone = zone_of(budget)
    always = standard(decision, budget.generation)
    if zone is None or seen.meter is None:
        merged = merge(budget.status.conditions, always, now)
        return CostBudgetStatus(observed_generation=budget.generation, conditions=merged).to_dict()
    found = account(budget, seen, seen.meter, zone, now)
    ahead = outlook(budget, found, seen.meter, zone, now)
    rows = report(CONDITIONS, Facts(budget, found, ahead), budget.generation)
    made = ahead.forecast
    known = not found.missing
    return CostBudgetStatus(
        observed_generation=budget.generation,
        conditions=merge(budget.status.conditions, (*always, *rows), now),
        period=PeriodReport(
            from_=starts(found.period.first, zone) if found.period.first else None,
            to=starts(found.period.end, zone) if found.period.end else None,
        ),
        as_of=seen.meter.mark,
        currency=budget.spec.currency,
        amount=found.amount.quantize(CENT) if found.amount == found.amount.quantize(CENT) else found.amount,
        spent=found.least if known else None,
        at_least=None if known else found.least,
        committed=found.committed if known else None,
        left=found.amount - found.least if known else None,
        usage=_usage(found.use),
        rates=_rates(seen.prices, now),
        history=_history(seen.history),
        forecast=(
            ForecastReport(p50=made.p50, p90=made.p90)
            if made is not None and made.p50 is not None and made.p90 is not None and known
            else None
        ),
        exhausts_at=starts(made.exhausts, zone).astimezone(UTC)
        if made is not None and made.exhausts and known
        else None,
        action=found.action,
        owners=_owners(found),
        anomalies=tuple(_anomaly(one) for one in ahead.anomalies[:MAX_ANOMALIES]),
        unseen=seen.meter.unseen or None,
    ).to_dict()


def _owners(found: Account) -> tuple[OwnerReport, ...]:
    """The largest first; the rest as one row, so that rows sum to what was spent."""
    cents = shown(found.rows)
    order = sorted(cents, key=lambda owner: (-cents[owner], owner))
    rows = [_owner(owner, cents[owner], found.uses.get(owner)) for owner in order[:MAX_OWNERS]]
    if rest := order[MAX_OWNERS:]:
        rows.append(OwnerReport(kind=OTHERS, name=OTHERS, cost=sum((cents[owner] for owner in rest), Decimal(0))))
    return tuple(rows)


def _usage(use: Usage) -> UsageReport | None:
    if not use.known:
        return None
    return UsageReport(cost=money(use.used), covered=money(use.covered), efficiency=use.efficiency, sampled=use.sampled)


def _rates(prices: Book, now: datetime) -> RatesReport | None:
    found = rates(prices, now)
    if not found:
        return None
    return RatesReport(
        cpu=found.get(Resource.CPU), memory=found.get(Resource.MEMORY), accelerator=found.get(Resource.ACCELERATOR)
    )


def _history(history: History) -> tuple[HistoryReport, ...]:
    """Of the models that can be told of, those with the newest run; by name, so that the same is the same."""
    known = {model: took for model in history.runs if (took := history.took(model)) is not None}
    newest = sorted(known, key=lambda model: (history.runs[model][-1], model))[-MAX_HISTORY:]
    return tuple(_took(model, known[model]) for model in sorted(newest))


def _took(key: str, took: Took) -> HistoryReport:
    namespace, _, model = key.partition("/")
    return HistoryReport(
        namespace=namespace,
        model=model,
        runs=took.runs,
        p50=timedelta(seconds=took.p50),
        p90=timedelta(seconds=took.p90),
    )


def _owner(owner: Owner, cost: Decimal, use: Usage | None) -> OwnerReport:
    known = use is not None and use.known
    return OwnerReport(
        namespace=owner.namespace,
        kind=owner.kind,
        name=owner.name,
        project=owner.project or None,
        team=owner.team or None,
        cost_center=owner.cost_center or None,
        cost=cost,
        usage=money(use.used) if use is not None and known else None,
        sampled=use.sampled if use is not None and known else None,
    )


def _anomaly(one: Anomaly) -> AnomalyReport:
    suspect = one.suspect
    place = f"{suspect.namespace}/{suspect.name}" if suspect.namespace else suspect.name
    days = "day" if one.days == 1 else f"{one.days} days"
    what = "is new: it spent nothing on the days before" if one.new else "spends more than on such days before"
    return AnomalyReport(
        suspect=f"{suspect.kind} {place}",
        change=f"{what}; {int(one.share * 100)} % of the rise of that {days}",
        since=one.since.isoformat(),
        extra=one.extra.quantize(CENT),
    )


__all__ = ["CONDITIONS", "Doing", "summarize"]
