"""How many predictions labels have confirmed, as a DriftMonitor tells it: `status.labels{seen, wrong}`, counted since it began.
docs/drift-contract.md, "Labels", says what counts, when, and what is wrong.

Never raises. Without both numbers there are none: a model is not right because nobody has looked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def labelled(obj: Mapping[str, Any]) -> tuple[int, int] | None:
    """(predictions whose label has come, those that were wrong); both only grow."""
    told = (obj.get("status") or {}).get("labels") or {}
    seen, wrong = told.get("seen"), told.get("wrong")
    if not isinstance(seen, int) or not isinstance(wrong, int) or not 0 <= wrong <= seen:
        return None
    return seen, wrong
