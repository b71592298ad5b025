"""Burn rates against the figures of the Site Reliability Workbook, and what is remembered of the counts."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gyre.stats import burn
from gyre.stats.burn import HOUR, MONTH, Counts, Stretch

NOW = 1_800_000_000.0


def steady(seconds: float, bad_share: float, *, per_minute: int = 1000) -> tuple[Stretch, ...]:
    """Minutes with the same traffic, up to now."""
    minutes = int(seconds // 60)
    return tuple(
        Stretch(NOW - 60 * (n + 1), NOW - 60 * n, per_minute, round(per_minute * bad_share)) for n in range(minutes)
    )[::-1]


@pytest.mark.parametrize(
    ("rate", "window", "share"), [(14.4, HOUR, 0.02), (6, 6 * HOUR, 0.05), (3, 24 * HOUR, 0.1), (1, 72 * HOUR, 0.1)]
)
def test_each_rule_stands_for_the_share_of_the_budget_that_the_workbook_gives(rate, window, share):
    rule = next(rule for rule in burn.WORKBOOK if rule.rate == rate)
    assert rule.long == window
    assert rule.short == window / 12
    assert rate * window / MONTH == pytest.approx(share)


def test_a_rule_stands_for_the_same_share_whatever_the_period():
    for period in (600.0, 86400.0, 28 * 86400.0):
        for rule, told in zip(burn.scaled(period), burn.WORKBOOK, strict=True):
            assert rule.rate * rule.long / period == pytest.approx(told.rate * told.long / MONTH)


def test_a_target_of_99_9_with_one_bad_in_a_thousand_burns_at_one_and_leaves_nothing():
    counts = Counts(100_000, 100)
    assert burn.rate(counts, 0.999) == pytest.approx(1.0)
    assert burn.remaining(counts, 0.999) == pytest.approx(0.0)


def test_the_workbooks_example_an_outage_of_everything_burns_at_a_thousand():
    assert burn.rate(Counts(10, 10), 0.999) == pytest.approx(1000)


def test_without_events_nothing_burns():
    assert burn.rate(Counts(), 0.999) == 0.0
    assert not any(found.fires for found in burn.burns((), NOW, MONTH, 0.999, 1))


@pytest.mark.parametrize(("bad", "fires"), [(0.0143, False), (0.015, True)])
def test_a_page_comes_at_fourteen_point_four_times_the_allowed_share(bad, fires):
    found = burn.burns(steady(2 * HOUR, bad, per_minute=10_000), NOW, MONTH, 0.999, 100)
    assert found[0].fires is fires


def test_what_is_over_does_not_page_any_more():
    """An hour of failures that ended ten minutes ago: the long window still burns, the short one does not."""
    past = tuple(Stretch(s.start, s.end, s.events, s.bad if s.end < NOW - 600 else 0) for s in steady(HOUR, 0.05))
    first = burn.burns(past, NOW, MONTH, 0.999, 100)[0]
    assert first.rate > 14.4
    assert first.short_rate == 0.0
    assert not first.fires


def test_a_slow_burn_is_a_ticket_and_no_page():
    found = burn.burns(steady(80 * HOUR, 0.0035, per_minute=2000), NOW, MONTH, 0.999, 100)
    assert [(each.rule.rate, each.fires) for each in found] == [(14.4, False), (6.0, False), (3.0, True), (1.0, True)]


def test_two_failures_of_three_at_night_page_nobody():
    night = (Stretch(NOW - 120, NOW - 60, 3, 2),)
    assert not any(found.fires for found in burn.burns(night, NOW, MONTH, 0.999, 100))
    assert burn.burns(night, NOW, MONTH, 0.999, 3)[0].fires


def test_one_bad_event_alone_never_spends_a_budget():
    assert burn.worth(0.999, 100) == 1000
    assert burn.worth(0.995, 100) == 200
    assert burn.worth(0.5, 100) == 100
    for target in (0.5, 0.9, 0.99, 0.995, 0.999, 0.9999):
        assert burn.remaining(Counts(burn.worth(target, 1), 1), target) >= -1e-9


def test_a_stretch_that_is_half_in_the_window_counts_by_half():
    counts = burn.within((Stretch(NOW - 200, NOW - 100, 100, 10),), NOW, 150)
    assert counts == Counts(50, 5)


def test_looks_that_come_together_are_counted_once():
    assert burn.within((Stretch(NOW, NOW, 7, 1),), NOW, 60) == Counts(7, 1)
    assert burn.within((Stretch(NOW - 60, NOW - 60, 7, 1),), NOW, 60) == Counts()


@settings(max_examples=60, deadline=None)
@given(
    period=st.sampled_from([600.0, 86400.0, 28 * 86400.0, 90 * 86400.0]),
    looks=st.lists(st.tuples(st.floats(0.2, 30), st.integers(0, 50), st.integers(0, 50)), max_size=300),
)
def test_no_event_of_the_period_is_lost_or_doubled_and_what_is_kept_is_bounded(period, looks):
    base, now, kept, told = burn.shortest(period), NOW, (), []
    for steps, good, bad in looks:
        start, now = now, now + steps * base
        told.append(Stretch(start, now, good + bad, bad))
        kept = burn.added(kept, told[-1], period)
        assert len(kept) <= 160
        assert all(one.end <= other.end for one, other in pairwise(kept))
    young = [each for each in told if now - each.start < period * 0.9]
    assert sum(each.events for each in kept) >= sum(each.events for each in young)
    assert sum(each.events for each in kept) <= sum(each.events for each in told)
    assert sum(each.bad for each in kept) <= sum(each.bad for each in told)


@settings(max_examples=40, deadline=None)
@given(shares=st.lists(st.sampled_from([0, 1, 2, 20]), min_size=30, max_size=400))
def test_merging_changes_a_rate_by_no_more_than_a_cell_at_the_edge(shares):
    """Compared with all stretches kept as they were."""
    period, base = MONTH, burn.shortest(MONTH)
    exact = [Stretch(NOW + n * base, NOW + (n + 1) * base, 100, bad) for n, bad in enumerate(shares)]
    kept: tuple[Stretch, ...] = ()
    for each in exact:
        kept = burn.added(kept, each, period)
    now = exact[-1].end
    for rule in burn.scaled(period):
        a, b = burn.within(exact, now, rule.long), burn.within(kept, now, rule.long)
        assert abs(a.events - b.events) <= 100 * rule.long / base * 0.35 + 100
