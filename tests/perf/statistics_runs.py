"""Thousands of simulated rollouts at once, judged by the operator's own code with arrays in the place of numbers.

Promises   `gyre.stats` decides, nothing is copied from it; the same seed gives the same figures; all rules see the same traffic.
Never      judges by anything but counts, as the operator has them: requests and failures of each version between two looks.

Traffic is Poisson, each request goes to the candidate by chance, each fails or is slow by chance. A world is such traffic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import erf, exp, isfinite, log, sqrt
from typing import Any, Final, Protocol

import numpy as np

from gyre.stats import judge
from gyre.stats.judge import Counts, Evidence, Look, Policy

NONE, ROLLBACK, PROMOTE = 0, 1, 2
POLICY: Final = Policy(alpha=0.05, beta=0.05, error_margin=2.0, latency_margin=1.5, error_floor=0.0, min_requests=50)
"""That of research/serving.md §5a: ratios alone."""
SPREAD: Final = 0.5
"""Of the logarithm of latency."""
BURST_SECONDS: Final = 5.0
QUANTILES: Final = (0.5, 0.75, 0.9, 0.95)


def _normal(x: float) -> float:
    return 0.5 * (1.0 + erf(x / sqrt(2.0)))


def quantile(p: float) -> float:
    low, high = -10.0, 10.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if _normal(middle) < p else (low, middle)
    return low


def _beyond(edge: float) -> float:
    return 1.0 - _normal(log(edge) / SPREAD)


@dataclass(frozen=True)
class World:
    """What comes. `slower`: by how much the candidate's latency is multiplied; None where nobody measures it."""

    per_second: float
    candidate: float
    stable: float = 0.005
    share: float = 0.1
    slower: float | None = None
    every: float = 15.0
    seconds: float = 3600.0
    bursts: float = 0.0
    """Per hour and version: five seconds in which all its requests fail. Alike for both, but not at the same time."""
    edges: tuple[float, ...] = tuple(exp(SPREAD * quantile(share)) for share in QUANTILES)
    """By which slow answers are told, in the stable version's medians."""
    beyond: tuple[tuple[float, float], ...] = ()
    """In place of what follows from edges and `slower`: (stable's, candidate's) shares of answers beyond each edge."""

    @property
    def looks(self) -> int:
        return round(self.seconds / self.every)

    @property
    def exceeding(self) -> tuple[tuple[float, float], ...]:
        """(stable's, candidate's) shares of answers that take longer than each edge: latency is lognormal."""
        if self.beyond or self.slower is None:
            return self.beyond
        return tuple((_beyond(edge), _beyond(edge / self.slower)) for edge in self.edges)

    def traffic(self, runs: int, seed: int) -> Iterator[Look]:
        """One look after the other, each with the counts of all runs."""
        chance = np.random.default_rng(seed)
        for _ in range(self.looks):
            yield self.look(chance, self.share, runs)

    def look(self, chance: np.random.Generator, share: Any, runs: int) -> Look:
        requests = chance.poisson(self.per_second * self.every, runs)
        mine = chance.binomial(requests, share)
        stable, candidate = zip(*self.exceeding, strict=True) if self.exceeding else ((), ())
        return Look(
            share,
            self._counts(chance, requests - mine, self.stable, stable),
            self._counts(chance, mine, self.candidate, candidate),
        )

    def _counts(self, chance: np.random.Generator, requests: Any, rate: Any, exceeding: Sequence[float]) -> Counts:
        slow, left, before = [], requests, 1.0
        for share in exceeding:  # who exceeds an edge has exceeded those below
            left = chance.binomial(left, share / before)
            slow.append(left)
            before = share
        if self.bursts:
            hit = chance.random(len(requests)) < self.bursts * self.every / 3600.0
            rate = np.where(hit, np.maximum(BURST_SECONDS / self.every, rate), rate)
        return Counts(requests, chance.binomial(requests, rate), tuple(slow))


def slower(times: float) -> float:
    """By what latency is multiplied when p95 is exceeded so many times as often."""
    return exp(SPREAD * (quantile(0.95) - quantile(1.0 - 0.05 * times)))


class Rule(Protocol):
    """Sees a look, says for each run whether it is rolled back, and whether it is promoted, at once."""

    def __call__(self, look: Look) -> tuple[Any, Any]: ...


def judged(policy: Policy = POLICY, edges: int = 0) -> Rule:
    """The operator's judge."""
    evidence = Evidence.start(edges)

    def rule(look: Look) -> tuple[Any, Any]:
        nonlocal evidence
        evidence = judge.updated(evidence, look, policy)
        bad, good = judge.bad_of(evidence, policy), judge.good_of(evidence, policy)
        return judge.reached(bad, good, evidence.candidate.requests, policy)

    return rule


def z_test(level: float = 1.6449, every: int = 4) -> Rule:
    """What many write themselves: the two error rates so far, compared each minute by a one-sided z-test at 5 %; it promotes
    at the end. `every`: looks of fifteen seconds."""
    sums, number = [0, 0, 0, 0], 0

    def rule(look: Look) -> tuple[Any, Any]:
        nonlocal number
        number += 1
        news = (look.stable.requests, look.stable.errors, look.candidate.requests, look.candidate.errors)
        for place, more in enumerate(news):
            sums[place] = sums[place] + more
        n, x, m, y = (np.asarray(value, dtype=float) for value in sums)
        pooled = (x + y) / np.maximum(n + m, 1)
        error = np.sqrt(np.maximum(pooled * (1 - pooled) * (1 / np.maximum(n, 1) + 1 / np.maximum(m, 1)), 1e-300))
        z = (y / np.maximum(m, 1) - x / np.maximum(n, 1)) / error
        worse = (z > level) & (pooled > 0) & (number % every == 0)
        return worse, np.zeros_like(worse)

    return rule


def flagger_like(success: float = 0.99, failures: int = 5, every: int = 4) -> Rule:
    """Flagger's default kind of rule: each minute the candidate alone has to succeed in ≥ 99 %; five failed checks in all roll it
    back, a check without any request failing too. It promotes at the end."""
    requests: Any = 0
    errors: Any = 0
    failed: Any = 0
    number = 0

    def rule(look: Look) -> tuple[Any, Any]:
        nonlocal requests, errors, failed, number
        number += 1
        requests, errors = requests + look.candidate.requests, errors + look.candidate.errors
        if number % every == 0:
            failed = failed + ((requests == 0) | (errors > (1.0 - success) * requests))
            requests = errors = 0
        worse = np.asarray(failed) >= failures
        return worse, np.zeros_like(worse)

    return rule


@dataclass(frozen=True)
class Outcome:
    """What became of all runs."""

    runs: int
    rolled_back: int
    promoted: int
    rollback_seconds: float | None
    """Median, of those that were."""
    promote_seconds: float | None
    verdict_seconds: float | None
    """Median of all; None when most were undecided."""

    @property
    def undecided(self) -> int:
        return self.runs - self.rolled_back - self.promoted


def simulated(world: World, rules: Mapping[str, Callable[[], Rule]], *, runs: int, seed: int) -> dict[str, Outcome]:
    """Every rule on the same traffic. The first verdict of a run is its last."""
    live = {name: make() for name, make in rules.items()}
    verdict = {name: np.zeros(runs, dtype=np.int8) for name in rules}
    times = {name: np.full(runs, np.inf) for name in rules}
    for number, look in enumerate(world.traffic(runs, seed), 1):
        for name, rule in live.items():
            worse, fine = rule(look)
            fresh = verdict[name] == NONE
            verdict[name][fresh & worse] = ROLLBACK
            verdict[name][fresh & fine] = PROMOTE
            times[name][fresh & (worse | fine)] = number * world.every
    return {name: outcome(verdict[name], times[name]) for name in rules}


def outcome(verdict: Any, times: Any) -> Outcome:
    def median(which: int) -> float | None:
        return float(np.median(times[verdict == which])) if np.any(verdict == which) else None

    middle = float(np.median(times))
    rolled_back, promoted = (int(np.sum(verdict == which)) for which in (ROLLBACK, PROMOTE))
    return Outcome(
        len(verdict), rolled_back, promoted, median(ROLLBACK), median(PROMOTE), middle if isfinite(middle) else None
    )
