"""What a Model must remember of its own doings, as text in ConfigMap `<model>-doings` and back. Pure.

Promises   a run is written down before its TrainingJob is made, and numbers are used once; equal ledgers are equal text; bounded.
Never      takes a ledger that cannot be read for an empty one: it would train again what was trained already.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, TypeAlias

from pydantic import TypeAdapter

from gyre.adapters.kept import Kept, Shape
from gyre.api.terms import clip

KEY: Final = "doings.json"
FORMAT: Final = 1
KEPT_RUNS, KEPT_SUPPRESSED, KEPT_WITHDRAWN = 80, 10, 20


@dataclass(frozen=True, slots=True)
class Run:
    """One retraining. `outcome` is empty while it goes on."""

    number: int
    trigger: str
    key: str
    """Of the occasion: each is answered once, unless its training fails."""
    why: str
    at: datetime
    made: bool = False
    """Its TrainingJob was seen: if it is gone, it is not made again."""
    outcome: str = ""


@dataclass(frozen=True, slots=True)
class Not:
    """A call that was not followed."""

    trigger: str
    key: str
    reason: str
    message: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A champion that was taken back."""

    version: str
    to: str
    at: datetime
    by: str
    why: str


@dataclass(frozen=True, slots=True)
class Ledger:
    born: datetime | None = None
    """When it began to remember: what a clock would have called for before that is nobody's business."""
    count: int = 0
    runs: tuple[Run, ...] = ()
    """Oldest first."""
    suppressed: tuple[Not, ...] = ()
    """Oldest first."""
    scheduled: datetime | None = None
    """The last call of the clock that was answered, either way."""
    asked: str = ""
    """The value of the annotation that was obeyed."""
    withdrawn: tuple[Withdrawn, ...] = ()
    """Oldest first."""
    unused: datetime | None = None
    """Since when nobody needs a version."""
    replaced: datetime | None = None
    """Since when the other Model is in use."""

    @property
    def last(self) -> Run | None:
        return self.runs[-1] if self.runs else None

    @property
    def open(self) -> Run | None:
        return self.last if self.last is not None and not self.last.outcome else None

    def started(self, trigger: str, key: str, why: str, now: datetime) -> Ledger:
        run = Run(self.count + 1, trigger, key, clip(why, 300), seconds(now))
        others = tuple(each for each in self.suppressed if each.trigger != trigger)
        return replace(self, count=run.number, runs=(*self.runs, run)[-KEPT_RUNS:], suppressed=others)

    def with_last(self, **changes: Any) -> Ledger:
        return replace(self, runs=(*self.runs[:-1], replace(self.runs[-1], **changes)))

    def not_followed(self, trigger: str, key: str, reason: str, message: str, now: datetime) -> Ledger:
        """Written down once an occasion and reason."""
        before = next((each for each in reversed(self.suppressed) if each.trigger == trigger), None)
        if before is not None and (before.key, before.reason) == (key, reason):
            return self
        others = tuple(each for each in self.suppressed if each.trigger != trigger)
        entry = Not(trigger, key, reason, clip(message, 300), seconds(now))
        return replace(self, suppressed=(*others, entry)[-KEPT_SUPPRESSED:])

    def taken_back(self, version: str, to: str, by: str, why: str, now: datetime) -> Ledger:
        entry = Withdrawn(version, to, seconds(now), clip(by, 140), clip(why, 300))
        return replace(self, withdrawn=(*self.withdrawn, entry)[-KEPT_WITHDRAWN:])


def seconds(time: datetime) -> datetime:
    return time.replace(microsecond=0)


Memory: TypeAlias = Kept[Ledger]
"""The ConfigMap as found."""
SHAPE: Final = Shape(TypeAdapter(Ledger), key=KEY, format=FORMAT)
to_data, of = SHAPE.to_data, SHAPE.of
