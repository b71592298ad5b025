"""A CostBudget as the other kinds see it: whom it covers, what is left, and whether it parks or denies.

It is read through its own API, never through the kind that writes it. A status that is absent, or not about the newest spec,
neither parks nor denies: a fact that is missing is not a reason to stop work. Never raises.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from gyre.api.durations import parse_duration
from gyre.cost.estimate import Took

DENYING: Final = frozenset({"Deny", "Park", "Approve"})


def covers(scope: Mapping[str, Any], namespace: str, labels: Mapping[str, str]) -> bool:
    """Whether something in that namespace, with these labels, is within a CostBudget's `spec.scope`."""
    namespaces, wanted = scope.get("namespaces") or (), scope.get("labels") or {}
    return (not namespaces or namespace in namespaces) and wanted.items() <= labels.items()


@dataclass(frozen=True, slots=True)
class BudgetView:
    name: str
    exhausted: bool
    parks: bool
    denies: bool
    left: Decimal | None
    """None when nobody knows, for want of prices."""
    currency: str
    spent: str
    """As its status says it: `101.20`, or `at least 101.20`; empty when it says nothing."""
    amount: str
    scope: Mapping[str, Any] = field(default_factory=dict)
    took: Mapping[str, Took] = field(default_factory=dict)
    """How long runs of a model took, by `namespace/name`."""

    def covers(self, namespace: str, labels: Mapping[str, str]) -> bool:
        return covers(self.scope, namespace, labels)

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> BudgetView:
        metadata, spec, status = (obj.get(part) or {} for part in ("metadata", "spec", "status"))
        current = status.get("observedGeneration", -1) >= metadata.get("generation", 0)
        action = status.get("action", "None") if current and not metadata.get("deletionTimestamp") else "None"
        known, least = status.get("spent"), status.get("atLeast")
        return cls(
            name=str(metadata.get("name", "")),
            exhausted=current
            and any(c.get("type") == "Exhausted" and c.get("status") == "True" for c in status.get("conditions") or ()),
            parks=action == "Park",
            denies=action in DENYING,
            left=amount(status.get("left")),
            currency=str(spec.get("currency", "")),
            spent=str(known) if known else f"at least {least}" if least else "",
            amount=str(status.get("amount") or spec.get("amount", "")),
            scope=spec.get("scope") or {},
            took=dict(_took(status.get("history") or ())),
        )


def whom_it_parks(obj: Mapping[str, Any]) -> object:
    """All that a running job needs to hear of: a budget that goes on counting concerns nobody."""
    view = BudgetView.of(obj)
    return view.parks, dict(view.scope) if view.parks else None, view.amount if view.parks else None


def _took(told: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, Took]]:
    for one in told:
        try:
            p50, p90 = (round(parse_duration(str(one.get(name))).total_seconds()) for name in ("p50", "p90"))
            yield f"{one.get('namespace', '')}/{one.get('model', '')}", Took(int(one.get("runs", "")), p50, p90)
        except ValueError:
            continue


def amount(text: Any) -> Decimal | None:
    """A decimal string as money; None for anything else."""
    try:
        value = Decimal(str(text))
    except InvalidOperation:
        return None
    return value if value.is_finite() else None
