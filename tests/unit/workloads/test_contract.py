"""Our side of docs/run-contract.md, held to docs/run-contract.example.json."""

import json
from pathlib import Path

import pytest

from gyre_data.termination import LIMIT, tell
from gyre_train.contract import PROGRESS_LIMIT, Command, ContractError, RunSpec, encoded, timestamp
from gyre_train.record import Record

EXAMPLE = json.loads((Path(__file__).parents[3] / "docs" / "run-contract.example.json").read_text())


def a_run(**changes):
    return RunSpec.parse({**EXAMPLE["run.json"], **changes})


def test_the_example_run_is_read_whole():
    spec = a_run()
    assert (spec.uid, spec.attempt, spec.workers.count) == ("6f1f3c1e-6a4b-4a4e-9f5f-0c2d1e7b8a90", 2, 2)
    assert spec.checkpoint.quarantined == ("checkpoint_2026-11-23_07-59-02.104233",)
    assert spec.dataset("holdout").s3.endpoint == "http://store.gyre-system:9000"
    assert spec.objective.better(0.8, 0.7)
    assert spec.script is None


def test_what_may_be_left_out_has_a_default():
    least = {key: EXAMPLE["run.json"][key] for key in ("version", "uid", "job", "attempt", "workers", "storage")}
    spec = RunSpec.parse({**least, "entrypoint": {"script": {"path": "/gyre/code/train.py"}}})
    assert (spec.checkpoint.every_seconds, spec.checkpoint.keep, spec.push_every_seconds) == (30.0, 3, 5.0)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"version": 2}, "version 2"),
        ({"uid": None}, "run.json: uid is missing"),
        ({"attempt": "2"}, "run.json: attempt must be int, not str"),
        ({"attempt": True}, "run.json: attempt must be int, not bool"),
        ({"entrypoint": {}}, "exactly one of tabular and script"),
        ({"workers": {"count": 0}}, "workers.count"),
        ({"storage": {"uri": "pvc://a"}}, "run.json: storage: path is missing"),
        ({"datasets": [{"name": "train"}]}, r"run.json: datasets\[0\]: path is missing"),
        ({"objective": {"metric": "auc", "goal": "Up"}}, "goal must be one of"),
    ],
)
def test_a_wrong_field_is_named(changes, says):
    with pytest.raises(ContractError, match=says):
        a_run(**changes)


def test_the_example_command_is_read():
    command = Command.parse(json.dumps(EXAMPLE["command.json"]))
    assert (command.park, command.drain, command.drain_pods) == (None, "drain-7", ("flights-a2-worker-x2k4p",))


@pytest.mark.parametrize("text", [None, "", "{", "[]", "3", '{"park": 3}', '{"drain": {"pods": 3}}'])
def test_a_command_that_cannot_be_read_is_no_command(text):
    assert Command.parse(text) == Command()


def shape(value):
    """Keys at every depth, for comparing shapes and not values."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    return [shape(value[0])] if isinstance(value, list) and value else None


def test_progress_has_exactly_the_shape_of_the_example():
    spec = a_run()
    record = Record(spec, {"pod": "head", "uid": "u"}, 0)
    record.lineage(EXAMPLE["progress.json"]["lineage"])
    record.stepped(1420, 7, 3312, {"loss": 0.45}, 100)
    record.lost("WorkerLost", "gone", 200)
    record.restoring("checkpoint_a", 1240, 300)
    record.restored("checkpoint_a", 1240, 0.1, 400)
    record.stepped(1241, 7, 3312, {"loss": 0.45}, 500)
    record.saved(1702, 0.02, 600)
    record.committed("checkpoint_b", 1702, size=1, digest="sha256:c", verified=True, at=600)
    assert shape(record.progress(700)) == shape(EXAMPLE["progress.json"])


def test_the_end_of_a_run_has_the_shape_of_the_example():
    end = EXAMPLE["progress.json (the end)"]
    record = Record(a_run(), {"pod": "head", "uid": "u"}, 0)
    record.failed("User", "x", 1)
    said = end["evaluation"]
    record.evaluated(said["metrics"], said["baseline"], 1, "dataset holdout", said["champion"])
    record.wrote_artifact(end["artifact"])
    written = record.progress(2)
    assert {key: shape(written[key]) for key in end} == shape(end)


def test_progress_stays_within_its_limit():
    text = encoded(
        {"restarts": [{"message": "x" * 30_000} for _ in range(10)], "lineage": {"parameters": {"a": "y" * 5_000}}}
    )
    assert len(text.encode()) <= PROGRESS_LIMIT
    assert len(json.loads(text)["restarts"]) == 2


def test_times_are_rfc_3339_with_milliseconds():
    assert timestamp(1_795_420_800_007) == "2026-11-23T08:00:00.007Z"


def test_a_termination_message_fits_and_loses_its_schema_first(tmp_path, monkeypatch, capsys):
    place = tmp_path / "termination-log"
    monkeypatch.setenv("GYRE_TERMINATION_LOG", str(place))
    scanned = EXAMPLE["termination log"]["scanned"]
    assert tell(scanned, 0) == 0
    assert json.loads(place.read_text()) == scanned
    assert tell({**scanned, "schema": {f"column_{number}": "int64" for number in range(500)}}, 0) == 0
    assert len(place.read_bytes()) <= LIMIT
    assert "schema" not in json.loads(place.read_text())
    assert capsys.readouterr().out.count("\n") == 2
