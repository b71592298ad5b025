"""What the generated CRDs do in a real API server: accept, default, refuse with the right words, explain themselves."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from tests.api.apiserver import ADMIN_TOKEN, ApiServer, binaries
from tests.api.cluster import Cluster, Refused
from tests.unit.api.kinds import a_kind
from tests.unit.api.sample import MINIMAL, SAMPLE, Sample

from gyre.api import gvks
from gyre.api.conditions import Condition, Truth, merge
from gyre.api.effects import Gvk, Ref
from gyre.api.install import manifests
from gyre.api.kstatus import Verdict, compute
from gyre.api.schema import crd
from gyre.kinds import KINDS

pytestmark = [pytest.mark.api, pytest.mark.xdist_group("crds-on-a-server")]

RBAC = "rbac.authorization.k8s.io"
INSTALLED = {
    gvk.kind: gvk
    for gvk in (
        Gvk("", "v1", "Namespace", "namespaces", namespaced=False),
        gvks.SERVICE_ACCOUNT,
        Gvk(RBAC, "v1", "ClusterRole", "clusterroles", namespaced=False),
        Gvk(RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False),
        gvks.ROLE,
        gvks.ROLE_BINDING,
        Gvk("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies"),
        Gvk("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets"),
        Gvk("apps", "v1", "Deployment", "deployments"),
    )
}

ONE = Ref(SAMPLE, "default", "one")
DIGEST = "sha256:" + "0" * 64
NEVER = "cannot be changed after creation: create a new object instead"
NOT_AGAIN = "cannot be changed or removed once set: create a new object instead"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    server = ApiServer(tmp_path_factory.mktemp("crds"), binaries())
    server.start()
    try:
        cluster = Cluster(server)
        cluster.create(gvks.CUSTOM_RESOURCE_DEFINITION, crd(Sample))
        cluster.established(["samples.gyre.dev"])
        yield cluster
    finally:
        server.destroy()


@pytest.fixture
def sample(cluster: Cluster) -> Iterator[dict[str, Any]]:
    """The object `one`, fresh."""
    yield cluster.create(SAMPLE, copy.deepcopy(MINIMAL))
    cluster.delete(ONE)


def test_every_kind_of_ours_is_accepted(cluster: Cluster):
    names = []
    for kind in KINDS:
        cluster.create(gvks.CUSTOM_RESOURCE_DEFINITION, crd(kind.model))
        names.append(f"{kind.gvk.plural}.{kind.gvk.group}")
    cluster.established(names)


def test_a_fresh_object_is_in_progress_and_has_its_defaults(sample: dict[str, Any]):
    assert sample["status"] == {"observedGeneration": -1}
    assert compute(sample).verdict is Verdict.IN_PROGRESS
    assert sample["spec"] == {
        "dataset": {"name": "flights"},
        "enforcement": "Audit",
        "high": 5,
        "low": 1,
        "memory": "2Gi",
        "port": 80,
        "quantile": "0.95",
        "retry": {"limit": 3, "wait": "30s"},
        "store": {"type": "S3", "bucket": "models", "prefix": "models"},
        "stubborn": {"limit": 9, "wait": "30s"},
        "timeout": "1h",
    }


def test_the_model_and_the_api_server_agree_on_defaults(sample: dict[str, Any]):
    read, unread = Sample.parse(sample), Sample.parse(MINIMAL)
    assert read.spec == unread.spec


def test_what_the_model_writes_is_accepted_and_comes_back_unchanged(cluster: Cluster, sample: dict[str, Any]):
    written = Sample.parse(sample).to_dict()
    del written["metadata"]["resourceVersion"]
    assert Sample.parse(cluster.apply(ONE, {**written, "metadata": {"name": "one"}})).spec == Sample.parse(sample).spec


def test_a_status_with_conditions_is_accepted_and_read_by_tools(cluster: Cluster, sample: dict[str, Any]):
    now = datetime(2026, 11, 23, 8, tzinfo=UTC)
    generation = sample["metadata"]["generation"]
    ready = Condition(
        type="Ready", status=Truth.TRUE, reason="Done", message="ü" * 5000, observed_generation=generation
    )
    status = {
        "observedGeneration": generation,
        "conditions": [c.to_dict() for c in merge((), (ready,), now)],
        "loss": "2.5e-12",
    }
    body = {"apiVersion": "gyre.dev/v1alpha1", "kind": "Sample", "metadata": {"name": "one"}, "status": status}
    answer = cluster.apply(ONE, body, manager="gyre-sample-status", subresource="status")
    assert answer["status"] == status
    assert compute(answer).verdict is Verdict.CURRENT


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "a duration below its span": ({"timeout": "1s"}, "spec.timeout", "must be from 10s to 30d"),
    "a duration above its span": ({"timeout": "29d25h"}, "spec.timeout", "must be from 10s to 30d"),
    "a negative duration": ({"timeout": "-5s"}, "spec.timeout", "should match"),
    "a fraction of an hour": ({"timeout": "1.5h"}, "spec.timeout", "should match"),
    "no duration at all": ({"timeout": ""}, "spec.timeout", "at least 2 chars"),
    "a duration of zero": ({"retry": {"wait": "0s"}}, "spec.retry.wait", "must be longer than zero"),
    "a quantity with a foreign unit": ({"memory": "4GB"}, "spec.memory", "write an amount like 500m, 2 or 2Gi"),
    "a negative quantity": ({"memory": -1}, "spec.memory", "it cannot be negative"),
    "money as a number": (
        {"maxCost": {"amount": 12.5, "currency": "EUR"}},
        "spec.maxCost.amount",
        "must be of type string",
    ),
    "a low above high": ({"low": 9}, "spec.low", "make low at most high"),
    "a required immutable field": ({"dataset": {"name": "other"}}, "spec.dataset", NEVER),
    "an optional immutable field that appears": ({"queue": "late"}, "spec.queue", NEVER),
    "a field of another member": ({"store": {"claim": "disk"}}, "spec.store.claim", "only with type Claim"),
    "a member without what it requires": (
        {"store": {"type": "Claim", "bucket": None}},
        "spec.store",
        "claim is required with type Claim",
    ),
    "a member's own rule": (
        {"store": {"type": "Claim", "bucket": None, "claim": "models"}},
        "spec.store",
        "give claim and prefix different names",
    ),
    "neither of two": ({"env": [{"name": "a"}]}, "spec.env[0]", "set exactly one of value and secret"),
    "two items with one key": (
        {"env": [{"name": "a", "value": "1"}, {"name": "a", "value": "2"}]},
        "spec.env[1]",
        "Duplicate value",
    ),
    "a word that is not in the list": ({"enforcement": "Maybe"}, "spec.enforcement", "Unsupported value"),
    "an integer that is not exact": ({"rows": 2**53 + 1}, "spec.rows", "less than or equal to 9007199254740991"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_the_api_server_refuses_and_says_where_and_what_to_do(cluster: Cluster, sample: dict[str, Any], name: str):
    change, field, words = REFUSED[name]
    with pytest.raises(Refused) as refusal:
        cluster.patch(ONE, {"spec": change})
    assert refusal.value.code == 422
    assert any(at == field and words in message for at, message in refusal.value.causes), refusal.value.causes


@pytest.mark.parametrize("timeout", ["30d", "29d24h", "720h", "43200m", "1d90m", "10000ms", "30m1h"])
def test_the_api_server_reads_durations_as_we_do(cluster: Cluster, sample: dict[str, Any], timeout: str):
    assert cluster.patch(ONE, {"spec": {"timeout": timeout}})["spec"]["timeout"] == timeout


def test_what_is_immutable_once_set_may_be_set_once(cluster: Cluster, sample: dict[str, Any]):
    cluster.patch(ONE, {"spec": {"digest": DIGEST}})
    for change in (None, "sha256:" + "1" * 64):
        with pytest.raises(Refused) as refusal:
            cluster.patch(ONE, {"spec": {"digest": change}})
        assert (
            "spec.digest",
            f"Invalid value: {NOT_AGAIN}",
        ) in refusal.value.causes or NOT_AGAIN in refusal.value.message


def test_a_name_too_long_for_its_children_is_refused(cluster: Cluster):
    body = {**copy.deepcopy(MINIMAL), "metadata": {"name": "x" * 41, "namespace": "default"}}
    with pytest.raises(Refused, match="at most 40 characters long"):
        cluster.create(SAMPLE, body)


def test_foreign_fields_are_kept_only_where_they_are_invited(cluster: Cluster, sample: dict[str, Any]):
    answer = cluster.patch(ONE, {"spec": {"podOverride": {"spec": {"hostNetwork": False}}, "novelty": 1}})
    assert answer["spec"]["podOverride"] == {"spec": {"hostNetwork": False}}
    assert "novelty" not in answer["spec"]


def test_objects_are_found_by_their_selectable_field(cluster: Cluster, sample: dict[str, Any]):
    path = "/apis/gyre.dev/v1alpha1/namespaces/default/samples?fieldSelector=spec.dataset.name%3D"
    assert [item["metadata"]["name"] for item in cluster.request("GET", f"{path}flights")["items"]] == ["one"]
    assert cluster.request("GET", f"{path}other")["items"] == []


def test_the_scale_subresource_moves_the_field(cluster: Cluster, sample: dict[str, Any]):
    path = "/apis/gyre.dev/v1alpha1/namespaces/default/samples/one/scale"
    cluster.request("PATCH", path, {"spec": {"replicas": 4}}, "application/merge-patch+json")
    assert (cluster.get(ONE) or {})["spec"]["low"] == 4


def test_explain_says_what_the_docstrings_say(cluster: Cluster):
    published = cluster.request("GET", "/openapi/v3/apis/gyre.dev/v1alpha1")["components"]["schemas"]
    sample = published["dev.gyre.v1alpha1.Sample"]
    spec = sample["properties"]["spec"]["properties"]
    assert sample["description"] == "A sample of everything."
    assert spec["finishBy"]["description"] == "When it is too late."
    assert spec["enforcement"]["description"].endswith("Audit: only reports what it would do; Enforce: does it.")
    assert "x-gyre" not in json.dumps(sample)


def test_get_shows_the_columns(cluster: Cluster, sample: dict[str, Any]):
    answer = requests.get(
        f"{cluster.server.url}/apis/gyre.dev/v1alpha1/samples",
        headers={
            "Accept": "application/json;as=Table;v=v1;g=meta.k8s.io",
            "Authorization": f"Bearer {ADMIN_TOKEN}",
        },
        verify=str(cluster.server.authority),
        timeout=60,
    ).json()
    columns = [column["name"] for column in answer["columnDefinitions"]]
    assert columns == ["Name", "Ready", "Reason", "Dataset", "Loss", "Age"]
    assert answer["rows"][0]["cells"][3] == "flights"


def test_everything_that_installs_gyre_is_accepted_and_its_pod_is_restricted(cluster: Cluster):
    """Strictly: an unknown field, or a pod below the restricted standard, is an error of the API server here."""
    made = manifests([a_kind()], image="localhost/gyre:dev", namespace="gyre-system")
    made.remove(crd(Sample))
    for manifest in made:
        cluster.create(INSTALLED[manifest["kind"]], dict(manifest))
    template = next(m for m in made if m["kind"] == "Deployment")["spec"]["template"]
    pod = {"apiVersion": "v1", "kind": "Pod", **template}
    pod["metadata"] = {**template["metadata"], "name": "probe", "namespace": "gyre-system"}
    assert cluster.create(gvks.POD, pod)["spec"]["securityContext"]["runAsNonRoot"] is True
    pod["spec"] = {**pod["spec"], "securityContext": {}}
    with pytest.raises(Refused, match='violates PodSecurity "restricted'):
        cluster.create(gvks.POD, pod)
