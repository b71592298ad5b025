"""The only reads a Dataset makes: its ledger, its Jobs and their pods, and whether a claim that it was given exists.

A claim of the user is not watched, so it is asked for live; so is a pod whose end our watch has missed although its Job is
over, since it holds the report. A Secret is not read at all: a missing one shows on the pod.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gyre.adapters.jobs import JOB_NAME_LABEL, JobView
from gyre.adapters.pods import PodView
from gyre.api import gvks
from gyre.api.effects import Ref
from gyre.api.kind import Reader
from gyre.kinds.dataset.desired import DATASET_LABEL, ledger_name
from gyre.kinds.dataset.ledger import Ledger, UnreadableLedger, from_data
from gyre.kinds.dataset.model import Dataset


class Claim(StrEnum):
    """A claim that the spec names."""

    NOT_NEEDED = "NotNeeded"
    PRESENT = "Present"
    MISSING = "Missing"
    DELETING = "Deleting"
    LOST = "Lost"


@dataclass(frozen=True, slots=True)
class JobPod:
    job: str
    pod: PodView


@dataclass(frozen=True, slots=True)
class Observed:
    ledger: Ledger | None = None
    ledger_version: str = ""
    """Its resourceVersion: guards every write that follows from it."""
    ledger_problem: str = ""
    """Why it cannot be read, when there is one that cannot."""
    jobs: tuple[JobView, ...] = ()
    pods: tuple[JobPod, ...] = ()
    claim: Claim = Claim.NOT_NEEDED

    def job(self, name: str) -> JobView | None:
        return next((job for job in self.jobs if job.name == name), None)

    def pods_of(self, job: str) -> tuple[PodView, ...]:
        return tuple(entry.pod for entry in self.pods if entry.job == job)


async def gather(reader: Reader, ds: Dataset) -> Observed:
    held = reader.get(Ref(gvks.CONFIG_MAP, ds.namespace, ledger_name(ds.name)))
    ledger, problem = None, ""
    if held is not None and not _owned_by(held, ds.uid):
        held = None  # a namesake's: the engine refuses to touch it and says so
    if held is not None:
        try:
            ledger = from_data(held.get("data"))
        except UnreadableLedger as error:
            problem = str(error)
    jobs = tuple(JobView.of(job) for job in reader.owned(gvks.JOB, ds.uid))
    over = {job.name for job in jobs if job.over}
    pods = [_pod(pod) for pod in reader.labelled(gvks.POD, ds.namespace, DATASET_LABEL, ds.name)]
    return Observed(
        ledger=ledger,
        ledger_version=str(held["metadata"].get("resourceVersion", "")) if held else "",
        ledger_problem=problem,
        jobs=jobs,
        pods=tuple([await _latest(reader, ds, entry) if entry.job in over else entry for entry in pods]),
        claim=await _claim(reader, ds),
    )


async def _claim(reader: Reader, ds: Dataset) -> Claim:
    if ds.spec.source.pvc is None:
        return Claim.NOT_NEEDED
    claim = await reader.fetch(Ref(gvks.PERSISTENT_VOLUME_CLAIM, ds.namespace, ds.spec.source.pvc.claim_name))
    if claim is None:
        return Claim.MISSING
    if claim["metadata"].get("deletionTimestamp"):
        return Claim.DELETING
    return Claim.LOST if (claim.get("status") or {}).get("phase") == "Lost" else Claim.PRESENT


async def _latest(reader: Reader, ds: Dataset, entry: JobPod) -> JobPod:
    """The pod of a Job that is over, as it is now if it does not look ended."""
    if entry.pod.main and entry.pod.main.ended:
        return entry
    live = await reader.fetch(Ref(gvks.POD, ds.namespace, entry.pod.name))
    return _pod(live) if live is not None and live["metadata"].get("uid") == entry.pod.uid else entry


def _pod(obj: Mapping[str, Any]) -> JobPod:
    labels = obj["metadata"].get("labels") or {}
    return JobPod(str(labels.get(JOB_NAME_LABEL, "")), PodView.of(obj, attempt_label="", node_type_label=""))


def _owned_by(obj: Mapping[str, Any], uid: str) -> bool:
    owners = obj["metadata"].get("ownerReferences") or ()
    return any(owner.get("controller") and owner.get("uid") == uid for owner in owners)
