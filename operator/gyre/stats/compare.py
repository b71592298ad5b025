"""Which of two arms is better: the judge's e-process for each side against the other, looked at as often as one likes. Pure.

Promises   P(a winner is named | the arms do not differ) ≤ alpha, ever: each side is tested at alpha/2; the winner that was named
           stays, whatever comes; JSON and back is exact.
Never      says that two arms are equal: it is either sure of a difference, or not yet.

The share of an arm is what it really had of the requests in a look, since callers who always come to the same arm do not call
equally often. With shares that are counted and not drawn, an arm's failures among all failures are hypergeometric when the arms
do not differ, which is less spread than the binomial of the likelihood ratio: an e-value, convex in the count, is then smaller
still in expectation (Hoeffding, Probability inequalities for sums of bounded random variables, 1963, theorem 4).

The unit is the request: requests of one caller that fail together for the caller's own reasons count as often as they came.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import log
from typing import Any

from gyre.stats.eprocess import Logs, added, log_mean, log_ratios
from gyre.stats.evidence import RATIOS_WORSE


class Better(StrEnum):
    A = "A"
    B = "B"
    UNDECIDED = "Undecided"


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that is remembered. A row for each kind of failure: one for errors, or one for each edge of latency."""

    a_worse: tuple[Logs, ...]
    """Against "A is no worse than B"."""
    b_worse: tuple[Logs, ...]
    """Against "B is no worse than A"."""
    better: Better = Better.UNDECIDED

    @classmethod
    def start(cls, rows: int = 1) -> Comparison:
        nothing = ((0.0,) * len(RATIOS_WORSE),) * rows
        return cls(nothing, nothing)

    def to_json(self) -> dict[str, Any]:
        rows = {"aWorse": self.a_worse, "bWorse": self.b_worse}
        return {"better": self.better.value, **{key: [list(logs) for logs in value] for key, value in rows.items()}}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Comparison:
        """Raises KeyError, TypeError or ValueError for what `to_json` did not write."""
        sides = [tuple(tuple(float(value) for value in logs) for logs in data[key]) for key in ("aWorse", "bWorse")]
        return cls(sides[0], sides[1], Better(data["better"]))

    @property
    def evidence_for_a(self) -> float:
        """The logarithm of the e-value by which B is worse."""
        return log_mean([log_mean(logs) for logs in self.b_worse])

    @property
    def evidence_for_b(self) -> float:
        return log_mean([log_mean(logs) for logs in self.a_worse])


def threshold(alpha: float) -> float:
    """The logarithm that the evidence for a side has to reach."""
    return log(2.0 / alpha)


def compare(
    known: Comparison, requests: tuple[int, int], failures: Sequence[tuple[int, int]], *, alpha: float
) -> Comparison:
    """With one more look: requests to (A, B), and of them the failures of (A, B), a pair for each row.

    A look in which nobody came to one of the arms compares nothing and changes nothing.
    """
    asked_a, asked_b = requests
    if not asked_a or not asked_b:
        return known
    share = asked_b / (asked_a + asked_b)
    a_worse = _with(known.a_worse, [(a, a + b) for a, b in failures], 1.0 - share)
    b_worse = _with(known.b_worse, [(b, a + b) for a, b in failures], share)
    after = replace(known, a_worse=a_worse, b_worse=b_worse)
    return after if known.better is not Better.UNDECIDED else replace(after, better=_better(after, alpha))


def _better(found: Comparison, alpha: float) -> Better:
    goal = threshold(alpha)
    if max(found.evidence_for_a, found.evidence_for_b) < goal:
        return Better.UNDECIDED
    return Better.A if found.evidence_for_a >= found.evidence_for_b else Better.B


def _with(sums: tuple[Logs, ...], failures: Sequence[tuple[int, int]], share: float) -> tuple[Logs, ...]:
    return tuple(
        added(logs, log_ratios(x, n, share, RATIOS_WORSE, 1.0)) for logs, (x, n) in zip(sums, failures, strict=True)
    )
