"""A DriftMonitor says whether what a model is asked has moved away from a reference, with a stated time between false alarms.

Promises   each window of the prediction log is judged once, in order, by one Job at a time; after a pause the windows that are
           missing are caught up with; what is not known is Unknown, with the fix: no log, no traffic, no labels, too small a
           reference. The verdict is what gyre_drift found and kept beside the log, from where it can be recomputed.
Children   ConfigMap <name>-windows (the ledger), Job <name>-w<begin of the window>-<hash>
Never      computes a statistic in the operator, reads a Secret, deletes a finished Job before its report is in the ledger, takes
           silence for calm, or retrains anything: that is for the Model, which reads this status.

    created ─▶ ledger ─▶ Watching ─window ends, lateness passes─▶ Job ─┬─▶ recorded: as the reference, drifted, bug, no traffic
                            ▲                                           ├─ ✗ tried again after 1 m, 2 m, …; in the end skipped
                            └───────────────────────────────────────────┘
               Stalled: NoService, NoLog, DatasetMissing, DatasetChanged, ReferenceTooSmall, UnknownFeature, Masked

Conditions   Ready, Drifted, DataBug, ImpactKnown, QualityLost
"""

from __future__ import annotations

from collections.abc import Iterable

from gyre.api import gvks
from gyre.api.effects import Ref
from gyre.api.kind import Kind, Object, Watch
from gyre.kinds.driftmonitor.decide import decide
from gyre.kinds.driftmonitor.desired import MONITOR_LABEL
from gyre.kinds.driftmonitor.model import DriftMonitor
from gyre.kinds.driftmonitor.observe import gather
from gyre.kinds.driftmonitor.reasons import Reason
from gyre.kinds.driftmonitor.status import CONDITIONS, summarize


def references(dm: DriftMonitor) -> Iterable[Ref]:
    """What it looks at: the service with its log, the Model, the Dataset."""
    yield Ref(gvks.INFERENCE_SERVICE, dm.namespace, dm.spec.service_ref.name)
    yield Ref(gvks.MODEL, dm.namespace, dm.spec.model_ref.name)
    if dm.spec.reference.dataset:
        yield Ref(gvks.DATASET, dm.namespace, dm.spec.reference.dataset.name)


def monitor_of_pod(pod: Object) -> Iterable[tuple[str, str]]:
    name = (pod["metadata"].get("labels") or {}).get(MONITOR_LABEL)
    if name:
        yield pod["metadata"].get("namespace", ""), name


KIND = Kind(
    model=DriftMonitor,
    gvk=gvks.DRIFT_MONITOR,
    gather=gather,
    decide=decide,
    summarize=summarize,
    conditions=CONDITIONS,
    reasons=Reason,
    owns=(gvks.JOB, gvks.CONFIG_MAP),
    watches=(Watch(gvks.POD, monitor_of_pod),),
    references=references,
    labels=((gvks.POD, MONITOR_LABEL),),
)
