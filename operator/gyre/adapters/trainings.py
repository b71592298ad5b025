"""A TrainingJob as whoever asked for it sees it: whether it is over, how it went, what it has cost.

Read through its own API, as any published object. Never raises.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from gyre.adapters.budgets import amount
from gyre.adapters.ownership import controller_uid
from gyre.adapters.versions import finished


@dataclass(frozen=True, slots=True)
class TrainingView:
    name: str
    owner: str
    over: bool
    succeeded: bool
    cost: Decimal | None
    """`status.cost.spent`; None where something has no price."""
    currency: str

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> TrainingView:
        metadata, status = obj["metadata"], obj.get("status") or {}
        conditions = {entry.get("type"): entry.get("status") for entry in status.get("conditions") or ()}
        cost = status.get("cost") or {}
        return cls(
            name=str(metadata.get("name", "")),
            owner=controller_uid(obj),
            over=finished(obj),
            succeeded=conditions.get("Succeeded") == "True",
            cost=amount(cost.get("spent")),
            currency=str(cost.get("currency") or ""),
        )
