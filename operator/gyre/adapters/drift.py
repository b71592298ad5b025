"""A DriftMonitor as other kinds see it: whether the data have drifted, what that costs, and whether the data are just broken.

Read through its own API, as any published object. Never raises: what is malformed says nothing, and what nobody has estimated is
None, never zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class DriftView:
    name: str
    model: str
    drifted: bool
    since: str
    """RFC 3339; empty while it has not."""
    impact: float | None
    """Expected loss of the metric of the model's objective, 0 to 1; None when nobody can tell."""
    data_bug: str
    """Why the data are broken rather than drifted, or empty."""
    worst: tuple[tuple[str, str, str, str], ...]
    """(feature, statistic, threshold, effect), the worst first."""

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> DriftView:
        metadata, spec, status = (obj.get(part) or {} for part in ("metadata", "spec", "status"))
        conditions = {entry.get("type"): entry for entry in status.get("conditions") or ()}
        bug = status.get("dataBug") or {}
        told = conditions.get("DataBug") or {}
        said = str(told.get("message") or told.get("reason") or "") if told.get("status") == "True" else ""
        return cls(
            name=str(metadata.get("name", "")),
            model=str((spec.get("modelRef") or {}).get("name", "")),
            drifted=status.get("drifted") is True or (conditions.get("Drifted") or {}).get("status") == "True",
            since=str(status.get("since") or ""),
            impact=_number((status.get("impact") or {}).get("estimate")),
            data_bug=str(bug.get("message") or bug.get("reason") or said),
            worst=tuple(
                (
                    str(one.get("feature", "")),
                    str(one.get("statistic", "")),
                    str(one.get("threshold", "")),
                    str(one.get("effect", "")),
                )
                for one in status.get("worst") or ()
                if isinstance(one, Mapping)
            ),
        )


def _number(text: Any) -> float | None:
    try:
        value = float(text)
    except (TypeError, ValueError):
        return None
    return value if 0.0 <= value <= 1.0 else None
