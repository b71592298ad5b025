"""What `kubectl wait`, Flux and Argo CD make of an object: kstatus' verdict, for our tests and for `gyre why`.

Promises   the same verdict, in the same order of questions, as cli-utils for a custom resource.
Never      knows our kinds: it reads metadata, observedGeneration and conditions, as any tool would.

Port of kubernetes-sigs/cli-utils `pkg/kstatus/status/{generic,status}.go` (`Compute`, `checkGenericProperties`,
`checkReadyCondition`), for resources without rules of their own: no condition at all is Current.
What cannot be read at all is Unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final


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
    metadata, status = obj["metadata"], obj.get("status") or {}
    if metadata.get("deletionTimestamp"):
        return Result(Verdict.TERMINATING, "Resource scheduled for deletion")
    generation, observed = metadata.get("generation"), status.get("observedGeneration")
    if generation is not None and observed is not None and observed != generation:
        behind = f"generation is {generation}, but latest observed generation is {observed}"
        return Result(Verdict.IN_PROGRESS, f"{obj.get('kind', '')} {behind}")
    conditions = status.get("conditions") or []
    for verdicts in (ABNORMAL, READY):
        for condition in conditions:
            verdict = verdicts.get((condition["type"], condition["status"]))
            if verdict:
                return Result(verdict, condition.get("message", ""))
    return None


ABNORMAL: Final = {
    ("Reconciling", "True"): Verdict.IN_PROGRESS,
    ("Stalled", "True"): Verdict.FAILED,
}
"""Asked of every condition first, in the order of the list: of the two, the one that is listed first decides."""

READY: Final = {
    ("Ready", "True"): Verdict.CURRENT,
    ("Ready", "False"): Verdict.IN_PROGRESS,
    ("Ready", "Unknown"): Verdict.IN_PROGRESS,
}
"""Asked second. Only `Stalled` makes an object Failed: one that is doomed and merely not Ready is waited for, for ever."""
