"""The children of an InferenceService as plain objects, and the order in which they are written. Pure.

The ledger first, guarded by what was seen of it: on a stale view nothing else happens. Then the predictors, then who may call,
then the route: a route is never there without the policies that guard it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from gyre.adapters.kept import guarded
from gyre.adapters.versions import USES_MODEL_VERSION
from gyre.api import gvks
from gyre.api.effects import Apply, Effect, Manifest
from gyre.api.kind import MANAGED_BY
from gyre.kinds.inferenceservice import memory, protection, shadowing, splitting
from gyre.kinds.inferenceservice.comparison import Compared
from gyre.kinds.inferenceservice.keysets import Keys
from gyre.kinds.inferenceservice.ledger import WHOLE, Ledger, Version
from gyre.kinds.inferenceservice.memory import Point
from gyre.kinds.inferenceservice.model import InferenceService
from gyre.kinds.inferenceservice.names import SERVICE_LABEL, backend_name, predictor_name, rollout_name
from gyre.kinds.inferenceservice.predictor import port_of, predictor


def ledger_write(
    gis: InferenceService, ledger: Ledger, series: Sequence[Point], compared: Compared | None, seen: str | None
) -> Effect:
    return guarded(rollout_config_map(gis, ledger, series, compared), seen)


def rollout_config_map(
    gis: InferenceService, ledger: Ledger, series: Sequence[Point], compared: Compared | None
) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata_of(gis, rollout_name(gis.name)),
        "data": memory.to_data(ledger, series, compared),
    }


@dataclass(frozen=True, slots=True)
class Beside:
    """Versions next to those of the ledger, as the spec's experiments want them; only what the cluster can reach already."""

    versions: tuple[Version, ...] = ()
    """All that shall be up."""
    a_ready: bool = True
    b: Version | None = None
    b_ready: bool = False
    shadow: Version | None = None
    """Whose copies get an address of their own …"""
    mirrors: bool = False
    """… and whether the route may name it: it is there, and somebody listens."""


def predictors(gis: InferenceService, versions: Iterable[Version]) -> tuple[Effect, ...]:
    return tuple(Apply(predictor(gis, version)) for version in versions)


def needed(ledger: Ledger, beside: Beside) -> tuple[Version, ...]:
    """Versions that are to be up, each digest once."""
    found: dict[str, Version] = {}
    for version in (*ledger.needed, *beside.versions):
        found.setdefault(version.digest, version)
    return tuple(found.values())


def policies(gis: InferenceService, gateway_class: str, keys: Keys | None) -> tuple[Manifest, ...]:
    """Who may call, and how often: written before the route."""
    metadata, spec = metadata_of(gis, gis.name), gis.spec
    return protection.policies(
        metadata, spec.auth, spec.rate_limit, host=gis.host, gateway_class=gateway_class, keys=keys
    )


def shadow_address(gis: InferenceService, beside: Beside) -> tuple[Manifest, ...]:
    """Where copies go; written long before the route names it."""
    if beside.shadow is None:
        return ()
    pods = {SERVICE_LABEL: gis.name, USES_MODEL_VERSION: beside.shadow.name}
    return shadowing.address(metadata_of(gis, shadowing.shadow_name(gis.name)), pods, port_of(gis))


def through(gis: InferenceService) -> tuple[str, str, str | None]:
    """(namespace, name, listener) of the Gateway that the route hangs on."""
    if protection.has_own_gateway(gis.spec.auth):
        return gis.namespace, gis.name, protection.LISTENER
    return gis.spec.gateway.namespace, gis.spec.gateway.name, gis.spec.gateway.section_name


def route(gis: InferenceService, ledger: Ledger, beside: Beside) -> dict[str, Any] | None:
    """Who gets which share; None while nobody does. A function of the ledger: a crash before it is put right by the next look."""
    if not ledger.weights:
        return None
    namespace, name, listener = through(gis)
    parent = {"name": name, "namespace": namespace, **({"sectionName": listener} if listener else {})}
    mirror = None
    if beside.mirrors and gis.spec.shadow is not None:
        mirror = splitting.Mirror(shadowing.shadow_name(gis.name), gis.spec.shadow.percent)
    return {
        "apiVersion": gvks.HTTP_ROUTE.api_version,
        "kind": gvks.HTTP_ROUTE.kind,
        "metadata": metadata_of(gis, gis.name),
        "spec": {
            "parentRefs": [parent],
            "hostnames": [gis.host],
            "rules": splitting.mirrored(_rules(gis, ledger, beside), mirror),
        },
    }


def splits(gis: InferenceService, ledger: Ledger) -> bool:
    """Whether the route compares two arms; a rollout that is on its way is judged to its end first."""
    return gis.spec.ab is not None and ledger.stable is not None and ledger.rollout is None


def fallback(gis: InferenceService, ledger: Ledger, beside: Beside) -> str:
    """Which arm answers for both; empty while each answers for itself."""
    if gis.spec.ab is None or ledger.stable is None or not splits(gis, ledger):
        return ""
    return splitting.fallback(gis.spec.ab, *_arms(gis, ledger.stable, beside))


def _arms(gis: InferenceService, stable: Version, beside: Beside) -> tuple[splitting.Backend, splitting.Backend | None]:
    a = splitting.Backend(_service(gis, stable), stable.name, beside.a_ready)
    b = splitting.Backend(_service(gis, beside.b), beside.b.name, beside.b_ready) if beside.b else None
    return a, b


def _rules(gis: InferenceService, ledger: Ledger, beside: Beside) -> list[dict[str, Any]]:
    if splits(gis, ledger) and gis.spec.ab is not None and ledger.stable is not None:
        return splitting.ab_rules(gis.spec.ab, *_arms(gis, ledger.stable, beside))
    percent, weights = WHOLE // 100, splitting.two_places(ledger.weights)
    unit = percent if all(share % percent == 0 for _, share in weights) else 1  # people read 90 and 10
    backends = [
        splitting.backend_ref(splitting.Backend(_service(gis, version), version.name), share // unit)
        for version, share in weights
    ]
    return [{"backendRefs": backends}]


def _service(gis: InferenceService, version: Version) -> str:
    return backend_name(predictor_name(gis.name, version.digest))


def metadata_of(gis: InferenceService, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "namespace": gis.namespace,
        "labels": {MANAGED_BY: "gyre", SERVICE_LABEL: gis.name},
        "ownerReferences": [gis.owner_reference()],
    }
