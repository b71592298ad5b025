"""A TrainingJob as whoever asked for it or pays for it sees it: whether it is over, how it went, how long it took, what it cost.

Read through its own API, as any published object. Never raises.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from gyre.adapters.budgets import amount
from gyre.adapters.ownership import controller_uid
from gyre.adapters.pods import moment
from gyre.adapters.versions import finished
from gyre.cost.estimate import Run

WITHOUT_PODS = ("queued", "parked")
"""Rows of status.goodput in which a job holds no pods."""


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


def model_of(obj: Mapping[str, Any]) -> str:
    """`namespace/name` of the model that it makes a version of; it need not exist."""
    metadata = obj.get("metadata") or {}
    named = ((obj.get("spec") or {}).get("model") or {}).get("name") or metadata.get("name", "")
    return f"{metadata.get('namespace', '')}/{named}"


def ran(obj: Mapping[str, Any]) -> tuple[str, Run] | None:
    """Its model, and the time in which it held pods, over all attempts; None for one that has not succeeded, or does not say."""
    view, metadata, status = TrainingView.of(obj), obj["metadata"], obj.get("status") or {}
    ended, told = moment(status.get("completionTime")), (status.get("goodput") or {})
    wall, rows = told.get("wallMilliseconds"), told.get("milliseconds") or {}
    if not view.succeeded or ended is None or not isinstance(wall, int):
        return None
    held = wall - sum(rows[row] for row in WITHOUT_PODS if isinstance(rows.get(row), int))
    run = Run(int(ended.timestamp()), str(metadata.get("uid", "")), round(held / 1000))
    return (model_of(obj), run) if held > 0 else None
