"""What the books of a budget come to in its present period. Pure.

Everything is as of the ledger's mark: between two entries of the ledger nothing here changes, but for the period, which the
clock turns, and an approval, which lapses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gyre.adapters.claims import CLAIM
from gyre.api.fields import Switch
from gyre.cost.anomalies import Anomaly, anomalies
from gyre.cost.bill import SCALE, Bill, Owner, added, money, plus
from gyre.cost.forecast import Forecast, forecast
from gyre.cost.meter import Meter
from gyre.cost.periods import Period, local_day, next_day, period_of, starts
from gyre.cost.usage import Usage, by_owner, usage, with_unallocated
from gyre.kinds.costbudget.model import APPROVED_BY, Action, CostBudget
from gyre.kinds.costbudget.observe import Observed
from gyre.kinds.costbudget.report import Doing

STRENGTH: Final = (Doing.NONE, Doing.WARN, Doing.APPROVE, Doing.DENY, Doing.PARK)
DOES: Final = {
    Action.WARN: Doing.WARN,
    Action.REQUIRE_APPROVAL: Doing.APPROVE,
    Action.DENY: Doing.DENY,
    Action.PARK: Doing.PARK,
}
NODE: Final = "Node"


@dataclass(frozen=True, slots=True)
class Account:
    period: Period
    amount: Decimal
    """With what was approved."""
    rows: Mapping[Owner, Decimal]
    """What has a price, by owner, in 1/SCALE."""
    missing: str
    """What has no price, with the fix; empty when everything has."""
    committed: Decimal | None
    action: Doing
    percent: int
    """The strongest threshold that is passed; 0 when none is."""
    use: Usage
    """Of what is in the rows, but for disks."""
    uses: Mapping[Owner, Usage]

    @property
    def least(self) -> Decimal:
        """What is spent for certain."""
        return money(added(self.rows.values()))

    @property
    def exhausted(self) -> bool:
        return self.least >= self.amount


def zone_of(budget: CostBudget) -> ZoneInfo | None:
    try:
        return ZoneInfo(budget.spec.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def account(budget: CostBudget, seen: Observed, meter: Meter, zone: ZoneInfo, now: datetime) -> Account:
    today = local_day(now, zone)
    period = period_of(today, budget.spec.period)
    months = tuple(month for month in meter.bill.months if period.has_month(month))
    rows = _rows(budget, meter.bill, months)
    amount = budget.spec.amount + approved(budget, now)
    spent = money(added(rows.values()))
    percent, action = passed(budget, spent, amount, now)
    lines = [line for line in meter.bill.lines if line.month in months and line.owner.kind != NODE]
    return Account(
        period=period,
        amount=amount,
        rows=rows,
        missing=missing(budget, seen, meter, period, zone),
        committed=committed(seen, meter),
        action=action,
        percent=percent,
        use=usage(meter, lines),
        uses={owner: usage(meter, those) for owner, those in by_owner(lines).items()},
    )


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is to be expected, and what was not."""

    forecast: Forecast | None
    anomalies: tuple[Anomaly, ...]


def outlook(budget: CostBudget, found: Account, meter: Meter, zone: ZoneInfo, now: datetime) -> Outlook:
    """From the days before the ledger's mark. Costs some milliseconds, and nothing is decided by it: for the status alone."""
    days = {
        day: {owner: _units(cost) for owner, cost in owners.items()}
        for day, owners in _days(budget, meter.bill).items()
    }
    mark = min(now, meter.mark or now)
    today = local_day(mark, zone)
    return Outlook(
        forecast=forecast(
            {day: sum(owners.values(), Decimal(0)) for day, owners in days.items()},
            today,
            spent=found.least,
            amount=found.amount,
            end=found.period.end,
            over=_share_of_day(mark, today, zone),
        ),
        anomalies=tuple(
            anomalies(days, today, least=budget.spec.anomaly.min_cost, persistence=budget.spec.anomaly.persistence)
        ),
    )


def approved(budget: CostBudget, now: datetime) -> Decimal:
    """How much more there is for now."""
    approval = budget.spec.approval
    given = approval is not None and now < approval.until and bool(budget.metadata.annotations.get(APPROVED_BY))
    return approval.amount if approval is not None and given else Decimal(0)


def passed(budget: CostBudget, spent: Decimal, amount: Decimal, now: datetime) -> tuple[int, Doing]:
    """The strongest action whose threshold is passed, and that threshold. An approval answers RequireApproval."""
    found = [(0, Doing.NONE)]
    for threshold in budget.spec.thresholds:
        asks = threshold.action is Action.REQUIRE_APPROVAL
        if asks and approved(budget, now):
            continue
        of = budget.spec.amount if asks else amount
        if spent * 100 >= of * threshold.percent:
            found.append((threshold.percent, DOES[threshold.action]))
    return max(found, key=lambda pair: (STRENGTH.index(pair[1]), -pair[0]))


def missing(budget: CostBudget, seen: Observed, meter: Meter, period: Period, zone: ZoneInfo) -> str:
    """Why some cost of the period is not known, and what to do."""
    if meter.lost and period.has_month(meter.lost):
        return f"runs of {meter.lost} without a price had to be given up: what the period cost stays unknown"
    until = meter.mark
    spans = meter.unpriced(until) if until else {}
    inside = [span for span in spans.values() if period.end is None or local_day(span.billed, zone) < period.end]
    if not inside:
        return ""
    span = min(inside, key=lambda span: (span.billed, span.node, span.owner))
    others = f" and {len(inside) - 1} more" if len(inside) > 1 else ""
    place = span.place_at(span.billed)
    where = f" on node {span.node or '?'}" if span.owner.kind != CLAIM else ""
    what = f"{span.owner.kind} {span.owner.namespace}/{span.owner.name}{where}{others}"
    since = f"{span.billed:%Y-%m-%dT%H:%M:%SZ}"
    if place.provider == "" and span.owner.kind == CLAIM:
        return f"{what}: several Providers price storage, and it does not say whose it is: leave Storage out of all but one"
    if place.provider == "":
        if seen.foreign and not seen.prices:
            listed = ", ".join(seen.foreign[:3])
            return f"{what}: prices are in another currency than {budget.spec.currency}: {listed}; add a Provider in it"
        return f"{what} has no price since {since}: create a Provider in {budget.spec.currency} that chooses that node"
    lacks = [r.value for r, _ in span.amounts_at(span.billed) if seen.prices.price(place, r, span.billed) is None]
    return (
        f"{what}: {', '.join(lacks) or 'something'} {place.capacity} has no price at {since}: "
        f"add it to spec.prices of Provider {place.provider}"
    )


def committed(seen: Observed, meter: Meter) -> Decimal | None:
    """What running TrainingJobs will still cost; None when one of them does not say when it is done, or has no price."""
    if meter.mark is None:
        return Decimal(0)
    total = Decimal(0)
    owners = {span.owner for span in meter.spans.values() if span.end is None and span.owner.kind == "TrainingJob"}
    for owner in sorted(owners):
        end, rate = seen.ends.get(owner), meter.rate(seen.prices, meter.mark, owner)
        if end is None or rate is None:
            return None
        total += rate * max(0, int((end - meter.mark).total_seconds()))
    return money(total)


def next_turn(budget: CostBudget, zone: ZoneInfo, now: datetime) -> datetime | None:
    """When the clock alone changes what is said: the next period, the end of an approval."""
    period = period_of(local_day(now, zone), budget.spec.period)
    turns = [starts(period.end, zone)] if period.end else []
    approval = budget.spec.approval
    if approval is not None and approval.until > now:
        turns.append(approval.until)
    return min((turn for turn in turns if turn > now), default=None)


def _rows(budget: CostBudget, bill: Bill, months: tuple[str, ...]) -> dict[Owner, Decimal]:
    if budget.spec.scope.unallocated is not Switch.ENABLED:
        return bill.by(months)
    wanted = {line: quantity for line, quantity in bill.lines.items() if line.month in months}
    nodes = Bill({line: quantity for line, quantity in wanted.items() if line.owner.kind == NODE})
    pods = Bill({line: quantity for line, quantity in wanted.items() if line.owner.kind != NODE})
    return with_unallocated(nodes, pods) if wanted else {}


def _days(budget: CostBudget, bill: Bill) -> dict[date, dict[Owner, Decimal]]:
    """By day. Where whole nodes are paid for, they are what a day cost; what ran on them is in that already."""
    whole = budget.spec.scope.unallocated is Switch.ENABLED
    found: dict[date, dict[Owner, Decimal]] = {}
    for day, owners in bill.days.items():
        kept = found.setdefault(date.fromisoformat(day), {})
        for owner, cost in owners.items():
            if not whole or owner.kind in (NODE, CLAIM):
                kept[owner] = plus(kept, owner, cost)
    return found


def _units(scaled: Decimal) -> Decimal:
    """For statistics, where no cent is at stake."""
    return scaled / SCALE


def _share_of_day(at: datetime, day: date, zone: ZoneInfo) -> Decimal:
    begin, end = starts(day, zone), next_day(at, zone)
    return Decimal((at - begin) / max(end - begin, timedelta(seconds=1)))
