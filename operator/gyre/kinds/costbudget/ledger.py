"""The ledger of a CostBudget: its meter, and how long runs took, as text in ConfigMap `<budget>-ledger` and back. Pure.

    ledger.json   the meter
    runs.json     {"ml/flights": [[ended, uid, seconds], …]}: the newest runs of each model that succeeded

Months that are over are kept as one line per owner, resource and price; runs that go on are kept singly. What is kept is
bounded (`gyre.cost.text`), far below a ConfigMap's megabyte.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from gyre.cost.estimate import History, Run
from gyre.cost.meter import Meter
from gyre.cost.periods import Every
from gyre.cost.text import Unreadable, bounded, from_text, to_text
from gyre.kinds.costbudget.model import CostBudget

KEY: Final = "ledger.json"
RUNS_KEY: Final = "runs.json"


def ledger_name(budget: str) -> str:
    return f"{budget}-ledger"


def to_data(budget: CostBudget, meter: Meter, history: History) -> dict[str, str]:
    runs = {model: [[run.ended, run.uid, run.seconds] for run in runs] for model, runs in history.runs.items()}
    text = json.dumps(runs, sort_keys=True, separators=(",", ":"))
    return {KEY: to_text(bounded(meter, forever=budget.spec.period is Every.ONCE)), RUNS_KEY: text}


def from_data(data: Mapping[str, Any] | None) -> Meter:
    """Raises Unreadable, saying what is wrong."""
    text = (data or {}).get(KEY)
    if not isinstance(text, str):
        raise Unreadable(f"it has no key {KEY}")
    return from_text(text)


def history_from(data: Mapping[str, Any] | None) -> History:
    """Raises Unreadable. A ledger of an older operator has none."""
    try:
        told = json.loads((data or {}).get(RUNS_KEY) or "{}")
        return History(
            {
                str(model): tuple(sorted(Run(int(ended), str(uid), int(seconds)) for ended, uid, seconds in runs))
                for model, runs in told.items()
            }
        )
    except (ValueError, TypeError, AttributeError) as error:
        raise Unreadable(f"{RUNS_KEY}: {type(error).__name__}: {error}"[:200]) from error


__all__ = ["KEY", "RUNS_KEY", "Unreadable", "from_data", "history_from", "ledger_name", "to_data"]
