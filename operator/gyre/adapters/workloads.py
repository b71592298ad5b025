"""Deployments and EndpointSlices as evidence: has the newest template come up everywhere, and who can take requests.

Read-only views; nothing here decides what a fault means. Never raises: a half-written object is a view with empty fields.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gyre.api.intent import INTENT


@dataclass(frozen=True, slots=True)
class DeploymentView:
    name: str
    template: str
    """The digest of what its pods are made from, as whoever ordered it wrote it there."""
    observed: bool
    """Its controller has seen the newest spec."""
    replicas: int
    updated: int
    available: int
    total: int
    """Pods of every template, old ones too."""
    problem: str
    """Why pods cannot be made, or are not becoming ready, in the controller's own words; or empty."""

    def converged(self, template: str) -> bool:
        """All pods are of this template and available, and none is left of another (kubectl's `rollout status`)."""
        return (
            self.observed
            and self.template == template
            and self.updated == self.replicas == self.total
            and self.available >= self.replicas
        )

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> DeploymentView:
        metadata, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
        template = ((spec.get("template") or {}).get("metadata") or {}).get("annotations") or {}
        return cls(
            name=metadata["name"],
            template=str(template.get(INTENT, "")),
            observed=(status.get("observedGeneration") or 0) >= metadata.get("generation", 0),
            replicas=int(spec.get("replicas", 1)),
            updated=status.get("updatedReplicas") or 0,
            available=status.get("availableReplicas") or 0,
            total=status.get("replicas") or 0,
            problem=_problem(status),
        )


def _problem(status: Mapping[str, Any]) -> str:
    conditions = {entry.get("type"): entry for entry in status.get("conditions") or ()}
    failure, progress = conditions.get("ReplicaFailure") or {}, conditions.get("Progressing") or {}
    if failure.get("status") == "True":
        return str(failure.get("message") or failure.get("reason") or "pods cannot be made")
    return str(progress.get("message") or progress.get("reason")) if progress.get("status") == "False" else ""


def ready_endpoints(slices: Iterable[Mapping[str, Any]]) -> int:
    """Addresses that take requests, over all slices of one Service. An endpoint that does not say is ready (discovery/v1)."""
    return sum(
        (endpoint.get("conditions") or {}).get("ready") is not False
        for entry in slices
        for endpoint in entry.get("endpoints") or ()
    )
