"""KServe, Envoy Gateway and callers in front of a bare API server: stand-in CRDs, and a thread that writes what they would.

Promises   each writes what the original writes and nothing more; callers are split exactly as the weights that the gateway has
           taken up; the counters are asked for over HTTP, as those of Envoy are.
Never      runs a pod: addresses are those of this machine, and the only container is one that tells no metrics of its own.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from tests import make
from tests.api.cluster import CRD, Cluster, Refused

from gyre.adapters.gateway import OWNING_GATEWAY, OWNING_NAMESPACE, STATS_PORT
from gyre.adapters.kserve import CONTROLLER, PREDICTOR_LABEL
from gyre.api.effects import Gvk, Ref
from gyre.api.gvks import (
    BACKEND_TRAFFIC_POLICY,
    CLIENT_TRAFFIC_POLICY,
    DEPLOYMENT,
    ENDPOINT_SLICE,
    GATEWAY,
    HTTP_ROUTE,
    INFERENCE_SERVICE,
    KSERVE_SERVICE,
    MODEL_VERSION,
    PERSISTENT_VOLUME_CLAIM,
    POD,
    SECURITY_POLICY,
)

Object = dict[str, Any]
FOREIGN: Final = (
    *(KSERVE_SERVICE, HTTP_ROUTE, GATEWAY),
    *(SECURITY_POLICY, BACKEND_TRAFFIC_POLICY, CLIENT_TRAFFIC_POLICY),
)
SYSTEMS: Final = ("kserve", "envoy-gateway-system", "gyre-gateway")
HERE: Final = f"127.0.{1 + int(os.environ.get('PYTEST_XDIST_WORKER', 'gw0').removeprefix('gw'))}.1"
"""The port is Envoy's, so two workers of one test run need two addresses."""
MILLISECONDS: Final = {5: 0.5, 10: 0.75, 25: 0.9, 50: 0.95, 100: 0.99}


def definition(gvk: Gvk) -> Object:
    """As much of a foreign CRD as an operator sees: any spec, and a status of its own."""
    loose = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": gvk.version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": loose},
        "subresources": {"status": {}},
    }
    # Gateway API's group is protected: a CRD in it says where it was approved.
    approved = {"api-approved.kubernetes.io": "unapproved, a stand-in for tests"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{gvk.plural}.{gvk.group}", "annotations": approved},
        "spec": {
            "group": gvk.group,
            "names": {"kind": gvk.kind, "plural": gvk.plural, "singular": gvk.kind.lower()},
            "scope": "Namespaced",
            "versions": [version],
        },
    }


def install(cluster: Cluster) -> None:
    """The CRDs of KServe, Gateway API and Envoy Gateway; before the operator starts, so that it watches them."""
    for gvk in FOREIGN:
        name = f"{gvk.plural}.{gvk.group}"
        cluster.apply(Ref(CRD, "", name), definition(gvk), manager="installer")
    cluster.established([f"{gvk.plural}.{gvk.group}" for gvk in FOREIGN])


class Systems:
    """What runs in the cluster and is not the team's: KServe's controller, the Gateway and its Envoy."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        for name in SYSTEMS:
            cluster.namespace(name)
        labels = {OWNING_GATEWAY: "gyre", OWNING_NAMESPACE: "gyre-gateway"}
        pod(cluster, "kserve", "kserve-controller-manager-0", CONTROLLER)
        pod(cluster, "envoy-gateway-system", "envoy-0", labels)
        ref = Ref(GATEWAY, "gyre-gateway", "gyre")
        spec = {"gatewayClassName": "gyre", "listeners": [{"name": "http", "protocol": "HTTP", "port": 80}]}
        cluster.apply(ref, typed(GATEWAY, ref, spec=spec))
        told = {"type": "Programmed", "status": "True"}
        status = {"conditions": [told], "addresses": [{"type": "IPAddress", "value": HERE}]}
        cluster.patch(ref, {"status": status}, subresource="status")

    def kserve(self, *, ready: bool) -> None:
        ref = Ref(POD, "kserve", "kserve-controller-manager-0")
        self.cluster.patch(ref, {"status": {"conditions": [is_ready(ready)]}}, subresource="status")


def typed(gvk: Gvk, ref: Ref, *, metadata: Mapping[str, Any] | None = None, **rest: Any) -> Object:
    named = {"name": ref.name, "namespace": ref.namespace, **(metadata or {})}
    return {"apiVersion": gvk.api_version, "kind": gvk.kind, "metadata": named, **rest}


def is_ready(ready: bool) -> Object:
    return {"type": "Ready", "status": "True" if ready else "False"}


def pod(cluster: Cluster, namespace: str, name: str, labels: Mapping[str, str], owner: Object | None = None) -> None:
    """A pod that is ready on this machine."""
    ref = Ref(POD, namespace, name)
    owners = {"ownerReferences": [owner]} if owner else {}
    spec = {"containers": [{"name": "kserve-container", "image": "localhost/x:1"}], "nodeName": "n1"}
    try:
        cluster.create(POD, typed(POD, ref, metadata={"labels": dict(labels), **owners}, spec=spec))
    except Refused as refused:
        if refused.reason != "AlreadyExists":
            raise
    container = {"name": "kserve-container", "ready": True, "restartCount": 0, "image": "x", "imageID": "x"}
    status = {
        "phase": "Running",
        "podIP": HERE,
        "podIPs": [{"ip": HERE}],
        "conditions": [is_ready(True)],
        "containerStatuses": [{**container, "state": {"running": {"startedAt": make.second(make.T0)}}}],
    }
    cluster.patch(ref, {"status": status}, subresource="status")


class Serving:
    """One namespace with versions of a Model; a thread plays KServe and the gateway, an HTTP server Envoy's counters."""

    def __init__(self, cluster: Cluster, namespace: str, *, rate: float = 3000.0) -> None:
        self.cluster, self.namespace, self.rate = cluster, namespace, rate
        self.failing: dict[str, float] = {}
        """Share of its answers that fail, by the letter of a version; 0.5 % unless said."""
        self.weights: list[tuple[str, float]] = []
        """(letter, share) that the gateway acts on."""
        self.seen: list[dict[str, int]] = []
        """Every distribution of weights that was ever written, in percent."""
        self.counted: dict[int, list[float]] = {}
        self.made: set[str] = set()
        self.until = time.monotonic()
        self._lock, self._enough = threading.Lock(), threading.Event()
        self.problems: list[BaseException] = []

    # ── the user ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def ref(self, gvk: Gvk, name: str) -> Ref:
        return Ref(gvk, self.namespace, name)

    @property
    def service(self) -> Ref:
        return self.ref(INFERENCE_SERVICE, "late")

    def versions(self, *letters: str) -> None:
        claim = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}
        runs = self.ref(PERSISTENT_VOLUME_CLAIM, "runs")
        self.cluster.create(PERSISTENT_VOLUME_CLAIM, typed(PERSISTENT_VOLUME_CLAIM, runs, spec=claim))
        for letter in letters:
            ref = self.ref(MODEL_VERSION, f"delays-{letter}")
            artifact = {"uri": f"pvc://runs/{letter}", "digest": make.digest(letter), "flavour": "any"}
            spec = {"modelRef": {"name": "delays"}, "artifact": artifact}
            self.cluster.create(MODEL_VERSION, typed(MODEL_VERSION, ref, spec=spec))

    def create(self, letter: str, **spec: Any) -> None:
        given = {
            "modelRef": asked(letter),
            "runtime": {"container": {"image": "localhost/x:1"}},
            "rollout": {"steps": [20, 50], "interval": "1s"},
            **spec,
        }
        self.cluster.create(INFERENCE_SERVICE, typed(INFERENCE_SERVICE, self.service, spec=given))

    def ask_for(self, letter: str) -> None:
        self.cluster.patch(self.service, {"spec": {"modelRef": asked(letter)}})

    # ── KServe and the gateway ───────────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def played(self) -> Iterator[Serving]:
        server = ThreadingHTTPServer((HERE, STATS_PORT), self._handler())
        threads = [threading.Thread(target=server.serve_forever), threading.Thread(target=self._play)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._enough.set()
            server.shutdown()
            for thread in threads:
                thread.join(timeout=30)
            server.server_close()
            assert not self.problems, self.problems

    def _play(self) -> None:
        try:
            while not self._enough.wait(0.1):
                for predictor in self.cluster.list(KSERVE_SERVICE, self.namespace):
                    if predictor["metadata"]["uid"] not in self.made:
                        self.made.add(predictor["metadata"]["uid"])
                        self._make(predictor)
                for route in self.cluster.list(HTTP_ROUTE, self.namespace):
                    self._take_up(route)
        except BaseException as problem:
            self.problems.append(problem)

    def _make(self, predictor: Object) -> None:
        """Deployment, pod, endpoints: all of it up at once."""
        metadata = predictor["metadata"]
        name, labels = f"{metadata['name']}-predictor", {**metadata["labels"], PREDICTOR_LABEL: metadata["name"]}
        spec = predictor["spec"]["predictor"]
        template = {
            "metadata": {"labels": {"app": name}, "annotations": spec["annotations"]},
            "spec": {"containers": [{"name": "kserve-container", "image": "localhost/x:1"}]},
        }
        ref = self.ref(DEPLOYMENT, name)
        wanted = {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": template}
        made = self.cluster.apply(ref, typed(DEPLOYMENT, ref, metadata={"labels": labels}, spec=wanted))
        up = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 1)
        told = {"observedGeneration": made["metadata"]["generation"], **up}
        self.cluster.patch(ref, {"status": told}, subresource="status")
        pod(self.cluster, self.namespace, f"{name}-x", labels)
        slice_ = self.ref(ENDPOINT_SLICE, name)
        endpoints = [{"addresses": ["10.1.0.1"], "conditions": {"ready": True}}]
        self.cluster.apply(
            slice_,
            typed(ENDPOINT_SLICE, slice_, metadata={"labels": labels}, addressType="IPv4", endpoints=endpoints),
        )

    def _take_up(self, route: Object) -> None:
        generation = route["metadata"]["generation"]
        parents = (route.get("status") or {}).get("parents") or ()
        if any(told["observedGeneration"] == generation for parent in parents for told in parent["conditions"]):
            return
        refs = route["spec"]["rules"][0]["backendRefs"]
        total = sum(ref["weight"] for ref in refs)
        letters = [ref["name"].removesuffix("-predictor")[-1] for ref in refs]
        with self._lock:
            self._serve()
            self.weights = [(letter, ref["weight"] / total) for letter, ref in zip(letters, refs, strict=True)]
            shares = Counter[str]()
            for letter, share in self.weights:  # whoever is alone has both places
                shares[letter] += round(1000 * share)
            self.seen.append({letter: round(share / 10) for letter, share in shares.items()})
        told = [
            {
                "type": type,
                "status": "True",
                "reason": type,
                "message": "",
                "observedGeneration": generation,
                "lastTransitionTime": make.second(make.T0),
            }
            for type in ("Accepted", "ResolvedRefs")
        ]
        parent = {
            "parentRef": {"name": "gyre", "namespace": "gyre-gateway"},
            "controllerName": "gateway.envoyproxy.io/gatewayclass-controller",
            "conditions": told,
        }
        ref = self.ref(HTTP_ROUTE, route["metadata"]["name"])
        self.cluster.patch(ref, {"status": {"parents": [parent]}}, subresource="status")

    # ── callers ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _serve(self) -> None:
        now = time.monotonic()
        seconds, self.until = now - self.until, now
        for place, (letter, share) in enumerate(self.weights):
            requests = self.rate * seconds * share
            counted = self.counted.setdefault(place, [0.0, 0.0])
            counted[0] += requests
            counted[1] += requests * self.failing.get(letter, 0.005)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        serving = self

        class Stats(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                text = serving.stats().encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, format: str, *args: Any) -> None:
                """Silent."""

        return Stats

    def stats(self) -> str:
        lines = []
        with self._lock:
            self._serve()
            for place, (requests, errors) in sorted(self.counted.items()):
                name = f'envoy_cluster_name="httproute/{self.namespace}/late/rule/0/backend/{place}"'
                for code, count in (("2", int(requests) - int(errors)), ("5", int(errors))):
                    lines.append(f'envoy_cluster_upstream_rq_xx{{envoy_response_code_class="{code}",{name}}} {count}')
                for edge, share in (*MILLISECONDS.items(), ("+Inf", 1.0)):
                    lines.append(f'envoy_cluster_upstream_rq_time_bucket{{{name},le="{edge}"}} {int(requests * share)}')
        return "\n".join(lines)


def asked(letter: str) -> Object:
    return {"name": "delays", "track": "Version", "version": f"delays-{letter}"}


def stable_is(letter: str) -> Any:
    """For `wait`: this version has all traffic, and the gateway has confirmed it."""

    def test(obj: Object) -> bool:
        status = obj.get("status") or {}
        served = (status.get("stable") or {}).get("version") == f"delays-{letter}"
        return bool(served and any(c["type"] == "Ready" and c["status"] == "True" for c in status["conditions"]))

    return test


def history(obj: Object) -> list[str]:
    """Oldest first: `Deployed a`."""
    lines = (obj.get("status") or {}).get("history") or ()
    return [f"{line['event']} {line['version'][-1]}" for line in reversed(lines)]
