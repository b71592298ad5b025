"""`gyre slo rules NAME`: the alerts of a ServiceLevelObjective, for a Prometheus whose operator is not installed here.

Never      writes to the cluster; needs more than `get` on the objective and its ledger.
"""

from __future__ import annotations

from typing import Protocol

from gyre.api import gvks
from gyre.api.effects import Manifest, Ref
from gyre.api.kind import Object
from gyre.kinds.servicelevelobjective.desired import ledger_name, prometheus_rule
from gyre.kinds.servicelevelobjective.ledger import edges, of
from gyre.kinds.servicelevelobjective.model import ServiceLevelObjective
from gyre.kube.client import KubeApi
from gyre.kube.errors import NotFound


class Getter(Protocol):
    async def get(self, ref: Ref) -> Object: ...


async def rules(api: Getter, namespace: str, name: str) -> Manifest:
    """As a PrometheusRule; `spec.groups` is what a plain Prometheus reads. Raises LookupError when there is no such objective."""
    try:
        slo = ServiceLevelObjective.parse(await api.get(Ref(gvks.SERVICE_LEVEL_OBJECTIVE, namespace, name)))
    except NotFound as error:
        raise LookupError(f"ServiceLevelObjective {namespace}/{name} does not exist") from error
    try:
        memory = of(await api.get(Ref(gvks.CONFIG_MAP, namespace, ledger_name(name))))
    except NotFound:
        return prometheus_rule(slo, {})
    return prometheus_rule(slo, edges(memory.ledger))


async def read(namespace: str, name: str) -> Manifest:
    api = await KubeApi.connect()
    try:
        return await rules(api, namespace, name)
    finally:
        await api.close()
