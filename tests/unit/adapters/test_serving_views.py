"""What is read of KServe, Deployments, EndpointSlices, Gateways and HTTPRoutes; half-written objects too."""

from __future__ import annotations

from typing import Any

import pytest

from gyre.adapters.gateway import GatewayView, RouteView, stats_url
from gyre.adapters.kserve import PredictorView, inference_service, template_of
from gyre.adapters.workloads import DeploymentView, ready_endpoints

# ── KServe ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def predictor(replicas: int = 1, image: str = "a") -> dict[str, Any]:
    pods = {"containers": [{"name": "kserve-container", "image": image}]}
    return inference_service({"name": "m-1"}, replicas=replicas, predictor=pods, labels={"a": "b"})


def test_another_number_of_replicas_needs_no_new_pods_and_another_image_does():
    assert template_of(predictor(1)) == template_of(predictor(5)) != ""
    assert template_of(predictor(1)) != template_of(predictor(1, image="b"))


def test_the_annotation_of_the_engine_is_kept_from_the_pods_by_one_of_the_same_name():
    assert predictor()["spec"]["predictor"]["annotations"]["gyre.dev/intent"] == template_of(predictor())


def test_kserves_own_words_are_told_only_while_it_is_not_ready():
    said = {"type": "PredictorReady", "status": "False", "message": "no runtime found to support predictor"}
    metadata = {"name": "m-1", "uid": "u", "ownerReferences": [{"uid": "o", "controller": True}]}
    view = PredictorView.of({"metadata": metadata, "status": {"conditions": [said]}})
    assert (view.owner, view.ready, view.message) == ("o", False, "no runtime found to support predictor")
    fine = [{"type": "PredictorReady", "status": "True", "message": "x"}, {"type": "Ready", "status": "True"}]
    view = PredictorView.of({"metadata": metadata, "status": {"conditions": fine}})
    assert (view.ready, view.message) == (True, "")
    assert PredictorView.of({"metadata": {"name": "m-1"}}).message == ""


# ── Deployments ──────────────────────────────────────────────────────────────────────────────────────────────────────


def deployment(**status: Any) -> DeploymentView:
    """Two replicas of the template `t`, all up, unless the keywords say otherwise."""
    given = {"observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2, **status}
    template = {"metadata": {"annotations": {"gyre.dev/intent": "t"}}}
    return DeploymentView.of(
        {
            "metadata": {"name": "m-1-predictor", "generation": 3},
            "spec": {"replicas": 2, "template": template},
            "status": given,
        }
    )


def test_a_deployment_has_converged_when_every_pod_is_of_the_newest_template_and_available():
    assert deployment().converged("t")


@pytest.mark.parametrize(
    ("template", "status"),
    [
        ("other", {}),
        ("t", {"observedGeneration": 2}),
        ("t", {"updatedReplicas": 1}),
        ("t", {"availableReplicas": 1}),
        ("t", {"replicas": 3}),
    ],
    ids=["another template", "not seen yet", "not all updated", "not all available", "an old pod is left"],
)
def test_a_deployment_that_is_on_its_way_has_not_converged(template: str, status: Any):
    assert not deployment(**status).converged(template)


def test_a_deployment_says_why_its_pods_cannot_be_made():
    failure = {"type": "ReplicaFailure", "status": "True", "message": 'failed calling webhook "pod-mutator"'}
    late = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out"}
    assert "failed calling webhook" in deployment(conditions=[late, failure]).problem
    assert deployment(conditions=[late]).problem == "timed out"
    assert deployment(conditions=[{"type": "Progressing", "status": "True", "message": "x"}]).problem == ""


def test_endpoints_count_over_all_slices_unless_they_say_that_they_are_not_ready():
    ready, not_ready, silent = {"conditions": {"ready": True}}, {"conditions": {"ready": False}}, {"addresses": ["x"]}
    assert ready_endpoints([{"endpoints": [ready, not_ready]}, {"endpoints": [silent]}, {"endpoints": None}]) == 2
    assert ready_endpoints([]) == 0


# ── Gateway API ──────────────────────────────────────────────────────────────────────────────────────────────────────

WANTED = {"spec": {"rules": [{"backendRefs": [{"name": "a", "weight": 90}, {"name": "b", "weight": 10}]}]}}


def route(*, generation: int = 2, weights: tuple[int, int] = (90, 10), **conditions: Any) -> RouteView:
    """Taken up by Gateway gyre-gateway/gyre at its newest generation, unless the keywords say otherwise."""
    asked = {"Accepted": ("True", generation), "ResolvedRefs": ("True", generation), **conditions}
    told = [
        {"type": type, "status": status, "observedGeneration": seen, "reason": "Reason", "message": "why"}
        for type, (status, seen) in asked.items()
    ]
    parents = [{"parentRef": {"name": "gyre", "namespace": "gyre-gateway"}, "conditions": told}]
    refs = [{"name": name, "weight": weight, "kind": "Service"} for name, weight in zip("ab", weights, strict=True)]
    obj = {
        "metadata": {"name": "m", "namespace": "ml", "uid": "r", "generation": generation},
        "spec": {"rules": [{"backendRefs": refs, "matches": [{"path": {"value": "/"}}]}]},
        "status": {"parents": parents},
    }
    return RouteView.of(obj, gateway="gyre", gateway_namespace="gyre-gateway")


def test_weights_are_believed_when_the_gateway_says_so_of_the_newest_generation():
    assert route().believed(WANTED)


@pytest.mark.parametrize(
    "given",
    [
        {"weights": (50, 50)},
        {"Accepted": ("True", 1)},
        {"ResolvedRefs": ("True", 1)},
        {"Accepted": ("False", 2)},
        {"ResolvedRefs": ("False", 2)},
    ],
    ids=["other weights", "accepted before", "resolved before", "not accepted", "not resolved"],
)
def test_weights_are_not_believed_a_moment_too_soon(given: Any):
    assert not route(**given).believed(WANTED)


def test_what_another_gateway_says_does_not_count():
    obj = {"metadata": {"name": "m", "namespace": "gyre-gateway", "generation": 1}, "spec": WANTED["spec"]}
    fine = [{"type": type, "status": "True", "observedGeneration": 1} for type in ("Accepted", "ResolvedRefs")]
    other = {**obj, "status": {"parents": [{"parentRef": {"name": "other"}, "conditions": fine}]}}
    assert not RouteView.of(other, gateway="gyre", gateway_namespace="gyre-gateway").accepted
    same = {**obj, "status": {"parents": [{"parentRef": {"name": "gyre"}, "conditions": fine}]}}
    assert RouteView.of(same, gateway="gyre", gateway_namespace="gyre-gateway").accepted, "its own namespace is meant"


def test_a_route_that_is_refused_says_why():
    assert route(ResolvedRefs=("False", 2)).problem == "ResolvedRefs: Reason: why"
    assert (
        "has not said anything" in RouteView.of({"metadata": {"name": "m"}}, gateway="g", gateway_namespace="n").problem
    )


def test_a_gateway_tells_where_clients_reach_a_host():
    listeners = [{"name": "http", "protocol": "HTTP", "port": 80}, {"name": "tls", "protocol": "HTTPS", "port": 8443}]
    told = [{"type": "Programmed", "status": "True"}]
    view = GatewayView.of(
        {
            "metadata": {"name": "gyre", "namespace": "gyre-gateway"},
            "spec": {"listeners": listeners},
            "status": {"conditions": told, "addresses": [{"value": "10.0.0.7"}]},
        }
    )
    assert (view.programmed, view.address) == (True, "10.0.0.7")
    assert view.url("m.ml") == "http://m.ml"
    assert view.url("m.ml", "tls") == "https://m.ml:8443"
    assert not GatewayView.of({"metadata": {"name": "gyre"}}).programmed


def test_envoy_is_asked_for_one_route_only():
    assert stats_url("10.0.0.1", "ml", "m") == (
        "http://10.0.0.1:19001/stats/prometheus?filter=httproute%2Fml%2Fm%2Frule%2F"
    )
    assert stats_url("fd00::1", "ml", "m").startswith("http://[fd00::1]:19001/")


def test_a_gateway_whose_certificate_is_missing_says_so_and_what_to_do():
    """Of itself it says only that it has no address (Envoy Gateway v1.7.0)."""
    said = "No valid secrets exist: certificate refs 0: Secret ml/late-tls does not exist."
    listener = {
        "name": "https",
        "conditions": [{"type": "ResolvedRefs", "status": "False", "reason": "InvalidCertificateRef", "message": said}],
    }
    told = {"type": "Programmed", "status": "False", "message": "No addresses have been assigned to the Gateway"}
    view = GatewayView.of({"metadata": {"name": "late"}, "status": {"conditions": [told], "listeners": [listener]}})
    assert view.message == (
        f"listener https: {said} Create it: kubectl -n ml create secret tls late-tls --cert=<file> --key=<file>"
    )
