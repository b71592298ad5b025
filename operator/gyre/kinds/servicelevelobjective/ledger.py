"""What a ServiceLevelObjective must remember, as text in ConfigMap `<name>-budget` and back: counts by stretches of time. Pure.

Promises   bounded: some hundred stretches an objective, a few numbers for each process that counts; equal ledgers are equal text.
Never      takes a ledger that cannot be read for an empty one: a spent budget would be whole again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

KEY: Final = "budget.json"
FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Tally:
    """What was counted for one objective."""

    what: str
    """What counts as good; another meaning begins another count."""
    since: datetime
    stretches: tuple[tuple[float, float, int, int], ...] = ()
    """(start, end, events, bad), oldest first."""
    events: int = 0
    """All since counting began, whatever has aged out of the stretches."""
    bad: int = 0


@dataclass(frozen=True, slots=True)
class Ledger:
    counting: datetime | None = None
    """Since when is counted; what came before belongs to nobody."""
    looked: datetime | None = None
    """The last look that found something."""
    sources: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """What each source had counted then: see counting.py."""
    tallies: Mapping[str, Tally] = field(default_factory=dict)
    """By name of the objective."""
    burning: bool = False
    exhausted: datetime | None = None
    """Since when the budget is spent."""
    version: str = ""
    """Who had the traffic when it was spent, or when it began to burn anew while it was."""


@dataclass(frozen=True, slots=True)
class Memory:
    """The ConfigMap as found. `ledger` is None only when it could not be read."""

    version: str
    owner: str
    ledger: Ledger | None
    problem: str = ""


def edges(ledger: Ledger | None) -> dict[str, float]:
    """Beyond how many seconds an answer is counted as slow, by objective of type Latency."""
    told = {name: tally.what for name, tally in ledger.tallies.items()} if ledger else {}
    return {name: float(what.removeprefix("Latency/")) for name, what in told.items() if what.startswith("Latency/")}


def to_data(ledger: Ledger) -> dict[str, str]:
    kept: dict[str, Any] = _LEDGER.dump_python(ledger, mode="json", exclude_defaults=True)
    return {KEY: json.dumps({"format": FORMAT, **kept}, sort_keys=True, separators=(",", ":"))}


def of(obj: Mapping[str, Any]) -> Memory:
    metadata = obj["metadata"]
    owners = metadata.get("ownerReferences") or ()
    owner = next((str(entry.get("uid", "")) for entry in owners if entry.get("controller")), "")
    version = str(metadata.get("resourceVersion", ""))
    try:
        kept = json.loads((obj.get("data") or {})[KEY])
        if kept.pop("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT}")
        return Memory(version, owner, _LEDGER.validate_python(kept))
    except (KeyError, AttributeError, TypeError, ValidationError, ValueError) as error:
        return Memory(version, owner, None, f"{type(error).__name__}: {error}"[:300])


_LEDGER: Final = TypeAdapter(Ledger)
