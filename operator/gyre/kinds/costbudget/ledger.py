"""The ledger of a CostBudget: its meter as text in ConfigMap `<budget>-ledger` and back. Pure.

Months that are over are kept as one line per owner, resource and price; runs that go on are kept singly. What is kept is
bounded (`gyre.cost.text`), far below a ConfigMap's megabyte.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gyre.cost.meter import Meter
from gyre.cost.periods import Every
from gyre.cost.text import Unreadable, bounded, from_text, to_text
from gyre.kinds.costbudget.model import CostBudget

KEY: Final = "ledger.json"


def ledger_name(budget: str) -> str:
    return f"{budget}-ledger"


def to_data(budget: CostBudget, meter: Meter) -> dict[str, str]:
    return {KEY: to_text(bounded(meter, forever=budget.spec.period is Every.ONCE))}


def from_data(data: Mapping[str, Any] | None) -> Meter:
    """Raises Unreadable, saying what is wrong."""
    text = (data or {}).get(KEY)
    if not isinstance(text, str):
        raise Unreadable(f"it has no key {KEY}")
    return from_text(text)


__all__ = ["KEY", "Unreadable", "from_data", "ledger_name", "to_data"]
