"""Bounds that hold at all times, the edges of latency, and the weight that a budget of bad requests allows."""

from __future__ import annotations

from math import comb, inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gyre.stats import judge
from gyre.stats.judge import Counts, Evidence, Look, Policy, edges_of, next_weight, upper_rate

POLICY = Policy(alpha=0.05, beta=0.05, error_margin=2.0, latency_margin=1.5, error_floor=0.01, min_requests=50)


@given(st.integers(0, 10**12), st.integers(0, 10**12), st.floats(1e-9, 0.5))
def test_an_upper_bound_is_a_rate_above_what_was_seen(x: int, more: int, alpha: float):
    bound = upper_rate(x, x + more, alpha)
    assert 0.0 < bound <= 1.0
    assert bound >= x / (x + more) if more else bound == 1.0


@given(st.integers(0, 500), st.integers(1, 5000))
def test_it_falls_with_successes_and_rises_with_failures(x: int, more: int):
    n = x + more
    assert upper_rate(x, n + 1000, 0.05) < upper_rate(x, n, 0.05)
    assert upper_rate(x + 1, n + 1, 0.05) > upper_rate(x, n + 1, 0.05)


@pytest.mark.parametrize(("x", "n", "alpha"), [(0, 100, 0.05), (5, 100, 0.05), (300, 1000, 0.01), (1, 2, 0.5)])
def test_at_the_bound_the_e_value_is_one_over_alpha(x: int, n: int, alpha: float):
    """Robbins' mixture: 1 / ((n + 1)·C(n, x)·p^x·(1 − p)^(n − x)) refutes p from there on."""
    bound = upper_rate(x, n, alpha)
    assert (n + 1) * comb(n, x) * bound**x * (1 - bound) ** (n - x) == pytest.approx(alpha, rel=1e-6)


def test_it_is_below_the_truth_at_some_time_as_seldom_as_promised():
    chance, runs, truth, alpha = np.random.default_rng(11), 400, 0.05, 0.5
    failures = np.cumsum(chance.random((runs, 1500)) < truth, axis=1)
    missed = sum(any(upper_rate(int(run[n - 1]), n, alpha) < truth for n in range(1, 1501, 25)) for run in failures)
    assert 0 < missed <= alpha * runs


def test_the_edges_are_the_bounds_nearest_to_the_quantiles():
    histogram = [(0.001 * k, 10 * k) for k in range(1, 101)] + [(inf, 1000)]
    assert edges_of(histogram) == pytest.approx((0.05, 0.075, 0.09, 0.095))


def test_edges_that_nearly_nobody_exceeds_are_left_out():
    """They would take as long to judge as errors do."""
    assert edges_of([(0.001, 20), (0.005, 900), (0.01, 990), (0.025, 1000), (inf, 1000)]) == (0.005,)


def test_in_one_coarse_bucket_its_bound_is_the_edge():
    assert edges_of([(0.0005, 0), (0.001, 0), (0.005, 1000), (0.01, 1000), (inf, 1000)]) == (0.005,)
    assert edges_of([(0.001, 20), (0.005, 830), (0.01, 990), (0.025, 1000), (inf, 1000)]) == (0.005, 0.025)


@pytest.mark.parametrize("histogram", [[], [(inf, 100)], [(0.1, 0), (inf, 0)], [(0.1, 5), (inf, 1000)]])
def test_where_latency_tells_nothing_there_are_no_edges(histogram: list[tuple[float, int]]):
    assert edges_of(histogram) == ()


def test_no_edge_lies_below_the_floor():
    histogram = [(0.001 * k, 10 * k) for k in range(1, 101)] + [(inf, 1000)]
    assert edges_of(histogram, floor=0.06) == pytest.approx((0.06, 0.075, 0.09, 0.095))
    assert edges_of(histogram, floor=0.0955) == pytest.approx((0.096,)), "the first bound that is no lower"
    assert edges_of(histogram, floor=0.0975) == pytest.approx((0.1,)), (
        "exceeded by one in a hundred, it would tell too slowly"
    )
    assert edges_of(histogram, floor=3.0) == (), "where no bound is as high, no answer is slow"


@given(
    st.lists(st.tuples(st.floats(1e-4, 100), st.integers(0, 10**9)), max_size=40),
    st.sampled_from([0.0, 0.01, 1.0, 1000.0]),
)
def test_edges_are_bounds_of_the_histogram_in_rising_order(steps: list[tuple[float, int]], floor: float):
    bounds = sorted({bound for bound, _ in steps})
    total, histogram = 0, []
    for bound, (_, more) in zip(bounds, steps, strict=False):
        total += more
        histogram.append((bound, total))
    edges = edges_of([*histogram, (inf, total)], floor)
    assert set(edges) <= set(bounds)
    assert list(edges) == sorted(set(edges))
    assert all(edge >= floor for edge in edges)
    within = dict(histogram)
    assert not any(0.97 * total < within[edge] < 0.995 * total for edge in edges), "it would tell too slowly"
    assert len(edges) <= 5


def seen(requests: int, errors: int) -> Evidence:
    look = Look(0.1, Counts(9 * requests, 0), Counts(requests, errors))
    return judge.updated(Evidence.start(0), look, POLICY)


def test_a_budget_of_bad_requests_allows_more_traffic_the_more_is_known():
    weights = [
        next_weight(evidence, POLICY, remaining_bad=20, rate=20.0, interval=10.0)
        for evidence in (Evidence.start(0), seen(20, 0), seen(200, 0), seen(2000, 0))
    ]
    assert weights == sorted(weights)
    assert weights[0] == pytest.approx(20 / 200)
    assert weights[-1] == 1.0


def test_a_budget_that_is_spent_allows_nothing_to_what_may_fail():
    assert next_weight(seen(200, 10), POLICY, remaining_bad=0, rate=20.0, interval=10.0) == 0.0
