"""Gateway API as Envoy Gateway speaks it: a Gateway and an HTTPRoute as they are, and where Envoy's counters are.

Facts:
- A weight is in force when `status.parents[].conditions` say so of the newest generation (gateway-api v1.4,
  `apis/v1/httproute_types.go`); Flagger waits for the same before it trusts its weights.
- Backends that have filters of their own get an Envoy cluster each, `httproute/<ns>/<route>/rule/<r>/backend/<i>`; others share
  one, and nobody can tell versions apart (envoyproxy/gateway v1.7.0 `internal/ir/xds.go` NeedsClusterPerSetting,
  `internal/gatewayapi/helpers.go`). So every backend sets the header `x-model-version`.
- A backend that leaves the rule loses its cluster and counters; one that comes back starts at zero.
- Every Envoy pod serves `/stats/prometheus` on 19001, and takes Envoy's own `filter`
  (`internal/xds/bootstrap/bootstrap.yaml.tpl`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from gyre.adapters.ownership import controller_uid
from gyre.api.intent import INTENT, contains

VERSION_HEADER: Final = "x-model-version"
STATS_PORT: Final = 19001
OWNING_GATEWAY: Final = "gateway.envoyproxy.io/owning-gateway-name"
OWNING_NAMESPACE: Final = "gateway.envoyproxy.io/owning-gateway-namespace"


def proxy_labels(namespace: str, gateway: str) -> dict[str, str]:
    """Labels of the Envoy pods of a Gateway."""
    return {OWNING_GATEWAY: gateway, OWNING_NAMESPACE: namespace}


def cluster_prefix(namespace: str, route: str) -> str:
    """What the names of a route's Envoy clusters begin with."""
    return f"httproute/{namespace}/{route}/rule/"


def stats_url(address: str, namespace: str, route: str) -> str:
    """Envoy's counters of one route and nothing else."""
    host = f"[{address}]" if ":" in address else address
    wanted = quote(cluster_prefix(namespace, route).replace(".", r"\."), safe="")
    return f"http://{host}:{STATS_PORT}/stats/prometheus?filter={wanted}"


@dataclass(frozen=True, slots=True)
class GatewayView:
    name: str
    namespace: str
    programmed: bool
    message: str
    """Why it is not programmed, in its controller's words."""
    address: str
    listeners: tuple[tuple[str, str, int], ...]
    """(name, protocol, port) of each."""
    class_name: str = ""
    """Its GatewayClass."""

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> GatewayView:
        metadata, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
        conditions = {entry.get("type"): entry for entry in status.get("conditions") or ()}
        told = conditions.get("Programmed") or {}
        addresses = status.get("addresses") or ()
        return cls(
            name=metadata["name"],
            namespace=metadata.get("namespace", ""),
            class_name=str(spec.get("gatewayClassName") or ""),
            programmed=told.get("status") == "True",
            message=_refused(status) or str(told.get("message") or "its controller has not looked at it yet"),
            address=str(addresses[0].get("value", "")) if addresses else "",
            listeners=tuple(
                (str(entry.get("name", "")), str(entry.get("protocol", "")), int(entry.get("port") or 0))
                for entry in spec.get("listeners") or ()
            ),
        )

    def url(self, host: str, section: str | None = None) -> str:
        """Where clients reach a host through it."""
        for name, protocol, port in self.listeners:
            if protocol in ("HTTP", "HTTPS") and section in (None, name):
                usual = 443 if protocol == "HTTPS" else 80
                return f"{protocol.lower()}://{host}" + ("" if port == usual else f":{port}")
        return f"http://{host}"


MISSING: Final = re.compile(r"Secret (?P<namespace>[^/\s]+)/(?P<name>[^\s.]+) does not exist")


def _refused(status: Mapping[str, Any]) -> str:
    """Why a listener is not served, which the Gateway itself tells as "no addresses"; and what to do about a missing Secret."""
    for listener in status.get("listeners") or ():
        conditions = {entry.get("type"): entry for entry in listener.get("conditions") or ()}
        for type in ("ResolvedRefs", "Accepted"):
            found = conditions.get(type) or {}
            if found.get("status") == "False":
                said = f"listener {listener.get('name')}: {found.get('message') or found.get('reason')}"
                secret = MISSING.search(said)
                fix = f"kubectl -n {secret['namespace']} create secret tls {secret['name']}" if secret else ""
                return f"{said} Create it: {fix} --cert=<file> --key=<file>" if secret else said
    return ""


@dataclass(frozen=True, slots=True)
class RouteView:
    """An HTTPRoute as it is. `accepted` and `problem` are about its newest generation."""

    uid: str
    owner: str
    deleting: bool
    spec: Mapping[str, Any]
    intent: str
    accepted: bool
    problem: str

    @classmethod
    def of(cls, obj: Mapping[str, Any], *, gateway: str, gateway_namespace: str) -> RouteView:
        metadata = obj["metadata"]
        accepted, problem = _verdict(obj, gateway, gateway_namespace)
        return cls(
            uid=metadata.get("uid", ""),
            owner=controller_uid(obj),
            deleting=bool(metadata.get("deletionTimestamp")),
            spec=obj.get("spec") or {},
            intent=str((metadata.get("annotations") or {}).get(INTENT, "")),
            accepted=accepted,
            problem=problem,
        )

    def says(self, manifest: Mapping[str, Any]) -> bool:
        """Its spec is what the manifest means, weights and all."""
        return contains(self.spec, manifest["spec"])

    def believed(self, manifest: Mapping[str, Any]) -> bool:
        """It is what is meant, and the gateway says that it acts so."""
        return not self.deleting and self.accepted and self.says(manifest)


ASKED: Final = ("Accepted", "ResolvedRefs")


def _verdict(obj: Mapping[str, Any], gateway: str, namespace: str) -> tuple[bool, str]:
    """(in force, why not) by the gateway's own conditions about the newest generation."""
    generation = obj["metadata"].get("generation", 0)
    conditions = _conditions(obj, gateway, namespace)
    if not conditions:
        return False, f"Gateway {namespace}/{gateway} has not said anything about the route yet"
    for type in ASKED:
        found = conditions.get(type)
        if found is None or found.get("observedGeneration", 0) < generation:
            return False, f"Gateway {namespace}/{gateway} has not taken up the route's newest weights yet"
        if found.get("status") != "True":
            return False, f"{type}: {found.get('reason', '')}: {found.get('message', '')}"
    return True, ""


def _conditions(obj: Mapping[str, Any], gateway: str, namespace: str) -> dict[str, Mapping[str, Any]]:
    """Those of the parent that is our Gateway; a parent without a namespace is in the route's own."""
    found: dict[str, Mapping[str, Any]] = {}
    parents: Sequence[Mapping[str, Any]] = (obj.get("status") or {}).get("parents") or ()
    for parent in parents:
        ref = parent.get("parentRef") or {}
        where = ref.get("namespace") or obj["metadata"].get("namespace", "")
        if (ref.get("name"), where) != (gateway, namespace):
            continue
        for condition in parent.get("conditions") or ():
            before = found.get(condition.get("type"))
            if before is None or before.get("status") == "True":
                found[condition.get("type")] = condition
    return found
