"""What is asked is encoded as training encoded it, or refused with the field, what was expected and what was given."""

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.workloads.served import ENCODER, ROW, tensors

from gyre_serve.faults import Refused
from gyre_serve.schema import FAR, Schema, Tensor
from gyre_train.table import encode

SCHEMA = Schema(ENCODER, max_rows=5)

rows = st.lists(
    st.fixed_dictionaries(
        {
            "hour": st.none() | st.integers(0, 23),
            "carrier": st.none() | st.sampled_from(["AA", "UA", "", "zz"]),
            "temp": st.none() | st.floats(-1e6, 1e6),
            "weekday": st.none() | st.integers(-1, 7),
        }
    ),
    min_size=1,
    max_size=5,
)


def of_tensors(body):
    return SCHEMA.of_tensors([Tensor(**given) for given in body["inputs"]])


@given(rows)
def test_serving_encodes_to_the_bit_what_training_encodes_from_a_table(given):
    kinds = {"hour": pa.int64(), "carrier": pa.string(), "temp": pa.float64(), "weekday": pa.int64()}
    trained = encode(ENCODER, pa.table({name: pa.array([row[name] for row in given], kinds[name]) for name in kinds}))
    for columns in (SCHEMA.of_instances({"instances": given}), of_tensors(tensors(*given))):
        for served, wanted in zip(SCHEMA.encode(columns), trained, strict=True):
            assert served.dtype == wanted.dtype
            np.testing.assert_array_equal(served, wanted)


def test_flags_are_categories_as_arrow_spells_them():
    assert pa.array([True, False]).cast(pa.string()).to_pylist() == ["true", "false"]
    encoder = type(ENCODER)(ENCODER.features[1:2], {}, {}, (), {"carrier": ("false", "true")})
    schema = Schema(encoder, 5)
    _, places = schema.encode(schema.of_instances({"instances": [{"carrier": True}, {"carrier": False}]}))
    assert places.tolist() == [[2], [1]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hour": "8"}, 'hour, row 1: expected a number, or null if it is missing, got "8"'),
        ({"hour": True}, "hour, row 1: expected a number, or null if it is missing, got true"),
        ({"hour": math.nan}, "hour, row 1: expected a finite number, or null if it is missing, got NaN"),
        ({"temp": -math.inf}, "temp, row 1: expected a finite number, or null if it is missing, got -Infinity"),
        ({"temp": 10**400}, "temp, row 1: expected a finite number, or null if it is missing, got 1000000000"),
        (
            {"temp": 1e30},
            "temp, row 1: expected a number within 1e+09 standard deviations of training's mean 50, got 1e+30",
        ),
        (
            {"carrier": 1.5},
            "carrier, row 1: expected text, a whole number, true or false, or null if it is missing, got 1.5",
        ),
        (
            {"carrier": ["UA"]},
            'row 1: expected text, a whole number, true or false, or null if it is missing, got ["UA"]',
        ),
        ({"tmp": 3}, 'instances[1]: column "tmp" is unknown; the model takes hour, carrier, temp, weekday'),
    ],
)
def test_a_wrong_value_in_a_row_is_named(change, message):
    with pytest.raises(Refused) as refused:
        SCHEMA.encode(SCHEMA.of_instances({"instances": [ROW, {**ROW, **change}]}))
    assert message in str(refused.value)


def test_a_missing_column_is_named():
    without = {name: value for name, value in ROW.items() if name != "temp"}
    with pytest.raises(Refused, match=r'instances\[0\]: column "temp" is missing'):
        SCHEMA.of_instances({"instances": [without]})
    with pytest.raises(Refused, match='column "temp" is missing'):
        of_tensors({"inputs": [one for one in tensors(ROW)["inputs"] if one["name"] != "temp"]})


@pytest.mark.parametrize("body", [None, 3, [], {}, {"instances": {}}, {"inputs": []}])
def test_a_body_without_instances_is_told_what_it_must_be(body):
    with pytest.raises(Refused, match="the body must be"):
        SCHEMA.of_instances(body)


def test_an_instance_that_is_no_object_is_told_the_columns():
    with pytest.raises(
        Refused, match=r"instances\[0\]: expected an object with hour, carrier, temp, weekday, got \[1, 2\]"
    ):
        SCHEMA.of_instances({"instances": [[1, 2]]})


@pytest.mark.parametrize("rows", [0, 6])
def test_the_number_of_rows_is_bounded_in_both_protocols(rows):
    with pytest.raises(Refused, match=f"expected 1 to 5 rows, got {rows}"):
        SCHEMA.of_instances({"instances": [ROW] * rows})
    with pytest.raises(Refused, match=f"expected 1 to 5 rows, got {rows}"):
        of_tensors(tensors(*[ROW] * rows))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"datatype": "BYTES"}, 'input "hour": expected datatype FP32 or FP64 or INT8'),
        (
            {"datatype": "INT64", "data": [1, 2.5]},
            "hour, row 1: expected a whole number, or null if it is missing, got 2.5",
        ),
        ({"shape": [2, 2]}, r'input "hour": expected shape [rows] or [rows, 1], got [2, 2]'),
        ({"shape": [-1]}, r'input "hour": expected shape [rows] or [rows, 1], got [-1]'),
        ({"shape": "2"}, 'input "hour": expected shape [rows] or [rows, 1], got "2"'),
        ({"shape": [3]}, 'input "hour": shape [3] needs 3 values, got 2'),
        ({"shape": [3], "data": [1, 2, 3]}, "the same number of rows, got hour 3, carrier 2, temp 2, weekday 2"),
        ({"data": 7}, 'input "hour": expected data as a list, got 7'),
        ({"data": [[1], [2]]}, "hour, row 0: expected a number, or null if it is missing, got [1]"),
        ({"name": "tmp"}, 'input "tmp": the model has no such column; it takes hour, carrier, temp, weekday'),
        ({"name": "carrier"}, 'input "carrier": expected datatype BYTES or BOOL'),
        ({"name": "temp"}, 'input "temp" is given twice'),
        ({"name": ["x"]}, 'input ["x"]: the model has no such column'),
        ({"name": "\ud800"}, r'input "\ud800": the model has no such column'),
    ],
)
def test_a_wrong_tensor_is_named(change, message):
    body = tensors(ROW, ROW)
    body["inputs"][0] |= change
    with pytest.raises(Refused) as refused:
        of_tensors(body)
    assert message in str(refused.value)
    assert str(refused.value).isascii()


def test_a_column_may_be_given_as_a_matrix_of_one_column():
    body = tensors(ROW, ROW)
    body["inputs"][0] |= {"shape": [2, 1], "data": [[8], [None]]}
    body["inputs"][2] |= {"shape": [2, 1], "data": [30.5, 30.5]}
    assert of_tensors(body)["hour"] == [8, None]


def test_the_number_that_is_just_not_too_far_is_taken():
    numbers, _ = SCHEMA.encode(SCHEMA.of_instances({"instances": [{**ROW, "hour": 12 + 5 * FAR}]}))
    assert numbers[0, 0] == np.float32(FAR)


def test_a_long_list_of_columns_is_cut_in_messages():
    names = [f"column_{number}" for number in range(1000)]
    encoder = type(ENCODER)(
        tuple(type(ENCODER.features[0])(name, "Numeric") for name in names), dict.fromkeys(names, 0.0),
        dict.fromkeys(names, 1.0), (), {},
    )  # fmt: skip
    with pytest.raises(Refused) as refused:
        Schema(encoder, 5).of_instances({"instances": [{}]})
    assert len(str(refused.value)) < 600
