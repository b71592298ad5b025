"""The token of a prediction log: made once, mounted by reference, told to nobody."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from tests.unit.inferenceservice.test_log import ADDRESS, DEPLOYMENT, LOG, A, Logged, service
from tests.unit.inferenceservice.worlds import ready_pod

from gyre.adapters.predictionlog import LOG_LABEL
from gyre.api import gvks
from gyre.api.effects import Ref
from gyre.api.install import NAME
from gyre.kinds.inferenceservice import collecting
from gyre.kinds.inferenceservice.collecting import collector
from gyre.kinds.inferenceservice.names import SERVICE_LABEL
from gyre.kinds.inferenceservice.predictor import predictor as made
from gyre.kinds.inferenceservice.tokens import policies

TOKEN = Ref(gvks.SECRET, "ml", "late-log-token")
EXAMPLES = Path(__file__).parents[3] / "examples"


def test_predictor_and_collector_get_the_token_by_reference_and_the_predictor_starts_without():
    pods, (_, deployment) = made(service(log=LOG), A)["spec"]["predictor"], collector(service(log=LOG))
    wants = [e for e in deployment["spec"]["template"]["spec"]["containers"][0]["env"] if e["name"] == "GYRE_LOG_TOKEN"]
    assert wants[0]["valueFrom"] == {"secretKeyRef": {"name": "late-log-token", "key": "token"}}
    (volume,) = (one for one in pods["volumes"] if one["name"] == "log-token")
    items = [{"key": "token", "path": "token"}]
    assert volume["secret"] == {"secretName": "late-log-token", "items": items, "optional": True}
    told = {entry["name"]: entry.get("value") for entry in pods["containers"][0]["env"]}
    assert told["GYRE_LOG_TOKEN_FILE"] == "/var/gyre/log-token/token"


def test_a_token_of_ones_own_takes_the_place_of_the_one_that_gyre_makes():
    own = {**LOG, "tokenSecretRef": {"name": "mine", "key": "log"}}
    text = json.dumps([made(service(log=own), A), *collector(service(log=own))])
    assert text.count('"mine"') == 2
    assert "late-log-token" not in text


def test_without_a_token_nobody_mounts_one():
    text = json.dumps([made(service(log={**LOG, "auth": "None"}), A), *collector(service(log={**LOG, "auth": "None"}))])
    assert '"name": "GYRE_LOG_AUTH", "value": "None"' in text
    assert "token" not in text.replace("automountServiceAccountToken", "").lower()


def test_the_token_is_made_once_before_the_collector_and_is_told_to_nobody():
    story = Logged()
    story.serving()
    made = list(story.cluster.objects)
    assert made.index(TOKEN) < made.index(DEPLOYMENT)
    secret = story.cluster.objects[TOKEN]
    assert secret["type"] == "gyre.dev/log-token"
    assert secret["metadata"]["ownerReferences"][0]["kind"] == "InferenceService"
    story.look(60)
    assert story.cluster.objects[TOKEN] == secret
    drawn = secret["stringData"]["token"]
    others = [obj for ref, obj in story.cluster.objects.items() if ref != TOKEN]
    assert f'"{drawn}"' not in json.dumps([*others, [note.message for note in story.cluster.notes]], default=str)


def waits_for(name: str) -> dict[str, Any]:
    message = f'secret "{name}" not found'
    container = {
        "name": "collector",
        "state": {"waiting": {"reason": "CreateContainerConfigError", "message": message}},
    }
    labels = {LOG_LABEL: "late", "app.kubernetes.io/managed-by": "gyre"}
    pod = ready_pod("late-log-x", labels, ADDRESS)
    status = {**pod["status"], "phase": "Pending", "conditions": [], "containerStatuses": [container]}
    return {**pod, "status": status}


def test_a_token_that_is_gone_is_made_again_when_a_collector_cannot_start_without():
    story = Logged()
    story.serving()
    story.drop(gvks.SECRET, "late-log-token")
    story.look(60)
    assert TOKEN not in story.cluster.objects, "nobody reads Secrets, so nobody knows yet"
    story.put(gvks.POD, waits_for("late-log-token"))
    story.look(1)
    assert TOKEN in story.cluster.objects
    assert 'secret "late-log-token" not found' in story.message()


def test_a_token_of_ones_own_is_never_made_and_its_absence_is_told():
    story = Logged(tokenSecretRef={"name": "mine", "key": "log"})
    story.serving()
    story.put(gvks.POD, waits_for("mine"))
    story.look(1)
    assert not any(ref.gvk == gvks.SECRET for ref in story.cluster.objects)
    assert story.condition() == ("Unknown", "LogNotReadable")
    assert 'secret "mine" not found' in story.message()


def test_who_wants_no_token_gets_none_and_may_change_that():
    story = Logged(auth="None")
    story.serving()
    assert TOKEN not in story.cluster.objects
    story.edit(log=LOG)
    story.look(1)
    assert TOKEN in story.cluster.objects


def test_the_policy_is_about_the_account_that_is_installed():
    policy, bound = policies()
    (condition,) = policy["spec"]["matchConditions"]
    assert f"endsWith(':{NAME}')" in condition["expression"]
    assert bound["spec"]["policyName"] == policy["metadata"]["name"]


def test_the_network_policy_of_the_examples_is_about_our_pods():
    policy = yaml.safe_load((EXAMPLES / "networkpolicy-log.yaml").read_text())
    assert policy["spec"]["podSelector"]["matchLabels"] == {LOG_LABEL: "flights"}
    (entry,) = policy["spec"]["ingress"]
    assert entry["from"][0]["podSelector"]["matchLabels"] == {SERVICE_LABEL: "flights"}
    assert [port["port"] for port in entry["ports"]] == [collecting.PORT]
