"""What a ServiceLevelObjective must remember, as text in ConfigMap `<name>-budget` and back: counts by stretches of time. Pure.

Promises   bounded: some hundred stretches an objective, a few numbers for each process that counts; equal ledgers are equal text.
Never      takes a ledger that cannot be read for an empty one: a spent budget would be whole again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeAlias

from pydantic import TypeAdapter

from gyre.adapters.kept import Kept, Shape

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


def edges(ledger: Ledger | None) -> dict[str, float]:
    """Beyond how many seconds an answer is counted as slow, by objective of type Latency."""
    told = {name: tally.what for name, tally in ledger.tallies.items()} if ledger else {}
    return {name: float(what.removeprefix("Latency/")) for name, what in told.items() if what.startswith("Latency/")}


Memory: TypeAlias = Kept[Ledger]
"""The ConfigMap as found."""
SHAPE: Final = Shape(TypeAdapter(Ledger), key=KEY, format=FORMAT)
to_data, of = SHAPE.to_data, SHAPE.of
