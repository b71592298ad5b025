"""Nothing is served that was not verified, and whatever prevents serving is told with its class and its fix."""

import json
import os
import socket

import numpy as np
import pytest
from tests.unit.workloads.bucket import serving
from tests.unit.workloads.served import ENCODER, digest_of, environment, forward, settings, weights, write_artifact

from gyre_serve.artifact import fetch
from gyre_serve.faults import StartError
from gyre_serve.networks import load
from gyre_serve.processors import threads
from gyre_serve.settings import Settings
from gyre_train.graph import graph


@pytest.fixture
def stored(tmp_path):
    folder = tmp_path / "artifact"
    return folder, write_artifact(folder)


def refused(folder, digest, **changes):
    with pytest.raises(StartError) as told:
        load(fetch(settings(folder, digest, **changes)), 1)
    return told.value.kind, told.value.message


def test_the_graph_computes_what_the_weights_say(stored):
    _, network = load(fetch(settings(*stored)), 1)
    random = np.random.default_rng(1)
    numbers = random.normal(size=(50, 3)).astype(np.float32)
    places = np.stack([random.integers(0, 3, 50), random.integers(0, 4, 50)], axis=1)
    np.testing.assert_allclose(network(numbers, places), forward(numbers, places), rtol=1e-5)


def test_a_graph_without_categories_takes_numbers_alone(tmp_path):
    encoder = type(ENCODER)(ENCODER.features[:1], {"hour": 0.0}, {"hour": 1.0}, (), {})
    folder = tmp_path / "artifact"
    write_artifact(folder, encoder=encoder.as_json())
    only = {"head.0.weight": np.array([[2.0]], np.float32), "head.0.bias": np.array([0.0], np.float32)}
    (folder / "model.onnx").write_bytes(graph(only, encoder))
    _, network = load(fetch(settings(folder, digest_of(folder))), 1)
    assert network(np.array([[0.0], [50.0]], np.float32), np.empty((2, 0), np.int64)).tolist() == [0.5, 1.0]


def test_the_same_weights_make_the_same_graph_to_the_byte():
    assert graph(weights(), ENCODER) == graph(dict(reversed(weights().items())), ENCODER)


def test_a_changed_file_is_not_served(stored):
    folder, digest = stored
    (folder / "model.json").write_text((folder / "model.json").read_text() + " ")
    kind, message = refused(folder, digest)
    assert kind == "DigestMismatch"
    assert digest in message
    assert digest_of(folder) in message


def test_a_file_too_many_is_not_served(stored):
    folder, digest = stored
    (folder / "more.py").write_text("")
    assert refused(folder, digest)[0] == "DigestMismatch"


def test_what_is_loaded_are_the_bytes_that_were_verified(stored):
    folder, digest = stored
    artifact = fetch(settings(folder, digest))
    (folder / "model.onnx").write_bytes(b"changed after it was read")
    assert load(artifact, 1)


@pytest.mark.parametrize("folder", ["none", "empty"])
def test_no_artifact_is_not_found(tmp_path, folder):
    (tmp_path / "empty").mkdir()
    kind, message = refused(tmp_path / folder, "sha256:" + "0" * 64)
    assert kind == "NotFound"
    assert "check the version's artifact.uri and its mount" in message


def test_a_place_that_cannot_be_listed_is_unreadable(stored):
    folder, digest = stored
    kind, message = refused(folder / "model.onnx", digest)
    assert kind == "Unreadable"
    assert "check permissions, address and credentials" in message


def test_another_flavour_is_refused_with_the_way_out(tmp_path):
    digest = write_artifact(tmp_path / "artifact", flavour="sklearn")
    kind, message = refused(tmp_path / "artifact", digest)
    assert kind == "UnsupportedFlavour"
    assert "spec.runtime.container" in message


def test_the_artifact_of_a_script_is_refused_with_the_way_out(stored):
    folder, _ = stored
    (folder / "model.json").unlink()
    kind, message = refused(folder, digest_of(folder))
    assert kind == "UnsupportedFlavour"
    assert "spec.runtime.kserve" in message


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", json.dumps({"flavour": "onnx"}), json.dumps({"flavour": "onnx", "encoder": 3})]
)
def test_a_description_that_is_none_is_told(stored, text):
    folder, _ = stored
    (folder / "model.json").write_text(text)
    kind, message = refused(folder, digest_of(folder))
    assert kind in ("Unreadable", "UnsupportedFlavour")
    assert message


@pytest.mark.parametrize("content", [b"", b"no graph"])
def test_a_graph_that_is_none_is_unreadable(stored, content):
    folder, _ = stored
    (folder / "model.onnx").write_bytes(content)
    assert refused(folder, digest_of(folder))[0] == "Unreadable"


def test_a_graph_for_other_columns_is_unreadable(tmp_path):
    fewer = type(ENCODER)(ENCODER.features, ENCODER.mean, ENCODER.std, (), ENCODER.vocabulary)
    digest = write_artifact(tmp_path / "artifact", encoder=fewer.as_json())
    kind, message = refused(tmp_path / "artifact", digest)
    assert kind == "Unreadable"
    assert "by model.json it must take" in message


def test_a_flavour_without_its_file_is_unreadable(stored):
    folder, _ = stored
    (folder / "model.onnx").unlink()
    kind, message = refused(folder, digest_of(folder))
    assert (kind, "no model.onnx" in message) == ("Unreadable", True)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"GYRE_MODEL": ""}, "GYRE_MODEL is not set"),
        ({"GYRE_ARTIFACT_DIGEST": "abc"}, "GYRE_ARTIFACT_DIGEST is 'abc', not sha256"),
        ({"GYRE_ARTIFACT_URI": "gs://x"}, "GYRE_ARTIFACT_URI is 'gs://x': give pvc"),
        ({"GYRE_MAX_BODY_BYTES": "1Mi"}, "GYRE_MAX_BODY_BYTES is '1Mi', not a whole number"),
        ({"GYRE_LOG_URL": "https://log"}, "GYRE_LOG_URL is 'https://log': give http://"),
        ({"GYRE_LOG_PERCENT": "-1"}, "GYRE_LOG_PERCENT is '-1', not a whole number above -1"),
        ({"GYRE_PORT": "0"}, "GYRE_PORT is '0', not a whole number above 0"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path, change, named):
    with pytest.raises(StartError) as told:
        Settings.of(environment(tmp_path, "sha256:" + "0" * 64, **change))
    assert named in told.value.message


@pytest.fixture
def credentials(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "reader")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.mark.usefixtures("credentials")
def test_an_artifact_in_a_bucket_is_read_where_its_store_answers(tmp_path):
    (tmp_path / "runs").mkdir()
    digest = write_artifact(tmp_path / "runs" / "artifact")
    with serving(tmp_path) as address:
        place = {"GYRE_ARTIFACT_URI": "s3://models/runs/artifact/", "GYRE_S3_ENDPOINT": address, "GYRE_S3_REGION": "x"}
        artifact = fetch(settings(tmp_path / "nowhere", digest, **place))
        assert sorted(artifact.files) == ["gyre-manifest.json", "model.json", "model.onnx"]
        (tmp_path / "runs" / "artifact" / "model.onnx").write_bytes(b"changed")
        with pytest.raises(StartError) as told:
            fetch(settings(tmp_path / "nowhere", digest, **place))
        assert told.value.kind == "DigestMismatch"
        with pytest.raises(StartError) as told:
            fetch(settings(tmp_path, digest, **{**place, "GYRE_ARTIFACT_URI": "s3://models/runs/none"}))
        assert told.value.kind == "NotFound"


@pytest.mark.usefixtures("credentials")
def test_a_store_that_does_not_answer_is_told(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
    place = {"GYRE_ARTIFACT_URI": "s3://models/runs", "GYRE_S3_ENDPOINT": address, "GYRE_S3_REGION": "x"}
    kind, message = refused(tmp_path, "sha256:" + "0" * 64, **place)
    assert kind == "Unreadable"
    assert "check permissions, address and credentials" in message


@pytest.mark.parametrize(("quota", "wanted"), [("25000 100000", 1), ("150000 100000", 2)])
def test_threads_are_as_many_as_the_quota_allows(tmp_path, monkeypatch, quota, wanted):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(8))
    (tmp_path / "cpu.max").write_text(quota + "\n")
    told: dict[str, str] = {}
    assert threads(told, tmp_path) == wanted
    assert told == {"OMP_NUM_THREADS": str(wanted)}


def test_threads_follow_the_first_version_of_cgroups_too(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(8))
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu/cpu.cfs_quota_us").write_text("300000\n")
    (tmp_path / "cpu/cpu.cfs_period_us").write_text("100000\n")
    assert threads({}, tmp_path) == 3
    (tmp_path / "cpu/cpu.cfs_quota_us").write_text("-1\n")
    assert threads({}, tmp_path) == 8


def test_threads_that_are_set_stay_as_they_are(tmp_path):
    assert threads({"OMP_NUM_THREADS": "3"}, tmp_path) == 3
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert threads({}, tmp_path) == len(os.sched_getaffinity(0))
