"""The API of a ServiceLevelObjective: what is promised of a service, and what a broken promise asks for. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final

from gyre.api import gvks
from gyre.api.fields import BigCount, Duration, Line, LocalRef, Message, Name, Number, Target, Time
from gyre.api.markers import Between, Column, ListType, MaxItems, MaxLength, MinItems, Rule, Span
from gyre.api.model import Schema
from gyre.api.resource import Resource, Status
from gyre.api.terms import Term

MAX_OBJECTIVES: Final = 5


class Kind(Term):
    """What counts as a good event."""

    AVAILABILITY = "Availability", "a request that was not answered with 5xx"
    LATENCY = "Latency", "a request that was answered within the threshold"
    ACCURACY = "Accuracy", "a prediction that its label has confirmed"


class Exhausted(Term):
    """What a spent budget asks for."""

    NONE = "None", "nothing but the condition, the Event and the alert"
    FREEZE = (
        "Freeze",
        "no new version begins a rollout in the service until there is budget again; going back is allowed",
    )
    ROLL_BACK = "RollBack", "the Model takes its champion back, if spec.rollback of the Model says so"
    RETRAIN = "Retrain", "the Model trains anew, if it has spec.retrain"


class Objective(
    Schema,
    rules=(
        Rule(
            "(self.type == 'Latency') == has(self.threshold)",
            "give threshold with type Latency, and only with it",
            field_path=".threshold",
        ),
        Rule(
            "(self.type == 'Accuracy') == has(self.monitorRef)",
            "give monitorRef with type Accuracy, and only with it: a DriftMonitor counts what labels have confirmed",
            field_path=".monitorRef",
        ),
    ),
):
    """One thing that is promised."""

    name: Name
    """What it is called: `availability`, `fast`, …"""
    type: Kind
    """What counts as a good event."""
    target: Target
    """Percent of the events that should be good: "99.5"."""
    threshold: Annotated[Duration, Span("1ms", "10m")] | None = None
    """With Latency: how long an answer may take. What is counted is the next edge of the gateway's histogram below it."""
    monitor_ref: LocalRef | None = None
    """With Accuracy: the DriftMonitor that joins labels with predictions."""


class ServiceLevelObjectiveSpec(Schema):
    """What is promised of which service, over which window."""

    service_ref: LocalRef
    """The InferenceService, in the same namespace."""
    objectives: Annotated[tuple[Objective, ...], ListType("map", keys=("name",)), MinItems(1), MaxItems(MAX_OBJECTIVES)]
    """What is promised. The budget of the whole is that of the worst."""
    window: Annotated[Duration, Span("10m", "90d")] = timedelta(days=28)
    """The time over which the budget is spent and comes back."""
    min_events: Annotated[int, Between(1, 10**9)] = 100
    """Fewer events in a window burn and exhaust nothing. Raised by itself until one bad event is no more than a budget."""
    on_exhausted: Exhausted = Exhausted.NONE
    """What a spent budget asks for."""


class Burn(Schema):
    """How fast the budget of the worst objective burns: 1 is exactly as fast as the window allows."""

    window: Duration
    """Over the last …"""
    rate: Number
    """How many times as fast as allowed; both windows of a rule must burn, and this is the smaller rate of the two."""
    alarm: Number
    """From which rate on it is too fast, over this window."""


class Standing(Schema):
    """How one objective stands."""

    name: Name
    """Its name."""
    remaining: Number | None = None
    """What is left of its budget, as a share: 1 is all of it, below 0 is overspent. Absent while nobody can say."""
    events: BigCount = 0
    """Events in the window."""
    bad: BigCount = 0
    """Bad ones among them."""
    counted: BigCount = 0
    """Events since counting began."""
    counted_bad: BigCount = 0
    """Bad ones among those."""
    since: Time | None = None
    """When counting began."""
    edge: Duration | None = None
    """With Latency: slower than this is bad."""
    message: Message = ""
    """Why nobody can say, and what to do about it."""


class Budget(Schema):
    """The budget of the worst objective."""

    remaining: Number | None = None
    """What is left, as a share."""
    objective: Annotated[str, MaxLength(80)] | None = None
    """Whose: `availability 99.5%`."""
    burn: Annotated[str, MaxLength(40)] | None = None
    """How fast it burns, over the shortest pair of windows: `2.1x`."""


class ServiceLevelObjectiveStatus(Status):
    """How the promise stands, as of the last look that found something new."""

    budget: Budget | None = None
    """What is left."""
    burn: Annotated[tuple[Burn, ...], ListType("atomic"), MaxItems(4)] = ()
    """How fast it burns."""
    objectives: Annotated[tuple[Standing, ...], ListType("map", keys=("name",)), MaxItems(MAX_OBJECTIVES)] = ()
    """Each of them."""
    exhausted_since: Time | None = None
    """Since when the budget is spent; absent while it is not."""
    model: Line | None = None
    """The Model that the service serves: it is woken by this status."""
    version: Line | None = None
    """The ModelVersion that had the traffic when the budget was spent, or burned on; absent while it is not."""


Base = Resource[ServiceLevelObjectiveSpec, ServiceLevelObjectiveStatus]
"""On a line of its own: pydantic reads the source around it for docstrings, and fails inside an open bracket."""


class ServiceLevelObjective(
    Base,
    gvk=gvks.SERVICE_LEVEL_OBJECTIVE,
    short=("slo",),
    columns=(
        Column("Objective", ".status.budget.objective"),
        Column("Remaining", ".status.budget.remaining"),
        Column("Burn", ".status.budget.burn"),
        Column("Exhausted", ".status.exhaustedSince", type="date", description="How long the budget has been spent"),
        Column("Service", ".spec.serviceRef.name", priority=1),
        Column("On-Exhausted", ".spec.onExhausted", priority=1),
        Column("Message", '.status.conditions[?(@.type=="Ready")].message', priority=1),
    ),
):
    """What is promised of a service, and how much of the allowed failure is left."""
