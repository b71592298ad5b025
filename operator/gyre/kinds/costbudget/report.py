"""The status of a CostBudget, as the API has it. Filled in by `status.py`. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import Field, PlainSerializer, WithJsonSchema

from gyre.api.fields import Count, Currency, Duration, Percent, Time, clipped
from gyre.api.markers import ListType, MaxItems
from gyre.api.model import Schema
from gyre.api.resource import Status
from gyre.api.terms import Term

MAX_OWNERS = 20
MAX_ANOMALIES = 5
MAX_HISTORY = 40

Cents = Annotated[
    Decimal,
    PlainSerializer(lambda value: format(value, "f"), when_used="json"),
    WithJsonSchema({"type": "string", "pattern": r"^-?[0-9]{1,15}(\.[0-9]{1,6})?$", "maxLength": 23}),
]
"""Money as a decimal string, in hundredths; below zero when more is spent than there was."""

Rate = Annotated[
    Decimal,
    PlainSerializer(lambda value: format(value, "f"), when_used="json"),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]{1,9}(\.[0-9]{1,12})?$", "maxLength": 22}),
]
"""Money for one unit, as a Provider says it."""


class Doing(Term):
    """What the budget does now."""

    NONE = "None", "nothing"
    WARN = "Warn", "it warns"
    APPROVE = "Approve", "new TrainingJobs are refused until somebody approves more"
    DENY = "Deny", "new TrainingJobs are refused"
    PARK = "Park", "new TrainingJobs are refused, running ones are parked after a checkpoint"


class ForecastReport(Schema):
    """What will be spent by the end of the period."""

    p50: Cents
    """Half of the futures spend less."""
    p90: Cents
    """Nine of ten futures spend less."""


class PeriodReport(Schema):
    """The period that counts now."""

    from_: Time | None = Field(default=None, alias="from")
    """When it began; none for one that has no beginning."""
    to: Time | None = None
    """When the next begins."""


class OwnerReport(Schema):
    """What one object cost in the period."""

    namespace: Annotated[str, *clipped(63)] = ""
    """Its namespace."""
    kind: Annotated[str, *clipped(63)]
    """Its kind; Node with the name unallocated is node time that nobody asked for, (others) all that are not listed."""
    name: Annotated[str, *clipped(253)]
    """Its name."""
    project: Annotated[str, *clipped(63)] | None = None
    """Its label gyre.dev/project."""
    team: Annotated[str, *clipped(63)] | None = None
    """Its label gyre.dev/team."""
    cost_center: Annotated[str, *clipped(63)] | None = None
    """Its label gyre.dev/cost-center."""
    cost: Cents
    """Money, for what it kept free."""
    usage: Cents | None = None
    """Money for what it used of that, at the same prices; none where nobody looked."""
    sampled: Percent | None = None
    """Share of its cost that usage is about; disks are nobody's to sample."""


class UsageReport(Schema):
    """What was used of what was paid for, as far as somebody looked."""

    cost: Cents
    """Money for what was used, at the same prices."""
    covered: Cents
    """Money for what was kept free meanwhile: what `cost` compares with."""
    efficiency: Count
    """Cost in percent of covered; above 100 where more was used than asked for."""
    sampled: Percent
    """Share of what pods cost that anybody looked at."""


class RatesReport(Schema):
    """The dearest prices of any Provider in the currency of the budget: what a job that may run anywhere is reckoned with."""

    cpu: Rate | None = None
    """One core for one hour; none when nobody has a price."""
    memory: Rate | None = None
    """One GiB for one hour."""
    accelerator: Rate | None = None
    """One device for one hour."""


class HistoryReport(Schema):
    """How long the runs of one model took that succeeded: the time in which they held pods."""

    namespace: Annotated[str, *clipped(63)]
    """Namespace of the model."""
    model: Annotated[str, *clipped(253)]
    """The model."""
    runs: Count
    """How many; the newest twenty at the most."""
    p50: Duration
    """Half of them took no longer."""
    p90: Duration
    """Nine of ten took no longer."""


class AnomalyReport(Schema):
    """Days that cost more than such days do."""

    suspect: Annotated[str, *clipped(320)]
    """Whose cost rose most: `TrainingJob ml/flights`."""
    change: Annotated[str, *clipped(256)]
    """How it rose."""
    since: Annotated[str, *clipped(10)]
    """The first day, in the budget's time zone."""
    extra: Cents
    """Money beyond what such days cost, over all of its days."""


class CostBudgetStatus(Status):
    """What the books say."""

    period: PeriodReport | None = None
    """The period that counts now."""
    as_of: Time | None = None
    """Up to when running pods are billed."""
    currency: Currency | None = None
    """Of all amounts here."""
    amount: Cents | None = None
    """What there is in this period, with what was approved."""
    spent: Cents | None = None
    """What was spent of it; none when something has no price: then see atLeast."""
    at_least: Cents | None = None
    """What has a price, where not everything has."""
    committed: Cents | None = None
    """What running TrainingJobs will still cost by their own estimate; none when one of them says no end."""
    left: Cents | None = None
    """The amount less what is spent."""
    usage: UsageReport | None = None
    """What was used of what was spent; none while nobody has looked, which is not nothing."""
    rates: RatesReport | None = None
    """What the API server reckons a new TrainingJob with; none while no Provider has a price."""
    history: Annotated[
        tuple[HistoryReport, ...], ListType("map", keys=("namespace", "model")), MaxItems(MAX_HISTORY)
    ] = ()
    """The models that were trained last, at least three times."""
    forecast: ForecastReport | None = None
    """What will be spent by the end of the period."""
    exhausts_at: Time | None = None
    """The day on which half of the futures have spent the amount."""
    action: Doing | None = None
    """What the budget does now: TrainingJobs and the API server go by it."""
    owners: Annotated[tuple[OwnerReport, ...], ListType("atomic"), MaxItems(MAX_OWNERS + 1)] = ()
    """Who spent most in the period, and the others as one; they sum to what was spent."""
    anomalies: Annotated[tuple[AnomalyReport, ...], ListType("atomic"), MaxItems(MAX_ANOMALIES)] = ()
    """Days that stand out, newest first."""
    unseen: Count | None = None
    """Runs of containers whose end nobody saw; billed to the last moment at which they were known to run."""
