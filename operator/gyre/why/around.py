"""What watches over it: cost and budgets, drift, objectives, retraining. Read from the statuses of those kinds. Pure.

Where such an object is missing the fact is unknown, and the answer says which object would make it known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from gyre.api import gvks
from gyre.kinds.model.policy import RETRAIN_OF
from gyre.why.answer import Fact, Section, given, known, part, rows, unknown
from gyre.why.world import Several, World

TRIGGER: Final = ("trigger", "why", "time", "job", "outcome")
"""What `status.retrain` of a Model says of the newest trigger, each after the word `last`."""


def sections(world: World) -> tuple[Section, ...]:
    if world.at is not None:
        return ()  # these statuses tell how it is now, and no history of theirs is kept in them
    return (Section("around", given(*_money(world), _drift(world), *_objectives(world), *_retraining(world))),)


def _money(world: World) -> tuple[Fact, ...]:
    covering = replace(world.budgets, objects=tuple(obj for obj in world.budgets.objects if _covers(obj, world)))
    none = "no CostBudget covers it: create one whose spec.scope does"
    return _cost(world, covering), _several("budgets", covering, _budget, none)


def _covers(budget: Mapping[str, Any], world: World) -> bool:
    """Whether the budget is for the namespace and labels of the run, or of what was asked about."""
    namespaces = part(budget, "spec", "scope", "namespaces") or ()
    wanted: Mapping[str, str] = part(budget, "spec", "scope", "labels") or {}
    labels: Mapping[str, str] = part(world.job.obj or world.service.obj, "metadata", "labels") or {}
    return (not namespaces or world.what.namespace in namespaces) and wanted.items() <= labels.items()


def _cost(world: World, budgets: Several) -> Fact:
    """Of the run, as the books of a budget that covers it have it."""
    if world.job.obj is None:
        return unknown("cost", world.job.absent)
    if budgets.absent:
        return unknown("cost", budgets.absent)
    me = (gvks.TRAINING_JOB.kind, world.what.namespace, _name(world.job.obj))
    for budget in budgets.objects:
        currency = part(budget, "status", "currency")
        for row in rows(budget, "status", "owners"):
            if (row.get("kind"), row.get("namespace"), row.get("name")) == me:
                return Fact("cost", {"run": row.get("cost"), "currency": currency, "by": _name(budget)})
    why = "no CostBudget that covers the run lists it: a Provider with prices and a CostBudget over its time make it known"
    return unknown("cost", why)


def _budget(obj: Mapping[str, Any]) -> dict[str, Any]:
    status: Mapping[str, Any] = obj.get("status") or {}
    keys = ("spent", "committed", "left", "currency", "exhaustsAt", "action")
    told = {key: status[key] for key in keys if status.get(key) not in (None, "")}
    return {"name": _name(obj), **told, **_condition(obj, "Exhausted")}


def _drift(world: World) -> Fact:
    none = "no DriftMonitor watches the Model: create one with spec.modelRef.name"
    return _several("drift", world.monitors, _monitor, none)


def _monitor(obj: Mapping[str, Any]) -> dict[str, Any]:
    status: Mapping[str, Any] = obj.get("status") or {}
    if "drifted" not in status:
        return {"name": _name(obj), "drifted": "unknown: it has not judged a window yet", **_condition(obj, "Ready")}
    keys = ("drifted", "since", "impact", "dataBug", "window", "windowsSeen", "report")
    worst = rows(status, "worst")
    return {
        "name": _name(obj),
        **{key: status[key] for key in keys if status.get(key) is not None},
        **({"worst": worst[0]} if worst else {}),
    }


def _objectives(world: World) -> tuple[Fact, ...]:
    if world.what.gvk != gvks.INFERENCE_SERVICE:
        return ()
    none = "no ServiceLevelObjective is stated for the service: create one"
    return (_several("objectives", world.objectives, _objective, none),)


def _objective(obj: Mapping[str, Any]) -> dict[str, Any]:
    status: Mapping[str, Any] = obj.get("status") or {}
    if not rows(status, "conditions"):
        return {"name": _name(obj), "budgetLeft": "unknown: gyre has not looked at it yet"}
    left = part(status, "budget", "remaining")
    told = {"budgetLeft": left if left is not None else "unknown: too few events"}
    return {"name": _name(obj), **told, **_condition(obj, "Burning"), **_condition(obj, "Exhausted")}


def _retraining(world: World) -> tuple[Fact, ...]:
    if world.model.obj is None:
        return (unknown("retrained", world.model.absent),)
    told: Mapping[str, Any] = part(world.model.obj, "status", "retrain") or {}
    job_of = part(world.job.obj, "metadata", "labels", RETRAIN_OF)
    set_up = part(world.model.obj, "spec", "retrain") is not None
    otherwise = "no trigger has fired yet" if set_up else "spec.retrain of the Model is not set"
    last = {
        key: told[f"last{key[0].upper()}{key[1:]}"] for key in TRIGGER if told.get(f"last{key[0].upper()}{key[1:]}")
    }
    return given(
        Fact("retrainOf", job_of) if job_of else None,
        known("lastTrigger", last, otherwise),
        Fact("worth", told["worth"]) if told.get("worth") else None,
        Fact("suppressed", told["suppressed"]) if told.get("suppressed") else None,
        Fact("retrainings", [_name(job) for job in world.retrained.objects]) if world.retrained.objects else None,
    )


def _several(name: str, found: Several, tell: Any, otherwise: str) -> Fact:
    if found.absent:
        return unknown(name, found.absent)
    return known(name, [tell(obj) for obj in found.objects], otherwise)


def _name(obj: Mapping[str, Any]) -> str:
    return str(part(obj, "metadata", "name") or "")


def _condition(obj: Mapping[str, Any], type: str) -> dict[str, Any]:
    found = next((row for row in rows(obj, "status", "conditions") if row.get("type") == type), None)
    if found is None:
        return {}
    key = type[0].lower() + type[1:]
    return {key: found.get("status"), **({f"{key}Because": found["message"]} if found.get("message") else {})}
