"""A TrainingJob measures its model against the champion: which one that is, how its files are reached, what the version says."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests import make
from tests.unit.trainingjob.bench import Bench, names
from tests.unit.trainingjob.test_desired import clean

from gyre.api import gvks
from gyre.kinds.modelversion.model import ModelVersion

LABEL = "gyre.dev/uses-model-version"


def bench(*objects: make.Object, version: make.Object | None = None, **spec: Any) -> Bench:
    """A job of Model `flights`, whose champion is flights-cccccccc."""
    standard = (make.training_job(**spec), make.dataset(), make.claim(), make.node(), make.model())
    made = Bench(*standard, version or make.champion(), *objects)
    made.settle()
    return made


def told(of: Bench) -> Any:
    """run.json's champion."""
    return json.loads(of.run_map()["data"]["run.json"])["champion"]


def attempt(of: Bench) -> make.Object:
    found = of.find(gvks.RAY_JOB, f"flights-a{of.attempt}")
    assert found is not None
    return found


def mounts(of: Bench) -> list[tuple[str, str]]:
    """Where the champion's claim appears, in head and workers."""
    cluster = attempt(of)["spec"]["rayClusterSpec"]
    pods = [cluster["headGroupSpec"]["template"], cluster["workerGroupSpecs"][0]["template"]]
    return [
        (mount["mountPath"], str(mount.get("readOnly")))
        for pod in pods
        for mount in pod["spec"]["containers"][0]["volumeMounts"]
        if mount["name"] == "champion"
    ]


def test_the_champion_is_frozen_mounted_and_in_use_while_an_attempt_runs() -> None:
    started = bench()
    assert told(started) == {
        "version": "flights-cccccccc",
        "digest": make.digest("c"),
        "flavour": "torch",
        "path": "/gyre/champion/flights/old/artifact",
        "s3": None,
    }
    assert mounts(started) == [("/gyre/champion", "True")] * 2
    assert attempt(started)["metadata"]["labels"][LABEL] == "flights-cccccccc"
    assert started.status["champion"]["version"] == "flights-cccccccc"
    assert "to be measured against champion flights-cccccccc" in started.notes[0].message


def test_a_later_champion_does_not_reach_an_attempt_that_runs() -> None:
    running = bench().started()
    running.put(make.champion("flights-dddddddd", auc="0.9"))
    running.settle()
    assert told(running)["version"] == "flights-cccccccc"


def test_the_next_attempt_asks_anew() -> None:
    running = bench().started()
    running.put(make.champion("flights-dddddddd", auc="0.9"))
    running.drop(gvks.POD, running.head)
    running.settle()
    running.gone()
    running.wait(10)
    running.settle()
    assert (running.attempt, told(running)["version"]) == (2, "flights-dddddddd")
    assert attempt(running)["metadata"]["labels"][LABEL] == "flights-dddddddd"


def test_a_first_version_has_nobody_to_be_measured_against() -> None:
    for lonely in (Bench(), Bench(make.training_job(), make.dataset(), make.claim(), make.node(), make.model())):
        lonely.settle()
        assert told(lonely) is None
        assert mounts(lonely) == []
        assert LABEL not in attempt(lonely)["metadata"]["labels"]
        assert "champion" not in lonely.status


def test_who_asks_for_nothing_is_measured_against_nothing() -> None:
    assert told(bench(evaluate={"against": "Nothing"})) is None


def test_versions_of_another_model_are_nothing_to_it() -> None:
    assert told(bench(model={"name": "other"})) is None


@pytest.mark.parametrize(
    ("uri", "modes", "says"),
    [
        ("pvc://models/a", None, "PersistentVolumeClaim 'models' of its artifact does not exist"),
        ("pvc://models/a", ["ReadWriteOnce"], "is neither ReadOnlyMany nor ReadWriteMany"),
        ("https://models/a", None, "neither pvc://claim/path nor s3://bucket/path"),
    ],
)
def test_a_champion_that_would_keep_the_pods_from_starting_is_not_mounted_and_said(
    uri: str, modes: list[str] | None, says: str
) -> None:
    claims = [{**make.claim("models"), "spec": {"accessModes": modes}}] if modes else []
    started = bench(*claims, version=make.champion(uri=uri))
    assert names(started, gvks.RAY_JOB) == ["RayJob/flights-a1"]
    assert told(started) is None
    assert mounts(started) == []
    assert LABEL not in attempt(started)["metadata"]["labels"]
    assert says in started.status["champion"]["problem"]
    assert says in started.notes[0].message
    assert says in beside(ended(started, None))["problem"]


def test_a_claim_that_many_nodes_can_mount_is_mounted() -> None:
    models = {**make.claim("models"), "spec": {"accessModes": ["ReadWriteMany"]}}
    started = bench(models, version=make.champion(uri="pvc://models/a/b"))
    assert told(started)["path"] == "/gyre/champion/a/b"
    assert len(mounts(started)) == 2


def test_a_bucket_is_reached_as_the_run_reaches_it() -> None:
    s3 = {"bucket": "runs", "endpoint": "http://s3:9000", "region": "eu", "credentialsSecret": {"name": "keys"}}
    started = bench(version=make.champion(uri="s3://models/a"), storage={"s3": s3})
    known = {"endpoint": "http://s3:9000", "region": "eu"}
    assert (told(started)["path"], told(started)["s3"]) == ("s3://models/a", known)
    data = make.dataset(s3={"bucket": "models", "endpoint": "http://data:9000", "credentialsSecret": "keys"})
    started = bench(data, version=make.champion(uri="s3://models/a"), storage={"s3": s3})
    assert told(started)["s3"] == {"endpoint": "http://data:9000"}


# ── what the version says ────────────────────────────────────────────────────────────────────────────────────────────

MEASURED = {"version": "flights-cccccccc", "digest": make.digest("c"), "metrics": {"auc": 0.69, "logLoss": 0.51}}


def ended(running: Bench, champion: Any) -> make.Object:
    """The ModelVersion of a run whose program said this of the champion."""
    running.started()
    evaluation = {**make.EVALUATION, "champion": champion}
    running.says("Succeeded", step=5000, artifact=make.artifact(), evaluation=evaluation)
    running.ray_job(jobStatus="SUCCEEDED", jobDeploymentStatus="Complete")
    running.settle()
    found = running.find(gvks.MODEL_VERSION, "flights-ffffffff")
    assert found is not None
    ModelVersion.parse(found)
    return found


def beside(version: make.Object) -> Any:
    return version["spec"]["evaluation"]["champion"]


def test_the_version_has_both_figures_of_the_same_rows(golden: Callable[[str, Any], None]) -> None:
    golden("model_version_beside_its_champion.yaml", clean(ended(bench(), MEASURED)))


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        (None, "the program did not measure it"),
        ("much better", "the program did not measure it"),
        ({**MEASURED, "metrics": {"auc": "high"}}, "the program did not measure it"),
        ({**MEASURED, "digest": make.digest("d")}, "the program did not measure it"),
        ({**MEASURED, "metrics": {}, "problem": "its files are gone"}, "its files are gone"),
        ({**MEASURED, "metrics": {}, "problem": "x" * 500}, "x" * 255 + "…"),
    ],
)
def test_what_was_not_measured_is_said_whatever_the_program_wrote(said: Any, problem: str) -> None:
    found = beside(ended(bench(), said))
    assert found == {"version": "flights-cccccccc", "digest": make.digest("c"), "problem": problem}


def test_a_program_cannot_say_of_whom_its_figures_are() -> None:
    found = beside(ended(bench(), {**MEASURED, "version": "somebody-else"}))
    assert found["version"] == "flights-cccccccc"


def test_a_run_without_a_champion_says_nothing_of_one() -> None:
    lonely = Bench()
    lonely.settle()
    assert "champion" not in ended(lonely, MEASURED)["spec"]["evaluation"]


# ── new data ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_retraining_takes_the_version_of_the_data_that_is_the_newest_when_it_starts() -> None:
    first = Bench().started()
    first.put(make.dataset(version=4, letter="9"))
    again = make.training_job(uid="uid-next")
    later = Bench(again, make.dataset(version=4, letter="9"), make.claim(), make.node())
    later.settle()
    pinned = [json.loads(of.run_map()["data"]["pins.json"])[0]["version"] for of in (first, later)]
    assert pinned == [3, 4]


def test_a_retraining_waits_while_the_data_are_read_anew() -> None:
    scanning = Bench(make.training_job(), make.dataset(ready=False), make.claim(), make.node())
    assert scanning.settle().reason == "DatasetNotReady"
    scanning.put(make.dataset(version=4, letter="9"))
    scanning.settle()
    assert scanning.status["datasets"][0]["version"] == 4
