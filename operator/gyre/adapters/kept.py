"""A ledger as one JSON text in a ConfigMap, and back: for kinds whose ledger is one dataclass under one key. Pure.

Promises   equal ledgers are equal text; what cannot be read is a `Kept` without a ledger that says why.
Never      takes a ledger that cannot be read for an empty one; raises.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from gyre.adapters.ownership import controller_uid

Ledger = TypeVar("Ledger")


@dataclass(frozen=True, slots=True)
class Kept(Generic[Ledger]):
    """The ConfigMap as found. `ledger` is None only when it could not be read."""

    version: str
    owner: str
    ledger: Ledger | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Shape(Generic[Ledger]):
    """How the ledgers of a kind are written: `key` of the ConfigMap, and the format's number."""

    adapter: TypeAdapter[Ledger]
    key: str
    format: int

    def to_data(self, ledger: Ledger) -> dict[str, str]:
        content: dict[str, Any] = self.adapter.dump_python(ledger, mode="json", exclude_defaults=True)
        content |= {"format": self.format}
        return {self.key: json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)}

    def of(self, obj: Mapping[str, Any]) -> Kept[Ledger]:
        version, owner = str(obj["metadata"].get("resourceVersion", "")), controller_uid(obj)
        try:
            content = json.loads((obj.get("data") or {})[self.key])
            if content.pop("format") != self.format:
                raise ValueError(f"its format is not {self.format}")
            return Kept(version, owner, self.adapter.validate_python(content))
        except (KeyError, AttributeError, TypeError, ValidationError, ValueError) as error:
            return Kept(version, owner, None, f"{type(error).__name__}: {error}"[:300])
