"""The closed form of the warning at admission, against the judge itself."""

from __future__ import annotations

from dataclasses import replace
from math import isfinite

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.perf.statistics_runs import POLICY, World, judged, simulated

from gyre.stats import power

FACTOR = 1.75
"""By which the closed form may differ from the median of what the judge takes."""


@pytest.mark.parametrize("share", [0.1, 0.5])
@pytest.mark.parametrize(
    ("rate", "changes"),
    [
        (0.005, {}),
        (0.005, {"error_floor": 0.01}),
        (0.001, {"error_floor": 0.01, "beta": 0.001}),
        (0.05, {"error_margin": 1.5, "error_floor": 0.01}),
        (0.02, {"error_margin": 4.0}),
    ],
)
def test_a_good_candidate_takes_about_as_long_as_the_closed_form_says(share: float, rate: float, changes: dict):
    policy = replace(POLICY, latency_margin=100.0, **changes)
    per_second = power.requests(policy, share, rate) / 1800
    world = World(per_second, rate, rate, share, seconds=4 * 3600)
    found = simulated(world, {"judge": lambda: judged(policy)}, runs=300, seed=2)["judge"]
    told = 3600 * power.hours(policy, share, per_second, rate)
    assert told == pytest.approx(1800)
    assert found.verdict_seconds / FACTOR <= told <= found.verdict_seconds * FACTOR


def test_where_latency_takes_longest_it_is_latency_that_is_told():
    policy = replace(POLICY, error_floor=0.01, latency_margin=1.25)
    per_second = power.requests(policy, 0.25, 0.0005) / 1800
    world = World(per_second, 0.0005, 0.0005, 0.25, slower=1.0, seconds=4 * 3600)
    found = simulated(world, {"judge": lambda: judged(policy, edges=4)}, runs=300, seed=2)["judge"]
    assert found.verdict_seconds / FACTOR <= 1800 <= found.verdict_seconds * FACTOR


POLICIES = st.builds(
    power.Policy,
    alpha=st.just(0.05),
    beta=st.floats(1e-12, 0.5),
    error_margin=st.floats(1.01, 100),
    latency_margin=st.floats(1.01, 100),
    error_floor=st.floats(0, 0.49),
    min_requests=st.integers(1, 10**6),
)


@given(POLICIES, st.floats(0.01, 0.99), st.floats(1e-3, 1e6), st.floats(1e-12, 0.999))
def test_it_is_a_time_whatever_is_asked(policy: power.Policy, share: float, per_second: float, rate: float):
    hours = power.hours(policy, share, per_second, rate)
    assert isfinite(hours)
    assert hours > 0
    assert power.hours(policy, share, 2 * per_second, rate) == pytest.approx(hours / 2)


@given(POLICIES, st.floats(0.01, 0.99), st.floats(1e-6, 0.5))
def test_wider_margins_never_take_longer(policy: power.Policy, share: float, rate: float):
    wider = replace(policy, error_margin=2 * policy.error_margin, latency_margin=2 * policy.latency_margin)
    assert power.requests(wider, share, rate) <= power.requests(policy, share, rate) * (1 + 1e-9)


def test_a_rollout_is_its_steps_and_the_proof_at_the_last():
    hours = power.rollout_hours(POLICY, [0.1, 0.25, 0.5], 60.0, 2.0, 0.005)
    first, second = 50 / (0.1 * 2), 50 / (0.25 * 2)
    assert hours == pytest.approx((first + second) / 3600 + power.hours(POLICY, 0.5, 2.0, 0.005))


def test_at_two_requests_a_second_it_takes_hours():
    """Honest at little traffic: research had 5.4 h for about this, by a rule of thumb."""
    assert 3 < power.hours(POLICY, 0.05, 2.0, 0.005) < 9
