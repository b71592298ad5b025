"""Two arms: who is better, said once there is proof, however often one looks."""

from __future__ import annotations

import json
from math import exp, log, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gyre.stats.compare import Better, Comparison, compare, threshold
from gyre.stats.eprocess import log_mean, log_ratios
from gyre.stats.evidence import RATIOS_WORSE


def looked(known: Comparison, requests: tuple[int, int], failures: tuple[int, int], alpha: float = 0.05) -> Comparison:
    return compare(known, requests, [failures], alpha=alpha)


PAIRS = st.tuples(st.integers(0, 10**6), st.integers(0, 10**6))


@given(st.lists(st.tuples(PAIRS, PAIRS), max_size=6))
def test_swapping_the_arms_swaps_the_answer(looks: list[tuple[tuple[int, int], tuple[int, int]]]):
    one = other = Comparison.start()
    for requests, failures in looks:
        one = looked(one, requests, failures)
        other = looked(other, requests[::-1], failures[::-1])
    assert one.evidence_for_a == pytest.approx(other.evidence_for_b, rel=1e-6, abs=1e-6)
    swapped = {Better.A: Better.B, Better.B: Better.A, Better.UNDECIDED: Better.UNDECIDED}
    assert one.better is swapped[other.better]


@given(st.lists(st.tuples(PAIRS, PAIRS), max_size=6), st.integers(0, 6))
def test_a_restart_changes_no_bit(looks: list[tuple[tuple[int, int], tuple[int, int]]], cut: int):
    whole = saved = Comparison.start()
    for number, (requests, failures) in enumerate(looks):
        if number == cut:
            saved = Comparison.from_json(json.loads(json.dumps(saved.to_json())))
        whole, saved = looked(whole, requests, failures), looked(saved, requests, failures)
    assert whole == saved


def test_an_arm_that_nobody_came_to_says_nothing():
    assert looked(Comparison.start(), (100, 0), (50, 0)) == Comparison.start()
    assert looked(Comparison.start(), (0, 100), (0, 0)) == Comparison.start()


@pytest.mark.parametrize(
    ("failures", "better"), [((20, 80), Better.A), ((80, 20), Better.B), ((50, 50), Better.UNDECIDED)]
)
def test_the_arm_with_clearly_fewer_failures_is_better(failures: tuple[int, int], better: Better):
    assert looked(Comparison.start(), (1000, 1000), failures).better is better


def test_what_counts_is_what_an_arm_failed_of_what_it_was_asked():
    """Three times the failures of three times the requests are no difference."""
    assert looked(Comparison.start(), (3000, 1000), (300, 100)).better is Better.UNDECIDED
    assert looked(Comparison.start(), (3000, 1000), (100, 100)).better is Better.A


def test_a_winner_stays_whatever_comes():
    won = looked(Comparison.start(), (1000, 1000), (10, 90))
    assert won.better is Better.A
    assert looked(won, (100_000, 100_000), (9000, 1000)).better is Better.A


def test_slow_answers_of_several_edges_are_averaged():
    found = compare(Comparison.start(2), (1000, 1000), [(500, 500), (50, 120)], alpha=0.05)
    rows = [log_mean(log_ratios(x, n, 0.5, RATIOS_WORSE, 1.0)) for x, n in ((500, 1000), (120, 170))]
    assert found.evidence_for_a == pytest.approx(log_mean(rows))
    assert threshold(0.05) == pytest.approx(log(40))


def test_arms_that_do_not_differ_have_a_winner_with_probability_alpha_at_the_most():
    """With callers who are sticky and unequal: the shares are what was counted, and no chance decided them."""
    chance, runs, alpha = np.random.default_rng(12), 300, 0.1
    won = 0
    for _ in range(runs):
        found = Comparison.start()
        callers = chance.pareto(1.5, 40) + 0.2
        side = chance.random(40) < 0.4
        for _ in range(60):
            asked = chance.poisson(callers * 10)
            requests = (int(asked[~side].sum()), int(asked[side].sum()))
            failures = (int(chance.binomial(requests[0], 0.02)), int(chance.binomial(requests[1], 0.02)))
            found = looked(found, requests, failures, alpha)
        won += found.better is not Better.UNDECIDED
    assert won <= alpha * runs + 4 * sqrt(runs * alpha * (1 - alpha))


@given(st.integers(1, 25), st.integers(1, 25), st.data())
def test_with_counted_shares_an_e_value_is_one_in_expectation_at_the_most(a: int, b: int, data: st.DataObject):
    """Hoeffding's theorem 4, on every case that can happen: of all requests, a fixed number fails, and any may be among them."""
    from math import comb

    n = data.draw(st.integers(0, a + b))
    total = sum(
        comb(b, x) * comb(a, n - x) / comb(a + b, n) * exp(log_ratios(x, n, b / (a + b), (2.0,), 1.0)[0])
        for x in range(max(0, n - a), min(b, n) + 1)
    )
    assert total <= 1.0 + 1e-9
