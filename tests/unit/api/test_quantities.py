"""Quantities, against the examples in apimachinery's own tests."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gyre.api.quantities import PATTERN, canonical, format_quantity, parse_quantity


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("500m", "0.5"),
        ("2", 2),
        ("2Gi", 2 * 2**30),
        ("1.5Gi", 3 * 2**29),
        ("1e3", 1000),
        ("1E3", 1000),
        ("1E", 10**18),
        ("1Ei", 2**60),
        ("100u", "0.0001"),
        ("1n", "1e-9"),
        (".5", "0.5"),
        ("5.", 5),
        ("+1k", 1000),
        ("-1", -1),
        (4, 4),
    ],
)
def test_quantities_are_read_exactly(text: str | int, value: int | str):
    assert parse_quantity(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", "4GB", "1K", "1 Gi", "Gi", "1gi", "1e", "1e1.5", "--1", "1Gi\n", "1m5"])
def test_anything_else_is_refused_with_an_example(text: str):
    with pytest.raises(ValueError, match="write it like"):
        parse_quantity(text)


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        ("0", "decimal", "0"),
        ("0.5", "decimal", "500m"),
        ("2", "decimal", "2"),
        ("1500", "decimal", "1500"),
        ("2000", "decimal", "2k"),
        ("2147483648", "binary", "2Gi"),
        ("1536", "binary", "1536"),
        ("0.5", "binary", "500m"),
        ("-2048", "binary", "-2Ki"),
    ],
)
def test_quantities_are_written_in_the_canonical_form(value: str, form: Literal["decimal", "binary"], text: str):
    assert format_quantity(Decimal(value), form) == text


def test_what_is_finer_than_a_nano_is_refused_not_rounded():
    with pytest.raises(ValueError, match="finer than 1n"):
        format_quantity(Decimal("1e-10"))


@given(st.integers(-(2**63) * 10**9, 2**63 * 10**9), st.sampled_from(["decimal", "binary"]))
def test_every_quantity_survives(nanos: int, form: Literal["decimal", "binary"]):
    value = Decimal(nanos).scaleb(-9)
    assert parse_quantity(format_quantity(value, form)) == value


@given(st.from_regex(re.compile(PATTERN, re.ASCII), fullmatch=True))
def test_what_the_api_server_accepts_is_what_we_read(text: str):
    assert parse_quantity(text.removesuffix("\n")) >= 0


@pytest.mark.parametrize(
    ("given", "written"),
    [("1024Mi", "1Gi"), ("0.5", "500m"), ("1500Mi", "1500Mi"), ("2000m", "2"), ("1000M", "1G"), ("4", "4"), ("0", "0")],
)
def test_a_canonical_text_is_what_the_server_writes_back(given: str, written: str):
    assert canonical(given) == written
