"""Conditions: what is true of an object, why, since when; and the table from which a kind reports them.

Promises   every row of a kind's table is reported on every visit, `Unknown` included; `lastTransitionTime` moves only
           when the status does; a message is never longer than the API server takes.
Never      a `phase`; an abnormal-true condition (`Reconciling`, `Stalled`) that is reported while false.

    CONDITIONS: Final = (
        #   type             what was seen → a Verdict, or None               None means
        Row("DatasetPinned", lambda s: s.digest and yes(Why.PINNED, s.digest), "the job has not chosen its data yet"),
    )

Sources: kubernetes/community `contributors/devel/sig-architecture/api-conventions.md` (typical status properties);
kubernetes-sigs/cli-utils `pkg/kstatus` (`Reconciling`, `Stalled`); metav1.Condition for bounds and patterns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Generic, TypeVar

from gyre.api.fields import BigCount, Message, Time
from gyre.api.markers import MaxLength, MinLength, Pattern
from gyre.api.model import Schema

READY = "Ready"
SUCCEEDED = "Succeeded"
RECONCILING = "Reconciling"
STALLED = "Stalled"

ABNORMAL_TRUE = frozenset({RECONCILING, STALLED})
"""Present only while True; the rest of the world reads their absence as health."""

UNKNOWN_REASON = "Unknown"


class Truth(StrEnum):
    """Status of a condition."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(Schema):
    """One aspect of the object's state, as last observed."""

    type: Annotated[str, MaxLength(64), Pattern(r"^[A-Za-z][A-Za-z0-9]*$")]
    """What the condition is about, unique in the list."""
    status: Truth
    """Whether it holds: True, False or Unknown."""
    reason: Annotated[str, MinLength(1), MaxLength(128), Pattern(r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")]
    """Why, in one CamelCase word that programs may rely on."""
    message: Message = ""
    """Why, for people: what to do, where something has to be done."""
    observed_generation: BigCount | None = None
    """The generation of the spec that the condition is about."""
    last_transition_time: Time | None = None
    """When the status last changed."""

    @property
    def true(self) -> bool:
        return self.status is Truth.TRUE

    @property
    def false(self) -> bool:
        return self.status is Truth.FALSE


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a row of the table found."""

    status: Truth
    reason: str
    message: str = ""


def yes(reason: str, message: str = "") -> Verdict:
    return Verdict(Truth.TRUE, reason, message)


def no(reason: str, message: str = "") -> Verdict:
    return Verdict(Truth.FALSE, reason, message)


def unknown(reason: str, message: str = "") -> Verdict:
    return Verdict(Truth.UNKNOWN, reason, message)


Seen = TypeVar("Seen")


@dataclass(frozen=True)  # no slots: `Row[Job](…)` would fail on Python 3.11
class Row(Generic[Seen]):
    """One known condition of a kind. `judge` answers from what was seen; None (or anything empty) is Unknown."""

    type: str
    judge: Callable[[Seen], Verdict | None]
    absent: str
    """What it means that there is no answer yet, as a sentence; also the row's line in the reference."""


def report(table: Sequence[Row[Seen]], seen: Seen, generation: int) -> tuple[Condition, ...]:
    """Every row answered, in the order of the table, without times: `merge` knows those."""
    found = ((row.type, row.judge(seen) or Verdict(Truth.UNKNOWN, UNKNOWN_REASON, row.absent)) for row in table)
    return tuple(
        Condition(
            type=type,
            status=verdict.status,
            reason=str(verdict.reason),
            message=verdict.message,
            observed_generation=generation,
        )
        for type, verdict in found
        if verdict.status is Truth.TRUE or type not in ABNORMAL_TRUE
    )


def merge(old: Iterable[Condition], new: Iterable[Condition], now: datetime) -> tuple[Condition, ...]:
    """`new`, each with the time of its last change of status: from `old` where the status is the same, else `now`.

    Types that are only in `old` are dropped: a status says what was last observed, nothing else.
    """
    before = {condition.type: condition for condition in old}
    return tuple(
        condition.model_copy(update={"last_transition_time": _since(before.get(condition.type), condition, now)})
        for condition in new
        if condition.true or condition.type not in ABNORMAL_TRUE
    )


def _since(old: Condition | None, new: Condition, now: datetime) -> datetime:
    if old is not None and old.status is new.status and old.last_transition_time is not None:
        return old.last_transition_time
    return now.replace(microsecond=0)


def as_dicts(conditions: Iterable[Condition]) -> list[dict[str, Any]]:
    """For a status that is written by hand."""
    return [condition.to_dict() for condition in conditions]
