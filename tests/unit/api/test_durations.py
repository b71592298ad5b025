"""Durations: the grammar of GEP-2257, and days."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gyre.api.durations import LONGEST, PATTERN, format_duration, parse_duration

WHOLE_MILLISECONDS = st.integers(0, LONGEST // timedelta(milliseconds=1)).map(lambda ms: timedelta(milliseconds=ms))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0s", timedelta()),
        ("1h30m", timedelta(minutes=90)),
        ("90m", timedelta(minutes=90)),
        ("30m1h", timedelta(minutes=90)),
        ("2d", timedelta(days=2)),
        ("1d12h", timedelta(hours=36)),
        ("5ms", timedelta(milliseconds=5)),
        ("1m5ms", timedelta(minutes=1, milliseconds=5)),
        ("9999d99999h", timedelta(days=9999, hours=99999)),
    ],
)
def test_durations_are_read(text: str, value: timedelta):
    assert parse_duration(text) == value


@pytest.mark.parametrize(
    "text", ["", "5", "-5s", "+5s", "1.5h", "1 h", "1h ", "1h\n", "1w", "h", "1hm", "123456s", "1h2d", "PT1H"]
)
def test_anything_else_is_refused_with_an_example(text: str):
    with pytest.raises(ValueError, match="write it like 1h30m"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (timedelta(), "0s"),
        (timedelta(seconds=90), "1m30s"),
        (timedelta(hours=36), "1d12h"),
        (timedelta(milliseconds=1500), "1s500ms"),
        (timedelta(microseconds=1500), "1ms"),
        (timedelta(microseconds=5), "0s"),
    ],
)
def test_durations_are_written_largest_unit_first(value: timedelta, text: str):
    assert format_duration(value) == text


@pytest.mark.parametrize("value", [timedelta(seconds=-1), LONGEST + timedelta(milliseconds=1)])
def test_what_has_no_text_is_refused(value: timedelta):
    with pytest.raises(ValueError, match="cannot be written"):
        format_duration(value)


@given(WHOLE_MILLISECONDS)
def test_every_whole_number_of_milliseconds_survives(value: timedelta):
    assert parse_duration(format_duration(value)) == value


@given(st.from_regex(re.compile(PATTERN), fullmatch=True))
def test_what_the_api_server_accepts_is_what_we_read(text: str):
    if len(text) >= 2:  # the schema's minLength
        assert parse_duration(text) >= timedelta()
