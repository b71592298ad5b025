"""DriftMonitors and what happens to their Jobs, in a few words each."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from tests.unit import jobstories
from tests.unit.jobstories import digest

from gyre.api import gvks
from gyre.api.effects import Ref
from gyre.api.kind import Object
from gyre.kinds.driftmonitor import KIND
from gyre.kinds.driftmonitor.model import DriftMonitor

NOW = datetime(2026, 11, 23, 8, 10, tzinfo=UTC)
FLIGHTS = Ref(gvks.DRIFT_MONITOR, "ml", "flights")
LEDGER = Ref(gvks.CONFIG_MAP, "ml", "flights-windows")
DATASET = Ref(gvks.DATASET, "ml", "flights-2013")
SERVICE = Ref(gvks.INFERENCE_SERVICE, "ml", "flights")
REFERENCE = {"dataset": {"name": "flights-2013"}}
HOUR = 3600


def a_monitor(reference: Any = None, *, generation: int = 1, **spec: Any) -> Object:
    metadata = {"name": "flights", "namespace": "ml", "uid": "d5", "generation": generation, "resourceVersion": "1"}
    return {
        "apiVersion": "gyre.dev/v1alpha1",
        "kind": "DriftMonitor",
        "metadata": {**metadata, "annotations": {}},
        "spec": {
            "serviceRef": {"name": "flights"},
            "modelRef": {"name": "late"},
            "reference": reference or REFERENCE,
            "window": "1h",
            "expectedTimeBetweenFalseAlarms": "30d",
            **spec,
        },
    }


def a_service(uri: str | None = "pvc://logs/predictions", *, model: str = "late") -> Object:
    log = {"log": {"uri": uri}} if uri else {}
    return {
        "metadata": {"name": "flights", "namespace": "ml", "generation": 1},
        "spec": {"modelRef": {"name": model}, **log},
        "status": {"stable": {"version": "late-1"}},
    }


def a_dataset(letter: str = "a", version: int = 3, *, ready: str = "True", source: Any = None) -> Object:
    condition = {"type": "Ready", "status": ready, "reason": "Current", "message": "m", "observedGeneration": 1}
    return {
        "metadata": {"name": "flights-2013", "namespace": "ml", "generation": 1},
        "spec": {"source": source or {"pvc": {"claimName": "data", "path": "flights"}}},
        "status": {
            "observedGeneration": 1,
            "conditions": [condition],
            "current": {"version": version, "digest": digest(letter)},
        },
    }


def a_report(drifted: bool | None = False, **more: Any) -> dict[str, Any]:
    """The last word of a Job that went well."""
    judged = {"state": "Judged", "drifted": drifted} if drifted is not None else {"state": "NoTraffic"}
    statistic = 5.4 if drifted else 1.2
    worst = [{"feature": "carrier", "statistic": statistic, "threshold": 3.3, "effect": 0.08 if drifted else 0.01}]
    return {
        "version": 1,
        "window": {"from": "x", "to": "y", "rows": 0 if drifted is None else 3600, "judged": 1311},
        **judged,
        "worst": worst if drifted is not None else [],
        "impact": {"metric": "auc", "reason": "NoLabels", "message": "0 labels came: send labels"},
        "labels": {"rows": 0},
        "quality": {"evidence": 0.0, "threshold": 6.58, "lost": None},
        "report": {"uri": "pvc://logs/predictions/r.html", "digest": digest("e")},
        **more,
    }


class Story(jobstories.Story):
    """One DriftMonitor with all that it needs."""

    kind, ref, kept = KIND, FLIGHTS, LEDGER

    def __init__(self, monitor: Object | None = None, *, service: Object | None = None) -> None:
        super().__init__(monitor or a_monitor(), NOW)
        model = {"metadata": {"name": "late", "namespace": "ml"}, "spec": {"objective": {"metric": "auc"}}}
        metrics = {"metrics": {"auc": "0.7231", "logLoss": "0.48"}}
        version = {"metadata": {"name": "late-1", "namespace": "ml"}, "spec": metrics}
        self.cluster.put(gvks.INFERENCE_SERVICE, service or a_service())
        self.cluster.put(gvks.MODEL, model)
        self.cluster.put(gvks.MODEL_VERSION, version)
        self.cluster.put(gvks.DATASET, a_dataset())

    @property
    def monitor(self) -> DriftMonitor:
        return DriftMonitor.parse(self.obj)

    @property
    def plan(self) -> dict[str, Any]:
        """What the Job is asked for."""
        env = self.job["spec"]["template"]["spec"]["containers"][0]["env"]
        return json.loads(next(entry["value"] for entry in env if entry["name"] == "GYRE_DRIFT_PLAN"))

    @property
    def windows(self) -> list[str]:
        return [entry["start"] for entry in self.ledger.get("entries", ())]

    @property
    def notes(self) -> list[str]:
        return [note.reason for note in self.cluster.notes]

    def says(self, type: str) -> tuple[str, str]:
        found = self.condition(type) or {}
        return found["status"], found["reason"]

    def change(self, ref: Ref, obj: Object) -> None:
        self.cluster.put(ref.gvk, obj)

    def lose(self, ref: Ref) -> None:
        self.cluster.objects.pop(ref, None)

    def finds(self, drifted: bool | None = False, **more: Any) -> None:
        self.ends(json.dumps(a_report(drifted, **more)))

    def fails(self, cause: str = "Unreadable", message: str = "part-x: is it whole?") -> None:
        super().fails(cause, message)

    def judged(self, drifted: bool | None = False, **more: Any) -> Story:
        """The Job that runs ends well, and that is recorded."""
        self.finds(drifted, **more)
        return self.recorded()

    def failed(self, cause: str = "Unreadable", message: str = "part-x: is it whole?") -> Story:
        self.fails(cause, message)
        return self.recorded()

    def recorded(self) -> Story:
        self.look()
        self.pods_go()
        self.look()
        return self
