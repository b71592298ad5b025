"""A TrainingJob trains once, to the end, through any number of attempts.

Promises   a success leaves exactly one ModelVersion; a failure leaves its class, its evidence and what to do about it; a
           restart loses no more than one checkpoint interval; two attempts never write at the same time; the time
           account sums to the wall time to the millisecond.
Children   ConfigMap <name>-run (the ledger, and the talk with the driver), RayJob <name>-a<attempt>,
           ServiceAccount, Role and RoleBinding <name>-run (gone when the job is over);
           not owned, so that it outlives the job: ModelVersion <model>-<digest>
Never      edits a RayJob after creating it; trusts KubeRay's `Complete`; reads its own status; keeps memory outside the API.

    created ──▶ data pinned ──▶ attempt 1 ──✗ NodeLost ──▶ clear ──▶ back off ──▶ attempt 2 ──▶ ModelVersion ──▶ Succeeded
       │             │              │  └─ workers restart inside it, counted in the same budgets
       │             │              └── suspend, CostBudget, maxCost: checkpoint, park ──▶ thaw: next attempt, from there
       │             └── Stalled until it exists: claim, script, queue
       └── Waiting: Dataset, children of a deleted namesake
    Failed, for good: a class's retries spent, PoisonStep, OutOfTime, a User error before the first step

Conditions   Ready, Succeeded, DatasetPinned, PodsReady, CheckpointFresh; Reconciling and Stalled while true

    parts, model, report   the API         decide     the policy: RULES    ledger, memory   what is remembered, and where
    policy                 classes         endings    how attempts end     goodput          where the time went
    failures, evidence     their tables    within     while they run       ray, desired     the children
    reasons                the words       running    what is said         status           what people read
    observe                the reads       over       the end              closing          writing an end down
    costs                  what it cost    halting    why it is parked
"""

from __future__ import annotations

from collections.abc import Iterable

from gyre.adapters.budgets import whom_it_parks
from gyre.adapters.prices import price_list
from gyre.api import gvks
from gyre.api.effects import Ref
from gyre.api.kind import Grant, Kind, Watch
from gyre.kinds.trainingjob.decide import decide
from gyre.kinds.trainingjob.model import TrainingJob
from gyre.kinds.trainingjob.names import JOB_LABEL
from gyre.kinds.trainingjob.observe import cluster_keys, gather
from gyre.kinds.trainingjob.reasons import Reason
from gyre.kinds.trainingjob.status import CONDITIONS, summarize


def references(job: TrainingJob) -> Iterable[Ref]:
    """What a job waits for: its Datasets, and the version it starts from."""
    for use in job.spec.datasets:
        yield Ref(gvks.DATASET, job.namespace, use.ref.name)
    if job.spec.warm_start is not None:
        yield Ref(gvks.MODEL_VERSION, job.namespace, job.spec.warm_start.model_version.name)


KIND = Kind(
    model=TrainingJob,
    gvk=gvks.TRAINING_JOB,
    gather=gather,
    decide=decide,
    summarize=summarize,
    conditions=CONDITIONS,
    reasons=Reason,
    owns=(gvks.CONFIG_MAP, gvks.RAY_JOB, gvks.SERVICE_ACCOUNT, gvks.ROLE, gvks.ROLE_BINDING),
    watches=(
        Watch(gvks.RAY_CLUSTER, cluster_keys),  # KubeRay copies our labels to its clusters, …
        Watch(gvks.POD, cluster_keys),  # … and the templates of their pods are ours
        Watch(gvks.NODE, managed=False),
        Watch(gvks.COST_BUDGET, managed=False, everyone=whom_it_parks),  # parks and thaws
        Watch(gvks.PROVIDER, managed=False, everyone=price_list),
    ),
    references=references,
    labels=(
        (gvks.RAY_JOB, JOB_LABEL),
        (gvks.RAY_CLUSTER, JOB_LABEL),
        (gvks.POD, JOB_LABEL),
    ),
    grants=(
        Grant(gvks.TRAINING_JOB, ("delete",)),  # spec.ttl.afterFinished
        Grant(gvks.MODEL_VERSION, ("create", "get")),
        Grant(gvks.PERSISTENT_VOLUME_CLAIM, ("get",)),
        Grant(gvks.CONFIG_MAP, ("get",)),  # the user's script, which is not ours to watch
        Grant(gvks.LOCAL_QUEUE, ("get",)),
    ),
)
