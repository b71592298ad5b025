"""Daly's interval against the figures of his paper."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gyre.stats.daly import interval, waste


@pytest.mark.parametrize(("mtbf_minutes", "figure"), [(24 * 60, 116.7), (6 * 60, 56.7), (15, 9.14)])
def test_the_intervals_of_the_papers_figures(mtbf_minutes: float, figure: float) -> None:
    assert interval(5, mtbf_minutes) == pytest.approx(figure, abs=0.05)


def test_when_saving_costs_more_than_twice_the_time_between_failures_the_interval_is_that_time() -> None:
    assert interval(20, 10) == 10
    assert interval(30, 10) == 10


@given(st.floats(0.01, 100), st.floats(1000, 1e7))
def test_near_the_optimum_waste_only_rises(save: float, mtbf: float) -> None:
    best = interval(save, mtbf)
    assert waste(save, mtbf, best) <= min(waste(save, mtbf, best * 2), waste(save, mtbf, best / 2))


@pytest.mark.parametrize(("save", "mtbf"), [(0, 1), (1, 0), (-1, 5)])
def test_without_a_cost_or_a_failure_there_is_no_optimum(save: float, mtbf: float) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        interval(save, mtbf)
