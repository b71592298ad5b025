"""What a ModelVersion does and tells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.modelversion.versions import NOW, a_model, a_version, a_warm_start
from tests.unit.reading import Cluster

from gyre.adapters.versions import ModelVersionView
from gyre.api import gvks
from gyre.api.effects import Ref
from gyre.api.kind import Decision, Outcome
from gyre.kinds.modelversion import KIND, desired, version_of_user

VERSION = Ref(gvks.MODEL_VERSION, "ml", "delay-1")
MODEL = Ref(gvks.MODEL, "ml", "delay")


class Place:
    def __init__(self, version: Any = None, *others: tuple[Any, Any]) -> None:
        self.cluster = Cluster()
        self.cluster.put(gvks.MODEL_VERSION, version or a_version())
        for gvk, obj in others:
            self.cluster.put(gvk, obj)

    def look(self) -> Decision:
        return self.cluster.look(KIND, VERSION, NOW)

    @property
    def status(self) -> Any:
        return self.cluster.objects[VERSION]["status"]

    @property
    def owners(self) -> list[str]:
        return [owner["uid"] for owner in self.cluster.objects[VERSION]["metadata"]["ownerReferences"]]

    def conditions(self) -> dict[str, str]:
        return {c["type"]: c["status"] for c in self.status["conditions"]}


def test_a_first_version_brings_its_model_and_belongs_to_it():
    place = Place()
    assert place.look().outcome is Outcome.SETTLED
    assert place.cluster.objects[MODEL]["spec"] == {}
    assert place.owners == [place.cluster.objects[MODEL]["metadata"]["uid"]]
    assert [note.reason for note in place.cluster.notes] == ["Registered"]


def test_a_model_that_exists_keeps_what_its_author_wrote():
    place = Place(None, (gvks.MODEL, a_model(description="delays", risk="Limited")))
    place.look()
    assert place.cluster.objects[MODEL]["spec"] == {"description": "delays", "risk": "Limited"}
    assert place.owners == ["m1"]


def test_a_registered_version_is_left_alone():
    place = Place(a_version(owner="m1"), (gvks.MODEL, a_model()))
    decision = place.look()
    assert decision.outcome is Outcome.SETTLED
    assert not place.cluster.carry_out(decision.effects)
    assert place.cluster.notes == []


def test_a_version_of_a_deleted_model_does_not_bring_it_back():
    place = Place(a_version(owner="gone"))
    decision = place.look()
    assert (decision.outcome, decision.reason) == (Outcome.WAITING, "ModelGone")
    assert MODEL not in place.cluster.objects


def test_a_version_of_a_deleted_model_does_not_move_to_its_namesake():
    place = Place(a_version(owner="gone"), (gvks.MODEL, a_model(uid="m2")))
    assert place.look().reason == "ModelGone"
    assert place.owners == ["gone"]


def test_a_version_that_was_orphaned_gets_a_model_again():
    place = Place(a_version(metadata={"ownerReferences": []}))
    place.look()
    assert MODEL in place.cluster.objects


def test_nothing_is_handed_to_a_model_on_its_way_out():
    going = a_model()
    going["metadata"]["deletionTimestamp"] = "2026-11-23T08:00:00Z"
    place = Place(a_version(), (gvks.MODEL, going))
    assert place.look().reason == "ModelGoing"


def test_an_artifact_is_never_assumed_to_be_good():
    place = Place()
    place.look()
    assert place.conditions() == {"Ready": "True", "Registered": "True", "VerifiedArtifact": "Unknown"}


def test_the_columns_say_what_it_is_worth_and_where_it_is_from():
    place = Place()
    place.look()
    columns = {key: place.status[key] for key in ("headline", "baseline", "trainedOn", "trainedBy")}
    assert columns == {
        "headline": "auc 0.7123",
        "baseline": "auc 0.5000",
        "trainedOn": "flights@v3 ffffffffffff",
        "trainedBy": "TrainingJob/delay-run",
    }


def test_the_metric_that_speaks_is_that_of_the_models_objective():
    objective = {"metric": "loss", "goal": "Minimize"}
    place = Place(None, (gvks.MODEL, a_model(objective=objective)))
    place.look()
    assert place.status["headline"] == "loss 0.4100"
    assert "baseline" not in place.status


def test_a_version_without_any_metric_is_registered_too():
    place = Place(a_version(auc=None))
    assert place.look().outcome is Outcome.SETTLED
    assert "headline" not in place.status


@pytest.mark.parametrize(("done", "users"), [("", 1), ("Unknown", 1), ("True", 0), ("False", 0)])
def test_a_warm_start_uses_a_version_until_the_job_is_over(done: str, users: int):
    place = Place(None, (gvks.TRAINING_JOB, a_warm_start("delay-1", done=done)))
    place.look()
    assert len(place.status.get("inUseBy", ())) == users


def test_a_label_uses_a_version_too():
    job = a_warm_start("", labels={"gyre.dev/uses-model-version": "delay-1"})
    place = Place(None, (gvks.TRAINING_JOB, job))
    place.look()
    assert place.status["inUseBy"] == [{"kind": "TrainingJob", "name": "next"}]


def test_a_predictor_uses_the_version_that_it_serves_on_behalf_of_its_service():
    labels = {"gyre.dev/uses-model-version": "delay-1", "gyre.dev/inferenceservice": "late"}
    predictor = {"metadata": {"name": "late-aaaaaaaa", "namespace": "ml", "labels": labels}}
    place = Place(None, (gvks.KSERVE_SERVICE, predictor))
    place.look()
    assert place.status["inUseBy"] == [{"kind": "InferenceService", "name": "late"}]


def test_an_attempt_uses_the_version_that_it_is_measured_against_on_behalf_of_its_job():
    labels = {"gyre.dev/uses-model-version": "delay-1", "gyre.dev/trainingjob": "next"}
    attempt = {"kind": "RayJob", "metadata": {"name": "next-a1", "namespace": "ml", "labels": labels}}
    place = Place(None, (gvks.RAY_JOB, attempt))
    place.look()
    assert place.status["inUseBy"] == [{"kind": "TrainingJob", "name": "next"}]
    assert set(version_of_user(attempt)) == {("ml", "delay-1")}


def test_a_job_that_starts_from_a_version_and_is_measured_against_it_uses_it_once():
    labels = {"gyre.dev/uses-model-version": "delay-1", "gyre.dev/trainingjob": "next"}
    attempt = {"metadata": {"name": "next-a1", "namespace": "ml", "labels": labels}}
    place = Place(None, (gvks.RAY_JOB, attempt), (gvks.TRAINING_JOB, a_warm_start("delay-1")))
    place.look()
    assert place.status["inUseBy"] == [{"kind": "TrainingJob", "name": "next"}]


@pytest.mark.parametrize(
    ("figures", "says"),
    [
        ({"metrics": {"auc": "0.69", "loss": "0.5"}}, "auc 0.6900 of delay-0"),
        ({"problem": "its files are gone"}, "delay-0 was not measured"),
    ],
)
def test_the_champion_of_its_time_stands_beside_it(figures: Any, says: str):
    version = a_version()
    version["spec"]["evaluation"]["champion"] = {"version": "delay-0", "digest": "sha256:" + "0" * 64, **figures}
    place = Place(version)
    place.look()
    assert place.status["against"] == says


def test_a_job_that_is_over_still_wakes_its_version():
    assert set(version_of_user(a_warm_start("delay-1", done="True"))) == {("ml", "delay-1")}
    assert set(version_of_user(a_warm_start(""))) == set()


def test_the_view_survives_any_half_written_object():
    for obj in (
        {},
        {"metadata": {"name": "x"}},
        {"spec": {"metrics": {"auc": "NaN", "loss": "much"}}},
        {"status": None},
    ):
        assert not ModelVersionView.of(obj).ready


def test_the_policy_on_deletion(golden: Callable[[str, Any], None]):
    golden("policies.yaml", list(desired.policies()))
