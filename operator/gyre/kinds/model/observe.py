"""The only reads a Model makes: its versions, the services that serve them, and what its own doings depend on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gyre.adapters.budgets import BudgetView
from gyre.adapters.datasets import DatasetView
from gyre.adapters.drift import DriftView
from gyre.adapters.objectives import ObjectiveView
from gyre.adapters.services import ServiceView
from gyre.adapters.trainings import TrainingView
from gyre.adapters.versions import ModelVersionView
from gyre.api import gvks
from gyre.api.effects import Ref
from gyre.api.kind import Reader
from gyre.kinds.model import ledger
from gyre.kinds.model.desired import datasets_of, ledger_name
from gyre.kinds.model.ledger import Memory
from gyre.kinds.model.model import Model
from gyre.kinds.model.policy import RETRAIN_OF, Criterion

QUARANTINED = "gyre.dev/quarantined"
"""Annotation of a Dataset: why nobody may train on it."""


@dataclass(frozen=True, slots=True)
class Observed:
    versions: tuple[ModelVersionView, ...]
    """Oldest first, by the end of their runs; those being deleted are left out."""
    services: tuple[ServiceView, ...] = ()
    memory: Memory | None = None
    monitors: tuple[DriftView, ...] = ()
    """DriftMonitors of this Model, and those that its triggers name."""
    levels: tuple[ObjectiveView, ...] = ()
    """What is promised of the services."""
    jobs: Mapping[str, TrainingView] = field(default_factory=dict)
    """TrainingJobs that were made for it, by name."""
    datasets: Mapping[str, DatasetView | None] = field(default_factory=dict)
    """Those of the template; None for one that does not exist."""
    quarantined: Mapping[str, str] = field(default_factory=dict)
    """Datasets that nobody may train on, and why."""
    budget: BudgetView | None = None
    replacements: Mapping[str, bool] = field(default_factory=dict)
    """Other Models that may have replaced it, and whether somebody uses them; those that do not exist are left out."""

    @property
    def latest(self) -> ModelVersionView | None:
        return self.versions[-1] if self.versions else None


async def gather(reader: Reader, model: Model) -> Observed:
    """Versions are found by the Model they name, so that one counts before it is owned."""
    found = (ModelVersionView.of(obj) for obj in reader.referrers(model.ref, gvks.MODEL_VERSION))
    kept = (version for version in found if not version.deleting)
    services = tuple(ServiceView.of(obj) for obj in reader.referrers(model.ref, gvks.INFERENCE_SERVICE))
    versions = tuple(sorted(kept, key=lambda version: (version.time, version.name)))
    held = reader.get(Ref(gvks.CONFIG_MAP, model.namespace, ledger_name(model.name)))
    if held is None and not model.spec.acts:
        return Observed(versions, services)
    datasets, quarantined = _datasets(reader, model)
    return Observed(
        versions,
        services,
        memory=ledger.of(held) if held else None,
        monitors=_monitors(reader, model),
        levels=tuple(
            ObjectiveView.of(obj)
            for service in services
            for obj in reader.referrers(
                Ref(gvks.INFERENCE_SERVICE, service.namespace, service.name), gvks.SERVICE_LEVEL_OBJECTIVE
            )
        ),
        jobs={
            obj["metadata"]["name"]: TrainingView.of(obj)
            for obj in reader.labelled(gvks.TRAINING_JOB, model.namespace, RETRAIN_OF, model.name)
        },
        datasets=datasets,
        quarantined=quarantined,
        budget=_budget(reader, model),
        replacements=_replacements(reader, model),
    )


def _monitors(reader: Reader, model: Model) -> tuple[DriftView, ...]:
    named = {each.drift.monitor for each in model.spec.retrain.triggers if each.drift} if model.spec.retrain else set()
    everybodys = (
        obj for obj in reader.everything(gvks.DRIFT_MONITOR) if obj["metadata"]["namespace"] == model.namespace
    )
    views = (DriftView.of(obj) for obj in everybodys)
    return tuple(view for view in views if view.model == model.name or view.name in named)


def _datasets(reader: Reader, model: Model) -> tuple[dict[str, DatasetView | None], dict[str, str]]:
    found: dict[str, DatasetView | None] = {}
    quarantined: dict[str, str] = {}
    for name in datasets_of(model):
        obj = reader.get(Ref(gvks.DATASET, model.namespace, name))
        found[name] = DatasetView.of(obj) if obj else None
        conditions = ((obj or {}).get("status") or {}).get("conditions") or ()
        said = next((c for c in conditions if c.get("type") == "Quarantined" and c.get("status") == "True"), None)
        why = ((obj or {}).get("metadata") or {}).get("annotations", {}).get(QUARANTINED)
        if said or why:
            quarantined[name] = str(why or (said or {}).get("message") or "quarantined")
    return found, quarantined


def _budget(reader: Reader, model: Model) -> BudgetView | None:
    ref = model.spec.retrain.budget_ref if model.spec.retrain else None
    obj = reader.get(Ref(gvks.COST_BUDGET, "", ref.name)) if ref else None
    return BudgetView.of(obj) if obj else None


def _replacements(reader: Reader, model: Model) -> dict[str, bool]:
    rules = model.spec.retire.criteria if model.spec.retire else ()
    names = {rule.by for rule in rules if rule.type is Criterion.REPLACED_FOR and rule.by}
    found = {name: reader.get(Ref(gvks.MODEL, model.namespace, name)) for name in sorted(names)}
    return {name: bool((obj.get("status") or {}).get("inUse")) for name, obj in found.items() if obj}
