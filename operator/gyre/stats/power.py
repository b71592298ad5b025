"""How long the judge takes to be sure of a candidate that is as good as the stable version, in closed form. Pure.

With a share q of the traffic, each error of either version adds on average
    log(1 + q(m − 1)) − q·log m
to the evidence that the ratio of the error rates is below the margin m, when it is 1: the Kullback-Leibler distance between q and
the share that it would have at the margin. Each request to the candidate adds the distance between its error rate and the floor.
The faster of the two proofs counts for errors; latency is proved at the edge that fewest answers exceed, one in twenty. The time
is the logarithm of the threshold, plus what the mixtures cost, by that growth (Wald, Sequential Analysis, 1947).

Measured against the judge's own median times over 160 settings (docs/statistics.md): 0.9 to 1.7 of them, rather too long than too
short. The same formulas in CEL, for the API server: kinds/inferenceservice/warning.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log, log1p
from typing import Final

from gyre.stats.evidence import Policy

MIXTURE_COST: Final = 0.7
"""What averages over alternatives cost, as a logarithm: about a half."""
RAREST_EDGE: Final = 0.05
"""Of the stable version's answers, how many exceed p95."""


def by_ratio(share: float, rate: float, margin: float) -> float:
    """Growth of the evidence for each request to either version, when `rate` of both versions' fail."""
    return rate * (log1p(share * (margin - 1.0)) - share * log(margin))


def by_floor(share: float, rate: float, floor: float) -> float:
    """The same, of the proof that the rate is below the floor: none when it is not. `rate` in (0, 1)."""
    if rate >= floor:
        return 0.0
    return share * (rate * log(rate / floor) + (1.0 - rate) * (log1p(-rate) - log1p(-floor)))


def requests(policy: Policy, share: float, error_rate: float) -> float:
    """To both versions together, until a candidate with this share and the same error rate is promoted; at about the median."""
    errors = max(by_ratio(share, error_rate, policy.error_margin), by_floor(share, error_rate, policy.error_floor))
    latency = by_ratio(share, RAREST_EDGE, policy.latency_margin)
    return max((MIXTURE_COST - log(policy.beta)) / min(errors, latency), policy.min_requests / share)


def hours(policy: Policy, share: float, requests_per_second: float, error_rate: float) -> float:
    """The time that a candidate with this share of the traffic takes."""
    return requests(policy, share, error_rate) / requests_per_second / 3600.0


def rollout_hours(
    policy: Policy, shares: Sequence[float], interval: float, requests_per_second: float, error_rate: float
) -> float:
    """Of a whole rollout: each share but the last takes an interval (seconds) and policy.min_requests, the last until the end."""
    *before, last = shares
    seconds = sum(max(interval, policy.min_requests / (share * requests_per_second)) for share in before)
    return seconds / 3600.0 + max(interval / 3600.0, hours(policy, last, requests_per_second, error_rate))
