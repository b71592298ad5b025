"""Upper bounds on a rate that hold at all times together, and the latencies by which slow answers are told. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, lgamma, log, log1p
from typing import Final

EDGE_QUANTILES: Final = (0.5, 0.75, 0.9, 0.95)
TELLING: Final = (0.1, 0.97)
"""Of the stable version's answers, how many must take no longer than an edge: exceeded by nearly all, it tells little; by one
in a hundred, it would take as long to judge as errors do. So it is for an edge that the floor moves."""
TAIL: Final = 0.995
"""An edge that so many do not exceed stands in where a coarse histogram has none between 0.9 and TELLING."""


def upper_rate(x: int, n: int, alpha: float) -> float:
    """An upper bound on a rate of which `x` of `n` were seen, valid at all times together: P(ever below the truth) ≤ alpha.

    The rates that the e-process with a uniform prior does not refute: Robbins, Statistical methods related to the law of the
    iterated logarithm (1970). Its e-value of a rate p is B(x + 1, n − x + 1) / (p^x (1 − p)^(n − x)).
    """
    if n <= 0 or x >= n:
        return 1.0
    marginal = lgamma(x + 1) + lgamma(n - x + 1) - lgamma(n + 2)

    def refuted(rate: float) -> bool:
        likelihood = (x * log(rate) if x else 0.0) + (n - x) * log1p(-rate)
        return marginal - likelihood >= -log(alpha)

    low, high = x / n, 1.0
    while low < (middle := (low + high) / 2) < high:
        low, high = (low, middle) if refuted(middle) else (middle, high)
    return high


def edges_of(histogram: Sequence[tuple[float, int]], floor: float = 0.0) -> tuple[float, ...]:
    """Latencies by which slow answers are told: the bounds nearest to p50, p75, p90 and p95 of the stable version, in seconds.

    `histogram`: (upper bound, how many took no longer), growing, as in a Prometheus histogram; without a finite bound or a count
    there is nothing to tell by. Fixed at the start, so that what follows is not chosen by what it shows. Where all answers fall
    into one coarse bucket its bound is the only edge: a candidate ten times as slow, and above the floor, is noticed there.

    `floor`, in seconds: an answer within it is fast enough for anybody. No edge lies below it; one that would is the first bound
    from there on that tells, or that nearly none exceeds; where there is none, no answer is slow. Two pods of one version differ
    by parts of a millisecond for good, and nobody needs that judged.
    """
    total = max((count for _, count in histogram), default=0)
    if total <= 0:
        return ()
    within = {bound: count / total for bound, count in histogram if isfinite(bound)}
    telling = {bound: share for bound, share in within.items() if TELLING[0] <= share <= TELLING[1]}
    found = {_nearest(telling, quantile) for quantile in EDGE_QUANTILES} if telling else set()
    if all(within[edge] < EDGE_QUANTILES[2] for edge in found):
        found |= set(sorted(bound for bound, share in within.items() if share >= TAIL)[:1])
    enough = sorted(bound for bound, share in within.items() if bound >= floor and not TELLING[1] < share < TAIL)
    return tuple(sorted({max(edge, enough[0]) for edge in found})) if enough else ()


def _nearest(within: dict[float, float], quantile: float) -> float:
    return min(within, key=lambda bound: abs(within[bound] - quantile))
