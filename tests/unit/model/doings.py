"""A Model that does things by itself, and a world that gives it reason to."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tests.unit.modelversion.versions import NOW, a_model, a_version
from tests.unit.reading import Cluster

from gyre.api import gvks
from gyre.api.effects import Ref
from gyre.api.kind import Decision, Object
from gyre.kinds.model import KIND
from gyre.kinds.model.ledger import Ledger
from gyre.kinds.model.ledger import of as remembered
from gyre.kinds.model.policy import RETRAIN

NS = "ml"
MODEL = Ref(gvks.MODEL, NS, "delay")
LEDGER = Ref(gvks.CONFIG_MAP, NS, "delay-doings")
AUC = {"metric": "auc", "goal": "Maximize"}
TEMPLATE = {
    "entrypoint": {"script": {"image": {"path": "/app/train.py"}}},
    "datasets": [{"name": "train", "ref": {"name": "flights"}}],
    "storage": {"pvc": {"claimName": "runs"}},
    "parameters": {"epochs": "3"},
}
ON_DRIFT = {"triggers": [{"drift": {"monitor": "shift"}}]}


class Story:
    """Version 1 with auc 0.71 is registered; Dataset flights is ready. Looked at whenever something happens."""

    def __init__(self, retrain: Any = None, **spec: Any) -> None:
        self.cluster, self.now = Cluster(), NOW
        asked = {"retrain": {"template": TEMPLATE, **retrain}} if retrain is not None else {}
        self.put(gvks.MODEL, a_model(objective=AUC, **asked, **spec))
        self.version(1, "0.71")
        self.dataset()

    def put(self, gvk: Any, obj: Object) -> Object:
        return self.cluster.put(gvk, obj)

    def look(self, seconds: float = 1) -> Decision:
        self.now += timedelta(seconds=seconds)
        return self.cluster.look(KIND, MODEL, self.now)

    def version(
        self,
        number: int,
        auc: str,
        *,
        run: str = "delay-run",
        at: datetime | None = None,
        beside: tuple[int, str] | None = None,
    ) -> None:
        """`beside`: (number, auc) of the champion that it measured on its own rows; what is no number is the problem."""
        finished = (at or self.now).strftime("%Y-%m-%dT%H:%M:%SZ")
        obj = a_version(f"delay-{number}", auc=auc, finished=finished)
        obj["spec"]["lineage"]["run"]["name"] = run
        if beside is not None:
            figures = {"metrics": {"auc": beside[1]}} if beside[1][:1].isdigit() else {"problem": beside[1]}
            champion = {"version": f"delay-{beside[0]}", "digest": obj["spec"]["artifact"]["digest"], **figures}
            obj["spec"]["evaluation"] |= {"metrics": {"auc": auc}, "champion": champion}
        ready = {"type": "Ready", "status": "True", "reason": "Registered", "observedGeneration": 1}
        self.put(gvks.MODEL_VERSION, {**obj, "status": {"observedGeneration": 1, "conditions": [ready]}})

    def dataset(self, *, ready: bool = True, **annotations: str) -> None:
        condition = {
            "type": "Ready",
            "status": "True" if ready else "False",
            "reason": "Current",
            "message": "scanning",
        }
        status = {"observedGeneration": 1, "conditions": [{**condition, "observedGeneration": 1}]}
        status["current"] = {"version": 3, "digest": "sha256:" + "a" * 64}
        metadata = {"name": "flights", "namespace": NS, "generation": 1, "annotations": annotations}
        self.put(
            gvks.DATASET, {"metadata": metadata, "spec": {"source": {"volume": {"size": "1Gi"}}}, "status": status}
        )

    def drift(
        self,
        *,
        since: str = "2026-11-23T07:30:00Z",
        impact: str = "",
        bug: str = "",
        drifted: bool = True,
        known: bool = True,
    ) -> None:
        ready: Object = {"type": "Ready", "status": "True" if known else "Unknown", "observedGeneration": 1}
        conditions = [ready]
        status: Object = {
            "drifted": drifted,
            "since": since,
            "worst": [{"feature": "distance"}],
            "conditions": conditions,
        }
        status |= {"impact": {"estimate": impact, "metric": "auc"}} if impact else {}
        if bug:
            told = {"type": "DataBug", "status": "True", "reason": "UnitChange", "message": bug}
            conditions.append(told)
            status |= {"dataBug": {"reason": "UnitChange", "message": bug}}
        spec = {"modelRef": {"name": "delay"}}
        metadata = {"name": "shift", "namespace": NS, "generation": 1}
        self.put(gvks.DRIFT_MONITOR, {"metadata": metadata, "spec": spec, "status": status})

    def budget(self, left: str | None, *, exhausted: bool = False, currency: str = "EUR") -> None:
        conditions = [{"type": "Exhausted", "status": "True" if exhausted else "False"}]
        status = {"conditions": conditions, "observedGeneration": 1, **({"left": left} if left else {})}
        spec = {"currency": currency}
        self.put(gvks.COST_BUDGET, {"metadata": {"name": "ml", "generation": 1}, "spec": spec, "status": status})

    def service(self, stable: str, *happenings: tuple[str, str], quarantined: str = "", spent: str = "") -> None:
        """(event, version), newest first; `spent`: the version under which its objective was exhausted."""
        lines = [
            {"time": f"2026-11-23T07:{50 - n:02d}:00Z", "event": event, "version": version, "why": "more errors"}
            for n, (event, version) in enumerate(happenings)
        ]
        status: Object = {"stable": {"version": stable}, "history": lines}
        status |= {"quarantined": [{"version": quarantined, "digest": "sha256:" + "b" * 64}]} if quarantined else {}
        spec = {"modelRef": {"name": "delay"}}
        self.put(
            gvks.INFERENCE_SERVICE, {"metadata": {"name": "late", "namespace": NS}, "spec": spec, "status": status}
        )
        if spent:
            self.level("RollBack", spent)

    def level(self, action: str, version: str, *, exhausted: bool = True) -> None:
        objective = {"name": "availability", "type": "Availability", "target": "99"}
        spec = {"serviceRef": {"name": "late"}, "objectives": [objective], "onExhausted": action}
        conditions = [{"type": "Exhausted", "status": str(exhausted), "message": "30 of 1000 events were bad"}]
        status = {
            "conditions": conditions,
            "version": version,
            "exhaustedSince": "2026-11-23T07:55:00Z",
            "model": "delay",
        }
        level = {"metadata": {"name": "late-level", "namespace": NS}, "spec": spec, "status": status}
        self.put(gvks.SERVICE_LEVEL_OBJECTIVE, level)

    def by_hand(self, value: str) -> None:
        obj = self.cluster.objects[MODEL]
        self.put(gvks.MODEL, {**obj, "metadata": {**obj["metadata"], "annotations": {RETRAIN: value}}})

    def ends(self, number: int, *, well: bool = True) -> None:
        ref = Ref(gvks.TRAINING_JOB, NS, f"delay-retrain-{number}")
        conditions = [{"type": "Succeeded", "status": "True" if well else "False"}]
        conditions += [] if well else [{"type": "Stalled", "status": "True"}]
        self.put(gvks.TRAINING_JOB, {**self.cluster.objects[ref], "status": {"conditions": conditions}})

    @property
    def jobs(self) -> list[str]:
        return [obj["metadata"]["name"] for obj in self.cluster.all(gvks.TRAINING_JOB)]

    def job(self, number: int) -> Object:
        return self.cluster.objects[Ref(gvks.TRAINING_JOB, NS, f"delay-retrain-{number}")]

    @property
    def status(self) -> Any:
        return self.cluster.objects[MODEL]["status"]

    @property
    def ledger(self) -> Ledger:
        found = remembered(self.cluster.objects[LEDGER]).ledger
        assert found is not None
        return found

    @property
    def suppressed(self) -> list[tuple[str, str]]:
        return [(line["trigger"], line["reason"]) for line in self.status["retrain"].get("suppressed", ())]
