"""What a user can get wrong in an InferenceService, and what the API server answers: the field and what to do.

Access, rate limits, A/B and shadow: `test_refused_access.py`; the warning about traffic: `test_expected_traffic.py`.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.api.apiserver import REPOSITORY
from tests.api.cluster import Cluster, Refused
from tests.unit.inferenceservice.test_rollout import steadily
from tests.unit.inferenceservice.worlds import Story

from gyre.api.effects import Ref
from gyre.api.gvks import INFERENCE_SERVICE

GOOD: dict[str, Any] = {"modelRef": {"name": "flights-late"}}
CONTAINER = {"container": {"image": "registry.example/server:3"}}


def rollout(**policy: Any) -> dict[str, Any]:
    return {"rollout": policy}


def container(**change: Any) -> dict[str, Any]:
    return {"runtime": {"container": {**CONTAINER["container"], **change}}}


# what is wrong → (the changed part of a good spec; None removes), field, words of the answer
REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "no model": ({"modelRef": None}, "spec.modelRef", "Required value"),
    "a version that is not named": (
        {"modelRef": {"name": "m", "track": "Version"}},
        "spec.modelRef.version",
        "name the version to serve, or set track to Champion",
    ),
    "a version beside the champion": (
        {"modelRef": {"name": "m", "version": "m-1"}},
        "spec.modelRef.version",
        "leave version out, or set track to Version",
    ),
    "a version that cannot be a name": (
        {"modelRef": {"name": "m", "track": "Version", "version": "M_1"}},
        "spec.modelRef.version",
        "should match",
    ),
    "an unknown track": ({"modelRef": {"name": "m", "track": "Newest"}}, "spec.modelRef.track", "Unsupported value"),
    "a model of another namespace": (
        {"modelRef": {"name": "m", "namespace": "other"}},
        "",
        'unknown field "spec.modelRef.namespace"',
    ),
    "a share of nothing": (rollout(steps=[0, 50]), "spec.rollout.steps[0]", "greater than or equal to 1"),
    "a share of everything": (rollout(steps=[50, 100]), "spec.rollout.steps[1]", "less than or equal to 99"),
    "steps that fall": (rollout(steps=[50, 25]), "spec.rollout.steps", "let each step be greater than the one before"),
    "a step twice": (rollout(steps=[25, 25]), "spec.rollout.steps", "let each step be greater than the one before"),
    "no steps": (rollout(steps=[]), "spec.rollout.steps", "at least 1 item"),
    "half a percent": (rollout(steps=[0.5]), "spec.rollout.steps[0]", "must be of type integer"),
    "steps and a budget": (
        rollout(steps=[10], maxBadRequests=5),
        "spec.rollout",
        "set at most one of steps and maxBadRequests",
    ),
    "a budget of nothing": (rollout(maxBadRequests=0), "spec.rollout.maxBadRequests", "greater than or equal to 1"),
    "alpha of nothing": (rollout(alpha="0"), "spec.rollout.alpha", "a probability above 0 and at most 0.5"),
    "alpha of more than a half": (rollout(alpha="0.6"), "spec.rollout.alpha", "above 0 and at most 0.5"),
    "alpha below nothing": (rollout(alpha="-0.1"), "spec.rollout.alpha", "should match"),
    "alpha as a float": (rollout(alpha=0.05), "spec.rollout.alpha", "must be of type string"),
    "beta of more than a half": (rollout(beta="0.51"), "spec.rollout.beta", "above 0 and at most 0.5"),
    "a margin that asks for better": (
        rollout(margins={"errorRate": "0.9"}),
        "spec.rollout.margins.errorRate",
        "state a ratio above 1",
    ),
    "a margin of one": (rollout(margins={"latency": "1"}), "spec.rollout.margins.latency", "state a ratio above 1"),
    "a floor that hides everything": (
        rollout(margins={"errorFloor": "0.5"}),
        "spec.rollout.margins.errorFloor",
        "below 0.5",
    ),
    "an interval without a unit": (rollout(interval="10"), "spec.rollout.interval", "should match"),
    "an interval of nothing": (rollout(interval="0s"), "spec.rollout.interval", "must be from 1s to 1h"),
    "a negative deadline": (rollout(deadline="-1h"), "spec.rollout.deadline", "should match"),
    "a deadline before the first look": (
        rollout(interval="10m", deadline="5m"),
        "spec.rollout.deadline",
        "make the deadline longer than the interval",
    ),
    "no requests at a step": (rollout(minRequests=0), "spec.rollout.minRequests", "greater than or equal to 1"),
    "an unknown policy": (rollout(onInconclusive="Guess"), "spec.rollout.onInconclusive", "Unsupported value"),
    "no traffic expected": (
        rollout(expectedTraffic={"requestsPerSecond": "0"}),
        "spec.rollout.expectedTraffic.requestsPerSecond",
        "state a rate above zero",
    ),
    "no replicas": ({"replicas": 0}, "spec.replicas", "greater than or equal to 1"),
    "no CPU": ({"resources": {"cpu": "0"}}, "spec.resources.cpu", "ask for more than zero CPUs"),
    "memory in a foreign unit": ({"resources": {"memory": "4GB"}}, "spec.resources.memory", "500m, 2 or 2Gi"),
    "two runtimes": (
        {"runtime": {**CONTAINER, "gyre": {}}},
        "spec.runtime",
        "set at most one of gyre, container and kserve",
    ),
    "a container without an image": ({"runtime": {"container": {}}}, "spec.runtime.container.image", "Required value"),
    "a path that is none": (
        container(readinessPath="healthz"),
        "spec.runtime.container.readinessPath",
        "should match",
    ),
    "a port that is none": (container(port=70000), "spec.runtime.container.port", "less than or equal to 65535"),
    "an operator's variable": (
        container(env=[{"name": "GYRE_MODEL", "value": "x"}]),
        "spec.runtime.container.env[0].name",
        "belong to the operators: use another name",
    ),
    "a variable from two sources": (
        container(env=[{"name": "A", "value": "1", "secretKeyRef": {"name": "s", "key": "k"}}]),
        "spec.runtime.container.env[0]",
        "set at most one of",
    ),
    "a runtime without a format": ({"runtime": {"kserve": {}}}, "spec.runtime.kserve.modelFormat", "Required value"),
    "no body at all": (
        {"runtime": {"gyre": {"maxBodyBytes": "0"}}},
        "spec.runtime.gyre.maxBodyBytes",
        "allow more than zero bytes",
    ),
    "an endpoint with a path": ({"s3": {"endpoint": "http://store/path"}}, "spec.s3.endpoint", "should match"),
    "a host without a dot": ({"host": "flights"}, "spec.host", "should match"),
    "a host that is an URL": ({"host": "http://flights.example"}, "spec.host", "should match"),
    "warm for ever": ({"keepWarm": "9000d"}, "spec.keepWarm", "must be from 0s to 30d"),
    "more than all predictions": ({"log": {"percent": 101}}, "spec.log.percent", "less than or equal to 100"),
    "a field that does not exist": ({"modelref": {"name": "m"}}, "", 'unknown field "spec.modelref"'),
}


def service(change: dict[str, Any], name: str = "flights") -> dict[str, Any]:
    spec = {**copy.deepcopy(GOOD), **change}
    return {
        "apiVersion": "gyre.dev/v1alpha1",
        "kind": "InferenceService",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {key: value for key, value in spec.items() if value is not None},
    }


@pytest.mark.parametrize("wrong", REFUSED)
def test_a_service_is_refused_with_the_field_and_what_to_do(cluster: Cluster, wrong: str):
    change, field, words = REFUSED[wrong]
    with pytest.raises(Refused) as refused:
        cluster.create(INFERENCE_SERVICE, service(change))
    assert refused.value.code in (400, 422)
    said = refused.value.causes or [("", refused.value.message)]
    assert any(at == field and words in message for at, message in said), said


@pytest.mark.parametrize(
    ("name", "words"),
    [("x" * 40, "at most 39 characters"), ("4flights", "begin the name with a letter"), ("a.b", "DNS-1035")],
)
def test_a_name_that_its_children_could_not_bear_is_refused(cluster: Cluster, name: str, words: str):
    with pytest.raises(Refused) as refused:
        cluster.create(INFERENCE_SERVICE, service({}, name=name))
    assert words in refused.value.message


def stored(cluster: Cluster, change: dict[str, Any]) -> dict[str, Any]:
    path = "/apis/gyre.dev/v1alpha1/namespaces/default/inferenceservices?dryRun=All&fieldValidation=Strict"
    return dict(cluster.request("POST", path, service(change)))


def test_the_least_that_can_be_said_is_filled_up(cluster: Cluster):
    made = stored(cluster, {})
    assert made["spec"]["modelRef"] == {"name": "flights-late", "track": "Champion"}
    assert made["spec"]["gateway"] == {"name": "gyre", "namespace": "gyre-gateway"}
    assert made["spec"]["rollout"]["margins"] == {
        "errorRate": "2",
        "latency": "1.5",
        "errorFloor": "0.01",
        "latencyFloor": "10ms",
    }
    assert made["spec"]["keepWarm"] == "10m"
    assert "gyre" not in made["spec"]["runtime"], "or it would be one too many when another is said later"
    assert "steps" not in made["spec"]["rollout"]
    assert made["status"] == {"observedGeneration": -1}


def test_another_runtime_may_be_said_later_by_whoever_applies(cluster: Cluster, namespace: str):
    manifest = service({})
    manifest["metadata"]["namespace"] = namespace
    ref = Ref(INFERENCE_SERVICE, namespace, "flights")
    cluster.apply(ref, manifest, manager="gitops")
    cluster.apply(ref, {**manifest, "spec": {**GOOD, "runtime": CONTAINER}}, manager="gitops")
    changed = cluster.apply(ref, {**manifest, "spec": {**GOOD, "rollout": {"maxBadRequests": 9}}}, manager="gitops")
    assert changed["spec"]["rollout"]["maxBadRequests"] == 9
    cluster.delete(ref)


@pytest.mark.parametrize(
    "example", sorted(path.name for path in (REPOSITORY / "examples").glob("inferenceservice-*.yaml"))
)
def test_examples_of_services_apply_as_they_are(cluster: Cluster, example: str):
    path: Path = REPOSITORY / "examples" / example
    for obj in yaml.safe_load_all(path.read_text()):
        if obj["kind"] == "InferenceService":
            stored(cluster, obj["spec"])


def test_a_status_is_stored_whole(cluster: Cluster, namespace: str):
    """Nothing that `summarize` writes is pruned or refused by the CRD."""
    story = Story().serving().candidate()
    steadily(story, looks=2)
    halfway = story.status
    steadily(story)
    story.candidate("c")
    story.takes(b=(900, 4), c=(100, 90))
    for status in (halfway, story.status):
        name = f"late-{len(str(status))}"
        ref = Ref(INFERENCE_SERVICE, namespace, name)
        manifest = service({}, name=name)
        manifest["metadata"]["namespace"] = namespace
        cluster.create(INFERENCE_SERVICE, manifest)
        told = {"apiVersion": "gyre.dev/v1alpha1", "kind": "InferenceService", "status": status}
        written = cluster.apply(
            ref,
            {**told, "metadata": {"name": name, "namespace": namespace}},
            manager="gyre-inferenceservice-status",
            subresource="status",
        )
        assert written["status"] == status
        cluster.delete(ref)
