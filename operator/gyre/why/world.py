"""The objects that have to do with a question, read once; and of each that is not there, why. The only reads of `gyre why`.

It follows names: endpoint → ledger, Model → versions → the version → its run, its data; and what watches over them. What may not
be read, or is not installed, is said in the answer: somebody with few rights learns what those rights let him see.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Protocol

from gyre.api import gvks
from gyre.api.effects import Gvk, Ref
from gyre.api.kind import Object
from gyre.kinds.dataset.desired import ledger_name
from gyre.kinds.inferenceservice import memory
from gyre.kinds.inferenceservice.ledger import Ledger
from gyre.kinds.inferenceservice.names import rollout_name
from gyre.kinds.model.policy import RETRAIN_OF
from gyre.kinds.trainingjob.names import run_name
from gyre.kube.errors import ApiError, NotFound, Rejected
from gyre.why.answer import part, rows
from gyre.why.traffic import Served, served


class Getter(Protocol):
    async def get(self, ref: Ref) -> Object: ...
    def list(
        self, gvk: Gvk, *, namespace: str = "", selector: str = "", metadata_only: bool = False
    ) -> AsyncIterator[Object]: ...


@dataclass(frozen=True, slots=True)
class Found:
    """An object, or why there is none."""

    obj: Object | None = None
    absent: str = ""


@dataclass(frozen=True, slots=True)
class Several:
    """The objects of a kind that have to do with it, or why nobody can tell."""

    objects: tuple[Object, ...] = ()
    absent: str = ""


NOT_ASKED: Final = Found(absent="nothing leads to it")


@dataclass(frozen=True, slots=True)
class World:
    what: Ref
    at: datetime | None
    service: Found = NOT_ASKED
    ledger: Ledger | None = None
    ledger_problem: str = ""
    """Why there is no ledger."""
    model: Found = NOT_ASKED
    versions: Several = Several()
    """Of the model."""
    version: Found = NOT_ASKED
    job: Found = NOT_ASKED
    run: Found = NOT_ASKED
    """The run ConfigMap of the job."""
    datasets: Mapping[str, Found] = field(default_factory=dict)
    scans: Mapping[str, Found] = field(default_factory=dict)
    """The ledger of each Dataset."""
    services: Several = Several()
    """That serve versions of the model."""
    ledgers: Mapping[str, Ledger] = field(default_factory=dict)
    """Of those, by name."""
    monitors: Several = Several()
    objectives: Several = Several()
    budgets: Several = Several()
    retrained: Several = Several()
    """Jobs that retrain the model."""

    @property
    def served(self) -> Served:
        if self.ledger is None:
            return Served(unknown=self.ledger_problem or "gyre has not looked at the service yet")
        return served(self.ledger, self.at)


async def gathered(api: Getter, what: Ref, at: datetime | None) -> World:
    """Raises LookupError when the object that is asked about does not exist, ApiError when nobody answers."""
    try:
        asked = await api.get(what)
    except NotFound as error:
        raise LookupError(f"{what.gvk.kind} {what.namespace}/{what.name} does not exist") from error
    look = Look(api, what.namespace)
    world = World(what, at)
    if what.gvk == gvks.INFERENCE_SERVICE:
        world = await look.at_service(replace(world, service=Found(asked)))
        name = world.served.version
        model, version = part(asked, "spec", "modelRef", "name"), await look.named(gvks.MODEL_VERSION, name)
        world = await look.at_model(world, str(model or ""))
        return await look.at_version(replace(world, version=version))
    if what.gvk == gvks.MODEL:
        world = await look.at_model(replace(world, model=Found(asked)), what.name)
        name = str(part(asked, "status", "champion", "name") or "")
        return await look.at_version(replace(world, version=await look.named(gvks.MODEL_VERSION, name)))
    if what.gvk == gvks.MODEL_VERSION:
        world = await look.at_model(world, str(part(asked, "spec", "modelRef", "name") or ""))
        return await look.at_version(replace(world, version=Found(asked)))
    name = str(part(asked, "status", "modelVersion") or "")
    made = Found(absent=f"TrainingJob {what.name} has made no version yet")
    version = await look.named(gvks.MODEL_VERSION, name) if name else made
    model = part(version.obj, "spec", "modelRef", "name") or part(asked, "spec", "model", "name") or what.name
    world = await look.at_model(world, str(model))
    return await look.at_version(replace(world, version=version, job=Found(asked)))


class Look:
    """Reads, and says why not."""

    def __init__(self, api: Getter, namespace: str) -> None:
        self.api, self.namespace = api, namespace

    async def named(self, gvk: Gvk, name: str) -> Found:
        if not name:
            return NOT_ASKED
        ref = Ref(gvk, self.namespace if gvk.namespaced else "", name)
        try:
            return Found(await self.api.get(ref))
        except NotFound:
            return Found(absent=f"{gvk.kind} {name} does not exist (any more)")
        except Rejected as error:
            return Found(absent=_refused(error, "get", gvk))

    async def several(self, gvk: Gvk, selector: str = "") -> Several:
        try:
            namespace = self.namespace if gvk.namespaced else ""
            found = [obj async for obj in self.api.list(gvk, namespace=namespace, selector=selector)]
        except NotFound:
            return Several(absent=f"{gvk.kind} is not installed in this cluster: apply its CustomResourceDefinition")
        except Rejected as error:
            return Several(absent=_refused(error, "list", gvk))
        return Several(tuple(sorted(found, key=lambda obj: str(part(obj, "metadata", "name")))))

    async def at_service(self, world: World) -> World:
        name = world.what.name
        found = await self.named(gvks.CONFIG_MAP, rollout_name(name))
        ledger, problem = _ledger(found)
        objectives = await self.several(gvks.SERVICE_LEVEL_OBJECTIVE)
        return replace(
            world,
            ledger=ledger,
            ledger_problem=problem,
            objectives=replace(objectives, objects=_of(objectives.objects, "serviceRef", name)),
        )

    async def at_model(self, world: World, name: str) -> World:
        """The model with its versions, who serves them, and what watches over it."""
        versions = await self.several(gvks.MODEL_VERSION)
        services, monitors = await self.several(gvks.INFERENCE_SERVICE), await self.several(gvks.DRIFT_MONITOR)
        serving = _of(services.objects, "modelRef", name)
        ledgers = {}
        if world.what.gvk != gvks.INFERENCE_SERVICE:
            for obj in serving:
                service = str(obj["metadata"]["name"])
                ledger, _ = _ledger(await self.named(gvks.CONFIG_MAP, rollout_name(service)))
                if ledger is not None:
                    ledgers[service] = ledger
        return replace(
            world,
            model=world.model if world.model.obj else await self.named(gvks.MODEL, name),
            versions=replace(versions, objects=_of(versions.objects, "modelRef", name)),
            services=replace(services, objects=serving),
            ledgers=ledgers,
            monitors=replace(monitors, objects=_of(monitors.objects, "modelRef", name)),
            budgets=await self.several(gvks.COST_BUDGET),
            retrained=await self.several(gvks.TRAINING_JOB, f"{RETRAIN_OF}={name}") if name else Several(),
        )

    async def at_version(self, world: World) -> World:
        """The run and the data that it came from."""
        lineage = part(world.version.obj, "spec", "lineage")
        name = str(part(lineage, "run", "name") or "")
        by_hand = (
            Found(absent=f"ModelVersion {world.version.obj['metadata']['name']} was registered by hand")
            if (world.version.obj and not name)
            else NOT_ASKED
        )
        job = world.job if world.job.obj else await self.named(gvks.TRAINING_JOB, name) if name else by_hand
        used = {str(row.get("name", "")) for row in rows(lineage, "datasets")}
        used |= {str(row.get("dataset", "")) for row in rows(job.obj, "status", "datasets")}
        used -= {""}
        return replace(
            world,
            job=job,
            run=await self.named(gvks.CONFIG_MAP, run_name(str(job.obj["metadata"]["name"]))) if job.obj else NOT_ASKED,
            datasets={name: await self.named(gvks.DATASET, name) for name in sorted(used)},
            scans={name: await self.named(gvks.CONFIG_MAP, ledger_name(name)) for name in sorted(used)},
        )


def _ledger(found: Found) -> tuple[Ledger | None, str]:
    """The ledger, or why there is none."""
    if found.obj is None:
        return None, found.absent
    read = memory.of(found.obj)
    return read.ledger, f"its ledger cannot be read: {read.problem}" if read.problem else ""


def _of(objects: Sequence[Object], field: str, name: str) -> tuple[Object, ...]:
    return tuple(obj for obj in objects if part(obj, "spec", field, "name") == name)


def _refused(error: ApiError, verb: str, gvk: Gvk) -> str:
    if error.status == 403:
        return f"you may not {verb} {gvk.plural}: ask for a Role with that verb"
    return f"{gvk.kind}: {error.message}"
