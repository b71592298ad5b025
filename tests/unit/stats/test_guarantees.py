"""What the guarantees come to, by simulation with fixed seeds. The long tables: `python -m tests.perf statistics`.

A test here fails when the error that it counts is more than four standard deviations above what is promised; with the formulas
right that cannot happen with these seeds, and a wrong ratio, weight or threshold is far beyond it (see the last two tests).
"""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

import numpy as np
import pytest
from tests.perf.statistics_rollouts import rollouts
from tests.perf.statistics_runs import POLICY, Rule, World, judged, simulated, z_test
from tests.perf.statistics_tables import DEFAULTS, Guarantee, tail

from gyre.stats import judge
from gyre.stats.eprocess import log_ratios
from gyre.stats.evidence import SLOW_FLOOR
from gyre.stats.judge import Evidence

RUNS = 1000


def above(count: int, promised: float, runs: int = RUNS) -> bool:
    return count > runs * promised + 4 * sqrt(runs * promised * (1 - promised))


@pytest.mark.parametrize(
    "world", [World(20, 0.005), World(200, 0.005), World(20, 0.005, slower=1.0), World(20, 0.05, 0.05)]
)
def test_a_candidate_that_is_no_worse_is_rolled_back_with_probability_alpha_at_the_most(world: World):
    edges = len(world.exceeding)
    found = simulated(world, {"judge": lambda: judged(edges=edges)}, runs=RUNS, seed=3)["judge"]
    assert not above(found.rolled_back, POLICY.alpha)
    assert found.promoted > 0.9 * RUNS


@pytest.mark.parametrize(
    ("world", "policy"),
    [
        (World(20, 0.01), POLICY),
        (World(200, 0.01), POLICY),
        (World(20, 0.02, 0.01), replace(POLICY, error_floor=0.01)),
        (World(200, 0.01, 0.0), replace(POLICY, error_floor=0.01)),
    ],
    ids=["at the margin", "at the margin, much traffic", "above the floor", "at the floor, beside no errors at all"],
)
def test_a_candidate_as_bad_as_the_margin_is_promoted_with_probability_beta_at_the_most(world: World, policy):
    policy = replace(policy, alpha=1e-12)  # nothing takes it away before it could be promoted
    found = simulated(world, {"judge": lambda: judged(policy)}, runs=RUNS, seed=4)["judge"]
    assert not above(found.promoted, POLICY.beta)
    assert found.promoted > 0, "a test that nothing ever passes would hold this promise as well"


def test_a_candidate_as_slow_as_the_floor_is_rolled_back_with_probability_alpha_at_the_most():
    """Ten times as many slow answers as the stable version has, so that the floor alone protects it; errors say nothing."""
    floored = replace(POLICY, slow_floor=SLOW_FLOOR, beta=1e-300)

    def rolled_back(share: float) -> int:
        world = World(20, 0.0, 0.0, beyond=((0.002, share),))
        return simulated(world, {"judge": lambda: judged(floored, edges=1)}, runs=RUNS, seed=9)["judge"].rolled_back

    assert 0 < rolled_back(SLOW_FLOOR) <= RUNS * POLICY.alpha, "some are, or this would hold without any proof"
    assert rolled_back(2 * SLOW_FLOOR) > 0.95 * RUNS


def test_shares_that_move_between_looks_change_no_guarantee():
    """Up and down, and told by the rates seen so far: what is decided from the past keeps a martingale one."""
    chance, share = np.random.default_rng(5), np.full(RUNS, 0.1)
    evidence, out = Evidence.start(0), np.zeros(RUNS, dtype=bool)
    for _ in range(240):
        requests = chance.poisson(300, RUNS)
        mine = chance.binomial(requests, share)
        other = judge.Counts(requests - mine, chance.binomial(requests - mine, 0.005))
        look = judge.Look(share, other, judge.Counts(mine, chance.binomial(mine, 0.005)))
        evidence = judge.updated(evidence, look, POLICY)
        bad = judge.bad_of(evidence, POLICY)
        out |= judge.reached(bad, judge.good_of(evidence, POLICY), evidence.candidate.requests, POLICY)[0]
        share = np.where(bad > 0.5, 0.5, np.where(bad < -1.0, 0.02, 0.25))
    assert not above(int(np.sum(out)), POLICY.alpha)
    assert np.sum(out) > 0


def test_bursts_of_errors_that_both_versions_share_roll_nothing_back():
    chance = np.random.default_rng(6)
    evidence, out = Evidence.start(0), np.zeros(RUNS, dtype=bool)
    for number in range(240):
        rate = 0.3 if number % 20 == 7 else 0.002
        mine, others = chance.poisson(30, RUNS), chance.poisson(270, RUNS)
        look = judge.Look(0.1, _failing(chance, others, rate), _failing(chance, mine, rate))
        evidence = judge.updated(evidence, look, POLICY)
        out |= judge.bad_of(evidence, POLICY) >= -np.log(POLICY.alpha)
    assert not above(int(np.sum(out)), POLICY.alpha)


def _failing(chance: np.random.Generator, requests, rate: float) -> judge.Counts:
    return judge.Counts(requests, chance.binomial(requests, rate))


def test_an_e_value_is_one_in_expectation_when_nothing_is_wrong():
    """The mean of 200,000 e-values lies within four of its own standard errors of one. Mild alternatives, so that it has one."""
    chance, runs = np.random.default_rng(7), 200_000
    values = np.zeros(runs)
    for q in (0.1, 0.25, 0.5):
        n = chance.poisson(6, runs)
        values += log_ratios(chance.binomial(n, q), n, q, (1.5,), 1.0)[0]
    mean, error = np.mean(np.exp(values)), np.std(np.exp(values)) / sqrt(runs)
    assert error < 0.01
    assert abs(mean - 1.0) <= 4 * error


def test_that_expectation_would_show_a_share_that_is_wrong_by_a_tenth():
    chance, runs = np.random.default_rng(7), 200_000
    n = chance.poisson(18, runs)
    values = np.exp(log_ratios(chance.binomial(n, 0.275), n, 0.25, (1.5,), 1.0)[0])
    assert np.mean(values) - 1.0 > 8 * np.std(values) / sqrt(runs)


def test_a_z_test_looked_at_each_minute_breaks_the_promise_that_the_judge_keeps():
    rules: dict[str, type[Rule]] = {"z": z_test, "judge": judged}  # type: ignore[dict-item]
    found = simulated(World(20, 0.005), rules, runs=RUNS, seed=8)
    assert above(found["z"].rolled_back, 0.2)
    assert not above(found["judge"].rolled_back, 0.05)


@pytest.mark.parametrize(
    ("looks", "published"), [(1, 0.050), (2, 0.083), (5, 0.142), (10, 0.193), (20, 0.248), (50, 0.320), (100, 0.374)]
)
def test_repeated_z_tests_err_as_armitage_mcpherson_and_rowe_published(looks: int, published: float):
    """Repeated significance tests on accumulating data (1969), table 2, at 5 %: what the simulation has to get right first."""
    chance, runs = np.random.default_rng(9), 20_000
    sums = np.cumsum(chance.standard_normal((runs, looks)), axis=1) / np.sqrt(np.arange(1, looks + 1))
    found = np.mean(np.any(np.abs(sums) > 1.959964, axis=1))
    assert found == pytest.approx(published, abs=4 * sqrt(published * (1 - published) / runs) + 0.001)


def test_by_steps_a_good_candidate_is_promoted_and_one_that_fails_is_not():
    good, _ = rollouts(World(20, 0.005, slower=1.0, every=10.0), DEFAULTS, (0.1, 0.25, 0.5), runs=300, seed=10)
    bad, extra = rollouts(World(20, 0.05, slower=1.0, every=10.0), DEFAULTS, (0.1, 0.25, 0.5), runs=300, seed=10)
    assert good.promoted > 0.9 * good.runs
    assert bad.rolled_back == bad.runs
    assert extra < 10, "so many requests fail, on average, before a candidate that fails in 5 % is out"


def test_a_benchmark_says_a_promise_is_broken_only_when_chance_does_not_explain_it():
    assert tail(1, 2, 0.5) == pytest.approx(0.75)
    assert not Guarantee("a", 60, 1000, 0.05).broken
    assert Guarantee("b", 80, 1000, 0.05).broken
