"""The only reads a ServiceLevelObjective makes: its service, its ledger, and everybody who counts the service's requests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from gyre.adapters.counters import Asked, Pod, ask_proxies, ask_servers
from gyre.adapters.labels import labelled
from gyre.adapters.services import ServiceView
from gyre.adapters.versions import SERVED_FOR
from gyre.api import gvks
from gyre.api.effects import Ref
from gyre.api.kind import Reader
from gyre.kinds.servicelevelobjective import ledger
from gyre.kinds.servicelevelobjective.counting import Readings
from gyre.kinds.servicelevelobjective.desired import ledger_name
from gyre.kinds.servicelevelobjective.ledger import Memory
from gyre.kinds.servicelevelobjective.model import Kind, ServiceLevelObjective

NEVER: Final = datetime.min.replace(tzinfo=UTC)
KEEP_SECONDS: Final = 1.0
"""Looks that follow each other at once ask once."""
SERVER_PORT: Final = 8080
"""Of gyre's own server."""
RULES_DEFINITION: Final = f"{gvks.PROMETHEUS_RULE.plural}.{gvks.PROMETHEUS_RULE.group}"


@dataclass(frozen=True, slots=True)
class Observed:
    memory: Memory | None = None
    service: ServiceView | None = None
    readings: Readings | None = None
    """None while no version of the service has traffic."""
    prometheus: bool = False
    """Whether PrometheusRules can be written."""


async def gather(reader: Reader, slo: ServiceLevelObjective) -> Observed:
    held = reader.get(Ref(gvks.CONFIG_MAP, slo.namespace, ledger_name(slo.name)))
    obj = reader.get(Ref(gvks.INFERENCE_SERVICE, slo.namespace, slo.spec.service_ref.name))
    service = ServiceView.of(obj) if obj else None
    rules = await reader.fetch(Ref(gvks.CUSTOM_RESOURCE_DEFINITION, "", RULES_DEFINITION))
    return Observed(
        memory=ledger.of(held) if held else None,
        service=service,
        readings=await _readings(reader, slo, service) if service and service.stable else None,
        prometheus=rules is not None,
    )


async def _readings(reader: Reader, slo: ServiceLevelObjective, service: ServiceView) -> Readings:
    asked = await ask_proxies(reader, service.gateway, (service.namespace, service.name), KEEP_SECONDS)
    timed = any(traffic.latency for proxy in asked.proxies for traffic in proxy.counted.values())
    servers = Asked()
    if not timed and service.own_server and any(o.type is Kind.LATENCY for o in slo.spec.objectives):
        pods = await reader.find(gvks.POD, slo.namespace, {SERVED_FOR: service.name})
        servers = await ask_servers(reader, {"": [Pod.of(pod) for pod in pods]}, SERVER_PORT, KEEP_SECONDS)
    labels = {}
    for name in sorted({o.monitor_ref.name for o in slo.spec.objectives if o.monitor_ref}):
        monitor = reader.get(Ref(gvks.DRIFT_MONITOR, slo.namespace, name))
        if monitor and (told := labelled(monitor)):
            labels[name] = told
    times = (*asked.times, *servers.times)
    return Readings(
        at=min(times, default=NEVER),
        proxies=asked.proxies,
        servers=servers.servers,
        labels=labels,
        alive=(*asked.alive, *servers.alive, *labels),
        problem=asked.problem or servers.problem,
    )
