"""The only reads an InferenceService makes.

Everything that is watched comes from the cache. Asked live is only what decides something now: who changed the spec and whether
the claim is there, before a version starts; KServe's controller and its works, while one comes up; the counters, while one is
judged; whether strangers are refused, where the spec says who may call; how the log is doing, where there is one. A settled
service without those asks nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from gyre.adapters import kserve, storage
from gyre.adapters.authors import author_of
from gyre.adapters.envoy import PolicyView
from gyre.adapters.gateway import GatewayView, RouteView
from gyre.adapters.kserve import PredictorView
from gyre.adapters.objectives import ObjectiveView
from gyre.adapters.pods import PodView
from gyre.adapters.ranking import withdrawals
from gyre.adapters.versions import ModelVersionView
from gyre.api import gvks
from gyre.api.effects import Ref
from gyre.api.kind import Answer, Reader
from gyre.api.objective import Goal
from gyre.kinds.inferenceservice import asking, desired, guarding, logged, memory
from gyre.kinds.inferenceservice.backends import backends, beside, pods_of, shadow_address
from gyre.kinds.inferenceservice.counting import CANDIDATE, STABLE, Readings
from gyre.kinds.inferenceservice.desired import Beside
from gyre.kinds.inferenceservice.guarding import Owned
from gyre.kinds.inferenceservice.keysets import Keys
from gyre.kinds.inferenceservice.ledger import Ledger, Version
from gyre.kinds.inferenceservice.logged import LogSeen
from gyre.kinds.inferenceservice.memory import Memory
from gyre.kinds.inferenceservice.model import InferenceService
from gyre.kinds.inferenceservice.names import SERVICE_LABEL, predictor_name, rollout_name
from gyre.kinds.inferenceservice.parts import Track
from gyre.kinds.inferenceservice.proof import Probe
from gyre.kinds.inferenceservice.target import ModelSeen, Target, servable, target
from gyre.kinds.inferenceservice.troubles import Backend


class KServe(StrEnum):
    """KServe, as far as it was asked for."""

    NOT_ASKED = "NotAsked"
    UP = "Up"
    DOWN = "Down"
    MISSING = "Missing"


@dataclass(frozen=True, slots=True)
class Before:
    """What matters only at the moment at which another version is asked for."""

    by: str = ""
    """Who asked for it."""
    claim_missing: str | None = None


@dataclass(frozen=True, slots=True)
class Observed:
    target: Target = field(default_factory=Target)
    memory: Memory | None = None
    backends: Mapping[str, Backend] = field(default_factory=dict)
    """By name of the predictor: those that exist and those that are needed."""
    beside: Beside = field(default_factory=Beside)
    """Versions of experiments."""
    unknown: tuple[str, ...] = ()
    """Versions of experiments that cannot be served, and why."""
    route: RouteView | None = None
    parent: GatewayView | None = None
    """The Gateway of the spec."""
    gateway: GatewayView | None = None
    """The one that the route hangs on: the same, or with mtls the service's own."""
    guards: tuple[Owned, ...] = ()
    """Policies of ours, and with mtls our Gateway."""
    policies: tuple[PolicyView, ...] = ()
    asked: tuple[tuple[Probe, Answer], ...] = ()
    """Requests that must be refused, and what came of them."""
    keys: Keys | None = None
    """What tokens are verified with, where it lies in a ConfigMap."""
    address: tuple[Owned, ...] = ()
    """Where copies go."""
    kserve: KServe = KServe.NOT_ASKED
    before: Before = Before()
    readings: Readings | None = None
    """The counters; None unless a candidate with traffic is being judged, or two arms are compared."""
    log: LogSeen = field(default_factory=LogSeen)
    """The prediction log; empty unless there is one, or was."""
    levels: tuple[ObjectiveView, ...] = ()
    """What is promised of the service."""
    strangers: tuple[str, ...] = ()
    """Objects with our children's names that belong to somebody else, most likely to a deleted service of this name."""

    @property
    def ledger(self) -> Ledger | None:
        return self.memory.ledger if self.memory else None

    @property
    def seen_version(self) -> str | None:
        """resourceVersion of the ledger: the guard of its next write."""
        return self.memory.version if self.memory else None

    def backend(self, gis: InferenceService, version: Version) -> Backend:
        name = predictor_name(gis.name, version.digest)
        return self.backends.get(name) or Backend(name)


async def gather(reader: Reader, gis: InferenceService) -> Observed:
    held = reader.get(Ref(gvks.CONFIG_MAP, gis.namespace, rollout_name(gis.name)))
    kept = memory.of(held) if held else None
    ours = kept if kept and kept.owner == gis.uid else None
    ledger = ours.ledger if ours and ours.ledger else Ledger()
    wanted, extras = _target(reader, gis), _extras(reader, gis)
    views = [
        PredictorView.of(obj) for obj in reader.labelled(gvks.KSERVE_SERVICE, gis.namespace, SERVICE_LABEL, gis.name)
    ]
    theirs = [view.name for view in views if view.owner != gis.uid]
    serving = {role: found.version for role, found in extras.items() if found.version}
    found = await backends(reader, gis, [view for view in views if view.owner == gis.uid], ledger, serving)
    extra = beside(reader, gis, ledger, serving, found)
    route = _route(reader, gis)
    parent, gateway = _gateways(reader, gis)
    strangers = (
        *((f"ConfigMap {rollout_name(gis.name)}",) if kept and not ours else ()),
        *(f"InferenceService (KServe) {name}" for name in theirs),
        *((f"HTTPRoute {gis.name}",) if route and route.owner != gis.uid else ()),
    )
    guards, policies = guarding.guards(reader, gis)
    return Observed(
        target=wanted,
        memory=ours,
        backends=found,
        beside=extra,
        unknown=tuple(f"spec.{role}.version: {named.message}" for role, named in extras.items() if not named.version),
        route=route,
        parent=parent,
        gateway=gateway,
        guards=guards,
        policies=policies,
        asked=await guarding.asked(reader, gis, gateway) if ledger.stable and route else (),
        keys=await guarding.keys(reader, gis),
        address=shadow_address(reader, gis),
        kserve=await _kserve(reader, ledger, found, starts=_new(ledger, wanted)),
        before=await _before(reader, gis, ledger, wanted) if ours else Before(),
        readings=await _readings(reader, gis, ledger, extra, route),
        log=await logged.seen(reader, gis, found.values()),
        levels=tuple(map(ObjectiveView.of, reader.referrers(gis.ref, gvks.SERVICE_LEVEL_OBJECTIVE))),
        strangers=strangers,
    )


def _target(reader: Reader, gis: InferenceService) -> Target:
    name = gis.spec.model_ref.name
    if gis.spec.model_ref.track is Track.VERSION:
        named = _version(reader, gis, gis.spec.model_ref.version or "")
        return target(gis, None, [named] if named else [])
    ref = Ref(gvks.MODEL, gis.namespace, name)
    model = reader.get(ref)
    if model is None:
        return target(gis, None, [])
    objective = (model.get("spec") or {}).get("objective") or {}
    goal = Goal.MAXIMIZE if objective.get("goal") == Goal.MAXIMIZE.value else Goal.MINIMIZE
    versions = [ModelVersionView.of(obj) for obj in reader.referrers(ref, gvks.MODEL_VERSION)]
    return target(gis, ModelSeen(name, objective.get("metric"), goal, withdrawals(model)), versions)


def _extras(reader: Reader, gis: InferenceService) -> dict[str, Target]:
    """Versions of the experiments, by the field of the spec that names them."""
    named = {"ab": gis.spec.ab.version if gis.spec.ab else None}
    named["shadow"] = gis.spec.shadow.version if gis.spec.shadow else None
    found = {}
    for role, name in named.items():
        if name is not None:
            view = _version(reader, gis, name)
            missing = Target(message=f"ModelVersion {name!r} does not exist or is not registered yet")
            found[role] = servable(view) if view and view.ready and not view.deleting else missing
    return found


def _version(reader: Reader, gis: InferenceService, name: str) -> ModelVersionView | None:
    obj = reader.get(Ref(gvks.MODEL_VERSION, gis.namespace, name))
    return ModelVersionView.of(obj) if obj else None


# ── the gateway ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _route(reader: Reader, gis: InferenceService) -> RouteView | None:
    obj = reader.get(Ref(gvks.HTTP_ROUTE, gis.namespace, gis.name))
    namespace, name, _ = desired.through(gis)
    return RouteView.of(obj, gateway=name, gateway_namespace=namespace) if obj else None


def _gateways(reader: Reader, gis: InferenceService) -> tuple[GatewayView | None, GatewayView | None]:
    """(that of the spec, that of the route)."""

    def view(namespace: str, name: str) -> GatewayView | None:
        obj = reader.get(Ref(gvks.GATEWAY, namespace, name))
        return GatewayView.of(obj) if obj else None

    namespace, name, _ = desired.through(gis)
    return view(gis.spec.gateway.namespace, gis.spec.gateway.name), view(namespace, name)


# ── asked live ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _new(ledger: Ledger, wanted: Target) -> Version | None:
    """The version asked for, if it has no part in the service yet and is not kept out of it."""
    version = wanted.version
    if version is None or ledger.quarantine_of(version.digest):
        return None
    at_hand = [ledger.stable, ledger.rollout.candidate if ledger.rollout else None]
    return None if any(known is not None and known.digest == version.digest for known in at_hand) else version


async def _kserve(reader: Reader, ledger: Ledger, found: Mapping[str, Backend], *, starts: Version | None) -> KServe:
    """Asked while something has to come up, and while a candidate is on its way: nothing is promoted without it."""
    stale = [backend for backend in found.values() if backend.stale]
    if not stale and starts is None and ledger.rollout is None:
        return KServe.NOT_ASKED
    missing = starts is not None or any(backend.predictor is None for backend in stale)
    if missing and await reader.fetch(Ref(gvks.CUSTOM_RESOURCE_DEFINITION, "", kserve.DEFINITION)) is None:
        return KServe.MISSING
    pods = await reader.find(gvks.POD, "", kserve.CONTROLLER)
    views = (PodView.of(pod, attempt_label="", node_type_label="") for pod in pods)
    return KServe.UP if any(view.ready and not view.deleting for view in views) else KServe.DOWN


async def _before(reader: Reader, gis: InferenceService, ledger: Ledger, wanted: Target) -> Before:
    version, aim = wanted.version, ledger.rollout.candidate if ledger.rollout else ledger.stable
    if version is None or ledger.quarantine_of(version.digest) or (aim and aim.digest == version.digest):
        return Before()
    place, missing = storage.from_uri(version.uri), None
    if _new(ledger, wanted) and isinstance(place, storage.ClaimPlace):
        claim = await reader.fetch(Ref(gvks.PERSISTENT_VOLUME_CLAIM, gis.namespace, place.claim))
        missing = place.claim if claim is None else None
    return Before(await _by(reader, gis), missing)


async def _by(reader: Reader, gis: InferenceService) -> str:
    """Who asks for another version than is served: whoever wrote modelRef, or the Model by its new champion."""
    if gis.spec.model_ref.track is Track.CHAMPION:
        return f"Model/{gis.spec.model_ref.name}"
    live = await reader.fetch(gis.ref)
    return author_of(live, "spec", "modelRef") if live else ""


async def _readings(
    reader: Reader,
    gis: InferenceService,
    ledger: Ledger,
    extra: Beside,
    route: RouteView | None,
) -> Readings | None:
    """Only while the gateway is known to give the candidate its share: counts of other weights would be misread."""
    rollout, meant = ledger.rollout, desired.route(gis, ledger, extra)
    if ledger.stable is None or meant is None or route is None or not route.believed(meant):
        return None
    if desired.splits(gis, ledger) and extra.b is not None:
        return await asking.readings(reader, gis, {}, fresh=False)
    if rollout is None or rollout.weight == 0 or rollout.withdrawn:
        return None
    versions = {STABLE: ledger.stable, CANDIDATE: rollout.candidate}
    pods = {
        role: await pods_of(reader, gis, predictor_name(gis.name, version.digest)) for role, version in versions.items()
    }
    return await asking.readings(reader, gis, pods, fresh=rollout.counting is None)
