"""What is remembered of a candidate's requests, and how a look adds to it: sums of log-likelihood ratios, and counts. Pure.

The argument for each of them: `judge.py`. The state is a list of numbers, and JSON and back is exact, so a restart loses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from gyre.stats.eprocess import Logs, added, log_rates, log_ratios

RATIOS_WORSE: Final = (1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0)
"""Alternatives to "no worse": how many times as often as is tolerated the candidate fails."""
RATIOS_FINE: Final = (0.7, 0.85, 1.0, 1.1)
"""Alternatives to "as bad as the margin"."""
FLOOR_SHARES: Final = (0.001, 0.1, 0.3, 0.6)
"""Alternatives to "as bad as the floor": error rates, in shares of the floor."""
RATIOS_OF_REQUESTS: Final = (0.25, 0.5, 0.8, 1.25, 2.0, 4.0)
"""Alternatives to "the gateway honours the weights"."""
SLOW_FLOOR: Final = 0.02
"""Fewer answers beyond an edge nobody minds, whatever the ratio. Edges at the stable version's quantiles are exceeded by more."""


@dataclass(frozen=True, slots=True)
class Policy:
    """`alpha`, `beta` in (0, 0.5]; margins are ratios > 1; `error_floor` a rate in [0, 0.5), 0 for none.

    `latency_tolerance`, a ratio ≥ 1: a candidate that is slow no more than so many times as often is not rolled back for it. Some
    tolerance is needed in practice: any two programs differ, and with traffic enough any difference is proved.

    `slow_floor`, a rate: nor is one of which no more answers are slow; 0 (as in rulings from before there was one) for none.
    """

    alpha: float
    beta: float
    error_margin: float
    latency_margin: float
    error_floor: float
    min_requests: int
    latency_tolerance: float = 1.0
    slow_floor: float = 0.0


@dataclass(frozen=True, slots=True)
class Counts:
    """What one version answered. `slow[i]`: how many took longer than `edges[i]`."""

    requests: int = 0
    errors: int = 0
    slow: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Look:
    """The counts since the last look, during which the candidate's weight was `share`, in (0, 1)."""

    share: float
    stable: Counts
    candidate: Counts


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is remembered: sums, so that a restart goes on where it was."""

    worse: tuple[Logs, ...]
    """Against "no worse": errors first, then each edge."""
    fine: tuple[Logs, ...]
    """Against "as bad as the margin", in the same order."""
    floor: tuple[Logs, ...]
    """Against "the candidate's rate is at the floor or above", in the same order."""
    ratio: Logs
    """Against "the gateway honours the weights"."""
    stable: Counts
    candidate: Counts

    @classmethod
    def start(cls, edges: int) -> Evidence:
        """Nothing is known yet; `edges`: how many latencies slow answers are told by."""
        none = Counts(slow=(0,) * edges)
        return cls(
            worse=((0.0,) * len(RATIOS_WORSE),) * (1 + edges),
            fine=((0.0,) * len(RATIOS_FINE),) * (1 + edges),
            floor=((0.0,) * len(FLOOR_SHARES),) * (1 + edges),
            ratio=(0.0,) * len(RATIOS_OF_REQUESTS),
            stable=none,
            candidate=none,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain lists; Python writes a float so that reading it gives the same one."""
        return {
            "worse": [list(logs) for logs in self.worse],
            "fine": [list(logs) for logs in self.fine],
            "floor": [list(logs) for logs in self.floor],
            "ratio": list(self.ratio),
            "stable": [self.stable.requests, self.stable.errors, *self.stable.slow],
            "candidate": [self.candidate.requests, self.candidate.errors, *self.candidate.slow],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Evidence:
        """Raises KeyError, TypeError or ValueError for what `to_json` did not write."""

        def counts(numbers: Sequence[int]) -> Counts:
            requests, errors, *slow = (int(number) for number in numbers)
            return Counts(requests, errors, tuple(slow))

        def table(rows: Sequence[Sequence[float]]) -> tuple[Logs, ...]:
            return tuple(tuple(float(value) for value in row) for row in rows)

        return cls(
            worse=table(data["worse"]),
            fine=table(data["fine"]),
            floor=table(data["floor"]),
            ratio=table([data["ratio"]])[0],
            stable=counts(data["stable"]),
            candidate=counts(data["candidate"]),
        )


def updated(evidence: Evidence, look: Look, policy: Policy) -> Evidence:
    """With one more look. Raises ValueError for a share outside (0, 1), other edges than before, or a negative count."""
    mine, other, q = look.candidate, look.stable, look.share
    if not np.all((q > 0.0) & (q < 1.0)):
        raise ValueError(f"a share must lie between 0 and 1, not be {q}: there is nothing to compare with")
    if any(np.any(np.less(count, 0)) for side in (mine, other) for count in (side.requests, side.errors, *side.slow)):
        raise ValueError(f"counts only grow: {mine}, {other}")
    failures = [(mine.errors, other.errors), *zip(mine.slow, other.slow, strict=True)]
    margins = [policy.error_margin] + [policy.latency_margin] * len(mine.slow)
    tolerated = [1.0] + [policy.latency_tolerance] * len(mine.slow)
    worse = [[null * ratio for ratio in RATIOS_WORSE] for null in tolerated]
    fine = [RATIOS_FINE] * len(margins)

    def against(sums: tuple[Logs, ...], ratios: Sequence[Sequence[float]], nulls: Sequence[float]) -> tuple[Logs, ...]:
        return tuple(
            added(before, log_ratios(x, x + y, q, each, null))
            for before, (x, y), each, null in zip(sums, failures, ratios, nulls, strict=True)
        )

    floor = tuple(
        added(before, log_rates(x, mine.requests, [share * rate for share in FLOOR_SHARES], rate)) if rate else before
        for before, (x, _), rate in zip(evidence.floor, failures, floors(policy, len(mine.slow)), strict=True)
    )
    asked = log_ratios(mine.requests, mine.requests + other.requests, q, RATIOS_OF_REQUESTS, 1.0)
    return replace(
        evidence,
        worse=against(evidence.worse, worse, tolerated),
        fine=against(evidence.fine, fine, margins),
        floor=floor,
        ratio=added(evidence.ratio, asked),
        stable=_sum(evidence.stable, other),
        candidate=_sum(evidence.candidate, mine),
    )


def floors(policy: Policy, edges: int) -> tuple[float, ...]:
    """The floor of each metric: errors first, then each edge; 0 for none."""
    return (policy.error_floor, *(SLOW_FLOOR,) * edges)


def _sum(one: Counts, more: Counts) -> Counts:
    slow = tuple(a + b for a, b in zip(one.slow, more.slow, strict=True))
    return Counts(one.requests + more.requests, one.errors + more.errors, slow)
