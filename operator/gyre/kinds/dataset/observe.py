"""The only reads a Dataset makes: its ledger, its Jobs and their pods, and whether a claim that it was given exists.

A claim of the user is not watched, so it is asked for live; so is a pod whose end our watch has missed although its Job is
over, since it holds the report. A Secret is not read at all: a missing one shows on the pod.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gyre.adapters import lastwords
from gyre.adapters.lastwords import Jobs
from gyre.adapters.ownership import controller_uid
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
class Observed(Jobs):
    ledger: Ledger | None = None
    ledger_version: str = ""
    """Its resourceVersion: guards every write that follows from it."""
    ledger_problem: str = ""
    """Why it cannot be read, when there is one that cannot."""
    claim: Claim = Claim.NOT_NEEDED


async def gather(reader: Reader, ds: Dataset) -> Observed:
    held = reader.get(Ref(gvks.CONFIG_MAP, ds.namespace, ledger_name(ds.name)))
    ledger, problem = None, ""
    if held is not None and controller_uid(held) != ds.uid:
        held = None  # a namesake's: the engine refuses to touch it and says so
    if held is not None:
        try:
            ledger = from_data(held.get("data"))
        except UnreadableLedger as error:
            problem = str(error)
    runs = await lastwords.seen(reader, uid=ds.uid, namespace=ds.namespace, label=DATASET_LABEL, name=ds.name)
    return Observed(
        ledger=ledger,
        ledger_version=str(held["metadata"].get("resourceVersion", "")) if held else "",
        ledger_problem=problem,
        jobs=runs.jobs,
        pods=runs.pods,
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
