"""Whether a candidate may take over: e-processes over errors and slow answers, looked at as often as one likes.

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
share cancel. "Slower than a fixed edge" is a failure like any other.

Sources: Lindon and Malek, Anytime-valid inference for multinomial count data (NeurIPS 2022, arXiv 2011.03567); Ville, Étude
critique de la notion de collectif (1939); Vovk and Wang, E-values: calibration, combination and applications (2021).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import exp, inf, isfinite, lgamma, log, log1p
from typing import Any, Final

RATIOS_WORSE: Final = (1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0)
"""Alternatives to "no worse": how many times as often the candidate fails."""
RATIOS_FINE: Final = (0.7, 0.85, 1.0, 1.1)
"""Alternatives to "as bad as the margin"."""
FLOOR_SHARES: Final = (0.001, 0.1, 0.3, 0.6)
"""Alternatives to "as bad as the floor": error rates, in shares of the floor."""
RATIOS_OF_REQUESTS: Final = (0.25, 0.5, 0.8, 1.25, 2.0, 4.0)
"""Alternatives to "the gateway honours the weights"."""
SAMPLE_RATIO_ALARM: Final = log(1000.0)
EDGE_QUANTILES: Final = (0.5, 0.75, 0.9, 0.95)
ERRORS: Final = "errorRate"
LATENCY: Final = "latency"

Logs = tuple[float, ...]
"""Log-likelihood ratios, one for each alternative."""


@dataclass(frozen=True, slots=True)
class Policy:
    """`alpha`, `beta` in (0, 0.5]; margins are ratios > 1; `error_floor` a rate in [0, 0.5), 0 for none."""

    alpha: float
    beta: float
    error_margin: float
    latency_margin: float
    error_floor: float
    min_requests: int


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
    floor: Logs
    """Against "the candidate's error rate is at the floor or above"."""
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
            floor=(0.0,) * len(FLOOR_SHARES),
            ratio=(0.0,) * len(RATIOS_OF_REQUESTS),
            stable=none,
            candidate=none,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain lists; Python writes a float so that reading it gives the same one."""
        return {
            "worse": [list(logs) for logs in self.worse],
            "fine": [list(logs) for logs in self.fine],
            "floor": list(self.floor),
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
            floor=table([data["floor"]])[0],
            ratio=table([data["ratio"]])[0],
            stable=counts(data["stable"]),
            candidate=counts(data["candidate"]),
        )


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


def chance(share: float, ratio: float) -> float:
    """That a failed request was the candidate's: qρ / (qρ + 1 − q)."""
    return share * ratio / (share * ratio + 1.0 - share)


def log_ratios(x: int, n: int, share: float, ratios: Sequence[float], against: float) -> Logs:
    """Of `n` failures, `x` the candidate's: log-likelihood ratio of each ρ in `ratios` against ρ0 = `against`."""
    p0 = chance(share, against)
    found = []
    for ratio in ratios:
        p = chance(share, ratio)
        found.append(x * log(p / p0) + (n - x) * log((1.0 - p) / (1.0 - p0)))
    return tuple(found)


def log_rates(x: int, n: int, rates: Sequence[float], against: float) -> Logs:
    """Of `n` requests, `x` failed: log-likelihood ratio of each rate against `against`."""
    return tuple(x * log(rate / against) + (n - x) * (log1p(-rate) - log1p(-against)) for rate in rates)


def log_mean(values: Sequence[float], weights: Sequence[float] | None = None) -> float:
    """The logarithm of the (weighted) average of exp(values), without leaving the range of a float."""
    shares = weights or [1.0 / len(values)] * len(values)
    top = max(values)
    return top if not isfinite(top) else top + log(sum(w * exp(v - top) for v, w in zip(values, shares, strict=True)))


def added(sums: Logs, more: Logs) -> Logs:
    return tuple(a + b for a, b in zip(sums, more, strict=True))


def updated(evidence: Evidence, look: Look, policy: Policy) -> Evidence:
    """With the counts of one more look. Raises ValueError for a share outside (0, 1) or another number of edges."""
    if not 0.0 < look.share < 1.0:
        raise ValueError(f"a share must lie between 0 and 1, not be {look.share}: there is nothing to compare with")
    mine, other = look.candidate, look.stable
    failures = [(mine.errors, other.errors), *zip(mine.slow, other.slow, strict=True)]
    margins = [policy.error_margin] + [policy.latency_margin] * len(mine.slow)
    q = look.share

    def against(sums: tuple[Logs, ...], ratios: Sequence[float], nulls: Sequence[float]) -> tuple[Logs, ...]:
        return tuple(
            added(before, log_ratios(x, x + y, q, ratios, null))
            for before, (x, y), null in zip(sums, failures, nulls, strict=True)
        )

    floor = evidence.floor
    if policy.error_floor > 0.0:
        rates = [share * policy.error_floor for share in FLOOR_SHARES]
        floor = added(floor, log_rates(mine.errors, mine.requests, rates, policy.error_floor))
    asked = log_ratios(mine.requests, mine.requests + other.requests, q, RATIOS_OF_REQUESTS, 1.0)
    return replace(
        evidence,
        worse=against(evidence.worse, RATIOS_WORSE, [1.0] * len(failures)),
        fine=against(evidence.fine, RATIOS_FINE, margins),
        floor=floor,
        ratio=added(evidence.ratio, asked),
        stable=_sum(evidence.stable, other),
        candidate=_sum(evidence.candidate, mine),
    )


def _sum(one: Counts, more: Counts) -> Counts:
    slow = tuple(a + b for a, b in zip(one.slow, more.slow, strict=True))
    return Counts(one.requests + more.requests, one.errors + more.errors, slow)


def bad_of(evidence: Evidence) -> tuple[float, str]:
    """(log E against "no worse", the metric that says most): half on errors, half spread over the edges."""
    each = [log_mean(logs) for logs in evidence.worse]
    edges = len(each) - 1
    weights = [0.5] + [0.5 / edges] * edges if edges else [1.0]
    return log_mean(each, weights), ERRORS if each[0] >= max(each[1:], default=-inf) else LATENCY


def good_of(evidence: Evidence, policy: Policy) -> tuple[float, str]:
    """(log E against "as bad as the margins", the metric): the least over metrics, since each has to pass by itself."""
    errors, *slow = [log_mean(logs) for logs in evidence.fine]
    if policy.error_floor > 0.0:
        # Bad means worse than the margin and above the floor; either proof refutes that, and so does their average.
        errors = log_mean((errors, log_mean(evidence.floor)))
    return min([(errors, ERRORS), *((value, LATENCY) for value in slow)])


def judge(evidence: Evidence, policy: Policy) -> Judgement:
    """What the counts prove so far."""
    bad, blamed = bad_of(evidence)
    good, weakest = good_of(evidence, policy)
    bad_threshold, good_threshold = -log(policy.alpha), -log(policy.beta)
    if bad >= bad_threshold:
        verdict, by, message = Verdict.ROLLBACK, blamed, f"worse than the stable version by {blamed}"
    elif good >= good_threshold and evidence.candidate.requests >= policy.min_requests:
        verdict, by, message = Verdict.PROMOTE, weakest, "no metric is as bad as its margin"
    else:
        verdict, by = Verdict.CONTINUE, blamed if bad > max(good, 0.0) else weakest
        message = f"undecided; {by} decides"
    return Judgement(
        verdict=verdict,
        bad=bad,
        good=good,
        by=by,
        bad_threshold=bad_threshold,
        good_threshold=good_threshold,
        needed_requests=_needed(evidence, policy, bad, good),
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


def _needed(evidence: Evidence, policy: Policy, bad: float, good: float) -> int | None:
    """Requests to both until one threshold is reached, by what each has brought so far."""
    seen = evidence.stable.requests + evidence.candidate.requests
    goals = ((bad, -log(policy.alpha)), (good, -log(policy.beta)))
    found = [round(seen * (goal - value) / value) for value, goal in goals if 0.0 < value < goal and seen]
    least = max(0, policy.min_requests - evidence.candidate.requests)
    return max(min(found), least) if found else None


# ── around it ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def edges_of(histogram: Sequence[tuple[float, int]]) -> tuple[float, ...]:
    """Latencies by which slow answers are told: the bounds nearest to p50, p75, p90 and p95 of the stable version.

    `histogram`: (upper bound, how many took no longer), growing, as in a Prometheus histogram; without a finite bound or a count
    there is nothing to tell by. Fixed at the start, so that what follows is not chosen by what it shows.
    """
    finite = [(bound, count) for bound, count in histogram if isfinite(bound)]
    total = max((count for _, count in histogram), default=0)
    if not finite or total <= 0:
        return ()

    def nearest(quantile: float) -> float:
        return min(finite, key=lambda item: abs(item[1] / total - quantile))[0]

    # A bound that nobody exceeds, or everybody, tells nothing.
    told = {bound for bound, count in finite if 0.0 < count / total < 1.0}
    return tuple(sorted({nearest(quantile) for quantile in EDGE_QUANTILES} & told))


def next_weight(evidence: Evidence, policy: Policy, remaining_bad: int, rate: float, interval: float) -> float:
    """The largest share at which, for one interval, no more than `remaining_bad` requests are expected to fail beyond the usual.

    rate: requests a second to both; interval: seconds. By the largest extra error rate that `alpha` does not rule out yet.
    """
    extra = upper_rate(evidence.candidate.errors, evidence.candidate.requests, policy.alpha)
    extra -= evidence.stable.errors / evidence.stable.requests if evidence.stable.requests else 0.0
    expected = max(extra, 0.0) * rate * interval
    return 1.0 if expected <= remaining_bad else max(0.0, remaining_bad / expected)


def upper_rate(x: int, n: int, alpha: float) -> float:
    """An upper bound on a rate of which `x` of `n` were seen, valid at all times together: P(ever below the truth) ≤ alpha.

    The rates that the e-process with a uniform prior (Beta(1, 1) mixture) does not refute: Robbins 1970.
    """
    if n == 0:
        return 1.0
    marginal = lgamma(x + 1) + lgamma(n - x + 1) - lgamma(n + 2)

    def refuted(rate: float) -> bool:
        likelihood = (x * log(rate) if x else 0.0) + ((n - x) * log1p(-rate) if n - x else 0.0)
        return marginal - likelihood >= -log(alpha)

    low, high = x / n, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if 0.0 < middle < 1.0 and refuted(middle) else (middle, high)
    return high


def failing_fast(requests: int, errors: int, first: int = 20) -> bool:
    """More than half of the first so many failed: no statistics are needed."""
    return requests >= first and 2 * errors > requests
