"""What a Model wants of the API server: a policy on its deletion, its ledger, and the TrainingJobs of its retraining. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gyre.adapters.deletion import refuse_while
from gyre.adapters.kept import config_map, guarded
from gyre.api import gvks
from gyre.api.effects import Effect, Manifest
from gyre.api.kind import MANAGED_BY
from gyre.kinds.model import ledger as memory
from gyre.kinds.model.ledger import Ledger, Run
from gyre.kinds.model.model import Model
from gyre.kinds.model.policy import RETRAIN_OF, Clock, Window


def policies() -> tuple[Manifest, ...]:
    """The API server refuses to delete a Model while somebody needs one of its versions."""
    return refuse_while(
        gvks.MODEL,
        field="inUse",
        message="""
            'Model ' + oldObject.metadata.name + ': version ' + oldObject.status.inUse[0].version + ' is in use by '
            + oldObject.status.inUse[0].by
            + (oldObject.status.inUse.size() > 1 ? ' (and ' + string(oldObject.status.inUse.size() - 1) + ' more uses)' : '')
            + ': delete or repoint ' + (oldObject.status.inUse.size() > 1 ? 'them' : 'it') + ' first'
        """,
    )


def ledger_name(model: str) -> str:
    return f"{model}-doings"


def ledger_write(model: Model, ledger: Ledger, seen: str | None) -> Effect:
    return guarded(config_map(_metadata(model, ledger_name(model.name)), memory.to_data(ledger)), seen)


def job_name(model: str, number: int) -> str:
    return f"{model}-retrain-{number}"


def training_job(model: Model, run: Run) -> Manifest:
    """The template, with the Model's name in it; the same run gives the same job, whenever it is asked for."""
    retrain = model.spec.retrain
    assert retrain is not None  # noqa: S101 - nobody else begins a run
    metadata = _metadata(model, job_name(model.name, run.number))
    labels = {**metadata["labels"], RETRAIN_OF: model.name}
    why = {"gyre.dev/retrain-why": f"{run.trigger}: {run.why}"[:400]}
    spec = {**retrain.template, "model": {"name": model.name}}
    if retrain.window is not None:
        spec["parameters"] = {**(spec.get("parameters") or {}), **window(retrain.window, run)}
    return {
        "apiVersion": gvks.TRAINING_JOB.api_version,
        "kind": gvks.TRAINING_JOB.kind,
        "metadata": {**metadata, "labels": labels, "annotations": why},
        "spec": spec,
    }


def window(asked: Window, run: Run) -> dict[str, str]:
    """As parameters: a stretch of the cluster's time, or a length that the program counts back from its newest row."""
    if asked.of is Clock.DATA:
        return {asked.last_parameter: str(int(asked.last.total_seconds()))}
    return {asked.from_parameter: _time(run.at - asked.last), asked.to_parameter: _time(run.at)}


def datasets_of(model: Model) -> tuple[str, ...]:
    """Names of the Datasets in the template; what is malformed names none, and the API server will say so."""
    template: Mapping[str, Any] = model.spec.retrain.template if model.spec.retrain else {}
    uses = template.get("datasets")
    found = [use.get("ref") for use in uses if isinstance(use, Mapping)] if isinstance(uses, list) else []
    return tuple(sorted({str(ref["name"]) for ref in found if isinstance(ref, Mapping) and ref.get("name")}))


def _time(time: Any) -> str:
    return str(time.strftime("%Y-%m-%dT%H:%M:%SZ"))


def _metadata(model: Model, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "namespace": model.namespace,
        "labels": {MANAGED_BY: "gyre"},
        "ownerReferences": [model.owner_reference()],
    }
