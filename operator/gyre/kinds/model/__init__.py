"""A Model is the name under which versions are kept, compared and served; it trains new ones and takes bad ones back.

Promises   status tells how many versions there are, the latest, the best by spec.objective, the champion that services track,
           who uses which, and what became of each: when, by whom, why; while a version is in use, the API server refuses to
           delete the Model, whether the operator runs or not.
           A retraining begins once an occasion, one at a time, never on data that are broken or quarantined, whoever dies when; a
           champion is taken back at most once a version, and never to one that has failed.
Children   with retrain, rollback or retire ConfigMap <name>-doings (the ledger); TrainingJob <name>-retrain-<n>. Its versions
           own themselves to it and are garbage-collected with it.
Never      changes a version; picks a best one without a stated objective; deletes anything when its time is over.

    created ──▶ NoVersion ──▶ Versioned ──▶ … (each new version)
                                └── MetricUnknown (Stalled): no version reports spec.objective.metric

    policy, model, told   the API      calls     who calls          doings    all of it in order      ledger   what is remembered
    reasons               the words    gates     what forbids it    standing  champion and way back   telling  retiring

Conditions   Ready, VersionAvailable, Evaluated (the latest version reports the metric of the objective), InUse
"""

from __future__ import annotations

from collections.abc import Iterable

from gyre.adapters.drift import DriftView
from gyre.adapters.objectives import ObjectiveView
from gyre.adapters.services import ServiceView
from gyre.adapters.versions import ModelVersionView
from gyre.api import gvks
from gyre.api.effects import Ref
from gyre.api.kind import Kind, Object, Watch
from gyre.kinds.model.decide import decide
from gyre.kinds.model.desired import datasets_of, policies
from gyre.kinds.model.model import Model
from gyre.kinds.model.observe import gather
from gyre.kinds.model.policy import RETRAIN_OF
from gyre.kinds.model.reasons import Reason
from gyre.kinds.model.status import CONDITIONS, summarize


def model_of_version(obj: Object) -> Iterable[tuple[str, str]]:
    version = ModelVersionView.of(obj)
    yield version.namespace, version.model


def model_of_service(obj: Object) -> Iterable[tuple[str, str]]:
    service = ServiceView.of(obj)
    yield service.namespace, service.model


def model_of_level(obj: Object) -> Iterable[tuple[str, str]]:
    level = ObjectiveView.of(obj)
    if level.model:
        yield level.namespace, level.model


def model_of_monitor(obj: Object) -> Iterable[tuple[str, str]]:
    view = DriftView.of(obj)
    if view.model:
        yield obj["metadata"].get("namespace", ""), view.model


def references(model: Model) -> Iterable[Ref]:
    """What its doings depend on."""
    retrain, retire = model.spec.retrain, model.spec.retire
    for name in datasets_of(model):
        yield Ref(gvks.DATASET, model.namespace, name)
    if retrain is not None:
        for name in sorted({each.drift.monitor for each in retrain.triggers if each.drift}):
            yield Ref(gvks.DRIFT_MONITOR, model.namespace, name)
        if retrain.budget_ref is not None:
            yield Ref(gvks.COST_BUDGET, "", retrain.budget_ref.name)
    for name in sorted({rule.by for rule in retire.criteria if rule.by} if retire else ()):
        yield Ref(gvks.MODEL, model.namespace, name)


KIND = Kind(
    model=Model,
    gvk=gvks.MODEL,
    gather=gather,
    decide=decide,
    summarize=summarize,
    conditions=CONDITIONS,
    reasons=Reason,
    watches=(
        Watch(gvks.MODEL_VERSION, model_of_version, managed=False),
        Watch(gvks.INFERENCE_SERVICE, model_of_service, managed=False),
        Watch(gvks.SERVICE_LEVEL_OBJECTIVE, model_of_level, managed=False),
        Watch(gvks.DRIFT_MONITOR, model_of_monitor, managed=False),
        Watch(gvks.COST_BUDGET, managed=False),
        Watch(gvks.DATASET, managed=False),
    ),
    owns=(gvks.CONFIG_MAP, gvks.TRAINING_JOB),
    references=references,
    labels=((gvks.TRAINING_JOB, RETRAIN_OF),),
    policies=policies,
)
