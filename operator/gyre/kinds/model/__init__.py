"""A Model is the name under which versions are kept, compared and served.

Promises   status tells how many versions there are, the latest, the best by spec.objective, the champion that services track,
           who uses which, and what became of each: when, by whom, why; while a version is in use, the API server refuses to
           delete the Model, whether the operator runs or not.
Children   none. Its ModelVersions own themselves to it and are garbage-collected with it.
Never      changes a version; picks a best one without a stated objective.

    created ──▶ NoVersion ──▶ Versioned ──▶ … (each new version)
                                └── MetricUnknown (Stalled): no version reports spec.objective.metric

Conditions   Ready, VersionAvailable, Evaluated (the latest version reports the metric of the objective), InUse
"""

from __future__ import annotations

from collections.abc import Iterable

from gyre.adapters.services import ServiceView
from gyre.adapters.versions import ModelVersionView
from gyre.api import gvks
from gyre.api.kind import Kind, Object, Watch
from gyre.kinds.model.decide import Reason, decide
from gyre.kinds.model.desired import policies
from gyre.kinds.model.model import Model
from gyre.kinds.model.observe import gather
from gyre.kinds.model.status import CONDITIONS, summarize


def model_of_version(obj: Object) -> Iterable[tuple[str, str]]:
    version = ModelVersionView.of(obj)
    yield version.namespace, version.model


def model_of_service(obj: Object) -> Iterable[tuple[str, str]]:
    service = ServiceView.of(obj)
    yield service.namespace, service.model


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
    ),
    policies=policies,
)
