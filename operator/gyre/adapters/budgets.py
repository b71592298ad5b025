"""A CostBudget as other kinds see it: whether there is money, and for whom it speaks.

Read through its own API, as any published object. Never raises: an amount that nobody knows is None, never zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any


@dataclass(frozen=True, slots=True)
class BudgetView:
    name: str
    exhausted: bool
    parks: bool
    denies: bool
    left: Decimal | None
    currency: str

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> BudgetView:
        metadata, status = obj.get("metadata") or {}, obj.get("status") or {}
        conditions = {entry.get("type"): entry for entry in status.get("conditions") or ()}
        action = str(status.get("action") or "None")
        return cls(
            name=str(metadata.get("name", "")),
            exhausted=(conditions.get("Exhausted") or {}).get("status") == "True",
            parks=action == "Park",
            denies=action in ("Deny", "Approve"),
            left=amount(status.get("left")),
            currency=str(status.get("currency") or ""),
        )


def amount(text: Any) -> Decimal | None:
    """A decimal string as money; None for anything else."""
    try:
        value = Decimal(str(text))
    except InvalidOperation:
        return None
    return value if value.is_finite() else None
