"""What a Model's status tells of its own doings. The API, pure."""

from __future__ import annotations

from typing import Annotated

from gyre.api.fields import Amount, Count, Currency, Message, Name, Time, Word, clipped
from gyre.api.markers import ListType, MaxItems, MaxLength
from gyre.api.model import Schema
from gyre.api.terms import Term
from gyre.kinds.model.policy import Criterion

Why = Annotated[str, *clipped(300)]
Called = Annotated[str, MaxLength(140)]


class Suppressed(Schema):
    """A call that was not followed."""

    trigger: Called
    """Who called: `Drift/flights`."""
    reason: Word
    """Why not, in a word: Cooldown, MaxPerMonth, BudgetExhausted, NotWorthIt, DataBug, Quarantined, …"""
    message: Why
    """Why not, and what to do about it."""
    at: Time
    """Since when."""


class Worth(Schema):
    """What a new version would bring and cost, as far as known."""

    recovered: Amount | None = None
    """Estimated loss that it would recover."""
    cost: Amount | None = None
    """What the training is expected to cost."""
    currency: Currency
    """Of both."""


class Retraining(Schema):
    """Who called for new versions, and what came of it."""

    last_trigger: Called | None = None
    """Who called for the last one."""
    last_why: Why | None = None
    """What was said."""
    last_job: Name | None = None
    """The TrainingJob."""
    last_outcome: Word | None = None
    """Running, Succeeded, Failed or Deleted."""
    last_time: Time | None = None
    """When it was asked for."""
    count: Count = 0
    """How many were asked for so far."""
    next: Time | None = None
    """When the clock calls next."""
    worth: Worth | None = None
    """What the last estimate said."""
    suppressed: Annotated[tuple[Suppressed, ...], ListType("atomic"), MaxItems(10)] = ()
    """Calls that were not followed, newest first."""


class RolledBack(Schema):
    """A champion that was taken back; services that track the champion read it here."""

    version: Name
    """The ModelVersion."""
    to: Name
    """The version that speaks for the Model since, until a later one is better."""
    time: Time
    """When."""
    by: Called
    """Who says so."""
    why: Why
    """What was found."""


class Met(Term):
    """Whether a criterion is met."""

    YES = "Yes", "it is met"
    NO = "No", "it is not met"
    UNKNOWN = "Unknown", "nobody can say"


class Judged(Schema):
    """One criterion, as it stands."""

    type: Criterion
    """Which."""
    met: Met
    """Whether."""
    message: Message = ""
    """Why."""


class Retirement(Schema):
    """Whether the model's time is over. Nothing is deleted."""

    due: Met
    """Yes when one criterion is met, Unknown when none is and one cannot be judged."""
    criteria: Annotated[tuple[Judged, ...], ListType("atomic"), MaxItems(6)] = ()
    """Each of them."""
