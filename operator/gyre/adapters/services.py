"""An InferenceService as other kinds see it: which Model it serves, and what became of its versions.

Read through its own API, as any published object. Never raises: what is malformed says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Happening:
    """What became of a version in a service, when, by whom, why."""

    time: str
    event: str
    version: str
    digest: str
    by: str
    why: str


@dataclass(frozen=True, slots=True)
class ServiceView:
    name: str
    namespace: str
    model: str
    stable: str
    """The ModelVersion that has the traffic; empty before there is one."""
    canary: str
    """The ModelVersion that is being rolled out, or empty."""
    happenings: tuple[Happening, ...]
    """Newest first."""

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> ServiceView:
        metadata, spec, status = (obj.get(part) or {} for part in ("metadata", "spec", "status"))
        return cls(
            name=str(metadata.get("name", "")),
            namespace=str(metadata.get("namespace", "")),
            model=str((spec.get("modelRef") or {}).get("name", "")),
            stable=str((status.get("stable") or {}).get("version", "")),
            canary=str((status.get("canary") or {}).get("version", "")),
            happenings=tuple(
                Happening(*(str(line.get(key, "")) for key in ("time", "event", "version", "digest", "by", "why")))
                for line in status.get("history") or ()
                if isinstance(line, Mapping)
            ),
        )
