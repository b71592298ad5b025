"""Rollouts on a real API server, by the operator as users run it; KServe, the gateway and the callers are played."""

from __future__ import annotations

import base64
import json
import random
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.api.actors import Team
from tests.api.cluster import Cluster, Refused, holds
from tests.api.conftest import Replicas
from tests.api.install import OPERATOR
from tests.api.running import Operator
from tests.api.serving import Serving, Systems, history, stable_is

from gyre.api import gvks
from gyre.api.effects import Ref
from gyre.api.rbac import binding, cluster_role
from gyre.kinds import KINDS

KILLS = 6
SECONDS = 90
LOG = {"uri": "pvc://runs/log", "auth": "None"}
"""For a runtime that is not gyre's: KServe's agent cannot send a token."""


@pytest.fixture(scope="module")
def systems(cluster: Cluster) -> Systems:
    return Systems(cluster)


@pytest.fixture
def serving(cluster: Cluster, systems: Systems, namespace: str, operator: Operator) -> Iterator[Serving]:
    """Version a has all traffic; b and c are registered."""
    made = Serving(cluster, namespace)
    with made.played():
        made.versions("a", "b", "c")
        made.create("a")
        cluster.wait(made.service, "is served", holds("Ready"), seconds=SECONDS)
        yield made
        if cluster.get(made.service):
            cluster.delete(made.service)


def shares(serving: Serving, letter: str) -> list[int]:
    """What the letter had of the traffic, each time that the gateway took up a route."""
    return [weights.get(letter, 0) for weights in serving.seen]


def test_a_good_version_is_promoted_step_by_step(cluster: Cluster, serving: Serving):
    serving.ask_for("b")
    obj = cluster.wait(serving.service, "has promoted b", stable_is("b"), seconds=SECONDS)
    assert history(obj) == ["Deployed a", "Promoted b"]
    assert obj["status"]["history"][0]["by"], "the field manager that changed modelRef"
    assert shares(serving, "b")[1:4] == [20, 50, 100]


def test_a_bad_version_is_rolled_back_and_applying_it_again_changes_nothing(cluster: Cluster, serving: Serving):
    serving.failing["b"] = 0.08
    serving.ask_for("b")
    cluster.wait(serving.service, "says so", lambda o: history(o)[-1:] == ["RolledBack b"], seconds=SECONDS)
    cluster.wait(serving.service, "is at rest", quarantined, seconds=SECONDS)
    for letter in "abab":
        serving.ask_for(letter)
        cluster.patch(serving.service, {"metadata": {"annotations": {"touched": str(time.monotonic())}}})
    obj = cluster.wait(serving.service, "has looked", quarantined, seconds=SECONDS)
    assert obj["status"]["stable"]["version"] == "delays-a"
    assert shares(serving, "b") == [0, 20, 0], "it had its first share, once"


def quarantined(obj: dict[str, object]) -> bool:
    status = obj.get("status") or {}
    ready = next((c for c in status.get("conditions", ()) if c["type"] == "Ready"), {})  # type: ignore[attr-defined]
    current = status.get("observedGeneration") == obj["metadata"]["generation"]  # type: ignore[attr-defined,index]
    return bool(current and ready.get("reason") == "RevisionQuarantined")


def test_an_operator_killed_again_and_again_comes_to_the_same_verdict(
    cluster: Cluster, serving: Serving, replicas: Replicas
):
    chance = random.Random(20261124)
    serving.ask_for("b")
    for _ in range(KILLS):
        time.sleep(chance.uniform(0.2, 1.5))  # the random point
        replicas.one().kill()
    replicas.one()
    obj = cluster.wait(serving.service, "has promoted b", stable_is("b"), seconds=2 * SECONDS)
    assert history(obj) == ["Deployed a", "Promoted b"]
    rising = shares(serving, "b")
    assert rising == sorted(rising), f"weights went back: {rising}"
    assert sorted(set(rising)) == [0, 20, 50, 100], "no step was left out"


def test_back_to_the_warm_version_in_a_moment(cluster: Cluster, serving: Serving):
    serving.ask_for("b")
    cluster.wait(serving.service, "has promoted b", stable_is("b"), seconds=SECONDS)
    serving.ask_for("a")
    obj = cluster.wait(serving.service, "is back", stable_is("a"), seconds=15)
    assert history(obj)[-1] == "Switched a"


def test_nothing_is_promoted_while_kserve_is_down(cluster: Cluster, serving: Serving, systems: Systems):
    serving.ask_for("b")
    cluster.wait(serving.service, "has a candidate with traffic", at_least(20), seconds=SECONDS)
    systems.kserve(ready=False)
    try:
        cluster.wait(serving.service, "says that KServe is down", says("KServeDown"), seconds=SECONDS)
        assert history(cluster.get(serving.service) or {}) == ["Deployed a"]
    finally:
        systems.kserve(ready=True)
    cluster.wait(serving.service, "goes on", stable_is("b"), seconds=SECONDS)


def at_least(percent: int) -> object:
    def test(obj: dict[str, object]) -> bool:
        canary = (obj.get("status") or {}).get("canary") or {}  # type: ignore[attr-defined]
        return float(str(canary.get("weight", "0")).rstrip("%")) >= percent

    return test


def says(reason: str) -> object:
    def test(obj: dict[str, object]) -> bool:
        conditions = (obj.get("status") or {}).get("conditions") or ()  # type: ignore[attr-defined]
        return any(c["type"] == "Ready" and c["reason"] == reason for c in conditions)

    return test


def test_a_version_that_is_served_cannot_be_deleted(cluster: Cluster, serving: Serving):
    version = Ref(gvks.MODEL_VERSION, serving.namespace, "delays-a")
    cluster.wait(version, "is in use", lambda o: (o.get("status") or {}).get("inUseBy"), seconds=SECONDS)
    with pytest.raises(Refused, match="in use by InferenceService/late"):
        cluster.delete(version)
    model = cluster.wait(Ref(gvks.MODEL, serving.namespace, "delays"), "says so", in_use, seconds=SECONDS)
    told = [f"{line['event']} {line['version'][-1]}" for line in model["status"]["history"] if "service" in line]
    assert told == ["Deployed a"]


def in_use(obj: dict[str, object]) -> bool:
    status = obj.get("status") or {}
    served = any("service" in line for line in status.get("history", ()))  # type: ignore[attr-defined]
    return bool(status.get("inUse")) and served  # type: ignore[attr-defined]


def test_who_may_call_is_written_and_taken_back(cluster: Cluster, serving: Serving):
    policies = {
        kind: Ref(kind, serving.namespace, "late") for kind in (gvks.SECURITY_POLICY, gvks.BACKEND_TRAFFIC_POLICY)
    }
    auth = {"apiKey": {"secrets": [{"name": "team-a"}]}}
    cluster.patch(serving.service, {"spec": {"auth": auth, "rateLimit": {"requests": 9}}})
    for ref in policies.values():
        cluster.wait(ref, "is written", lambda _: True, seconds=SECONDS)
    cluster.patch(serving.service, {"spec": {"auth": None, "rateLimit": None}})
    for ref in policies.values():
        cluster.wait_gone(ref, seconds=SECONDS)
    mtls = {"caSecret": {"name": "ca"}, "certificateSecret": {"name": "tls"}}
    cluster.patch(serving.service, {"spec": {"auth": {"mtls": mtls}}})
    own = Ref(gvks.GATEWAY, serving.namespace, "late")
    cluster.wait(own, "is made", lambda _: True, seconds=SECONDS)
    cluster.patch(serving.service, {"spec": {"auth": None}})
    cluster.wait_gone(own, seconds=SECONDS)


def test_a_log_gets_its_collector_and_nobody_waits_for_it(cluster: Cluster, serving: Serving):
    cluster.patch(serving.service, {"spec": {"log": {**LOG, "masking": {"mode": "Masked"}}}})
    namespace, name = serving.service.namespace, f"{serving.service.name}-log"
    for gvk in (gvks.DEPLOYMENT, gvks.SERVICE):
        cluster.wait(Ref(gvk, namespace, name), "is there", lambda _: True, seconds=SECONDS)

    def told(obj: dict[str, Any]) -> bool:
        found = {condition["type"]: condition for condition in obj["status"].get("conditions", ())}
        return found["LogHealthy"]["reason"] == "LogNotReadable" and obj["status"]["log"]["uri"] == "pvc://runs/log"

    cluster.wait(serving.service, "says that its collector is not up", told, seconds=SECONDS)
    cluster.wait(serving.service, "is served all the same", holds("Available"), seconds=SECONDS)


def test_a_token_of_a_log_is_made_once_and_told_to_nobody(cluster: Cluster, serving: Serving, operator: Operator):
    log, runtime = {"uri": "pvc://runs/log"}, {"container": None, "gyre": {}}
    cluster.patch(serving.service, {"spec": {"log": log, "runtime": runtime}})
    secret, deployment = serving.ref(gvks.SECRET, "late-log-token"), serving.ref(gvks.DEPLOYMENT, "late-log")
    cluster.wait(deployment, "is there", lambda _: True, seconds=SECONDS)
    made = cluster.get(secret)
    assert made is not None
    assert made["type"] == "gyre.dev/log-token"
    cluster.delete(deployment)
    cluster.wait(deployment, "comes back", lambda _: True, seconds=SECONDS)
    assert cluster.get(secret) == made
    token, kept = base64.b64decode(made["data"]["token"]).decode(), made["data"]["token"]
    assert len(token) >= 43
    seen = [cluster.get(serving.service), cluster.get(deployment), *cluster.list(gvks.EVENT, serving.namespace)]
    seen += cluster.list(gvks.KSERVE_SERVICE, serving.namespace)
    assert not any(text in json.dumps([*seen, *operator.log()]) for text in (token, kept))


@pytest.mark.parametrize(
    "change",
    [
        {"type": "Opaque"},
        {"type": "bootstrap.kubernetes.io/token", "name": "x-log-token"},
        {"name": "another-name"},
        {"owner": "Deployment"},
    ],
)
def test_the_operator_may_create_no_other_secret_and_read_none(
    cluster: Cluster, namespace: str, operator: Operator, change: dict[str, str]
):
    """The role's `create` alone would allow any: a policy narrows it, for accounts of the operator's name and nobody else."""
    theirs = namesake(cluster, namespace)
    named = {"apiVersion": "gyre.dev/v1alpha1", "name": "late", "uid": "0"}
    owner = {**named, "kind": change.get("owner", "InferenceService")}
    ref = Ref(gvks.SECRET, namespace, change.get("name", "late-log-token"))
    metadata = {"name": ref.name, "namespace": namespace, "ownerReferences": [owner]}
    made = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata,
        "type": change.get("type", "gyre.dev/log-token"),
    }
    with pytest.raises(Refused, match=r"of type gyre\.dev/log-token for an InferenceService, and no others"):
        theirs.create(gvks.SECRET, made)
    cluster.create(gvks.SECRET, made)
    with pytest.raises(Refused, match="cannot get resource"):
        theirs.get(ref)


def namesake(cluster: Cluster, namespace: str) -> Cluster:
    """Another account of the operator's name and role, so that what it asks for is not the operator's in the audit log."""
    cluster.create(
        gvks.SERVICE_ACCOUNT,
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": OPERATOR, "namespace": namespace}},
    )
    role = binding(cluster_role(KINDS), service_account=OPERATOR, namespace=namespace, within=namespace)
    cluster.create(gvks.ROLE_BINDING, role)
    return Cluster(cluster.server, cluster.token(namespace, OPERATOR))


def test_an_objective_burns_by_what_labels_have_shown_to_a_monitor(cluster: Cluster, serving: Serving):
    """The seam of three kinds: log, monitor, objective; the monitor's Jobs are played (docs/drift-contract.md, "Labels")."""
    team, watch, level = (
        Team(cluster, serving.namespace),
        serving.ref(gvks.DRIFT_MONITOR, "watch"),
        serving.ref(gvks.SERVICE_LEVEL_OBJECTIVE, "right"),
    )
    cluster.patch(serving.service, {"spec": {"log": LOG}})
    span = {"from": "2026-11-01T00:00:00Z", "to": "2026-11-08T00:00:00Z"}
    refs = {"serviceRef": {"name": "late"}, "modelRef": {"name": "delays"}}
    team.create(gvks.DRIFT_MONITOR, "watch", spec={**refs, "reference": {"window": span}, "window": "1d"})
    judged(team, 0, 0)
    cluster.wait(watch, "has counted", lambda o: labels_of(o) == (0, 0), seconds=SECONDS)
    right = {"name": "right", "type": "Accuracy", "target": "80", "monitorRef": {"name": "watch"}}
    objective = {"serviceRef": {"name": "late"}, "objectives": [right], "window": "10m", "minEvents": 10}
    team.create(gvks.SERVICE_LEVEL_OBJECTIVE, "right", spec=objective)
    cluster.wait(level, "counts from nought", lambda o: standing(o).get("since"), seconds=SECONDS)
    for asked, (seen, wrong) in enumerate(((400, 200), (400, 200), (410, 201))):  # told twice is counted once
        cluster.patch(watch, {"metadata": {"annotations": {"gyre.dev/requested-at": str(asked)}}})
        judged(team, seen, wrong)
        cluster.wait(watch, "has counted", lambda o, told=(seen, wrong): labels_of(o) == told, seconds=SECONDS)
    spent = cluster.wait(level, "has counted all", lambda o: standing(o).get("counted") == 410, seconds=SECONDS)
    assert standing(spent)["countedBad"] == 201
    assert spent["status"]["exhaustedSince"]
    assert spent["status"]["budget"]["objective"] == "right 80%"


def judged(team: Team, seen: int, wrong: int) -> None:
    """The monitor's Job ends, and tells these sums."""
    labels = {"rows": 1, "errors": 0, "book": "b", "seen": seen, "wrong": wrong}
    window = {"rows": 3600, "judged": 1311}
    team.scan_ends("watch", {"version": 1, "state": "Judged", "drifted": False, "window": window, "labels": labels})


def labels_of(obj: dict[str, Any]) -> tuple[int, int] | None:
    told = (obj.get("status") or {}).get("labels")
    return (told["seen"], told["wrong"]) if told else None


def standing(obj: dict[str, Any]) -> dict[str, Any]:
    return dict(next(iter((obj.get("status") or {}).get("objectives") or ()), {}))
