"""The API of a CostBudget: how much, for whom, how long, and what happens when it is spent. Pure.

The status is in `report.py`. What the ledger is kept by cannot change: currency, time zone, scope and place of the ledger.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Final

from pydantic import Field

from gyre.api import gvks
from gyre.api.accounts import ACCOUNT_LABELS
from gyre.api.fields import Amount, Currency, Labels, Name, PositiveDuration, Switch, Time
from gyre.api.markers import (
    Between,
    Column,
    Immutable,
    ListType,
    MaxItems,
    MaxLength,
    Pattern,
    Rule,
    Span,
    condition_column,
)
from gyre.api.model import Schema
from gyre.api.resource import Resource
from gyre.api.terms import Term
from gyre.cost.periods import Every
from gyre.kinds.costbudget.report import CostBudgetStatus

APPROVED_BY: Final = "gyre.dev/approved-by"
"""Annotation: who approved spec.approval. Without it an approval does not count."""


class Action(Term):
    """What passing a threshold does."""

    WARN = "Warn", "an Event and a condition"
    REQUIRE_APPROVAL = "RequireApproval", "new TrainingJobs are refused until spec.approval is given"
    DENY = "Deny", "new TrainingJobs are refused"
    PARK = "Park", "new TrainingJobs are refused, running ones are parked after a checkpoint"


class Threshold(Schema):
    """A share of the amount, and what happens once so much is spent."""

    percent: Annotated[int, Between(1, 1000)]
    """Share of the amount in percent."""
    action: Action
    """What is done."""


class Scope(
    Schema,
    rules=(
        Rule(
            "self.unallocated == 'Disabled' || ((!has(self.namespaces) || size(self.namespaces) == 0)"
            " && (!has(self.labels) || size(self.labels) == 0))",
            "node time that nobody asked for belongs to no namespace or team: leave namespaces and labels out",
            ".unallocated",
        ),
    ),
):
    """Whose money it is. Everything that gyre runs when it is empty."""

    namespaces: Annotated[tuple[Name, ...], ListType("set"), MaxItems(64)] = ()
    """Names of namespaces; all when it is empty."""
    labels: Annotated[
        Labels,
        Rule(
            f"self.all(key, key in {list(ACCOUNT_LABELS)!r})",
            f"only {', '.join(ACCOUNT_LABELS)} reach every child: use these",
        ),
    ] = Field(default_factory=dict)
    """Account labels that an object must have, such as gyre.dev/team."""
    unallocated: Switch = Switch.DISABLED
    """Whether whole nodes are paid for: what no pod of gyre's asked for is then a row of its own."""


class Approval(Schema):
    """More money for a while. Counts only with the annotation gyre.dev/approved-by, which names who answers for it."""

    amount: Amount
    """How much more."""
    until: Time
    """When it lapses."""


class Anomaly(Schema):
    """When a day is said to stand out."""

    min_cost: Amount = Decimal("1")
    """The least that a day must cost beyond such days."""
    persistence: Annotated[int, Between(1, 14)] = 1
    """For so many days in a row."""


class CostBudgetSpec(Schema):
    """How much money, for whom, how long, and what happens when it is spent."""

    amount: Annotated[Amount, Rule("double(self) > 0.0", "must be more than zero")]
    """Money for one period, as a decimal string."""
    currency: Annotated[Currency, Immutable()]
    """ISO 4217 code. Only Providers in this currency price what runs."""
    period: Annotated[Every, Immutable()] = Every.MONTHLY
    """How long the amount is meant to last."""
    time_zone: Annotated[
        str,
        MaxLength(64),
        Pattern(r"^[A-Za-z][-+_/A-Za-z0-9]*$"),
        Rule(
            "timestamp('2026-01-01T00:00:00Z').getFullYear(self) >= 2025",
            "is not a time zone of the IANA database: write it like Europe/Berlin",
        ),
        Immutable(),
    ] = "UTC"
    """IANA time zone in which days and months begin."""
    scope: Annotated[Scope, Immutable()] = Scope()
    """Whose money it is."""
    thresholds: Annotated[tuple[Threshold, ...], ListType("map", keys=("percent",)), MaxItems(8)] = (
        Threshold(percent=80, action=Action.WARN),
        Threshold(percent=100, action=Action.DENY),
    )
    """What happens at which share of the amount. By default a warning at 80 and no new jobs from 100 on."""
    approval: Approval | None = None
    """More money for a while."""
    anomaly: Anomaly = Anomaly()
    """When a day is said to stand out."""
    interval: Annotated[PositiveDuration, Span("30s", "1h")] = timedelta(minutes=5)
    """How often running pods are billed; what ends is billed to the second whatever this is."""
    ledger_namespace: Annotated[Name, Immutable()] = "gyre-system"
    """The namespace of the ledger, ConfigMap `<name>-ledger`."""


Base = Resource[CostBudgetSpec, CostBudgetStatus]
"""On a line of its own: pydantic reads the source around it for docstrings, and fails inside an open bracket."""


class CostBudget(
    Base,
    gvk=gvks.COST_BUDGET,
    short=("cb",),
    columns=(
        Column("Spent", ".status.spent"),
        Column("Amount", ".status.amount"),
        Column("Left", ".status.left"),
        Column("Currency", ".spec.currency"),
        Column("Action", ".status.action"),
        Column("At-Least", ".status.atLeast", priority=1),
        Column("Efficiency", ".status.usage.efficiency", type="integer", priority=1),
        Column("Forecast", ".status.forecast.p50", priority=1),
        Column("Exhausts", ".status.exhaustsAt", priority=1),
        Column("Committed", ".status.committed", priority=1),
        condition_column("Message", "Ready", show="message", priority=1),
    ),
):
    """An amount of money for what gyre runs, the books of what was spent of it, and what happens when it is gone."""
