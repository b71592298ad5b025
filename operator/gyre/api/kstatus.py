"""What `kubectl wait`, Flux and Argo CD make of an object: kstatus' verdict, for our tests and for `gyre why`.

Promises   the same verdict, in the same order of questions, as cli-utils for a custom resource.
Never      knows our kinds: it reads metadata, observedGeneration and conditions, as any tool would.

Port of kubernetes-sigs/cli-utils `pkg/kstatus/status/{core,generic}.go`, v0.37 (`Compute`, `checkGenericProperties`),
for resources without rules of their own. The verdict Unknown is kstatus' for what cannot be read at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    IN_PROGRESS = "InProgress"
    FAILED = "Failed"
    CURRENT = "Current"
    TERMINATING = "Terminating"
    NOT_FOUND = "NotFound"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Result:
    verdict: Verdict
    message: str


def compute(obj: Mapping[str, Any] | None) -> Result:
    """The verdict on one object as the API server returned it; None is an object that does not exist."""
    if obj is None:
        return Result(Verdict.NOT_FOUND, "Resource not found")
    try:
        return _generic(obj) or Result(Verdict.CURRENT, "Resource is current")
    except (AttributeError, KeyError, TypeError) as error:
        return Result(Verdict.UNKNOWN, f"{type(error).__name__}: {error}")


def _generic(obj: Mapping[str, Any]) -> Result | None:
    metadata = obj["metadata"]
    if metadata.get("deletionTimestamp"):
        return Result(Verdict.TERMINATING, "Resource scheduled for deletion")
    status = obj.get("status") or {}
    observed, generation = status.get("observedGeneration"), metadata.get("generation", 0)
    if observed is not None and observed != generation:
        name = f"{obj.get('kind', '')} generation is {generation}, but latest observed generation is {observed}"
        return Result(Verdict.IN_PROGRESS, name)
    conditions = status.get("conditions") or []
    for type, verdict in (("Reconciling", Verdict.IN_PROGRESS), ("Stalled", Verdict.FAILED)):
        for condition in conditions:
            if condition["type"] == type and condition["status"] == "True":
                return Result(verdict, condition.get("message", ""))
    for condition in conditions:
        if condition["type"] == "Ready" and condition["status"] in ("False", "Unknown"):
            return Result(Verdict.IN_PROGRESS, condition.get("message", ""))
    return None
