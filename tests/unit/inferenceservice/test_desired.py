"""The children of a service as the cluster gets them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.inferenceservice.worlds import GIS, ROUTE, Story, a_service, a_version, digest, predictor

from gyre.adapters.kserve import template_of
from gyre.api import gvks
from gyre.api.effects import Ref
from gyre.kinds.inferenceservice.desired import Beside, route, shadow_address
from gyre.kinds.inferenceservice.ledger import Ledger, Rollout, Version
from gyre.kinds.inferenceservice.model import InferenceService
from gyre.kinds.inferenceservice.predictor import predictor as made

Golden = Callable[[str, Any], None]
A = Version("delays-a", digest("a"), "pvc://runs/flights/a", "torch")
B = Version("delays-b", digest("b"), "s3://models/flights/b", "torch")
S3 = {"endpoint": "http://store:9000", "region": "eu-1", "credentialsSecret": {"name": "store-keys"}}
CONTAINER = {
    "image": "registry.example/server:3",
    "args": ["--fast"],
    "env": [{"name": "MODE", "value": "x"}, {"name": "TOKEN", "secretKeyRef": {"name": "s", "key": "k"}}],
    "port": 9000,
    "readinessPath": "/healthz",
}


def service(**spec: Any) -> InferenceService:
    return InferenceService.parse(a_service(**spec))


def judged(weight: int) -> Ledger:
    story = Story()
    return Ledger(stable=A, rollout=Rollout(B, story.now, step=0, weight=weight))


def test_a_predictor_of_our_server_on_a_claim(golden: Golden):
    golden("predictor_gyre.yaml", made(service(resources={"memory": "1024Mi", "gpu": 1}), A))


def test_a_predictor_of_our_server_in_a_bucket(golden: Golden):
    golden("predictor_s3.yaml", made(service(s3=S3, imagePullSecret="pull", nodeSelector={"pool": "gpu"}), B))


def test_a_predictor_of_a_container_of_ones_own(golden: Golden):
    golden("predictor_container.yaml", made(service(runtime={"container": CONTAINER}), A))


def test_a_predictor_of_a_runtime_of_kserve(golden: Golden):
    runtime = {"kserve": {"modelFormat": "onnx", "runtime": "kserve-triton", "serviceAccountName": "reader"}}
    golden("predictor_kserve.yaml", made(service(runtime=runtime), A))


def test_the_route_of_a_rollout(golden: Golden):
    golden("route_canary.yaml", route(service(host="late.example"), judged(100), Beside()))


def test_no_backend_comes_or_goes_with_a_candidate():
    """Envoy answers 500 while its routes name a cluster that has just gone: docs/decisions/0011."""
    before, while_judged = route(service(), Ledger(stable=A), Beside()), route(service(), judged(100), Beside())
    assert before is not None
    assert while_judged is not None
    (alone,), (two,) = before["spec"]["rules"], while_judged["spec"]["rules"]
    assert [(ref["name"], ref["weight"]) for ref in alone["backendRefs"]] == [
        (f"{predictor('a')}-predictor", 999),
        (f"{predictor('a')}-predictor", 1),
    ]
    assert len(two["backendRefs"]) == 2


def test_the_route_of_a_comparison_with_a_shadow(golden: Golden):
    gis = service(ab={"version": "delays-b", "split": 25}, shadow={"version": "delays-c", "percent": 10})
    shadow = Version("delays-c", digest("c"), "pvc://runs/c")
    golden("route_ab_shadow.yaml", route(gis, Ledger(stable=A), Beside(b=B, b_ready=True, shadow=shadow, mirrors=True)))


def test_a_rollout_that_is_on_its_way_is_not_split_a_second_time():
    gis = service(ab={"version": "delays-b"})
    made_route = route(gis, judged(100), Beside(b=B, b_ready=True))
    assert made_route is not None
    (rule,) = made_route["spec"]["rules"]
    assert [ref["weight"] for ref in rule["backendRefs"]] == [90, 10]


@pytest.mark.parametrize(("weight", "shares"), [(100, [90, 10]), (500, [50, 50]), (125, [875, 125]), (1, [999, 1])])
def test_weights_are_in_percent_where_people_can_read_them_so(weight: int, shares: list[int]):
    made_route = route(service(), judged(weight), Beside())
    assert made_route is not None
    assert [ref["weight"] for ref in made_route["spec"]["rules"][0]["backendRefs"]] == shares


def test_what_is_not_in_a_pod_restarts_no_pod():
    one, five = made(service(), A), made(service(replicas=5), A)
    assert template_of(one) == template_of(five)
    assert five["spec"]["predictor"]["minReplicas"] == 5
    patient = {"readyWithin": "1h", "interval": "1m", "steps": [50], "deadline": "2h"}
    assert template_of(one) == template_of(made(service(rollout=patient, keepWarm="1h", host="other.example"), A))


def test_quantities_are_written_as_the_webhook_writes_them_back():
    container = made(service(resources={"cpu": "0.5", "memory": "2048Mi"}), A)["spec"]["predictor"]["containers"][0]
    assert container["resources"]["requests"] == {"cpu": "500m", "memory": "2Gi"}
    assert container["resources"]["limits"] == {"cpu": "1", "memory": "2Gi"}


def test_no_secret_and_no_token_is_in_a_pod():
    text = json.dumps(made(service(s3=S3), B))
    assert '"automountServiceAccountToken": false' in text
    assert '"secretKeyRef": {"name": "store-keys", "key": "AWS_SECRET_ACCESS_KEY"}' in text


def test_a_deleted_child_comes_back():
    story = Story().serving()
    story.drop(gvks.HTTP_ROUTE, "late")
    story.look(1)
    assert story.backends == [("a", 100)]
    del story.cluster.objects[Ref(gvks.KSERVE_SERVICE, "ml", predictor("a"))]
    story.look(1)
    assert story.predictors == ["a"]


def test_who_may_call_is_written_before_the_route_and_goes_when_the_spec_asks_no_more():
    story = Story(a_service(auth={"apiKey": {"secrets": [{"name": "team-a"}]}}, rateLimit={"requests": 5}))
    story.look()
    story.comes_up("a")
    order: list[str] = []
    put = story.cluster.put
    story.cluster.put = lambda gvk, obj: (order.append(gvk.kind), put(gvk, obj))[1]  # type: ignore[method-assign]
    story.look(5)
    assert order.index("SecurityPolicy") < order.index("HTTPRoute")
    assert "BackendTrafficPolicy" in order
    story.edit(auth=None, rateLimit=None)
    story.look(1)
    left = {ref.gvk.kind for ref in story.cluster.objects if ref.name == "late"}
    assert left == {"InferenceService", "HTTPRoute"}


def test_with_client_certificates_the_route_hangs_on_a_gateway_of_its_own():
    mtls = {"caSecret": {"name": "ca"}, "certificateSecret": {"name": "tls"}}
    story = Story(a_service(auth={"mtls": mtls}))
    story.look()
    story.comes_up("a")
    story.look(5)
    parents = story.cluster.objects[ROUTE]["spec"]["parentRefs"]
    assert parents == [{"name": "late", "namespace": "ml", "sectionName": "https"}]
    own = story.cluster.objects[Ref(gvks.GATEWAY, "ml", "late")]
    assert own["spec"]["gatewayClassName"] == "gyre", "the class of the Gateway of the spec"
    assert GIS.name == own["metadata"]["name"]


ADDRESS = [Ref(gvk, "ml", "late-shadow") for gvk in (gvks.SERVICE, gvks.ENDPOINT_SLICE)]


def shadowed() -> Story:
    """Version b gets copies."""
    story = Story(a_service(shadow={"version": "delays-b", "percent": 50})).serving()
    story.look()
    story.comes_up("b")
    story.look(5)
    story.programs()
    return story


def copies(story: Story) -> list[Any]:
    return [filter["requestMirror"] for filter in story.cluster.objects[ROUTE]["spec"]["rules"][0].get("filters", ())]


def test_a_shadow_gets_its_predictor_and_an_address_and_then_its_copies():
    story = Story(a_service(shadow={"version": "delays-b", "percent": 50})).serving()
    story.look()
    assert story.predictors == ["a", "b"]
    assert all(ref in story.cluster.objects for ref in ADDRESS)
    assert copies(story) == []
    story.comes_up("b")
    story.look(5)
    assert copies(story) == [{"backendRef": {"name": "late-shadow", "port": 80}, "percent": 50}]


def test_the_address_of_a_shadow_goes_after_the_gateway_has_let_go_of_it_and_no_sooner():
    """Envoy Gateway answers 500 to everybody while a route names a Service that is not there."""
    story = shadowed()
    story.edit(shadow=None)
    story.look(1)
    assert copies(story) == []
    assert all(ref in story.cluster.objects for ref in ADDRESS)
    story.programs()
    story.look(1)
    assert not any(ref in story.cluster.objects for ref in ADDRESS)
    assert story.predictors == ["a"]


@pytest.mark.parametrize("ref", ADDRESS, ids=lambda ref: ref.gvk.kind)
def test_no_copies_are_made_to_an_address_that_is_not_whole(ref: Ref):
    story = shadowed()
    story.drop(ref.gvk, ref.name)
    assert not story.seen.beside.mirrors
    story.look(1)
    assert ref in story.cluster.objects


def test_a_shadow_that_takes_the_traffic_gets_no_copies_of_it():
    """Copies on top of its own requests would be counted among its answers."""
    story = shadowed()
    story.edit(modelRef={"name": "delays", "track": "Version", "version": "delays-b"})
    story.look(1)
    assert story.ledger.rollout is not None
    assert copies(story) == []


def test_the_address_of_a_shadow(golden: Golden):
    gis = service(shadow={"version": "delays-c"}, runtime={"container": CONTAINER})
    beside = Beside(shadow=Version("delays-c", digest("c"), "pvc://runs/c"))
    golden("shadow_address.yaml", list(shadow_address(gis, beside)))


def test_a_version_keeps_what_it_was_when_its_object_is_gone():
    story = Story().serving()
    story.put(gvks.MODEL_VERSION, a_version("a", artifact={"uri": "pvc://other/a", "digest": digest("a")}))
    story.look(1)
    container = story.cluster.objects[Ref(gvks.KSERVE_SERVICE, "ml", predictor("a"))]["spec"]["predictor"]
    assert container["volumes"][1]["persistentVolumeClaim"]["claimName"] == "runs"
