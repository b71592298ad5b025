"""A Dataset gives files a number and a digest, and says when they are not what they were.

Promises   status.current is what a scan found: version, digest, rows, bytes; a changed file is a new version, never a silent
           change; version numbers only grow while the ledger exists; one scan at a time.
Children   ConfigMap <name>-versions (the ledger), Job <name>-prepare-<hash>, Job <name>-scan-<hash>,
           PersistentVolumeClaim <name>-data (source.volume only; it goes when the Dataset goes)
Never      writes to the data (only `prepare` does), reads a Secret, deletes a finished Job before its result is in the
           ledger, or calls data ready that were looked at under another spec.

    created ─▶ ledger ─▶ [claim] ─▶ [prepare] ─▶ scan ─▶ Current v1 ──every──▶ scan ─┬─ same digest: still v1
                            │            └────┬────┘                                 └─ other digest: Current v2
                            │                 ✗ recorded, tried again after 1 m, 2 m, … 1 h or when the spec changes
                            └─ Stalled: ClaimMissing

Conditions   Ready, Prepared (spec.prepare has run), Scanned (the last scan told something), Scanning
"""

from __future__ import annotations

from collections.abc import Iterable

from gyre.api import gvks
from gyre.api.kind import Grant, Kind, Object, Watch
from gyre.kinds.dataset.decide import decide
from gyre.kinds.dataset.desired import DATASET_LABEL
from gyre.kinds.dataset.model import Dataset
from gyre.kinds.dataset.observe import gather
from gyre.kinds.dataset.reasons import Reason
from gyre.kinds.dataset.status import CONDITIONS, summarize


def dataset_of_pod(pod: Object) -> Iterable[tuple[str, str]]:
    name = (pod["metadata"].get("labels") or {}).get(DATASET_LABEL)
    if name:
        yield pod["metadata"].get("namespace", ""), name


KIND = Kind(
    model=Dataset,
    gvk=gvks.DATASET,
    gather=gather,
    decide=decide,
    summarize=summarize,
    conditions=CONDITIONS,
    reasons=Reason,
    owns=(gvks.JOB, gvks.CONFIG_MAP, gvks.PERSISTENT_VOLUME_CLAIM),
    watches=(Watch(gvks.POD, dataset_of_pod),),
    labels=((gvks.POD, DATASET_LABEL),),
    grants=(Grant(gvks.PERSISTENT_VOLUME_CLAIM, ("get",)),),
)
