"""The parts of the spec for A/B and shadow."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from pydantic import ValidationError

from gyre.api.markers import RULES
from gyre.api.structural import structural
from gyre.kinds.inferenceservice.experiments import SIXTEENTHS, Ab, AbReport, AssignedBy, Metric, Shadow, Winner


def ab(**more: Any) -> Ab:
    return Ab.model_validate({"version": "flights-late-222d7407", **more})


def test_callers_are_split_in_halves_by_a_cookie_unless_told_otherwise():
    assert (ab().by, ab().name, ab().split, ab().metric) == (AssignedBy.COOKIE, "gyre-arm", 50, Metric.ERROR_RATE)


def test_a_cookie_splits_exactly():
    assert ab(split=7).share == Fraction(7, 100)


@pytest.mark.parametrize(
    ("split", "sixteenths"), [(1, 1), (6, 1), (9, 1), (10, 2), (25, 4), (50, 8), (75, 12), (90, 14), (97, 15), (99, 15)]
)
def test_a_header_splits_in_sixteenths(split: int, sixteenths: int):
    assert ab(by="Header", split=split).share == Fraction(sixteenths, SIXTEENTHS)


def test_a_header_is_never_further_off_than_half_a_sixteenth_but_at_the_ends():
    for split in range(4, 97):
        off = abs(ab(by="Header", split=split).share - Fraction(split, 100))
        assert off <= Fraction(1, 2 * SIXTEENTHS), split


@pytest.mark.parametrize("part", [{"split": 0}, {"split": 100}, {"by": "Mood"}, {"name": "a b"}, {"metric": "Beauty"}])
def test_a_comparison_that_cannot_be_made_is_refused(part: dict[str, Any]):
    with pytest.raises(ValidationError):
        ab(**part)


@pytest.mark.parametrize("percent", [0, 101])
def test_a_shadow_gets_some_requests_and_no_more_than_all(percent: int):
    with pytest.raises(ValidationError):
        Shadow.model_validate({"version": "v", "percent": percent})


def test_a_header_that_means_something_else_is_refused_with_the_field():
    (rule,) = structural(Ab)[RULES]
    assert rule["fieldPath"] == ".name"
    assert "'authorization'" in rule["rule"]
    assert "'host'" in rule["rule"]


def test_the_report_of_a_comparison_that_has_just_begun_says_nothing():
    assert AbReport().to_dict() == {
        "a": {"requests": 0, "errors": 0},
        "b": {"requests": 0, "errors": 0},
        "evidence": "",
        "winner": Winner.UNDECIDED.value,
    }
