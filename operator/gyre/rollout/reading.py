"""What is to be shown of a rollout, from the service and its ledger. Pure.

The evidence is recomputed from the sums in the ledger, by the code that judges; the curve is the ledger's `series.json`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from gyre.api.kind import Object
from gyre.kinds.inferenceservice import memory
from gyre.kinds.inferenceservice.ledger import Entry, Ledger, Rollout
from gyre.kinds.inferenceservice.model import InferenceService
from gyre.kinds.inferenceservice.report import Happened
from gyre.kinds.inferenceservice.rulings import judgement_of, policy_of
from gyre.stats.judge import Counts, Evidence, Judgement, each_bad, each_good

ENDS: Final = frozenset({Happened.PROMOTED, Happened.ROLLED_BACK, Happened.ABANDONED, Happened.SWITCHED})


@dataclass(frozen=True, slots=True)
class Point:
    """One look. `weight` of the candidate in [0, 1]; e-values as natural logarithms; counts since the rollout began."""

    t: datetime
    weight: float
    bad: float
    good: float
    requests: int
    errors: int
    stable_requests: int
    stable_errors: int


@dataclass(frozen=True, slots=True)
class Metric:
    """Of one metric: (failed, asked) of each version, and the logarithms of the e-values."""

    name: str
    stable: tuple[int, int]
    candidate: tuple[int, int]
    bad: float
    good: float


@dataclass(frozen=True, slots=True)
class Picture:
    """`ledger` is None when there is none, or none that can be read: `problem` says which."""

    gis: InferenceService
    ledger: Ledger | None
    points: tuple[Point, ...]
    problem: str = ""

    @property
    def judged(self) -> Rollout | None:
        """The rollout whose candidate has a share of the traffic."""
        rollout = self.ledger.rollout if self.ledger else None
        return rollout if rollout and rollout.weight else None

    @property
    def judgement(self) -> Judgement | None:
        return judgement_of(self.gis, self.judged) if self.judged else None

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Errors first, then each edge of latency; empty before the first look."""
        if self.judged is None or not self.judged.evidence:
            return ()
        evidence, policy = Evidence.from_json(dict(self.judged.evidence)), policy_of(self.gis)
        names = ("failed", *(f"slower than {milliseconds(edge)}" for edge in self.judged.edges))
        rows = zip(names, _failures(evidence.stable), _failures(evidence.candidate), strict=True)
        evidences = zip(each_bad(evidence, policy), each_good(evidence, policy), strict=True)
        return tuple(Metric(*row, *logs) for row, logs in zip(rows, evidences, strict=True))

    @property
    def ending(self) -> Entry | None:
        """What the looks came to; None while they go on."""
        if not self.points or self.ledger is None:
            return None
        last = self.points[-1].t
        return next((entry for entry in self.ledger.history if entry.event in ENDS and entry.at >= last), None)


def picture(service: Object, ledger: Object | None) -> Picture:
    """Of the objects as the API server returned them."""
    gis = InferenceService.parse(service)
    if ledger is None:
        return Picture(gis, None, (), "gyre has not looked at it yet")
    found = memory.of(ledger)
    points = tuple(point for said in found.series if (point := _point(said)))
    return Picture(gis, found.ledger, points, found.problem)


def milliseconds(seconds: float) -> str:
    """`12 ms`, `1.5 s`."""
    return f"{seconds:.3g} s" if seconds >= 1.0 else f"{seconds * 1000.0:.3g} ms"


def _failures(counts: Counts) -> tuple[tuple[int, int], ...]:
    return tuple((count, counts.requests) for count in (counts.errors, *counts.slow))


def _point(said: Mapping[str, Any]) -> Point | None:
    """None for what the operator did not write: it is left out of the curve."""
    try:
        return Point(
            t=datetime.fromisoformat(said["t"]),
            weight=float(said["weight"]),
            bad=float(said["bad"]),
            good=float(said["good"]),
            requests=int(said["requests"]),
            errors=int(said["errors"]),
            stable_requests=int(said["stableRequests"]),
            stable_errors=int(said["stableErrors"]),
        )
    except (KeyError, TypeError, ValueError):
        return None
