"""The children of an InferenceService as plain objects, and the order in which they are written. Pure.

The ledger first, guarded by what was seen of it: on a stale view nothing else happens. Then the predictors, then who may call,
then the route: a route is never there without the policies that guard it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from gyre.adapters.gateway import VERSION_HEADER
from gyre.adapters.kserve import PORT
from gyre.api.effects import Apply, Create, Effect
from gyre.api.kind import MANAGED_BY
from gyre.kinds.inferenceservice import memory
from gyre.kinds.inferenceservice.ledger import WHOLE, Ledger, Version
from gyre.kinds.inferenceservice.memory import Point
from gyre.kinds.inferenceservice.model import InferenceService
from gyre.kinds.inferenceservice.names import SERVICE_LABEL, backend_name, predictor_name, rollout_name
from gyre.kinds.inferenceservice.predictor import predictor

GATEWAY_API: Final = "gateway.networking.k8s.io"


def ledger_write(gis: InferenceService, ledger: Ledger, series: Sequence[Point], seen: str | None) -> Effect:
    """The write that everything else waits for: refused when the ledger is not the one that was seen."""
    manifest = rollout_config_map(gis, ledger, series)
    return Create(manifest) if seen is None else Apply(manifest, guard=seen)


def rollout_config_map(gis: InferenceService, ledger: Ledger, series: Sequence[Point]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata_of(gis, rollout_name(gis.name)),
        "data": memory.to_data(ledger, series),
    }


def predictors(gis: InferenceService, ledger: Ledger) -> tuple[Effect, ...]:
    return tuple(Apply(predictor(gis, version)) for version in ledger.needed)


def route(gis: InferenceService, ledger: Ledger) -> dict[str, Any] | None:
    """Who gets which share; None while nobody does. A function of the ledger: a crash before it is put right by the next look."""
    weights = ledger.weights
    if not weights:
        return None
    section = {"sectionName": gis.spec.gateway.section_name} if gis.spec.gateway.section_name else {}
    parent = {"name": gis.spec.gateway.name, "namespace": gis.spec.gateway.namespace, **section}
    percent = WHOLE // 100
    unit = percent if all(share % percent == 0 for _, share in weights) else 1  # people read 90 and 10
    return {
        "apiVersion": f"{GATEWAY_API}/v1",
        "kind": "HTTPRoute",
        "metadata": metadata_of(gis, gis.name),
        "spec": {
            "parentRefs": [parent],
            "hostnames": [gis.host],
            "rules": [{"backendRefs": [backend(gis, version, share // unit) for version, share in weights]}],
        },
    }


def backend(gis: InferenceService, version: Version, weight: int) -> dict[str, Any]:
    """The header tells clients which version answered, and makes Envoy keep counters for each: adapters/gateway.py."""
    header = {"name": VERSION_HEADER, "value": version.name}
    return {
        "name": backend_name(predictor_name(gis.name, version.digest)),
        "port": PORT,
        "weight": weight,
        "filters": [{"type": "ResponseHeaderModifier", "responseHeaderModifier": {"set": [header]}}],
    }


def metadata_of(gis: InferenceService, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "namespace": gis.namespace,
        "labels": {MANAGED_BY: "gyre", SERVICE_LABEL: gis.name},
        "ownerReferences": [gis.owner_reference()],
    }


def stamp(time: datetime) -> str:
    """RFC 3339 with milliseconds."""
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
