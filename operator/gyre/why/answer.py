"""What `gyre why` answers: facts in sections, and checks. Pure.

A fact has a value, or it says what would make it known. It never has both, and never neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

FIX: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Fact:
    """`value` is what JSON can say: a text, a number, a list or an object of such."""

    name: str
    value: Any = None
    unknown: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    name: str
    facts: tuple[Fact, ...]


class Outcome(StrEnum):
    """What came of computing a decision again."""

    EQUAL = "recomputed equal"
    DIFFERS = "differs"
    CANNOT = "cannot"


@dataclass(frozen=True, slots=True)
class Check:
    what: str
    outcome: Outcome
    why: str

    @classmethod
    def of(cls, what: str, equal: bool | None, why: str) -> Check:
        return cls(what, {True: Outcome.EQUAL, False: Outcome.DIFFERS, None: Outcome.CANNOT}[equal], why)


@dataclass(frozen=True, slots=True)
class Answer:
    what: str
    at: datetime | None
    sections: tuple[Section, ...]
    checks: tuple[Check, ...] | None = None

    @property
    def holds(self) -> bool:
        """Nothing came to something else. What could not be computed again is no contradiction."""
        return not any(check.outcome is Outcome.DIFFERS for check in self.checks or ())

    def to_json(self) -> dict[str, Any]:
        said: dict[str, Any] = {"what": self.what}
        if self.at is not None:
            said["at"] = stamp(self.at)
        for section in self.sections:
            said[section.name] = {
                fact.name: {FIX: fact.unknown} if fact.unknown else plain(fact.value) for fact in section.facts
            }
        if self.checks is not None:
            said["checks"] = [{"what": c.what, "outcome": c.outcome.value, "why": c.why} for c in self.checks]
        return said


def known(name: str, value: Any, otherwise: str) -> Fact:
    """The value, or what would make it known where there is none; 0 and False are values."""
    return Fact(name, unknown=otherwise) if value in (None, "", (), [], {}) else Fact(name, value)


def unknown(name: str, why: str) -> Fact:
    return Fact(name, unknown=why)


def given(*facts: Fact | None) -> tuple[Fact, ...]:
    return tuple(fact for fact in facts if fact is not None)


def part(obj: Mapping[str, Any] | None, *path: str) -> Any:
    """What lies there, or None: a half written object has holes."""
    found: Any = obj
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def rows(obj: Mapping[str, Any] | None, *path: str) -> list[Mapping[str, Any]]:
    """The objects of a list, or none."""
    found = part(obj, *path)
    return [row for row in found if isinstance(row, Mapping)] if isinstance(found, list | tuple) else []


def stamp(time: datetime) -> str:
    """RFC 3339 in UTC, with milliseconds where there are some."""
    utc = time.astimezone(UTC)
    return utc.isoformat(timespec="milliseconds" if utc.microsecond else "seconds").replace("+00:00", "Z")


def plain(value: Any) -> Any:
    """As JSON has it."""
    if isinstance(value, datetime):
        return stamp(value)
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    return [plain(entry) for entry in value] if isinstance(value, Iterable) else str(value)
