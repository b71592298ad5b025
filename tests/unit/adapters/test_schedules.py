"""When a schedule is due, on days of 23 and 25 hours too, and what is no schedule."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gyre.adapters.schedules import Unusable, last_due, next_due


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


def test_a_schedule_is_due_by_the_clock_of_its_zone():
    assert next_due("0 3 * * 1", "Europe/Berlin", utc(2026, 11, 24, 8)) == utc(2026, 11, 30, 2)
    assert last_due("0 3 * * 1", "Europe/Berlin", utc(2026, 11, 24, 8)) == utc(2026, 11, 23, 2)


def test_the_minute_itself_is_due():
    assert last_due("0 3 * * *", "UTC", utc(2026, 11, 24, 3)) == utc(2026, 11, 24, 3)
    assert last_due("0 3 * * *", "UTC", utc(2026, 11, 24, 2, 59, 59)) == utc(2026, 11, 23, 3)
    assert next_due("0 3 * * *", "UTC", utc(2026, 11, 24, 3)) == utc(2026, 11, 25, 3)


def test_an_hour_that_comes_twice_calls_once_and_one_that_is_left_out_calls_after_the_gap():
    """Berlin: 29 March 2026 has no 02:30, 25 October 2026 has two."""
    assert next_due("30 2 * * *", "Europe/Berlin", utc(2026, 3, 29, 0)) == utc(2026, 3, 29, 1)
    first = next_due("30 2 * * *", "Europe/Berlin", utc(2026, 10, 24, 12))
    assert first == utc(2026, 10, 25, 0, 30)
    assert next_due("30 2 * * *", "Europe/Berlin", utc(2026, 10, 25, 0, 31)) == utc(2026, 10, 26, 1, 30)


@pytest.mark.parametrize("cron", ["61 * * * *", "* * * *", "a b c d e", "", "* 25 * * *", "0 0 30 2 *"])
def test_what_is_no_schedule_says_what_one_is(cron):
    with pytest.raises(Unusable, match="minute hour day-of-month"):
        next_due(cron, "UTC", utc(2026, 11, 24))


@pytest.mark.parametrize("zone", ["Europe/Atlantis", "", "../../etc/passwd", "Berlin\x00"])
def test_what_is_no_zone_says_so(zone):
    with pytest.raises(Unusable, match="time zone"):
        next_due("0 3 * * *", zone, utc(2026, 11, 24))


@settings(max_examples=300, deadline=None)
@given(text=st.text(st.sampled_from("0123456789*/,-LWMONJAN# ?\u0661"), max_size=40))
def test_any_text_is_a_schedule_or_unusable(text):
    try:
        due = next_due(text, "America/New_York", utc(2026, 11, 24))
    except Unusable:
        return
    assert due is None or due > utc(2026, 11, 24)


@settings(max_examples=100, deadline=None)
@given(
    minute=st.integers(0, 59),
    hour=st.integers(0, 23),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
    now=st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)),
)
def test_a_daily_schedule_comes_within_25_hours_and_the_last_before_the_next(minute, hour, zone, now):
    cron = f"{minute} {hour} * * *"
    last, due = last_due(cron, zone, now), next_due(cron, zone, now)
    assert last is not None
    assert due is not None
    assert last <= now < due
    assert (due - last).total_seconds() <= 25.5 * 3600
    assert next_due(cron, zone, last) == due
