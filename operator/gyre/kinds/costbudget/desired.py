"""The child of a CostBudget: its ledger. Pure."""

from __future__ import annotations

from typing import Any, Final

from gyre.adapters.kept import guarded
from gyre.api import gvks
from gyre.api.effects import Effect, Ref
from gyre.api.kind import MANAGED_BY
from gyre.cost.estimate import History
from gyre.cost.meter import Meter
from gyre.kinds.costbudget.ledger import ledger_name, to_data
from gyre.kinds.costbudget.model import CostBudget

BUDGET_LABEL: Final = "gyre.dev/costbudget"


def ledger_ref(budget: CostBudget) -> Ref:
    return Ref(gvks.CONFIG_MAP, budget.spec.ledger_namespace, ledger_name(budget.name))


def ledger(budget: CostBudget, meter: Meter, history: History) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": ledger_name(budget.name),
            "namespace": budget.spec.ledger_namespace,
            "labels": {MANAGED_BY: "gyre", BUDGET_LABEL: budget.name},
            "ownerReferences": [budget.owner_reference()],
        },
        "data": to_data(budget, meter, history),
    }


def written(budget: CostBudget, meter: Meter, history: History, seen: str) -> Effect:
    return guarded(ledger(budget, meter, history), seen or None)
