"""The run ConfigMap `<job>-run`: the ledger as text and back, next to what operator and driver say to each other.

    pins.json       the data sets, by digest, frozen at the start
    attempts.json   the rest of the ledger
    run.json        what the driver shall run             ─┐
    command.json    what it shall do next                  ├ docs/run-contract.md
    progress.json   what it did; written by the driver    ─┘

Equal ledgers are equal text, so a settled job writes nothing. A ledger that cannot be read is never taken for an empty one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from gyre.adapters import run
from gyre.kinds.trainingjob.ledger import Ledger

PINS_KEY: Final = "pins.json"
LEDGER_KEY: Final = "attempts.json"
_LEDGER: Final = TypeAdapter(Ledger)


@dataclass(frozen=True, slots=True)
class Memory:
    """The run ConfigMap as found. `ledger` is None only when it could not be read."""

    version: str
    owner: str
    ledger: Ledger | None
    progress: run.Progress | None
    problem: str = ""


def to_data(ledger: Ledger) -> dict[str, str]:
    data: dict[str, Any] = _LEDGER.dump_python(ledger, mode="json", exclude_defaults=True)
    pins = data.pop("pins", [])
    return {PINS_KEY: text(pins), LEDGER_KEY: text({"version": 1, **data})}


def of(obj: Mapping[str, Any], owner: str) -> Memory:
    data = obj.get("data") or {}
    version, progress = obj["metadata"].get("resourceVersion", ""), run.parse(data.get(run.PROGRESS_KEY))
    try:
        kept = json.loads(data[LEDGER_KEY])
        if kept.pop("version") != 1:
            raise ValueError("its version is not 1")
        ledger = _LEDGER.validate_python({**kept, "pins": json.loads(data[PINS_KEY])})
    except (KeyError, AttributeError, TypeError, ValidationError, ValueError) as error:
        return Memory(version, owner, None, progress, problem=f"{type(error).__name__}: {error}"[:300])
    return Memory(version, owner, ledger, progress)


def text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
