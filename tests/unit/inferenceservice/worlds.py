"""An InferenceService and what KServe, the gateway and its callers do to it, in a few words each."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.unit.reading import Cluster

from gyre.adapters.gateway import OWNING_GATEWAY, OWNING_NAMESPACE
from gyre.adapters.kserve import CONTROLLER, DEFINITION, PREDICTOR_LABEL
from gyre.api import gvks
from gyre.api.effects import Gvk, Ref
from gyre.api.kind import Decision, Object
from gyre.kinds.inferenceservice import KIND
from gyre.kinds.inferenceservice.ledger import Ledger
from gyre.kinds.inferenceservice.memory import of as remembered
from gyre.kinds.inferenceservice.model import InferenceService
from gyre.kinds.inferenceservice.observe import Observed

NS = "ml"
NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
GIS = Ref(gvks.INFERENCE_SERVICE, NS, "late")
LEDGER = Ref(gvks.CONFIG_MAP, NS, "late-rollout")
ROUTE = Ref(gvks.HTTP_ROUTE, NS, "late")
GATEWAY = Ref(gvks.GATEWAY, "gyre-gateway", "gyre")

USUAL = {0.01: 0.5, 0.02: 0.75, 0.04: 0.9, 0.08: 0.95, 0.32: 0.999}
"""Share of the answers within so many seconds."""
SLOW = {0.01: 0.1, 0.02: 0.3, 0.04: 0.6, 0.08: 0.8, 0.32: 0.99}


def digest(letter: str) -> str:
    return "sha256:" + letter * 64


def predictor(letter: str) -> str:
    return f"late-{letter * 8}"


def version_name(letter: str) -> str:
    return f"delays-{letter}"


def a_service(**spec: Any) -> Object:
    """Tracks version `a` unless the keywords say otherwise; None removes a field."""
    given: Object = {"modelRef": {"name": "delays", "track": "Version", "version": "delays-a"}, **spec}
    return {
        "apiVersion": "gyre.dev/v1alpha1",
        "kind": "InferenceService",
        "metadata": {"name": GIS.name, "namespace": NS, "uid": "gis", "generation": 1, "annotations": {}},
        "spec": {key: value for key, value in given.items() if value is not None},
    }


def a_version(letter: str, *, ready: bool = True, **spec: Any) -> Object:
    condition = {"type": "Ready", "status": "True" if ready else "False", "reason": "Registered", "message": "m"}
    return {
        "metadata": {"name": version_name(letter), "namespace": NS, "generation": 1},
        "spec": {
            "modelRef": {"name": "delays"},
            "artifact": {"uri": f"pvc://runs/{letter}", "digest": digest(letter), "flavour": "torch"},
            **spec,
        },
        "status": {"observedGeneration": 1, "conditions": [{**condition, "observedGeneration": 1}]},
    }


def ready_pod(name: str, labels: Mapping[str, str], address: str, namespace: str = NS) -> Object:
    return {
        "metadata": {"name": name, "namespace": namespace, "labels": dict(labels), "uid": f"uid-{name}"},
        "status": {"phase": "Running", "podIP": address, "conditions": [{"type": "Ready", "status": "True"}]},
    }


class Story:
    """A namespace with versions a, b and c, a Gateway, KServe; looked at whenever something happens."""

    def __init__(self, service: Object | None = None, *, kserve: bool = True) -> None:
        self.cluster, self.now = Cluster(), NOW
        self.counts: dict[str, tuple[int, int]] = {}
        """Requests and errors by letter, as the gateway has counted them since it began."""
        self.shapes: dict[str, Mapping[float, float]] = {}
        self.silent: dict[str, str] = {}
        """Addresses that do not answer, and why."""
        self.cluster.answers = self._answer
        self.put(gvks.MODEL, {"metadata": {"name": "delays", "namespace": NS}, "spec": {}})
        for letter in "abc":
            self.put(gvks.MODEL_VERSION, a_version(letter))
        self.put(gvks.PERSISTENT_VOLUME_CLAIM, {"metadata": {"name": "runs", "namespace": NS}})
        self.put(gvks.GATEWAY, gateway())
        self.put(gvks.CUSTOM_RESOURCE_DEFINITION, {"metadata": {"name": DEFINITION}})
        labels = {OWNING_GATEWAY: "gyre", OWNING_NAMESPACE: "gyre-gateway"}
        self.put(gvks.POD, ready_pod("envoy-1", labels, "10.0.0.1", "envoy-gateway-system"))
        if kserve:
            self.put(gvks.POD, ready_pod("kserve-1", CONTROLLER, "10.0.0.2", "kserve"))
        self.put(gvks.INFERENCE_SERVICE, service or a_service())

    def put(self, gvk: Gvk, obj: Object) -> Object:
        return self.cluster.put(gvk, obj)

    def drop(self, gvk: Gvk, name: str) -> None:
        for ref in [ref for ref in self.cluster.objects if ref.gvk == gvk and ref.name == name]:
            del self.cluster.objects[ref]

    # ── the engine ───────────────────────────────────────────────────────────────────────────────────────────────────

    def look(self, seconds: float = 0) -> Decision:
        self.now += timedelta(seconds=seconds)
        return self.cluster.look(KIND, GIS, self.now)

    def edit(self, **spec: Any) -> None:
        obj = self.cluster.objects[GIS]
        metadata = {**obj["metadata"], "generation": obj["metadata"]["generation"] + 1}
        kept = {key: value for key, value in {**obj["spec"], **spec}.items() if value is not None}
        self.put(gvks.INFERENCE_SERVICE, {**obj, "metadata": metadata, "spec": kept})

    def ask_for(self, letter: str) -> None:
        self.edit(modelRef={"name": "delays", "track": "Version", "version": version_name(letter)})

    # ── KServe and the kubelet ───────────────────────────────────────────────────────────────────────────────────────

    def comes_up(self, letter: str, *, ready: bool = True, container: Object | None = None, **status: Any) -> None:
        """What KServe makes of a predictor, and how far its pod is."""
        isvc = self.cluster.objects[Ref(gvks.KSERVE_SERVICE, NS, predictor(letter))]
        labels = {**isvc["metadata"]["labels"], PREDICTOR_LABEL: predictor(letter)}
        meta = {"name": f"{predictor(letter)}-predictor", "namespace": NS, "labels": labels, "generation": 1}
        template = {"metadata": {"annotations": isvc["spec"]["predictor"]["annotations"]}}
        up = 1 if ready else 0
        told = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": up, **status}
        spec = {"replicas": 1, "template": template}
        self.put(gvks.DEPLOYMENT, {"metadata": dict(meta), "spec": spec, "status": told})
        endpoints = [{"addresses": [self.address(letter)], "conditions": {"ready": ready}}]
        self.put(gvks.ENDPOINT_SLICE, {"metadata": dict(meta), "endpoints": endpoints})
        pod = ready_pod(f"{predictor(letter)}-x", labels, self.address(letter))
        state = container or {"ready": ready, "state": {"running": {}}}
        pod["status"]["conditions"][0]["status"] = "True" if ready else "False"
        pod["status"]["containerStatuses"] = [{"name": "kserve-container", "restartCount": 0, **state}]
        self.put(gvks.POD, pod)

    def crashes(self, letter: str, message: str = "", *, code: int = 1, waiting: str = "CrashLoopBackOff") -> None:
        ended = {"exitCode": code, "reason": "Error", "message": message}
        state = {"waiting": {"reason": waiting}} if waiting else {"terminated": ended}
        self.comes_up(
            letter,
            ready=False,
            container={"ready": False, "state": state, "lastState": {"terminated": ended}, "restartCount": 2},
        )

    def gone(self) -> None:
        """KServe lets go what was deleted; here a deleted object is gone at once, and so are its parts."""
        left = {ref.name for ref in self.cluster.objects if ref.gvk == gvks.KSERVE_SERVICE}
        for gvk in (gvks.DEPLOYMENT, gvks.ENDPOINT_SLICE, gvks.POD):
            for ref, obj in list(self.cluster.objects.items()):
                made_of = (obj["metadata"].get("labels") or {}).get(PREDICTOR_LABEL)
                if ref.gvk == gvk and made_of and made_of not in left:
                    del self.cluster.objects[ref]

    def address(self, letter: str) -> str:
        return f"10.1.0.{ord(letter)}"

    # ── the gateway and its callers ──────────────────────────────────────────────────────────────────────────────────

    def programs(self) -> None:
        """The gateway takes up the route as it is now."""
        route = self.cluster.objects[ROUTE]
        generation = route["metadata"]["generation"]
        told = [
            {"type": type, "status": "True", "observedGeneration": generation} for type in ("Accepted", "ResolvedRefs")
        ]
        parents = [{"parentRef": {"name": "gyre", "namespace": "gyre-gateway"}, "conditions": told}]
        self.put(gvks.HTTP_ROUTE, {**route, "status": {"parents": parents}})

    def calls(self, **answered: tuple[int, int]) -> None:
        """So many requests and errors more, by letter."""
        for letter, (requests, errors) in answered.items():
            before = self.counts.get(letter, (0, 0))
            self.counts[letter] = (before[0] + requests, before[1] + errors)

    def _answer(self, url: str, headers: Mapping[str, str]) -> tuple[int, str]:
        for address, why in self.silent.items():
            if address in url:
                return 0, why
        if ":19001/" in url:
            return 200, self._envoy()
        letter = next((letter for letter in "abc" if f"{self.address(letter)}:" in url), "")
        return (200, self._metrics(letter)) if letter else (0, "no route to host")

    def _envoy(self) -> str:
        lines = []
        for index, (letter, _) in enumerate(self.backends):
            requests, errors = self.counts.get(letter, (0, 0))
            name = f'envoy_cluster_name="httproute/{NS}/late/rule/0/backend/{index}"'
            for code, count in (("2", requests - errors), ("5", errors)):
                lines.append(f'envoy_cluster_upstream_rq_xx{{envoy_response_code_class="{code}",{name}}} {count}')
        return "\n".join(lines)

    def _metrics(self, letter: str) -> str:
        requests, _ = self.counts.get(letter, (0, 0))
        shape = {**self.shapes.get(letter, USUAL), float("inf"): 1.0}
        name = f'model="late",model_version="{version_name(letter)}"'
        return "\n".join(
            f'gyre_inference_seconds_bucket{{{name},le="{"+Inf" if edge == float("inf") else edge}"}} {int(requests * share)}'
            for edge, share in shape.items()
        )

    # ── chapters ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def serving(self) -> Story:
        """Version a has all traffic, and has answered a thousand requests."""
        self.look()
        self.comes_up("a")
        self.look(5)
        self.programs()
        self.look(1)
        self.calls(a=(1000, 5))
        return self

    def candidate(self, letter: str = "b") -> Story:
        """It is up, has the first share, and counting has begun."""
        self.ask_for(letter)
        self.look()
        self.comes_up(letter)
        self.look(5)
        self.programs()
        self.look(3)
        return self

    def takes(self, seconds: float = 10, **answered: tuple[int, int]) -> Decision:
        """Requests are answered, and then somebody looks."""
        self.calls(**answered)
        return self.look(seconds)

    # ── what is there ────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def service(self) -> InferenceService:
        return InferenceService.parse(self.cluster.objects[GIS])

    @property
    def status(self) -> Object:
        status: Object = self.cluster.objects[GIS]["status"]
        return status

    @property
    def seen(self) -> Observed:
        return asyncio.run(KIND.gather(self.cluster, self.service))

    @property
    def ledger(self) -> Ledger:
        memory = remembered(self.cluster.objects[LEDGER])
        assert memory.ledger is not None, memory.problem
        return memory.ledger

    @property
    def series(self) -> list[Object]:
        points: list[Object] = json.loads(self.cluster.objects[LEDGER]["data"]["series.json"])
        return points

    @property
    def backends(self) -> list[tuple[str, int]]:
        """(letter, weight) of the route's first rule, who has both places once and with 100; empty without a route."""
        route = self.cluster.objects.get(ROUTE)
        refs = route["spec"]["rules"][0]["backendRefs"] if route else ()
        found = [(ref["name"].removesuffix("-predictor")[-1], ref["weight"]) for ref in refs]
        return found if len(dict(found)) == len(found) else [(found[0][0], 100)]

    @property
    def predictors(self) -> list[str]:
        """Letters of the predictors that are there."""
        return [obj["metadata"]["name"][-1] for obj in self.cluster.all(gvks.KSERVE_SERVICE)]

    def condition(self, type: str) -> Object:
        return next(entry for entry in self.status["conditions"] if entry["type"] == type)

    def told(self) -> list[str]:
        return [str(note.reason) for note in self.cluster.notes]

    @property
    def history(self) -> list[tuple[str, str]]:
        return [(entry["event"], entry["version"][-1]) for entry in self.status.get("history", ())]


def gateway(*, programmed: bool = True) -> Object:
    told = {"type": "Programmed", "status": "True" if programmed else "False", "message": "no address yet"}
    return {
        "metadata": {"name": "gyre", "namespace": "gyre-gateway"},
        "spec": {
            "gatewayClassName": "gyre",
            "listeners": [{"name": "http", "protocol": "HTTP", "port": 80}],
        },
        "status": {"conditions": [told], "addresses": [{"value": "10.0.0.7"}]},
    }
