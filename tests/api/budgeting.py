"""What tests of money say to a real API server: budgets, jobs, and what the operator would have written."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tests import make
from tests.api.cluster import Cluster, Refused

from gyre.api.effects import Ref
from gyre.api.gvks import TRAINING_JOB

CPU = {"resource": "CPU", "amount": "1.5"}
PRICED: dict[str, Any] = {"currency": "EUR", "prices": [CPU, {"resource": "Memory", "amount": "0.00000000001"}]}
MONEY: dict[str, Any] = {"amount": "100", "currency": "EUR"}
MINE = {"gyre.dev/team": "a"}


def body(gvk: Any, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": gvk.api_version, "kind": gvk.kind, "metadata": {"name": name}, "spec": spec}


def job(namespace: str, name: str = "flights", labels: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    made = body(TRAINING_JOB, name, {**make.training_job(**spec)["spec"], "suspend": True})
    return {**made, "metadata": {"name": name, "namespace": namespace, "labels": labels or {}}}


def stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def says(cluster: Cluster, budget: Ref, **status: Any) -> None:
    """What the operator would have written before it stopped."""
    cluster.patch(budget, {"status": {"observedGeneration": 1, **status}}, subresource="status")


def refused(cluster: Cluster, namespace: str, labels: dict[str, str], **spec: Any) -> str:
    """The words of the refusal; empty when the job was taken."""
    try:
        cluster.request(
            "POST",
            f"/apis/{TRAINING_JOB.api_version}/namespaces/{namespace}/{TRAINING_JOB.plural}?dryRun=All",
            job(namespace, labels=labels, **spec),
        )
    except Refused as no:
        return no.message
    return ""
