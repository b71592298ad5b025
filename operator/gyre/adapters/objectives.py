"""A ServiceLevelObjective as other kinds see it: whether its budget is spent, and what is to be done about it.

Read through its own API, as any published object. Never raises. What nobody has measured is neither exhausted nor burning: an
objective freezes or rolls back only what it has proved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

FREEZE: Final = "Freeze"
ROLL_BACK: Final = "RollBack"
RETRAIN: Final = "Retrain"


@dataclass(frozen=True, slots=True)
class ObjectiveView:
    name: str
    namespace: str
    service: str
    """The InferenceService whose level it is."""
    model: str
    """The Model that the service serves."""
    exhausted: bool
    burning: bool
    """Fast enough to call somebody."""
    action: str
    """What its exhaustion asks for: None, Freeze, RollBack or Retrain."""
    version: str
    """The ModelVersion that had the traffic when the budget was spent, or burned again; empty while it is not."""
    since: str
    """Since when the budget is spent; RFC 3339, empty while it is not."""
    remaining: str
    """What is left of the budget, as a share: `0.42`; empty when nobody knows."""
    message: str

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> ObjectiveView:
        metadata, spec, status = (obj.get(part) or {} for part in ("metadata", "spec", "status"))
        conditions = {entry.get("type"): entry for entry in status.get("conditions") or ()}
        exhausted = conditions.get("Exhausted") or {}
        return cls(
            name=str(metadata.get("name", "")),
            namespace=str(metadata.get("namespace", "")),
            service=str((spec.get("serviceRef") or {}).get("name", "")),
            model=str(status.get("model") or ""),
            exhausted=exhausted.get("status") == "True" and not metadata.get("deletionTimestamp"),
            burning=(conditions.get("Burning") or {}).get("status") == "True",
            action=str(spec.get("onExhausted") or "None"),
            version=str(status.get("version") or ""),
            since=str(status.get("exhaustedSince") or ""),
            remaining=str((status.get("budget") or {}).get("remaining") or ""),
            message=str(exhausted.get("message", "")),
        )
