"""The champion is measured on the rows of the new model, as it is served; whatever is wrong with it is told and fails nothing."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
from tests.unit.workloads.served import ENCODER, digest_of, forward, write_artifact
from tests.unit.workloads.shifting import EXAMPLE_RUN

from gyre_train import against
from gyre_train.contract import RunSpec
from gyre_train.options import parse
from gyre_train.record import Record
from gyre_train.score import auc
from gyre_train.table import encode

TARGET = {"column": "late", "above": 15.0}
HELD = pa.table(
    {
        "hour": pa.array([6, 9, 12, 18, 22, 7], pa.int16()),
        "carrier": ["AA", "UA", "UA", "B6", None, "AA"],
        "temp": pa.array([30.0, None, 50.0, 80.5, 61.0, 44.0], pa.float32()),
        "weekday": pa.array([0, 1, 2, 2, 1, 0], pa.int16()),
        "gate": ["unknown to it"] * 6,
        "late": pa.array([3, 40, 16, 15, 90, -5], pa.float32()),
    }
)
TRUTH = np.array([0, 1, 1, 0, 1, 0], np.float32)


def stored(tmp_path, **changes):
    folder = tmp_path / "champion"
    return folder, write_artifact(folder, **{"target": TARGET, **changes})


def measured(folder, digest, *, held=HELD, **tabular):
    known = {"version": "delay-1", "digest": digest, "flavour": "onnx", "path": str(folder), "s3": None}
    loop = {"target": TARGET, "train": {"dataset": "train"}, **tabular}
    raw = {**EXAMPLE_RUN, "entrypoint": {"tabular": loop}, "storage": {"path": "/s"}, "champion": known}
    spec = RunSpec.parse(raw)
    return against.measured(spec, held, TRUTH, parse(spec))


def test_it_answers_as_it_is_served_with_an_encoder_of_its_own(tmp_path):
    folder, digest = stored(tmp_path)
    told = measured(folder, digest)
    assert (told["version"], told["digest"]) == ("delay-1", digest)
    assert told["metrics"]["auc"] == auc(TRUTH, forward(*encode(ENCODER, HELD)))
    assert set(told["metrics"]) == {"auc", "logLoss", "positiveRate"}


def test_more_rows_than_a_batch_are_asked_in_order(tmp_path, monkeypatch):
    folder, digest = stored(tmp_path)
    whole = measured(folder, digest)
    monkeypatch.setattr(against, "BATCH", 4)
    assert measured(folder, digest)["metrics"] == pytest.approx(whole["metrics"])


def test_a_run_without_a_champion_measures_none():
    spec = RunSpec.parse(
        {
            **EXAMPLE_RUN,
            "entrypoint": {"tabular": {"target": TARGET, "train": {"dataset": "t"}}},
            "storage": {"path": "/s"},
        }
    )
    assert against.measured(spec, HELD, TRUTH, parse(spec)) is None


def test_files_that_were_changed_are_not_asked(tmp_path):
    folder, digest = stored(tmp_path)
    (folder / "model.onnx").write_bytes(b"changed")
    assert "the files were changed after the version was registered" in measured(folder, digest)["problem"]


def test_files_that_are_gone_and_artifacts_of_other_programs_are_told(tmp_path):
    assert "it is gone, or not of the tabular loop" in measured(tmp_path / "none", "sha256:" + "0" * 64)["problem"]
    folder, _ = stored(tmp_path)
    (folder / "model.json").unlink()
    assert "it is gone, or not of the tabular loop" in measured(folder, digest_of(folder))["problem"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"target": {"column": "late", "above": 30.0}}, "it answers another question"),
        ({"target": None}, "it answers another question"),
        ({"flavour": "sklearn"}, "flavour 'sklearn' is not one of"),
        ({"encoder": {"features": 3}}, "cannot be loaded"),
    ],
)
def test_a_champion_of_another_kind_is_told(tmp_path, changes, says):
    assert says in measured(*stored(tmp_path, **changes))["problem"]


def test_a_feature_that_the_rows_do_not_have_any_more_is_named(tmp_path):
    told = measured(*stored(tmp_path), held=HELD.drop_columns(["temp"]))
    assert told["problem"] == "it needs 'temp', which the held-out rows do not have"
    assert "metrics" not in told


def test_whatever_a_library_says_the_run_goes_on(tmp_path):
    texts = HELD.set_column(0, "hour", pa.array(["six"] * 6))
    told = measured(*stored(tmp_path), held=texts)
    assert told["problem"].startswith("UserError: ")
    assert len(told["problem"]) <= against.LONGEST


def test_the_record_tells_figures_that_json_has(tmp_path):
    record = Record(
        RunSpec.parse({**EXAMPLE_RUN, "entrypoint": {"script": {"path": "/x"}}, "storage": {"path": "/s"}}), {}, 0
    )
    beside = {"version": "delay-1", "digest": "sha256:1", "metrics": {"auc": float("nan"), "logLoss": 0.5}}
    record.evaluated({"auc": 0.7}, None, 6, "", beside)
    told = json.loads(json.dumps(record.progress(1), allow_nan=False))["evaluation"]["champion"]
    assert told["metrics"] == {"logLoss": 0.5}
