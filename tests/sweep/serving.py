"""KServe, Envoy Gateway and the callers of a service, scripted.

Promises   deterministic, and functions of the world and its clock; callers come at a steady rate and are split exactly as the
           weights that the gateway has taken up, not as those that somebody has written.
Never      more than one step at a time.

    predictor written ──1 s──▶ Deployment, pod ──3 s──▶ pod ready, endpoints       (unless the version is told to crash)
    route written     ──1 s──▶ the gateway acts on it and says so
    every second      ──▶ so many requests; each version fails and is slow as often as it is told
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.sweep import actors
from tests.sweep.actors import NS, controller, put
from tests.sweep.world import World, stamp

from gyre.adapters.gateway import OWNING_GATEWAY, OWNING_NAMESPACE
from gyre.adapters.kserve import CONTROLLER, DEFINITION, PREDICTOR_LABEL
from gyre.adapters.predictionlog import LOG_LABEL
from gyre.api.effects import Gvk, Ref
from gyre.api.gvks import (
    CUSTOM_RESOURCE_DEFINITION,
    DEPLOYMENT,
    ENDPOINT_SLICE,
    GATEWAY,
    HTTP_ROUTE,
    KSERVE_SERVICE,
    POD,
    SECRET,
)
from gyre.api.intent import INTENT, contains
from gyre.api.kind import Object

UP_AFTER, ROUTED_AFTER = 3.0, 1.0
EDGES = (0.01, 0.02, 0.04, 0.08)
USUAL = (0.5, 0.75, 0.9, 0.95)
KSERVE_POD = Ref(POD, "kserve", "kserve-controller-manager-0")
FINALIZER = "inferenceservice.finalizers"
COLLECTOR_ADDRESS = "10.3.0.1"


@dataclass(frozen=True)
class Behaviour:
    """How a version of the model answers."""

    failing: float = 0.005
    within: Sequence[float] = USUAL
    """Share of its answers within each of EDGES."""
    crashes: str = ""
    """What its server says when it ends instead of serving."""


@dataclass
class KServe:
    """The controller, the Deployment controller, the kubelet and the endpoints controller in one."""

    behaviours: Mapping[str, Behaviour] = field(default_factory=dict)
    """By the first letter of the digest."""

    def act(self, world: World) -> bool | datetime:
        if not running(world):
            return False
        due: list[datetime] = []
        for predictor in world.list(KSERVE_SERVICE):
            told = self._let_go(world, predictor) or self._bring_up(world, predictor)
            if told is True:
                return True
            if isinstance(told, datetime):
                due.append(told)
        return min(due, default=False)

    def _let_go(self, world: World, predictor: Object) -> bool:
        if not predictor["metadata"].get("deletionTimestamp"):
            return False
        world.patch(ref_of(KSERVE_SERVICE, predictor["metadata"]["name"]), {"metadata": {"finalizers": None}})
        return True

    def _bring_up(self, world: World, predictor: Object) -> bool | datetime:
        name = predictor["metadata"]["name"]
        child = ref_of(DEPLOYMENT, f"{name}-predictor")
        if world.find(child) is None:
            if world.find(ref_of(ENDPOINT_SLICE, child.name)) is not None:
                return False  # of the predictor before it; the garbage collector is at it
            world.patch(ref_of(KSERVE_SERVICE, name), {"metadata": {"finalizers": [FINALIZER]}})
            self._make(world, predictor, child.name)
            return True
        deployment, pod = world.get(child), ref_of(POD, f"{name}-predictor-x")
        if owner_of(deployment) != predictor["metadata"]["uid"]:
            return False  # a namesake's: the garbage collector is at it
        if (rolls := self._roll(world, predictor, deployment)) is not None:
            return rolls
        if world.find(pod) is None:
            actors.make_pod(world, pod.name, deployment, deployment["spec"]["template"], {})
            return True
        live = world.get(pod)
        if owner_of(live) != deployment["metadata"]["uid"] or (live.get("status") or {}).get("containerStatuses"):
            return False
        born = datetime.fromisoformat(deployment["metadata"]["creationTimestamp"])
        ready = born + timedelta(seconds=UP_AFTER)
        if ready > world.now:
            return ready
        behaviour = self.behaviours.get(letter_of(name), Behaviour())
        if behaviour.crashes:
            crash(world, pod, behaviour.crashes)
        else:
            set_ready(world, name, True)
        return True

    def _roll(self, world: World, predictor: Object, deployment: Object) -> bool | datetime | None:
        """A change of the predictor reaches its Deployment, and a while later all pods; None when there is none."""
        ref, spec = ref_of(DEPLOYMENT, deployment["metadata"]["name"]), predictor["spec"]["predictor"]
        template = {"metadata": {"annotations": {INTENT: spec["annotations"][INTENT]}}}
        wanted = {"replicas": spec["minReplicas"], "template": template}
        if not contains(deployment["spec"], wanted):
            world.patch(ref, {"spec": wanted})
            return True
        generation, status = deployment["metadata"]["generation"], deployment.get("status") or {}
        if not status or status["observedGeneration"] == generation:
            return None
        since = self._rolling.setdefault((deployment["metadata"]["uid"], generation), world.now)
        if since + timedelta(seconds=UP_AFTER) > world.now:
            return since + timedelta(seconds=UP_AFTER)
        count = spec["minReplicas"]
        told = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), count)
        world.patch(ref, {"status": {**status, **told, "observedGeneration": generation}})
        return True

    def __post_init__(self) -> None:
        self._rolling: dict[tuple[str, int], datetime] = {}

    def _make(self, world: World, predictor: Object, name: str) -> None:
        metadata = predictor["metadata"]
        labels = {**metadata["labels"], PREDICTOR_LABEL: metadata["name"]}
        owned = {"name": name, "namespace": NS, "labels": labels, "ownerReferences": [controller(predictor)]}
        spec = predictor["spec"]["predictor"]
        template = {"metadata": {"annotations": {INTENT: spec["annotations"][INTENT]}, "labels": labels}}
        deployment = {"metadata": owned, "spec": {"replicas": spec["minReplicas"], "template": template}}
        made = world.create(ref_of(DEPLOYMENT, name), typed(DEPLOYMENT, deployment))
        slice_ = {"metadata": {**owned, "ownerReferences": [controller(made)]}, "endpoints": []}
        world.create(ref_of(ENDPOINT_SLICE, name), typed(ENDPOINT_SLICE, slice_))


@dataclass
class Collectors:
    """The Deployment controller and the kubelet, for collectors of prediction logs."""

    def act(self, world: World) -> bool | datetime:
        due: list[datetime] = []
        for deployment in world.list(DEPLOYMENT):
            if LOG_LABEL not in deployment["metadata"].get("labels", {}):
                continue
            pod = ref_of(POD, f"{deployment['metadata']['name']}-x")
            ready = datetime.fromisoformat(deployment["metadata"]["creationTimestamp"]) + timedelta(seconds=UP_AFTER)
            live = world.find(pod)
            if live is None:
                actors.make_pod(world, pod.name, deployment, deployment["spec"]["template"], {})
                return True
            if owner_of(live) != deployment["metadata"]["uid"] or "podIP" in live["status"]:
                continue
            if ready > world.now:
                due.append(ready)
                continue
            if missing := secrets_missing(world, deployment):
                if not live["status"].get("containerStatuses"):
                    why = f'secret "{missing[0]}" not found'
                    actors.waiting_pod(world, pod, "collector", "CreateContainerConfigError", why)
                    return True
                continue
            told = [{"type": "Ready", "status": "True"}]
            up = {"phase": "Running", "podIP": COLLECTOR_ADDRESS, "conditions": told, "containerStatuses": None}
            world.patch(pod, {"status": up})
            return True
        return min(due, default=False)


def secrets_missing(world: World, deployment: Object) -> list[str]:
    """What the kubelet would not start a container without."""
    entries = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    wanted = ((entry.get("valueFrom") or {}).get("secretKeyRef") for entry in entries)
    return [secret["name"] for secret in wanted if secret and world.find(ref_of(SECRET, secret["name"])) is None]


def owner_of(obj: Object) -> str:
    return str(obj["metadata"]["ownerReferences"][0]["uid"])


def ref_of(gvk: Gvk, name: str) -> Ref:
    return Ref(gvk, NS, name)


def typed(gvk: Gvk, obj: Object) -> Object:
    return {"apiVersion": gvk.api_version, "kind": gvk.kind, **obj}


def letter_of(predictor: str) -> str:
    """`late-aaaaaaaa` → a."""
    return predictor[-1]


def address_of(letter: str) -> str:
    return f"10.1.0.{ord(letter)}"


def running(world: World) -> bool:
    pod = world.find(KSERVE_POD)
    conditions = ((pod or {}).get("status") or {}).get("conditions") or ()
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def set_ready(world: World, predictor: str, ready: bool) -> None:
    """Pod, endpoints and Deployment, in the order in which they learn of each other."""
    name, word = f"{predictor}-predictor", "True" if ready else "False"
    container = {"name": "kserve-container", "ready": ready, "restartCount": 0, "state": {"running": {}}}
    conditions = [{"type": "Ready", "status": word}]
    status = {"phase": "Running", "podIP": address_of(letter_of(predictor)), "conditions": conditions}
    world.patch(ref_of(POD, f"{name}-x"), {"status": {**status, "containerStatuses": [container]}})
    endpoints = [{"addresses": [address_of(letter_of(predictor))], "conditions": {"ready": ready}}]
    world.patch(ref_of(ENDPOINT_SLICE, name), {"endpoints": endpoints})
    live = world.get(ref_of(DEPLOYMENT, name))
    count = live["spec"]["replicas"]
    told = {"observedGeneration": live["metadata"]["generation"], "replicas": count, "updatedReplicas": count}
    world.patch(ref_of(DEPLOYMENT, name), {"status": {**told, "availableReplicas": count if ready else 0}})


def crash(world: World, pod: Ref, message: str) -> None:
    ended = {"exitCode": 1, "reason": "Error", "message": message, "finishedAt": stamp(world.now)}
    state = {"waiting": {"reason": "CrashLoopBackOff"}}
    container = {"name": "kserve-container", "ready": False, "restartCount": 2, "state": state}
    world.patch(
        pod, {"status": {"phase": "Running", "containerStatuses": [{**container, "lastState": {"terminated": ended}}]}}
    )


@dataclass
class Envoy:
    """Takes up routes, and serves the callers at `rate` requests a second by the weights that it has taken up."""

    behaviours: Mapping[str, Behaviour] = field(default_factory=dict)
    rate: float = 400.0
    silent: bool = False
    """Nobody gets its counters."""
    split_by: Mapping[str, float] = field(default_factory=dict)
    """Shares by letter that it gives whatever it is told."""
    weights: tuple[tuple[str, float], ...] = ()
    """(letter, share) of the backends of the route that it acts on."""
    counted: dict[str, float] = field(default_factory=dict)
    """Requests by letter, of the predictors."""
    by_place: dict[int, tuple[float, float]] = field(default_factory=dict)
    """Requests and errors by backend, of the gateway: whatever Service a backend names, its counters go on."""
    until: datetime | None = None

    def act(self, world: World) -> bool | datetime:
        self._serve(world.now)
        due: list[datetime] = []
        for route in world.list(HTTP_ROUTE):
            generation = route["metadata"]["generation"]
            if self._told(route) == generation:
                if not self.weights:  # it was there before the run
                    self._act_on(route)
                continue
            seen = (route["metadata"]["uid"], generation)
            since = self._noticed.setdefault(seen, world.now)
            if since + timedelta(seconds=ROUTED_AFTER) > world.now:
                due.append(since + timedelta(seconds=ROUTED_AFTER))
                continue
            self._take_up(world, route)
            return True
        return min(due, default=False)

    def __post_init__(self) -> None:
        self._noticed: dict[tuple[str, int], datetime] = {}

    def _told(self, route: Object) -> int:
        parents = (route.get("status") or {}).get("parents") or ()
        return max((c["observedGeneration"] for p in parents for c in p["conditions"]), default=0)

    def _act_on(self, route: Object) -> None:
        refs = route["spec"]["rules"][0]["backendRefs"]
        total = sum(ref["weight"] for ref in refs)
        self.weights = tuple((letter_of(ref["name"].removesuffix("-predictor")), ref["weight"] / total) for ref in refs)

    def _take_up(self, world: World, route: Object) -> None:
        self._act_on(route)
        told = [
            {"type": type, "status": "True", "reason": type, "observedGeneration": route["metadata"]["generation"]}
            for type in ("Accepted", "ResolvedRefs")
        ]
        parent = {"parentRef": {"name": "gyre", "namespace": "gyre-gateway"}, "conditions": told}
        world.patch(ref_of(HTTP_ROUTE, route["metadata"]["name"]), {"status": {"parents": [parent]}})

    def _serve(self, now: datetime) -> None:
        """All that came since it was last looked at."""
        seconds = (now - self.until).total_seconds() if self.until else 0.0
        self.until = now
        for place, (letter, share) in enumerate(self.weights):
            requests = self.rate * seconds * self.split_by.get(letter, share)
            failing = self.behaviours.get(letter, Behaviour()).failing
            all_of_them, errors = self.by_place.get(place, (0.0, 0.0))
            self.by_place[place] = (all_of_them + requests, errors + requests * failing)
            self.counted[letter] = self.counted.get(letter, 0.0) + requests

    def answer(self, world: World, url: str, headers: Mapping[str, str]) -> tuple[int, str]:
        self._serve(world.now)
        if ":19001/" in url:
            return (0, "no answer within 2 s") if self.silent else (200, self._stats())
        if url == f"http://{COLLECTOR_ADDRESS}:8080/status":
            return 200, '{"logged": 7, "lag": 0.0, "problem": ""}'
        found = [letter for letter in "abcdef" if f"{address_of(letter)}:" in url]
        return (200, self._metrics(found[0])) if found else (0, "no route to host")

    def _stats(self) -> str:
        lines = []
        for place, (requests, errors) in sorted(self.by_place.items()):
            name = f'envoy_cluster_name="httproute/{NS}/late/rule/0/backend/{place}"'
            for code, count in (("2", int(requests) - int(errors)), ("5", int(errors))):
                lines.append(f'envoy_cluster_upstream_rq_xx{{envoy_response_code_class="{code}",{name}}} {count}')
        return "\n".join(lines)

    def _metrics(self, letter: str) -> str:
        requests, within = self.counted.get(letter, 0.0), self.behaviours.get(letter, Behaviour()).within
        name = f'model="late",model_version="delays-{letter}"'
        shape = (*zip(map(str, EDGES), within, strict=True), ("+Inf", 1.0))
        counted = [
            f'gyre_inference_seconds_bucket{{{name},le="{edge}"}} {int(requests * part)}' for edge, part in shape
        ]
        return "\n".join([*counted, 'gyre_log_events_total{result="dropped"} 3'])


def installed(world: World, *, kserve: bool = True) -> None:
    """KServe and a Gateway with its Envoy."""
    put(world, CUSTOM_RESOURCE_DEFINITION, DEFINITION)
    _pod(world, KSERVE_POD, CONTROLLER, "10.0.0.2")
    if not kserve:
        kserve_down(world)
    labels = {OWNING_GATEWAY: "gyre", OWNING_NAMESPACE: "gyre-gateway"}
    _pod(world, Ref(POD, "envoy-gateway-system", "envoy-0"), labels, "10.0.0.1")
    ref = Ref(GATEWAY, "gyre-gateway", "gyre")
    listeners = [{"name": "http", "protocol": "HTTP", "port": 80}]
    spec = {"gatewayClassName": "gyre", "listeners": listeners}
    world.create(ref, typed(GATEWAY, {"metadata": {"name": "gyre", "namespace": "gyre-gateway"}, "spec": spec}))
    told = [{"type": "Programmed", "status": "True"}]
    world.patch(ref, {"status": {"conditions": told, "addresses": [{"value": "10.0.0.7"}]}})


def kserve_down(world: World) -> None:
    world.patch(KSERVE_POD, {"status": {"conditions": [{"type": "Ready", "status": "False"}]}})


def kserve_up(world: World) -> None:
    world.patch(KSERVE_POD, {"status": {"conditions": [{"type": "Ready", "status": "True"}]}})


def _pod(world: World, ref: Ref, labels: Mapping[str, str], address: str) -> None:
    metadata = {"name": ref.name, "namespace": ref.namespace, "labels": dict(labels)}
    world.create(ref, typed(POD, {"metadata": metadata, "spec": {}}))
    conditions: list[Any] = [{"type": "Ready", "status": "True"}]
    world.patch(ref, {"status": {"phase": "Running", "podIP": address, "conditions": conditions}})
