"""What users ask for while something else goes on: another version, the old one again, the same that failed."""

from __future__ import annotations

import pytest
from tests.unit.inferenceservice.test_rollout import steadily
from tests.unit.inferenceservice.worlds import GIS, Story, a_service, a_version, digest

from gyre.api import gvks
from gyre.api.kind import Outcome


def test_a_warm_version_takes_the_traffic_back_at_once():
    story = Story().serving().candidate()
    steadily(story)
    story.programs()
    story.look(1)
    story.ask_for("a")
    decision = story.look(1)
    assert str(decision.reason) == "Routing"
    assert story.backends == [("a", 100)], "no canary, no wait"
    assert story.history[0] == ("Switched", "a")
    assert [entry["version"] for entry in story.status["warm"]] == ["delays-b"]


def test_a_warm_version_without_a_ready_pod_takes_over_when_it_has_one():
    story = Story().serving().candidate()
    steadily(story)
    story.comes_up("a", ready=False)
    story.ask_for("a")
    story.look(1)
    assert story.backends == [("b", 100)]
    story.comes_up("a")
    story.look(5)
    assert story.backends == [("a", 100)]


def test_the_stable_version_again_ends_a_rollout_without_a_verdict():
    story = Story().serving().candidate()
    story.ask_for("a")
    story.look(1)
    assert story.backends == [("a", 100)]
    assert story.ledger.quarantined == ()
    assert story.history[0] == ("Abandoned", "b")
    story.programs()
    assert story.look(1).outcome is Outcome.SETTLED
    assert story.predictors == ["a"]


def test_a_newer_version_replaces_the_candidate_and_begins_at_the_first_step():
    story = Story().serving().candidate()
    story.takes(a=(900, 4), b=(100, 0))
    story.ask_for("c")
    story.look(1)
    assert story.backends == [("a", 100)]
    assert "c" not in story.predictors, "the candidate's predictor goes first"
    story.programs()
    story.look(1)
    story.gone()
    story.look(1)
    assert story.predictors == ["a", "c"]
    story.comes_up("c")
    story.look(5)
    assert story.backends == [("a", 90), ("c", 10)]
    assert story.history[0] == ("Abandoned", "b")


def test_a_newer_version_waits_where_the_policy_says_so():
    story = Story(a_service(rollout={"onNewer": "Wait"})).serving().candidate()
    story.ask_for("c")
    story.look(1)
    assert dict(story.backends)["b"] == 10
    steadily(story)
    assert story.history[0] == ("Promoted", "b")
    story.programs()
    story.look(1)
    assert story.ledger.rollout is not None
    assert story.ledger.rollout.candidate.name == "delays-c"


def test_a_version_that_failed_is_not_tried_again_however_often_it_is_applied():
    story = Story().serving().candidate()
    story.takes(a=(180, 0), b=(20, 20))
    story.programs()
    story.look(1)
    story.gone()
    for _ in range(3):
        story.ask_for("a")
        story.look(1)
        story.ask_for("b")
        decision = story.look(1)
        assert (decision.outcome, str(decision.reason)) == (Outcome.STALLED, "RevisionQuarantined")
        assert story.backends == [("a", 100)]
        assert story.predictors == ["a"]


def test_another_version_with_the_same_files_is_quarantined_too():
    story = Story().serving().candidate()
    story.takes(a=(180, 0), b=(20, 20))
    story.put(gvks.MODEL_VERSION, {**a_version("c"), "spec": a_version("b")["spec"]})
    story.ask_for("c")
    story.programs()
    assert str(story.look(1).reason) == "RevisionQuarantined"


@pytest.mark.parametrize("value", ["all", "delays-b", digest("b"), digest("b")[:19], "b" * 8])
def test_an_annotation_releases_a_digest_once(value: str):
    story = Story().serving().candidate()
    story.takes(a=(180, 0), b=(20, 20))
    story.programs()
    story.look(1)
    story.gone()
    annotate(story, value)
    story.look(1)
    assert story.ledger.quarantined == ()
    assert story.ledger.rollout is not None, "tried again"
    assert ("Released", "b") in story.history
    story.comes_up("b")
    story.look(5)
    story.programs()
    story.look(3)
    story.takes(a=(180, 0), b=(20, 20))
    story.programs()
    story.look(1)
    story.gone()
    assert str(story.look(1).reason) == "RevisionQuarantined", "the same value does not release it again"
    annotate(story, "")
    story.look(1)
    annotate(story, value)
    story.look(1)
    assert story.ledger.rollout is not None, "taken away and set again, it does"


@pytest.mark.parametrize("value", ["none", "b" * 7, "delays-a", "sha256:" + "a" * 8])
def test_an_annotation_that_means_another_digest_releases_nothing(value: str):
    story = Story().serving().candidate()
    story.takes(a=(180, 0), b=(20, 20))
    annotate(story, value)
    story.programs()
    story.look(1)
    assert [entry.digest for entry in story.ledger.quarantined] == [digest("b")]


def annotate(story: Story, value: str) -> None:
    obj = story.cluster.objects[GIS]
    annotations = {"gyre.dev/release-quarantine": value} if value else {}
    story.put(gvks.INFERENCE_SERVICE, {**obj, "metadata": {**obj["metadata"], "annotations": annotations}})


def test_the_champion_is_followed_as_the_model_ranks_it():
    story = Story(a_service(modelRef={"name": "delays"}))
    ranked = {"metadata": {"name": "delays", "namespace": "ml"}}
    story.put(gvks.MODEL, {**ranked, "spec": {"objective": {"metric": "auc", "goal": "Maximize"}}})
    for letter, auc in (("a", "0.7"), ("b", "0.6"), ("c", None)):
        story.put(gvks.MODEL_VERSION, a_version(letter, metrics={"auc": auc} if auc else {}))
    story.serving()
    assert story.ledger.stable is not None
    assert story.ledger.stable.name == "delays-a"
    story.put(gvks.MODEL_VERSION, a_version("b", metrics={"auc": "0.8"}))
    story.look(1)
    assert story.ledger.rollout is not None
    assert (story.ledger.rollout.candidate.name, story.ledger.rollout.by) == ("delays-b", "Model/delays")


def test_who_asked_is_remembered_by_the_field_manager():
    story = Story().serving()
    story.ask_for("b")
    obj = story.cluster.objects[GIS]
    wrote = {"manager": "argocd-controller", "operation": "Apply", "time": "2026-11-23T08:00:00Z"}
    fields = {"f:spec": {"f:modelRef": {"f:version": {}}}}
    story.put(
        gvks.INFERENCE_SERVICE,
        {**obj, "metadata": {**obj["metadata"], "managedFields": [{**wrote, "fieldsV1": fields}]}},
    )
    story.look(1)
    assert story.ledger.rollout is not None
    assert story.ledger.rollout.by == "argocd-controller"


def test_no_rollout_begins_while_arms_are_compared():
    story = Story(a_service(ab={"version": "delays-b"})).serving()
    story.look()
    story.comes_up("b")
    story.look(1)
    story.programs()
    story.ask_for("c")
    decision = story.look(5)
    assert str(decision.reason) == "AbRunning"
    assert "take spec.ab away" in decision.message
    story.edit(ab=None)
    story.look(1)
    assert story.ledger.rollout is None, "arm B's predictor goes first"
    story.programs()
    story.look(1)
    story.gone()
    story.look(1)
    assert story.ledger.rollout is not None
    assert story.ledger.rollout.candidate.name == "delays-c"
