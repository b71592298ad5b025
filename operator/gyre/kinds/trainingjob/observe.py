"""The only reads a TrainingJob makes.

Everything that is watched comes from the cache. What is not (a claim, the script, the queue) is fetched live, and only
before an attempt can start: a running job costs the API server no reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gyre.adapters import storage
from gyre.adapters.budgets import BudgetView
from gyre.adapters.charges import sightings
from gyre.adapters.datasets import DatasetView
from gyre.adapters.kuberay import NODE_TYPE_LABEL, RayJobView
from gyre.adapters.ownership import controller_uid
from gyre.adapters.pods import NodeView, PodView
from gyre.adapters.ranking import champion_of
from gyre.adapters.run import Progress
from gyre.adapters.storage import ClaimPlace
from gyre.adapters.versions import ModelVersionView
from gyre.api import gvks
from gyre.api.effects import Gvk, Ref
from gyre.api.kind import Reader
from gyre.cost.meter import Sighting
from gyre.cost.prices import Book
from gyre.kinds.trainingjob import costs, memory, ray
from gyre.kinds.trainingjob.desired import model_name
from gyre.kinds.trainingjob.ledger import Ledger, Phase
from gyre.kinds.trainingjob.memory import Memory
from gyre.kinds.trainingjob.model import TrainingJob
from gyre.kinds.trainingjob.names import ATTEMPT_LABEL, JOB_LABEL, run_name
from gyre.kinds.trainingjob.parts import Against

MANY = frozenset({"ReadOnlyMany", "ReadWriteMany"})
"""Access modes of a claim that pods on any node can mount."""
CREDENTIALS: tuple[Gvk, ...] = (gvks.SERVICE_ACCOUNT, gvks.ROLE, gvks.ROLE_BINDING)


@dataclass(frozen=True, slots=True)
class Owned:
    """An object of ours that may have to be deleted."""

    ref: Ref
    uid: str


@dataclass(frozen=True, slots=True)
class Before:
    """What an attempt needs and nobody watches; looked at only before one starts."""

    claim_missing: str | None = None
    """The claim of spec.storage, when it does not exist."""
    code_missing: str | None = None
    """What is missing of the script."""
    queue_missing: bool = False
    champion_unreachable: str = ""
    """Why the pods could not mount the champion's claim."""


@dataclass(frozen=True, slots=True)
class Observed:
    datasets: Mapping[str, DatasetView] = field(default_factory=dict)
    """By name of the Dataset; a missing one is absent."""
    memory: Memory | None = None
    ray_jobs: tuple[RayJobView, ...] = ()
    clusters: tuple[str, ...] = ()
    """RayClusters of this job that still exist: KubeRay may yet make pods for them."""
    pods: tuple[PodView, ...] = ()
    nodes: Mapping[str, NodeView] = field(default_factory=dict)
    """The nodes of the pods, those that exist; all nodes while a pod finds none."""
    credentials: tuple[Owned, ...] = ()
    strangers: tuple[str, ...] = ()
    """Objects with our children's names that belong to somebody else, most likely to a deleted job of this name."""
    warm_start: ModelVersionView | None = None
    champion: ModelVersionView | None = None
    """The version that speaks for the Model; looked for only before an attempt starts."""
    before: Before = Before()
    budgets: tuple[BudgetView, ...] = ()
    """Of the CostBudgets that cover the job, those that park."""
    prices: Book = field(default_factory=Book)
    """Of the Providers in the currency that the job is metered in."""
    sightings: tuple[Sighting, ...] = ()
    """Its containers as runs that cost money; empty while there are no prices."""

    @property
    def ledger(self) -> Ledger | None:
        return self.memory.ledger if self.memory else None

    @property
    def seen_version(self) -> str | None:
        """resourceVersion of the run ConfigMap: the guard of its next write."""
        return self.memory.version if self.memory else None

    @property
    def progress(self) -> Progress | None:
        """The driver's newest word, of whatever attempt."""
        return self.memory.progress if self.memory else None

    @property
    def current(self) -> Progress | None:
        """The driver's newest word about the newest attempt."""
        spoken, ledger = self.progress, self.ledger
        return spoken if spoken and ledger and spoken.attempt == ledger.count else None

    def ray_job(self, attempt: int) -> RayJobView | None:
        return next((job for job in self.ray_jobs if job.attempt == attempt), None)

    def pods_of(self, attempt: int) -> tuple[PodView, ...]:
        return tuple(pod for pod in self.pods if pod.attempt == attempt)


async def gather(reader: Reader, job: TrainingJob) -> Observed:
    run = reader.get(Ref(gvks.CONFIG_MAP, job.namespace, run_name(job.name)))
    kept = memory.of(run, controller_uid(run)) if run else None
    ours = kept if kept and kept.owner == job.uid else None
    ray_jobs = tuple(
        RayJobView.of(obj, attempt_label=ATTEMPT_LABEL)
        for obj in reader.labelled(gvks.RAY_JOB, job.namespace, JOB_LABEL, job.name)
    )
    clusters = reader.labelled(gvks.RAY_CLUSTER, job.namespace, JOB_LABEL, job.name)
    views = tuple(
        PodView.of(pod, attempt_label=ATTEMPT_LABEL, node_type_label=NODE_TYPE_LABEL)
        for pod in reader.labelled(gvks.POD, job.namespace, JOB_LABEL, job.name)
    )
    credentials, foreign = _credentials(reader, job)
    ledger = ours.ledger if ours else None
    budgets = _budgets(reader, job)
    prices = costs.prices_of(job, ledger, reader.everything(gvks.PROVIDER))
    starting = may_start(job, ledger) and not budgets
    champion = _champion(reader, job) if starting else None
    return Observed(
        datasets=_datasets(reader, job),
        memory=ours,
        ray_jobs=tuple(ray_job for ray_job in ray_jobs if ray_job.owner == job.uid),
        clusters=tuple(obj["metadata"]["name"] for obj in clusters),
        pods=views,
        nodes=_nodes(reader, views, ledger),
        credentials=credentials,
        strangers=(
            *((f"ConfigMap {run_name(job.name)}",) if kept and not ours else ()),
            *(f"RayJob {ray_job.name}" for ray_job in ray_jobs if ray_job.owner != job.uid),
            *foreign,
        ),
        warm_start=_warm_start(reader, job),
        champion=champion,
        before=await _before(reader, job, champion) if starting else Before(),
        budgets=budgets,
        prices=prices,
        sightings=_sightings(reader, job, prices) if prices or (ledger and ledger.meter) else (),
    )


def _budgets(reader: Reader, job: TrainingJob) -> tuple[BudgetView, ...]:
    found = map(BudgetView.of, reader.everything(gvks.COST_BUDGET))
    return tuple(one for one in found if one.parks and one.covers(job.namespace, job.metadata.labels))


def _sightings(reader: Reader, job: TrainingJob, prices: Book) -> tuple[Sighting, ...]:
    pods = reader.labelled(gvks.POD, job.namespace, JOB_LABEL, job.name)
    names = sorted({(pod.get("spec") or {}).get("nodeName") or "" for pod in pods} - {""})
    nodes = {name: node for name in names if (node := reader.get(Ref(gvks.NODE, "", name))) is not None}
    return tuple(sightings(pods, nodes, prices))


def may_start(job: TrainingJob, ledger: Ledger | None) -> bool:
    if job.spec.suspend:
        return False
    return ledger is None or (ledger.open is None and ledger.phase is not Phase.OVER)


def _nodes(reader: Reader, pods: Sequence[PodView], ledger: Ledger | None) -> dict[str, NodeView]:
    """The nodes that matter: those the pods are on, and all of them once a pod finds none."""
    if any(pod.unschedulable for pod in pods):
        return {node.name: node for node in map(NodeView.of, reader.everything(gvks.NODE))}
    names = {pod.node for pod in pods} | ({ledger.last.head_node} if ledger and ledger.last else set())
    found = ((name, reader.get(Ref(gvks.NODE, "", name))) for name in sorted(names - {""}))
    return {name: NodeView.of(obj) for name, obj in found if obj is not None}


def _credentials(reader: Reader, job: TrainingJob) -> tuple[tuple[Owned, ...], tuple[str, ...]]:
    ours, foreign = [], []
    for gvk in CREDENTIALS:
        ref = Ref(gvk, job.namespace, run_name(job.name))
        obj = reader.get(ref)
        if obj is None:
            continue
        if controller_uid(obj) == job.uid:
            ours.append(Owned(ref, obj["metadata"].get("uid", "")))
        else:
            foreign.append(f"{gvk.kind} {ref.name}")
    return tuple(ours), tuple(foreign)


def _datasets(reader: Reader, job: TrainingJob) -> dict[str, DatasetView]:
    names = {use.ref.name for use in job.spec.datasets}
    found = ((name, reader.get(Ref(gvks.DATASET, job.namespace, name))) for name in sorted(names))
    return {name: DatasetView.of(obj) for name, obj in found if obj is not None}


def _warm_start(reader: Reader, job: TrainingJob) -> ModelVersionView | None:
    if job.spec.warm_start is None:
        return None
    obj = reader.get(Ref(gvks.MODEL_VERSION, job.namespace, job.spec.warm_start.model_version.name))
    return ModelVersionView.of(obj) if obj else None


def _champion(reader: Reader, job: TrainingJob) -> ModelVersionView | None:
    if job.spec.evaluate.against is not Against.CHAMPION:
        return None
    ref = Ref(gvks.MODEL, job.namespace, model_name(job))
    model = reader.get(ref)
    versions = map(ModelVersionView.of, reader.referrers(ref, gvks.MODEL_VERSION))
    return champion_of(model, versions) if model else None


async def _before(reader: Reader, job: TrainingJob, champion: ModelVersionView | None) -> Before:
    return Before(
        claim_missing=await _claim_missing(reader, job),
        code_missing=await _code_missing(reader, job),
        queue_missing=await _queue_missing(reader, job),
        champion_unreachable=await _champion_unreachable(reader, job, champion),
    )


async def _claim_missing(reader: Reader, job: TrainingJob) -> str | None:
    place = ray.place_of(job)
    if not isinstance(place, ClaimPlace):
        return None
    claim = await reader.fetch(Ref(gvks.PERSISTENT_VOLUME_CLAIM, job.namespace, place.claim))
    return place.claim if claim is None else None


async def _code_missing(reader: Reader, job: TrainingJob) -> str | None:
    script = job.spec.entrypoint.script
    if script is None or script.config_map is None:
        return None
    named = script.config_map
    code: dict[str, Any] | None = await reader.fetch(Ref(gvks.CONFIG_MAP, job.namespace, named.name))
    if code is None:
        return f"ConfigMap {named.name!r} does not exist"
    keys = {**(code.get("data") or {}), **(code.get("binaryData") or {})}
    return None if named.key in keys else f"ConfigMap {named.name!r} has no key {named.key!r}, only {sorted(keys)[:5]}"


async def _queue_missing(reader: Reader, job: TrainingJob) -> bool:
    if job.spec.queue is None:
        return False
    return await reader.fetch(Ref(gvks.LOCAL_QUEUE, job.namespace, job.spec.queue)) is None


async def _champion_unreachable(reader: Reader, job: TrainingJob, champion: ModelVersionView | None) -> str:
    """A claim that is not there, or that only one node can mount, would keep the pods from starting: better not to compare."""
    place, own = storage.from_uri(champion.uri) if champion else None, ray.place_of(job)
    if not isinstance(place, ClaimPlace) or (isinstance(own, ClaimPlace) and own.claim == place.claim):
        return ""
    claim: dict[str, Any] | None = await reader.fetch(Ref(gvks.PERSISTENT_VOLUME_CLAIM, job.namespace, place.claim))
    if claim is None:
        return f"PersistentVolumeClaim {place.claim!r} of its artifact does not exist"
    modes = set((claim.get("spec") or {}).get("accessModes") or ())
    if modes & MANY:
        return ""
    return f"PersistentVolumeClaim {place.claim!r} of its artifact is neither ReadOnlyMany nor ReadWriteMany"


def cluster_keys(obj: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """The job that a RayCluster or pod of KubeRay's belongs to, by the label that they inherit."""
    metadata = obj["metadata"]
    name = (metadata.get("labels") or {}).get(JOB_LABEL)
    return ((metadata.get("namespace", ""), name),) if name else ()
