"""What a Model does by itself: train anew, take its champion back, say that its time is over. The API, pure."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from gyre.api.fields import Amount, Currency, Duration, Fraction, LocalRef, Name, Number, Word
from gyre.api.markers import (
    Between,
    ListType,
    MaxItems,
    MaxLength,
    MinItems,
    Pattern,
    PreserveUnknown,
    Rule,
    Span,
    exactly_one_of,
)
from gyre.api.model import Schema
from gyre.api.terms import Term

RETRAIN = "gyre.dev/retrain"
"""Annotation: each new value trains once, by hand."""
RETRAIN_OF = "gyre.dev/retrain-of"
"""Label of a TrainingJob: the Model that asked for it."""


class OnDrift(Schema):
    """A DriftMonitor has found drift, and no data bug."""

    monitor: Name
    """The DriftMonitor, in the same namespace."""
    min_impact: Fraction | None = None
    """Estimated loss of the metric from which on it counts; without it any drift does."""


class OnSchedule(Schema):
    """Time and again."""

    cron: Annotated[str, MaxLength(100), Pattern(r"^[-0-9A-Za-z*/,#]+( [-0-9A-Za-z*/,#]+){4}$")]
    """Five fields, as in cron(5): `0 3 * * 1`."""
    time_zone: Annotated[
        str, MaxLength(64), Pattern(r"^[A-Za-z][-+A-Za-z0-9_]*(/[A-Za-z0-9][-+A-Za-z0-9_]*){0,2}$")
    ] = "UTC"
    """Where: `Europe/Berlin`."""


class OnRule(Schema):
    """Whenever a rule over facts holds, and the cooldown is over."""

    name: Name
    """What it is called."""
    cel: Annotated[str, MaxLength(512), Pattern(r"\S")]
    """CEL over `metrics` and `ageDays` of the champion, `drift[monitor]{drifted, impact}` and `levels[name]{remaining, exhausted,
    burning}`."""


class Trigger(Schema, rules=(exactly_one_of("drift", "schedule", "rule"),)):
    """What calls for a new version."""

    drift: OnDrift | None = None
    """A DriftMonitor."""
    schedule: OnSchedule | None = None
    """The clock."""
    rule: OnRule | None = None
    """A rule."""


class WorthIt(Schema):
    """Whether a new version is worth its price: asked where the loss is estimated, which is of drift."""

    value_per_point: Amount
    """What one percentage point of the objective's metric is worth, until the model is next trained."""
    currency: Currency
    """Of both."""
    expected_cost: Amount | None = None
    """What a training costs. Without it: what the last one has cost, as its TrainingJob tells in status.cost."""


class Clock(Term):
    """Whose time it is."""

    WALL_CLOCK = "WallClock", "of the cluster: up to the moment at which the retraining was asked for"
    DATA = "Data", "of the data: up to the newest row, as for records that are replayed, or that come late"


class Window(Schema):
    """A stretch of time to train on, handed to the program as parameters; the ready-made loop takes them by these names."""

    last: Annotated[Duration, Span("1h", "3650d")]
    """How long."""
    of: Clock = Clock.WALL_CLOCK
    """Whose time."""
    from_parameter: Word = "windowFrom"
    """Of WallClock: the parameter with its beginning (RFC 3339, UTC), which is in it."""
    to_parameter: Word = "windowTo"
    """Of WallClock: the parameter with its end, which is not in it."""
    last_parameter: Word = "windowLast"
    """Of Data: the parameter with its length in seconds."""


class Retrain(Schema):
    """When and how a new version is trained; also on annotation gyre.dev/retrain, and on levels with onExhausted: Retrain."""

    triggers: Annotated[tuple[Trigger, ...], ListType("atomic"), MaxItems(8)] = ()
    """What calls for one."""
    cooldown: Annotated[Duration, Span("1m", "365d")] = timedelta(days=1)
    """Time from one start to the next; what a person asks for does not wait."""
    max_per_month: Annotated[int, Between(1, 60)] = 4
    """So many starts in a calendar month (UTC)."""
    budget_ref: LocalRef | None = None
    """A CostBudget that must have money left."""
    worth_it: WorthIt | None = None
    """Whether it is worth it."""
    window: Window | None = None
    """A moving window over the data. The Datasets of the template move by themselves: each job takes their newest version."""
    template: Annotated[dict[str, Any], PreserveUnknown()]
    """The spec of the TrainingJob; `model.name` is this Model's."""


class Cause(Term):
    """What takes a champion back."""

    OBJECTIVE_EXHAUSTED = (
        "ObjectiveExhausted",
        "a ServiceLevelObjective with onExhausted: RollBack has spent its budget under it",
    )
    JUDGE_ROLLBACK = "JudgeRollback", "a service has rolled it back and quarantined it"


class Rollback(Schema):
    """When the champion goes back to the version before it; each version at most once."""

    causes: Annotated[tuple[Cause, ...], ListType("set"), MinItems(1), MaxItems(2)]
    """What takes it back. Not `on`: YAML 1.1, and so kubectl, reads that key as true."""
    keep: Annotated[int, Between(1, 20)] = 3
    """So many versions that had traffic before are good enough to go back to, the newest first."""


class Criterion(Term):
    """What says that a model's time is over."""

    UNUSED = "Unused", "nobody has needed a version for so long"
    WORSE_THAN = "WorseThan", "the champion's metric is worse than a value"
    REPLACED_FOR = "ReplacedFor", "another Model has been in use for so long"


class RetireRule(
    Schema,
    rules=(
        Rule("(self.type != 'WorseThan') == has(self.after)", "give after with Unused and ReplacedFor, and only there"),
        Rule("(self.type == 'WorseThan') == has(self.value)", "give value with WorseThan, and only there"),
        Rule("(self.type == 'ReplacedFor') == has(self.by)", "give by with ReplacedFor, and only there"),
    ),
):
    """One criterion."""

    type: Criterion
    """Which."""
    after: Annotated[Duration, Span("1m", "3650d")] | None = None
    """For how long."""
    value: Number | None = None
    """Of the objective's metric."""
    by: Name | None = None
    """The other Model, in the same namespace."""


class Retire(Schema):
    """When the model's time is over; it is said, and nothing is deleted."""

    criteria: Annotated[tuple[RetireRule, ...], ListType("atomic"), MinItems(1), MaxItems(6)]
    """One that is met is enough."""
