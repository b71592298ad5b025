"""Who is kept out: the policies as they are, the keys of tokens, the requests that must be refused. A part of `observe.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gyre.adapters.envoy import PolicyView
from gyre.adapters.gateway import GatewayView
from gyre.api import gvks
from gyre.api.effects import Ref
from gyre.api.kind import Answer, Reader
from gyre.kinds.inferenceservice import desired, proof
from gyre.kinds.inferenceservice.keysets import Keys, keys_of
from gyre.kinds.inferenceservice.model import InferenceService
from gyre.kinds.inferenceservice.predictor import ready_path
from gyre.kinds.inferenceservice.proof import Probe

GUARDS: Final = (gvks.SECURITY_POLICY, gvks.BACKEND_TRAFFIC_POLICY, gvks.CLIENT_TRAFFIC_POLICY, gvks.GATEWAY)


@dataclass(frozen=True, slots=True)
class Owned:
    """An object of ours that may have to be deleted."""

    ref: Ref
    uid: str


def guards(reader: Reader, gis: InferenceService) -> tuple[tuple[Owned, ...], tuple[PolicyView, ...]]:
    """What stands in front of the service, and of that the policies as the route's Gateway sees them."""
    namespace, name, _ = desired.through(gis)
    found, policies = [], []
    for gvk in GUARDS:
        for obj in reader.owned(gvk, gis.uid):
            found.append(Owned(Ref(gvk, gis.namespace, obj["metadata"]["name"]), obj["metadata"]["uid"]))
            if gvk != gvks.GATEWAY:
                policies.append(PolicyView.of(obj, gateway=name, gateway_namespace=namespace))
    return tuple(found), tuple(policies)


async def keys(reader: Reader, gis: InferenceService) -> Keys | None:
    """Public, and not watched: looked at whenever anybody looks. None where no ConfigMap has them."""
    jwt = gis.spec.auth.jwt if gis.spec.auth else None
    if jwt is None or jwt.jwks.config_map is None:
        return None
    found = await reader.fetch(Ref(gvks.CONFIG_MAP, gis.namespace, jwt.jwks.config_map.name))
    return keys_of(found, jwt.jwks.config_map, gis.namespace)


async def asked(reader: Reader, gis: InferenceService, gateway: GatewayView | None) -> tuple[tuple[Probe, Answer], ...]:
    """Requests that must be refused; a refusal is good for a minute, anything else is asked again at the next look."""
    _, _, listener = desired.through(gis)
    found = []
    for probe in proof.probes(gis.spec.auth, gateway, host=gis.host, path=ready_path(gis), section=listener):
        answer = await reader.ask(probe.url, probe.headers, max_age=proof.PROVED_FOR)
        if not proof.refused(probe, answer):
            answer = await reader.ask(probe.url, probe.headers, max_age=1.0)
        found.append((probe, answer))
    return tuple(found)
