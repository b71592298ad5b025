"""The predictors of a service as they are: put together from what KServe made of them. A part of `observe.py`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from gyre.adapters import kserve
from gyre.adapters.counters import Pod
from gyre.adapters.kserve import PredictorView
from gyre.adapters.workloads import DeploymentView, ready_endpoints
from gyre.api import gvks
from gyre.api.effects import Gvk, Manifest, Ref
from gyre.api.kind import Object, Reader
from gyre.kinds.inferenceservice import desired, shadowing
from gyre.kinds.inferenceservice.desired import Beside
from gyre.kinds.inferenceservice.guarding import Owned
from gyre.kinds.inferenceservice.ledger import Ledger, Version
from gyre.kinds.inferenceservice.model import InferenceService
from gyre.kinds.inferenceservice.names import SERVICE_LABEL, predictor_name
from gyre.kinds.inferenceservice.predictor import predictor
from gyre.kinds.inferenceservice.troubles import Backend

PARTS: Final = (gvks.DEPLOYMENT, gvks.ENDPOINT_SLICE, gvks.POD)
"""What KServe and Kubernetes make of a predictor."""
ADDRESS: Final = (gvks.SERVICE, gvks.ENDPOINT_SLICE)
"""What makes the address of a shadow: shadowing.py."""


async def backends(
    reader: Reader,
    gis: InferenceService,
    ours: Sequence[PredictorView],
    ledger: Ledger,
    serving: Mapping[str, Version],
) -> dict[str, Backend]:
    """Every predictor that is there or should be. `serving`: versions of experiments, by their field of the spec.

    What the cache does not show to be well is looked at live: an event that nobody told must not look like a version that does
    not come up, and end in quarantine.
    """
    needed = desired.needed(ledger, Beside(versions=tuple(serving.values())))
    meant = {predictor_name(gis.name, version.digest): predictor(gis, version) for version in needed}
    views = {view.name: view for view in ours}
    parts = {gvk: reader.labelled(gvk, gis.namespace, SERVICE_LABEL, gis.name) for gvk in PARTS}
    found = _put_together(views, meant, parts)
    if all(backend.converged for backend in found.values() if backend.template):
        return found
    live = {gvk: await reader.find(gvk, gis.namespace, {SERVICE_LABEL: gis.name}) for gvk in PARTS}
    return _put_together(views, meant, live)


async def pods_of(reader: Reader, gis: InferenceService, name: str) -> tuple[Pod, ...]:
    """The pods of a predictor, live: one that is not known of is not asked for its metrics, and its version would look quick."""
    found = await reader.find(gvks.POD, gis.namespace, {SERVICE_LABEL: gis.name, kserve.PREDICTOR_LABEL: name})
    return tuple(Pod.of(obj) for obj in found)


def _put_together(
    views: Mapping[str, PredictorView], meant: Mapping[str, Manifest], parts: Mapping[Gvk, Sequence[Object]]
) -> dict[str, Backend]:
    deployments = {_predictor_of(obj): DeploymentView.of(obj) for obj in parts[gvks.DEPLOYMENT]}
    slices, pods = _grouped(parts[gvks.ENDPOINT_SLICE]), _grouped(parts[gvks.POD])
    return {
        name: Backend(
            name=name,
            predictor=views.get(name),
            deployment=deployments.get(name),
            pods=tuple(Pod.of(obj) for obj in pods.get(name, ())),
            exposed=name in slices,
            endpoints=ready_endpoints(slices.get(name, ())),
            template=kserve.template_of(meant[name]) if name in meant else "",
            stale=name in meant and not (name in views and views[name].says(meant[name])),
        )
        for name in sorted(views.keys() | meant.keys())
    }


def beside(
    reader: Reader,
    gis: InferenceService,
    ledger: Ledger,
    serving: Mapping[str, Version],
    found: Mapping[str, Backend],
) -> Beside:
    """The experiments as far as the route may name them: a gateway refuses a route to a Service that does not exist."""

    def of(version: Version | None) -> Backend:
        name = predictor_name(gis.name, version.digest) if version else ""
        return found.get(name) or Backend(name)

    b, shadow = serving.get("ab"), serving.get("shadow")
    if shadow is not None and _answers_itself(shadow, ledger):
        shadow = None
    return Beside(
        versions=tuple(serving.values()),
        a_ready=of(ledger.stable).ready,
        b=b if of(b).exposed else None,
        b_ready=of(b).ready,
        shadow=shadow,
        mirrors=of(shadow).ready and len(shadow_address(reader, gis)) == len(ADDRESS),
    )


def shadow_address(reader: Reader, gis: InferenceService) -> tuple[Owned, ...]:
    """Where copies go, as far as it is there: both objects, or nobody is told of it."""
    return tuple(
        Owned(Ref(gvk, gis.namespace, obj["metadata"]["name"]), obj["metadata"]["uid"])
        for gvk in ADDRESS
        for obj in reader.owned(gvk, gis.uid)
        if obj["metadata"]["name"] == shadowing.shadow_name(gis.name)
    )


def _answers_itself(version: Version, ledger: Ledger) -> bool:
    """It has traffic, or is to get some: copies on top of it would be counted among its answers."""
    known = [ledger.stable, ledger.rollout.candidate if ledger.rollout else None]
    return any(one is not None and one.digest == version.digest for one in known)


def _grouped(objects: Iterable[Object]) -> dict[str, list[Object]]:
    found: dict[str, list[Object]] = {}
    for obj in objects:
        found.setdefault(_predictor_of(obj), []).append(obj)
    return found


def _predictor_of(obj: Object) -> str:
    return str((obj["metadata"].get("labels") or {}).get(kserve.PREDICTOR_LABEL, ""))
