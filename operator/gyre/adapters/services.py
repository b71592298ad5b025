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
    gateway: tuple[str, str]
    """(namespace, name) of the Gateway that its route hangs on: with mtls its own."""
    own_server: bool
    """Its pods are gyre's own server, which tells its counters."""
    quarantined: tuple[str, ...]
    """ModelVersions that failed in it and were not released."""
    happenings: tuple[Happening, ...]
    """Newest first."""

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> ServiceView:
        metadata, spec, status = (obj.get(part) or {} for part in ("metadata", "spec", "status"))
        gateway, own = spec.get("gateway") or {}, bool((spec.get("auth") or {}).get("mtls"))
        name, namespace = str(metadata.get("name", "")), str(metadata.get("namespace", ""))
        shared = (str(gateway.get("namespace") or "gyre-gateway"), str(gateway.get("name") or "gyre"))
        runtime = spec.get("runtime") or {}
        return cls(
            gateway=(namespace, name) if own else shared,
            own_server=not (runtime.get("container") or runtime.get("kserve")),
            quarantined=tuple(str(entry.get("version", "")) for entry in status.get("quarantined") or ()),
            name=name,
            namespace=namespace,
            model=str((spec.get("modelRef") or {}).get("name", "")),
            stable=str((status.get("stable") or {}).get("version", "")),
            canary=str((status.get("canary") or {}).get("version", "")),
            happenings=tuple(
                Happening(*(str(line.get(key, "")) for key in ("time", "event", "version", "digest", "by", "why")))
                for line in status.get("history") or ()
                if isinstance(line, Mapping)
            ),
        )
