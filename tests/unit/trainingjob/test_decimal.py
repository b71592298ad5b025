"""Metrics are any numbers; one that the API server refuses would keep the whole status from being written."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from gyre.api.fields import Number
from gyre.kinds.trainingjob.desired import decimal

NUMBER: TypeAdapter[object] = TypeAdapter(Number)
SCHEMA = NUMBER.json_schema()


def taken(text: str) -> bool:
    """By the CRD."""
    return re.search(SCHEMA["pattern"], text) is not None and len(text) <= SCHEMA["maxLength"]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_number_is_taken_by_the_crd(value: float) -> None:
    assert taken(decimal(value)), "as in a ModelVersion"
    assert taken(NUMBER.dump_python(NUMBER.validate_python(decimal(value)), mode="json")), "as in a status"  # type: ignore[arg-type]


def test_a_fraction_without_end_is_cut_and_a_count_stays_whole() -> None:
    assert decimal(1 / 300) == "0.003333333333"
    assert decimal(44850.0) == "44850"
