"""What a service needs and does not have: it says so, and the traffic stays where it is."""

from __future__ import annotations

import pytest
from tests.unit.inferenceservice.test_rollout import steadily
from tests.unit.inferenceservice.worlds import GIS, LEDGER, NOW, Story, a_service, a_version, gateway, ready_pod

from gyre.adapters.kserve import CONTROLLER, DEFINITION
from gyre.api import gvks
from gyre.api.kind import Outcome


def kserve_goes(story: Story) -> None:
    story.drop(gvks.POD, "kserve-1")


def kserve_returns(story: Story) -> None:
    story.put(gvks.POD, ready_pod("kserve-1", CONTROLLER, "10.0.0.2", "kserve"))


def test_without_a_gateway_it_stalls_and_says_what_to_do():
    story = Story()
    story.drop(gvks.GATEWAY, "gyre")
    decision = story.look()
    assert (decision.outcome, str(decision.reason)) == (Outcome.STALLED, "GatewayMissing")
    assert "Gateway gyre-gateway/gyre does not exist" in decision.message
    assert "fix spec.gateway" in decision.message


def test_a_gateway_that_is_not_programmed_is_waited_for():
    story = Story()
    story.put(gvks.GATEWAY, gateway(programmed=False))
    story.look()
    story.comes_up("a")
    decision = story.look(5)
    assert (decision.outcome, str(decision.reason)) == (Outcome.PROGRESSING, "GatewayNotReady")
    assert "no address yet" in decision.message


def test_without_kserve_it_stalls_and_comes_up_by_itself_later():
    story = Story()
    story.drop(gvks.CUSTOM_RESOURCE_DEFINITION, DEFINITION)
    decision = story.look()
    assert (decision.outcome, str(decision.reason)) == (Outcome.STALLED, "KServeMissing")
    assert decision.after is not None
    story.put(gvks.CUSTOM_RESOURCE_DEFINITION, {"metadata": {"name": DEFINITION}})
    assert str(story.look(15).reason) == "Deploying"


def test_a_controller_of_kserve_that_is_down_is_named_and_nothing_is_written_to_its_webhooks():
    story = Story().serving()
    kserve_goes(story)
    story.ask_for("b")
    decision = story.look()
    assert (decision.outcome, str(decision.reason)) == (Outcome.WAITING, "KServeDown")
    assert "delays-a (aaaaaaaaaaaa) has all traffic meanwhile" in decision.message
    assert "control-plane=kserve-controller-manager" in decision.message
    assert story.predictors == ["a"]
    kserve_returns(story)
    story.look(15)
    assert story.predictors == ["a", "b"]


def test_nothing_is_promoted_while_kserve_is_down_but_a_bad_candidate_is_rolled_back():
    story = Story().serving().candidate()
    kserve_goes(story)
    decision = steadily(story, looks=5)
    assert story.backends == [("a", 90), ("b", 10)]
    assert str(decision.reason) == "KServeDown"
    assert "nothing is promoted without it" in decision.message
    steadily(story, b=0.9, looks=5)
    assert story.backends == [("a", 100)]


def test_a_change_of_the_spec_waits_for_kserve_too():
    story = Story().serving()
    kserve_goes(story)
    story.edit(replicas=2)
    assert str(story.look(1).reason) == "KServeDown"


def test_a_version_that_does_not_exist_leaves_the_traffic_alone():
    story = Story().serving()
    story.edit(modelRef={"name": "delays", "track": "Version", "version": "typo"})
    decision = story.look(1)
    assert (decision.outcome, str(decision.reason)) == (Outcome.STALLED, "VersionMissing")
    assert "fix spec.modelRef.version; delays-a (aaaaaaaaaaaa) has all traffic meanwhile" in decision.message
    assert story.backends == [("a", 100)]


def test_a_model_that_comes_a_moment_later_is_waited_for_and_one_that_does_not_come_is_said():
    service = a_service(modelRef={"name": "later", "track": "Champion"})
    story = Story({**service, "metadata": {**service["metadata"], "creationTimestamp": NOW.isoformat()}})
    decision = story.look()
    assert (decision.outcome, str(decision.reason)) == (Outcome.WAITING, "ModelMissing")
    assert decision.after is not None
    later = story.look(decision.after)
    assert (later.outcome, str(later.reason)) == (Outcome.STALLED, "ModelMissing")


def test_a_version_of_another_model_is_not_served():
    story = Story()
    story.put(gvks.MODEL_VERSION, a_version("a", modelRef={"name": "other"}))
    decision = story.look()
    assert str(decision.reason) == "VersionMissing"
    assert "belongs to Model 'other'" in decision.message


def test_a_version_that_vanishes_in_mid_rollout_holds_the_weights():
    story = Story().serving().candidate()
    story.edit(modelRef={"name": "delays", "track": "Version", "version": "typo"})
    decision = story.takes(a=(900, 4), b=(100, 0))
    assert (decision.outcome, str(decision.reason)) == (Outcome.STALLED, "VersionMissing")
    assert "the weights stay" in decision.message
    assert story.backends == [("a", 90), ("b", 10)]


def test_a_version_that_is_not_registered_yet_is_waited_for():
    story = Story()
    story.put(gvks.MODEL_VERSION, a_version("a", ready=False))
    decision = story.look()
    assert (decision.outcome, str(decision.reason)) == (Outcome.WAITING, "VersionNotReady")


def test_files_that_no_pod_can_reach_are_said_to_be_so():
    story = Story()
    artifact = {"uri": "https://example.com/model", "digest": "sha256:" + "a" * 64, "flavour": "torch"}
    story.put(gvks.MODEL_VERSION, a_version("a", artifact=artifact))
    decision = story.look()
    assert str(decision.reason) == "ArtifactUnreachable"
    assert "pvc://claim/path nor s3://bucket/path" in decision.message


def test_a_claim_that_does_not_exist_is_named_before_a_pod_waits_for_it():
    story = Story()
    story.drop(gvks.PERSISTENT_VOLUME_CLAIM, "runs")
    decision = story.look()
    assert (decision.outcome, str(decision.reason)) == (Outcome.STALLED, "StorageMissing")
    assert story.predictors == []


def test_counters_out_of_reach_hold_the_weights_and_are_said_to_be_missing():
    story = Story().serving().candidate()
    story.silent["10.0.0.1"] = "no answer within 2 s"
    decision = steadily(story, looks=20)
    assert (decision.outcome, str(decision.reason)) == (Outcome.WAITING, "MetricsUnavailable")
    assert "Envoy pod envoy-1 does not tell its counters: no answer within 2 s" in decision.message
    assert story.condition("MetricsAvailable")["status"] == "False"
    assert story.backends == [("a", 90), ("b", 10)]
    del story.silent["10.0.0.1"]
    steadily(story)
    assert story.history[0] == ("Promoted", "b"), "what was missed comes with the next look"


def test_a_pod_that_does_not_tell_its_metrics_holds_the_weights():
    story = Story().serving().candidate()
    story.silent[story.address("b")] = "ConnectionRefusedError"
    decision = story.takes(a=(900, 4), b=(100, 0))
    assert "pod late-bbbbbbbb-x does not tell its metrics" in decision.message
    assert story.ledger.rollout is not None
    assert story.ledger.rollout.candidate_counts.requests == 0


def test_a_version_whose_pods_time_fewer_requests_than_the_gateway_counted_is_not_taken_for_quick():
    story = Story().serving().candidate()
    story.shapes["b"] = {}
    answer = story.cluster.answers
    story.cluster.answers = lambda url, headers: (200, "") if story.address("b") in url else answer(url, headers)
    decision = steadily(story, looks=5)
    assert str(decision.reason) == "MetricsUnavailable"
    assert "requests to the candidate, and its pods timed 0 of them" in decision.message


def test_a_gateway_without_a_ready_envoy_counts_nothing():
    story = Story().serving().candidate()
    story.drop(gvks.POD, "envoy-1")
    decision = story.takes(a=(900, 4), b=(100, 0))
    assert "no Envoy pod of Gateway gyre-gateway/gyre is ready" in decision.message


def test_weights_that_are_not_honoured_are_evidence_of_nothing():
    story = Story().serving().candidate()
    for _ in range(5):
        decision = story.takes(a=(500, 2), b=(500, 300))
        if story.ledger.rollout is None:
            break
    assert story.ledger.rollout is None, "more than half failing needs no weights"
    story = Story().serving().candidate()
    for _ in range(5):
        decision = story.takes(a=(500, 2), b=(500, 30))
    assert (decision.outcome, str(decision.reason)) == (Outcome.WAITING, "WeightsNotHonoured")
    assert "should have 10% of the requests and has had 50% so far" in decision.message
    assert story.condition("WeightsHonoured")["status"] == "False"
    assert story.backends == [("a", 90), ("b", 10)]


@pytest.mark.parametrize(
    ("policy", "event"),
    [("Rollback", ("RolledBack", "b")), ("Promote", ("Promoted", "b")), ("Hold", ("Deployed", "a"))],
)
def test_an_undecided_deadline_is_met_as_the_policy_says(policy: str, event: tuple[str, str]):
    story = Story(a_service(rollout={"deadline": "2m", "onInconclusive": policy})).serving().candidate()
    for _ in range(3):
        story.takes(a=(9, 0), b=(1, 0))
    decision = story.takes(120, a=(9, 0), b=(1, 0))
    assert story.history[0] == event
    if policy == "Hold":
        assert (decision.outcome, str(decision.reason)) == (Outcome.STALLED, "Inconclusive")
        assert "undecided after 0:02:00" in decision.message
        assert story.backends == [("a", 90), ("b", 10)]
    if policy == "Rollback":
        assert story.ledger.quarantined[0].cause == "Inconclusive", "or it would begin again at once"


def test_nothing_is_promoted_blindly_at_the_deadline():
    story = Story(a_service(rollout={"deadline": "2m", "onInconclusive": "Promote"})).serving().candidate()
    story.silent["10.0.0.1"] = "no answer within 2 s"
    decision = story.takes(200, a=(900, 4), b=(100, 0))
    assert (decision.outcome, str(decision.reason)) == (Outcome.STALLED, "Inconclusive")
    assert story.backends == [("a", 90), ("b", 10)]


def test_a_bad_verdict_after_a_held_deadline_still_rolls_back():
    story = Story(a_service(rollout={"deadline": "2m"})).serving().candidate()
    story.takes(130, a=(9, 0), b=(1, 0))
    steadily(story, b=0.05)
    assert story.history[0] == ("RolledBack", "b")


def test_usual_latency_is_learnt_before_anything_is_judged():
    story = Story()
    story.look()
    story.comes_up("a")
    story.look(5)
    story.programs()
    story.look(1)
    story.ask_for("b")
    story.look()
    story.comes_up("b")
    story.look(5)
    story.programs()
    decision = story.look(3)
    assert "waits to be judged until 50 requests to the stable version" in decision.message
    story.takes(a=(60, 0), b=(6, 6))
    assert story.ledger.rollout is not None
    assert story.ledger.rollout.counting is not None
    assert story.ledger.rollout.candidate_counts.requests == 0, "what came before belongs to nobody"


def test_a_ledger_that_was_edited_stalls_it_and_the_traffic_stays():
    story = Story().serving()
    obj = story.cluster.objects[LEDGER]
    story.put(gvks.CONFIG_MAP, {**obj, "data": {"rollout.json": "{"}})
    decision = story.look(1)
    assert (decision.outcome, str(decision.reason)) == (Outcome.STALLED, "LedgerUnreadable")
    assert story.backends == [("a", 100)]


def test_children_of_a_deleted_namesake_are_left_alone():
    story = Story().serving()
    obj = story.cluster.objects[GIS]
    story.put(gvks.INFERENCE_SERVICE, {**obj, "metadata": {**obj["metadata"], "uid": "another"}})
    decision = story.look(1)
    assert (decision.outcome, str(decision.reason)) == (Outcome.WAITING, "WaitingForNamesake")
    assert "ConfigMap late-rollout" in decision.message
    assert decision.effects == ()


def test_a_stable_version_without_a_ready_pod_is_not_available():
    story = Story().serving()
    story.comes_up("a", ready=False)
    decision = story.look(1)
    assert (decision.outcome, str(decision.reason)) == (Outcome.WAITING, "NotAvailable")
    assert story.condition("Available")["status"] == "False"
    assert story.backends == [("a", 100)], "there is nowhere else to send it"


def test_a_webhook_that_refuses_pods_is_quoted():
    story = Story().serving()
    failure = {"type": "ReplicaFailure", "status": "True", "message": 'failed calling webhook "pod-mutator"'}
    story.comes_up("a", ready=False, conditions=[failure])
    story.drop(gvks.POD, "late-aaaaaaaa-x")
    decision = story.look(1)
    assert (decision.outcome, str(decision.reason)) == (Outcome.STALLED, "CannotMakePods")
    assert "failed calling webhook" in decision.message


def test_a_shadow_that_does_not_exist_is_named_and_the_service_goes_on():
    story = Story(a_service(shadow={"version": "typo"})).serving()
    decision = story.look()
    assert str(decision.reason) == "VersionMissing"
    assert decision.message.startswith("spec.shadow.version: ModelVersion 'typo' does not exist")
    assert story.backends == [("a", 100)]
