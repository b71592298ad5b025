"""Rows become numbers by the training rows alone; scores are those of the textbooks."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import fs

from gyre_train.encoder import Encoder, Feature
from gyre_train.faults import UserError
from gyre_train.score import auc, log_loss, rate_by_group
from gyre_train.table import automatic_features, encode, learn_encoder, partitions, read

TRAIN = pa.table({"x": pa.array([1.0, 3.0, None]), "c": ["b", "a", "b"]})
FEATURES = [Feature("x", "Numeric"), Feature("c", "Categorical")]


def test_numbers_are_standardized_missing_ones_flagged_and_unseen_categories_are_zero():
    encoder = learn_encoder(TRAIN, FEATURES)
    numbers, places = encode(encoder, pa.table({"x": pa.array([3.0, None]), "c": ["b", "z"]}))
    assert numbers.tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert places.tolist() == [[2], [0]]


def test_an_encoder_survives_json():
    encoder = learn_encoder(TRAIN, FEATURES)
    assert Encoder.of_json(encoder.as_json()) == encoder


def test_a_text_as_a_number_names_the_column_and_the_way_out():
    with pytest.raises(UserError, match="'c' is string, not a number: make it Categorical"):
        learn_encoder(TRAIN, [Feature("c", "Numeric")])


def test_automatic_features_leave_out_target_ignored_and_times():
    schema = pa.schema(
        [("y", "float32"), ("leak", "float32"), ("n", "int16"), ("c", "string"), ("t", pa.timestamp("s"))]
    )
    assert automatic_features(schema, ["y", "leak"]) == [Feature("n", "Numeric"), Feature("c", "Categorical")]


def test_partitions_are_read_in_order_and_can_be_chosen(tmp_path):
    for month in ("02", "01", "03"):
        (tmp_path / f"month={month}").mkdir()
        pq.write_table(pa.table({"n": [int(month)]}), tmp_path / f"month={month}" / "part-0.parquet")
    local, folder = fs.LocalFileSystem(), str(tmp_path)
    parts = partitions(local, folder)
    assert parts == ["month=01", "month=02", "month=03"]
    assert read(local, folder)["n"].to_pylist() == [1, 2, 3]
    assert read(local, folder, parts[-1:]).to_pylist() == [{"n": 3, "month": "03"}]
    with pytest.raises(UserError, match="no column 'z'"):
        read(local, folder, columns=["z"])


def test_no_parquet_is_said(tmp_path):
    with pytest.raises(UserError, match="no Parquet files"):
        read(fs.LocalFileSystem(), str(tmp_path))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=30))
def test_auc_is_the_share_of_pairs_in_the_right_order(rows):
    truth = np.array([positive for positive, _ in rows])
    score = np.array([float(value) for _, value in rows])
    pairs = [(a > b) + 0.5 * (a == b) for a in score[truth] for b in score[~truth]]
    if pairs:
        assert auc(truth, score) == pytest.approx(np.mean(pairs))
    else:
        assert np.isnan(auc(truth, score))


def test_log_loss_of_a_coin_is_ln_2():
    assert log_loss(np.array([0, 1]), np.array([0.5, 0.5])) == pytest.approx(np.log(2))


def test_the_baseline_knows_groups_and_falls_back_to_all():
    truth = np.array([1.0, 0.0, 1.0, 1.0])
    keys = [np.array(["a", "a", "b", "b"])]
    assert rate_by_group(keys, truth, [np.array(["a", "b", "new"])]).tolist() == [0.5, 1.0, 0.75]
