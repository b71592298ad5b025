"""Field types: what they read, what they write, what they cut."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gyre.api.fields import Amount, Fraction, Image, Message, Number, Quantity, Time, Uri, clipped
from gyre.api.model import Schema


class Numbers(Schema):
    number: Number = Decimal(0)
    fraction: Fraction = Decimal(0)
    amount: Amount = Decimal(0)


class Texts(Schema):
    message: Message = ""
    short: Annotated[str, *clipped(5)] = ""
    at: Time | None = None
    memory: Quantity = "1"
    uri: Uri = "s3://bucket/path"
    image: Image = "localhost/x:dev"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1, "0.1"), ("1e-05", "0.00001"), (2.5e-12, "2.5e-12"), (3, "3"), ("-1.50", "-1.50"), (1e21, "1e+21"), (0, "0")],
)
def test_a_number_is_written_as_it_was_meant(value: Any, text: str):
    assert Numbers(number=value).to_dict()["number"] == text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "much"])
def test_what_is_no_finite_number_is_refused(value: Any):
    with pytest.raises(ValidationError):
        Numbers(number=value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_float_survives_as_a_number(value: float):
    written = Numbers(number=value).to_dict()["number"]  # type: ignore[arg-type]
    assert float(Numbers(number=written).number) == value


def test_money_keeps_its_cents():
    assert Numbers(amount=Decimal("12.50")).to_dict()["amount"] == "12.50"


def test_text_that_others_cause_is_cut_and_never_refused():
    texts = Texts(message="x" * 2000, short="abcdefgh")
    assert len(texts.message) == 1024
    assert texts.message.endswith("…")
    assert texts.short == "abcd…"


def test_times_are_utc_and_whole_seconds():
    texts = Texts(at=datetime(2026, 11, 23, 8, 0, 1, 999_999, tzinfo=UTC))
    assert texts.to_dict()["at"] == "2026-11-23T08:00:01Z"


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(ValidationError, match="timezone"):
        Texts(at=datetime(2026, 11, 23))


def test_a_quantity_is_kept_as_its_author_wrote_it():
    assert Texts(memory="2Gi").memory == "2Gi"
    assert Texts(memory=4).memory == "4"  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="write it like"):
        Texts(memory="4GB")


@pytest.mark.parametrize("uri", ["bucket/path", "s3:/x", "s3://a b", "://x"])
def test_an_address_needs_its_scheme(uri: str):
    with pytest.raises(ValidationError):
        Texts(uri=uri)


@pytest.mark.parametrize(
    "image", ["ray:2.60", "localhost:5000/a/b:v1", "ghcr.io/a/b@sha256:" + "0" * 64, "localhost/gyre-workload:dev"]
)
def test_images_are_recognised(image: str):
    assert Texts(image=image).image == image
