"""Whether a candidate may take over: e-processes over errors and slow answers, looked at as often as one likes. Pure.

Promises   P(rolled back | no worse) ≤ alpha and P(promoted | as bad as the margins) ≤ beta, however often and whenever it is
           looked at, and however the weights move between looks; a restart loses nothing (JSON and back is exact); shares being
           equal, how the counts were cut into looks does not matter.
Never      reads a clock, keeps a sample, or promotes without evidence.

The argument. Each request goes to the candidate with probability q, whatever it will come to. So, given that it fails, it was
the candidate's with probability p(ρ) = qρ / (qρ + 1 − q), where ρ is the ratio of the two error rates, whatever those are. Of n
failures in a look, the candidate's x give the likelihood ratio of ρ against ρ0
    Π (p(ρ)/p(ρ0))^x ((1 − p(ρ))/(1 − p(ρ0)))^(n − x),
whose expectation is 1 at ρ0, and at most 1 on the far side of it. The product over looks is a test martingale, so is a mixture
over several ρ, and by Ville's inequality it exceeds 1/α with probability α at the most, ever. Bursts and lulls that both versions
share cancel. "Slower than a fixed edge" is a failure like any other. What breaks it: docs/statistics.md.

    against the candidate   errors ½, latency ½ spread over its edges: an average of e-values is an e-value
    for the candidate       every metric by itself, and the least counts: bad in one metric is bad

A metric is bad when it is both worse than its margin and above its floor. Either can be refuted, and the average of both e-values
refutes it: so a service without any errors can be promoted, and so can one whose answers all fall into one bucket. Latency speaks
against a candidate only where both are proved, that it is slow more often than is tolerated and more often than its floor: by the
less of both e-values. So an edge that nearly no answer exceeds is no trap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import inf, log
from typing import Final

import numpy as np

from gyre.stats.eprocess import Logs, added, least, log_mean, log_rates, log_ratios
from gyre.stats.evidence import RATIOS_WORSE, Counts, Evidence, Look, Policy, floors, updated
from gyre.stats.rates import edges_of, upper_rate

SAMPLE_RATIO_ALARM: Final = log(1000.0)
MOST: Final = 2.0**53
FLOOR_WEIGHTS: Final = (0.5, 0.2)
"""Of the e-value by the floor in the average with the one by the ratio: for errors, for slow answers."""
TIMES_TOO_SLOW: Final = (1.25, 1.5, 2.5, 5.0, 10.0, 25.0)
"""Alternatives to "no more answers beyond the edge than the floor": how many times as many."""
ERRORS: Final = "errorRate"
LATENCY: Final = "latency"


class Verdict(StrEnum):
    PROMOTE = "Promote"
    ROLLBACK = "Rollback"
    CONTINUE = "Continue"
    INCONCLUSIVE = "Inconclusive"


@dataclass(frozen=True, slots=True)
class Judgement:
    """E-values as natural logarithms; a verdict is due when one reaches its threshold."""

    verdict: Verdict
    bad: float
    good: float
    """Of the metric with the least evidence."""
    by: str
    """The metric that says most against the candidate, or, as long as nothing does, least for it."""
    bad_threshold: float
    good_threshold: float
    needed_requests: int | None
    """To both versions together until a verdict, if it goes on as it did; None when it leads nowhere yet."""
    sample_ratio_ok: bool
    message: str


# ── the e-values ──────────────────────────────────────────────────────────────────────────────────────────────────────


def each_bad(evidence: Evidence, policy: Policy) -> list[float]:
    """log E against "no worse", metric by metric: errors first, then each edge."""
    errors, *edges = (log_mean(logs) for logs in evidence.worse)
    if not policy.slow_floor:
        return [errors, *edges]
    slow = (log_mean(logs) for logs in _too_slow(evidence, policy))
    return [errors, *(least(both) for both in zip(edges, slow, strict=True))]


def _too_slow(evidence: Evidence, policy: Policy) -> list[Logs]:
    """Against "no more of the candidate's answers beyond the edge than the floor", of all looks: it is no matter of weights."""
    mine, rates = evidence.candidate, [times * policy.slow_floor for times in TIMES_TOO_SLOW]
    return [log_rates(slow, mine.requests, rates, policy.slow_floor) for slow in mine.slow]


def each_good(evidence: Evidence, policy: Policy) -> list[float]:
    """log E against "worse than the margin and above the floor", metric by metric."""
    found = []
    for number, floor in enumerate(floors(policy, len(evidence.fine) - 1)):
        by_ratio, weight = log_mean(evidence.fine[number]), FLOOR_WEIGHTS[min(number, 1)]
        by_floor = log_mean(evidence.floor[number])
        found.append(log_mean((by_ratio, by_floor), (1.0 - weight, weight)) if floor else by_ratio)
    return found


def bad_of(evidence: Evidence, policy: Policy) -> float:
    """log E against "no worse" of all metrics together."""
    return _together(each_bad(evidence, policy))


def _together(each: Sequence[float]) -> float:
    edges = len(each) - 1
    return log_mean(each, [0.5] + [0.5 / edges] * edges) if edges else each[0]


def good_of(evidence: Evidence, policy: Policy) -> float:
    """log E against "as bad as the margins": the least over metrics, since each has to pass by itself."""
    return least(each_good(evidence, policy))


def reached(bad: float, good: float, requests: int, policy: Policy) -> tuple[bool, bool]:
    """(rolled back, promoted), of which one at the most is true. `requests`: of the candidate."""
    worse = np.greater_equal(bad, -log(policy.alpha))
    fine = np.greater_equal(good, -log(policy.beta)) & np.greater_equal(requests, policy.min_requests)
    return worse, fine & ~worse


def judge(evidence: Evidence, policy: Policy) -> Judgement:
    """What the counts prove so far."""
    bads, goods = each_bad(evidence, policy), each_good(evidence, policy)
    bad, good = _together(bads), least(goods)
    blamed = ERRORS if bads[0] >= max(bads[1:], default=-inf) else LATENCY
    weakest = ERRORS if goods[0] <= good else LATENCY
    rolled_back, promoted = reached(bad, good, evidence.candidate.requests, policy)
    if rolled_back:
        verdict, by, message = Verdict.ROLLBACK, blamed, f"worse than the stable version by {blamed}"
    elif promoted:
        verdict, by, message = Verdict.PROMOTE, weakest, "no metric is as bad as its margin"
    else:
        verdict, by = Verdict.CONTINUE, blamed if bad > max(good, 0.0) else weakest
        message = f"undecided; {by} decides"
    return Judgement(
        verdict=verdict,
        bad=bad,
        good=good,
        by=by,
        bad_threshold=-log(policy.alpha),
        good_threshold=-log(policy.beta),
        needed_requests=_needed(evidence, policy, bad, goods),
        sample_ratio_ok=log_mean(evidence.ratio) < SAMPLE_RATIO_ALARM,
        message=message,
    )


def inconclusive(judgement: Judgement) -> Judgement:
    """The same, after the deadline: undecided is a verdict then."""
    if judgement.verdict is not Verdict.CONTINUE:
        return judgement
    return replace(
        judgement, verdict=Verdict.INCONCLUSIVE, message=f"the deadline found it undecided by {judgement.by}"
    )


def _needed(evidence: Evidence, policy: Policy, bad: float, goods: Sequence[float]) -> int | None:
    """Requests to both versions until one threshold is reached, if it goes on as it did.

    An average lags behind its best term by a constant, and it is that term which grows with the requests.
    """
    seen, mine = evidence.stable.requests + evidence.candidate.requests, evidence.candidate.requests
    if not seen:
        return None

    def more(value: float, goal: float, leader: float) -> float:
        return 0.0 if value >= goal else seen * (goal - value) / leader if leader > 0.0 else inf

    leaders = [max(*fine, *floor) for fine, floor in zip(evidence.fine, evidence.floor, strict=True)]
    promoted = max(more(good, -log(policy.beta), leader) for good, leader in zip(goods, leaders, strict=True))
    if mine < policy.min_requests:  # counted in the candidate's requests, of which there are fewer
        promoted = max(promoted, (policy.min_requests - mine) * seen / mine if mine else inf)
    errors, *edges = (max(logs) for logs in evidence.worse)
    if policy.slow_floor:
        edges = [min(edge, max(logs)) for edge, logs in zip(edges, _too_slow(evidence, policy), strict=True)]
    soonest = min(promoted, more(bad, -log(policy.alpha), max((errors, *edges))))
    return round(soonest) if 0.0 < soonest < MOST else None


# ── around it ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def next_weight(evidence: Evidence, policy: Policy, remaining_bad: int, rate: float, interval: float) -> float:
    """The largest share at which, for one interval, no more than `remaining_bad` requests are expected to fail beyond the usual.

    rate: requests a second to both; interval: seconds. By the largest extra error rate that `alpha` does not rule out yet.
    """
    extra = upper_rate(evidence.candidate.errors, evidence.candidate.requests, policy.alpha)
    extra -= evidence.stable.errors / evidence.stable.requests if evidence.stable.requests else 0.0
    expected = max(extra, 0.0) * rate * interval
    return 1.0 if expected <= remaining_bad else max(0.0, remaining_bad / expected)


def failing_fast(requests: int, errors: int, first: int = 20) -> bool:
    """More than half of the first so many failed: no statistics are needed."""
    return requests >= first and 2 * errors > requests


__all__ = [
    "ERRORS",
    "LATENCY",
    "RATIOS_WORSE",
    "Counts",
    "Evidence",
    "Judgement",
    "Logs",
    "Look",
    "Policy",
    "Verdict",
    "added",
    "bad_of",
    "each_bad",
    "each_good",
    "edges_of",
    "failing_fast",
    "good_of",
    "inconclusive",
    "judge",
    "log_mean",
    "log_ratios",
    "next_weight",
    "reached",
    "updated",
    "upper_rate",
]
