"""A ledger as one JSON text in a ConfigMap, and back: for kinds whose ledger is one dataclass under one key; and how a ledger is
written, for all of them. Pure.

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
from gyre.api import gvks
from gyre.api.effects import Apply, Create, Effect, Manifest

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


def config_map(metadata: Mapping[str, Any], data: Mapping[str, str]) -> Manifest:
    version, kind = gvks.CONFIG_MAP.api_version, gvks.CONFIG_MAP.kind
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "data": data}


def guarded(ledger: Manifest, seen: str | None) -> Effect:
    """The write that everything else waits for. `seen`: the resourceVersion of the ledger that was decided on, and the API server
    refuses when it is another by now; None where there was none."""
    return Create(ledger) if seen is None else Apply(ledger, guard=seen)
