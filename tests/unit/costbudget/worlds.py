"""A small cluster with prices, pods and a budget, and a clock in the hand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.unit.reading import Cluster

from gyre.api import gvks
from gyre.api.effects import Gvk, Ref
from gyre.api.kind import Decision, Object
from gyre.kinds.costbudget import KIND

BUDGET = Ref(gvks.COST_BUDGET, "", "team-a")
LEDGER = Ref(gvks.CONFIG_MAP, "gyre-system", "team-a-ledger")
TEN = "2026-11-02 10:00"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def stamp(text: str) -> str:
    return at(text).strftime("%Y-%m-%dT%H:%M:%SZ")


def provider(name: str = "onprem", currency: str = "EUR", **spec: Any) -> dict[str, Any]:
    prices = [
        {"resource": "CPU", "amount": "1.00", "capacityType": "OnDemand"},
        {"resource": "Memory", "amount": "0.50", "capacityType": "OnDemand"},
    ]
    return {"metadata": {"name": name, "generation": 1}, "spec": {"currency": currency, "prices": prices, **spec}}


def node(name: str = "n1", **labels: str) -> dict[str, Any]:
    room = {"cpu": "8", "memory": "32Gi"}
    return {
        "metadata": {"name": name, "labels": labels, "creationTimestamp": stamp(TEN)},
        "status": {"capacity": room, "allocatable": room},
    }


def pod(
    name: str,
    start: str = TEN,
    end: str | None = None,
    *,
    namespace: str = "ml",
    job: str = "flights",
    on: str = "n1",
    **labels: str,
) -> dict[str, Any]:
    """One core and two GiB: 2 EUR an hour."""
    times = {"startedAt": stamp(start)}
    state = {"terminated": {**times, "finishedAt": stamp(end), "exitCode": 0}} if end else {"running": times}
    ours = {"app.kubernetes.io/managed-by": "gyre", "gyre.dev/trainingjob": job}
    return {
        "metadata": {"name": name, "namespace": namespace, "uid": f"uid-{name}", "labels": {**ours, **labels}},
        "spec": {
            "nodeName": on,
            "containers": [{"name": "x", "resources": {"requests": {"cpu": "1", "memory": "2Gi"}}}],
        },
        "status": {"phase": "Succeeded" if end else "Running", "containerStatuses": [{"name": "x", "state": state}]},
    }


def claim(name: str = "data", born: str = TEN, gib: int = 730, *, namespace: str = "ml", **more: Any) -> dict[str, Any]:
    """730 GiB: an hour of one is a month of a GiB."""
    metadata = {"name": name, "namespace": namespace, "uid": f"uid-{name}", "creationTimestamp": stamp(born)}
    return {
        "metadata": {**metadata, "labels": {"gyre.dev/team": "a"}, **more},
        "spec": {"resources": {"requests": {"storage": f"{gib}Gi"}}},
        "status": {"phase": "Bound"},
    }


DISKS = {"resource": "Storage", "amount": "0.10"}


def with_disks(name: str = "onprem", **spec: Any) -> dict[str, Any]:
    """A Provider that prices storage too: a claim of 730 GiB is 0.10 EUR an hour."""
    made = provider(name, **spec)
    return {**made, "spec": {**made["spec"], "prices": [*made["spec"]["prices"], DISKS]}}


def trained(
    name: str, seconds: int, ended: str = "2026-11-02 09:00", *, model: str = "flights", **row: int
) -> dict[str, Any]:
    """A TrainingJob that has succeeded, and held pods for so long."""
    wall = {"wallMilliseconds": seconds * 1000 + sum(row.values()), "milliseconds": row}
    return {
        "metadata": {"name": name, "namespace": "ml", "uid": f"uid-{name}", "labels": {}},
        "spec": {"model": {"name": model}},
        "status": {
            "completionTime": stamp(ended),
            "conditions": [{"type": "Succeeded", "status": "True"}],
            "goodput": wall,
        },
    }


class Town(Cluster):
    """The cluster, its budget and what happens in it."""

    def __init__(self, *pods: dict[str, Any], providers: tuple[dict[str, Any], ...] | None = None, **spec: Any) -> None:
        super().__init__()
        self.put(gvks.NODE, node())
        for one in (provider(),) if providers is None else providers:
            self.put(gvks.PROVIDER, one)
        for one in pods:
            self.put(gvks.POD, one)
        metadata = {"name": BUDGET.name, "generation": 1, "creationTimestamp": stamp(TEN)}
        self.put(gvks.COST_BUDGET, {"metadata": metadata, "spec": {"amount": "100", "currency": "EUR", **spec}})

    def put(self, gvk: Gvk, obj: Object) -> Object:
        """As the API server, it says when a ledger was made."""
        if gvk == gvks.CONFIG_MAP:
            obj["metadata"].setdefault("creationTimestamp", self.now.strftime("%Y-%m-%dT%H:%M:%SZ"))
        return super().put(gvk, obj)

    def at(self, when: str) -> tuple[Decision, dict[str, Any]]:
        """The decision and the status after a look at that time."""
        decision = self.look(KIND, BUDGET, at(when))
        return decision, self.objects[BUDGET]["status"]

    def change(self, annotations: dict[str, str] | None = None, **spec: Any) -> None:
        live = self.objects[BUDGET]
        metadata = {**live["metadata"], "generation": live["metadata"]["generation"] + 1}
        if annotations:
            metadata["annotations"] = annotations
        self.put(gvks.COST_BUDGET, {**live, "metadata": metadata, "spec": {**live["spec"], **spec}})

    def gone(self, name: str, namespace: str = "ml") -> None:
        del self.objects[Ref(gvks.POD, namespace, name)]

    def told(self, name: str, when: str, *, cpu: str, memory: str, namespace: str = "ml") -> None:
        """Of that moment metrics.k8s.io tells so much of the pod."""
        labels = {"app.kubernetes.io/managed-by": "gyre"}
        used = [{"name": "x", "usage": {"cpu": cpu, "memory": memory}}]
        metadata = {"name": name, "namespace": namespace, "labels": labels}
        self.put(
            gvks.POD_METRICS, {"metadata": metadata, "timestamp": stamp(when), "window": "15s", "containers": used}
        )


def truth(status: dict[str, Any]) -> dict[str, str]:
    return {c["type"]: c["status"] for c in status["conditions"]}
