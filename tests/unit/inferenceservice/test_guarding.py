"""A service with auth from the keys in a ConfigMap to the condition, and a comparison one of whose arms is gone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.unit.inferenceservice.worlds import NS, ROUTE, Story, a_service

from gyre.api import gvks
from gyre.api.effects import Ref
from gyre.api.kind import Decision

POLICY = Ref(gvks.SECURITY_POLICY, NS, "late")
JWT = {"issuer": "https://issuer.example", "audiences": ["late"], "jwks": {"configMap": {"name": "keys"}}}
KEY = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}


def keys(story: Story, text: str) -> None:
    story.put(gvks.CONFIG_MAP, {"metadata": {"name": "keys", "namespace": NS}, "data": {"jwks": text}})


def guarded(text: str | None = None, *, status: int = 401) -> Story:
    """Version a has the traffic; the gateway answers every request that must be refused with `status`."""
    story = Story(a_service(auth={"jwt": JWT}))
    if text is not None:
        keys(story, text)
    answers = story.cluster.answers

    def answer(url: str, headers: Mapping[str, str]) -> tuple[int, str]:
        return (status, "") if url.startswith("http://10.0.0.7:80/") else answers(url, headers)

    story.cluster.answers = answer
    return story.serving()


def accepted(story: Story) -> Decision:
    """The gateway says that it acts on the policy as it is now."""
    policy = story.cluster.objects[POLICY]
    generation = policy["metadata"].get("generation", 0)
    condition = {"type": "Accepted", "status": "True", "observedGeneration": generation}
    ancestor = {"ancestorRef": {"name": "gyre", "namespace": "gyre-gateway"}, "conditions": [condition]}
    story.put(gvks.SECURITY_POLICY, {**policy, "status": {"ancestors": [ancestor]}})
    return story.look(2)


def spec(story: Story) -> Any:
    return story.cluster.objects[POLICY]["spec"]


def test_keys_are_written_into_the_policy_and_access_is_proved():
    story = guarded(json.dumps({"keys": [KEY]}))
    decision = accepted(story)
    (provider,) = spec(story)["jwt"]["providers"]
    assert json.loads(provider["localJWKS"]["inline"]) == {"keys": [KEY]}
    assert (decision.reason, story.condition("AccessVerified")["status"]) == ("Serving", "True")


def test_keys_that_changed_are_noticed_within_a_minute():
    story = guarded(json.dumps({"keys": [KEY]}))
    decision = accepted(story)
    assert decision.after is not None
    assert decision.after <= 60
    keys(story, json.dumps({"keys": [{**KEY, "kid": "new"}]}))
    story.look(decision.after)
    assert '"kid":"new"' in spec(story)["jwt"]["providers"][0]["localJWKS"]["inline"]


def test_keys_that_were_broken_by_an_edit_shut_the_door_and_are_told():
    story = guarded(json.dumps({"keys": [KEY]}))
    accepted(story)
    keys(story, "-----BEGIN PUBLIC KEY-----")
    story.look(60)
    assert spec(story)["authorization"] == {"defaultAction": "Deny"}
    decision = accepted(story)
    assert decision.reason == "AccessUnverified"
    assert "holds no key to verify with" in decision.message
    assert story.condition("AccessVerified")["reason"] == "PolicyInvalid"


def test_without_the_config_map_nobody_gets_in_and_the_way_to_mend_it_is_said():
    story = guarded(status=403)
    decision = accepted(story)
    assert spec(story)["authorization"] == {"defaultAction": "Deny"}
    assert "kubectl -n ml create configmap keys --from-file=jwks=<file>" in decision.message


def test_an_open_door_is_not_called_well():
    story = guarded(json.dumps({"keys": [KEY]}), status=200)
    decision = accepted(story)
    assert (decision.outcome, decision.reason) == ("Stalled", "AccessUnverified")
    assert story.condition("AccessVerified")["reason"] == "OpenDoor"
    assert story.condition("Ready")["status"] == "False"


# A comparison one of whose arms is gone -------------------------------------------------------------------------------


def weights(story: Story) -> list[list[int]]:
    return [[ref["weight"] for ref in rule["backendRefs"]] for rule in story.cluster.objects[ROUTE]["spec"]["rules"]]


def answering(story: Story) -> list[list[str]]:
    """Letters of the versions in each rule's places."""
    rules = story.cluster.objects[ROUTE]["spec"]["rules"]
    return [[ref["name"].removesuffix("-predictor")[-1] for ref in rule["backendRefs"]] for rule in rules]


def compared() -> Story:
    """Arms a and b both answer."""
    story = Story(a_service(ab={"version": "delays-b", "split": 30})).serving()
    story.look()
    story.comes_up("b")
    story.look(1)
    story.programs()
    story.look(1)
    return story


def test_both_arms_get_their_callers_once_both_can_answer():
    assert weights(compared()) == [[1, 0], [0, 1], [70, 30]]


def test_an_arm_that_is_gone_is_answered_for_by_the_other_and_that_is_said():
    story = compared()
    story.comes_up("b", ready=False)
    story.look(1)
    story.programs()
    decision = story.look(1)
    assert answering(story) == [["a", "a"]] * 3
    assert weights(story) == weights(compared()), "no cluster of Envoy comes or goes"
    assert decision.reason == "ArmDown"
    assert "arm b (delays-b) has no ready endpoint: its callers are answered by arm a (delays-a)" in decision.message
    story.comes_up("b")
    story.look(1)
    story.programs()
    assert story.look(1).reason == "Serving"
    assert answering(story) == [["a", "b"]] * 3


def test_why_an_arm_does_not_come_up_is_said():
    story = Story(a_service(ab={"version": "delays-b"})).serving()
    story.look()
    story.crashes("b", "cannot load")
    story.look(1)
    story.programs()
    decision = story.look(1)
    assert decision.reason == "ArmDown"
    assert "delays-b" in decision.message
    assert "cannot load" in decision.message
