"""Which version the spec asks for, and what keeps it from being served. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gyre.adapters import storage
from gyre.adapters.ranking import Withdrawal, champion
from gyre.adapters.versions import ModelVersionView
from gyre.api.objective import Goal
from gyre.kinds.inferenceservice.ledger import Version
from gyre.kinds.inferenceservice.model import InferenceService
from gyre.kinds.inferenceservice.parts import Track
from gyre.kinds.inferenceservice.reasons import Reason


@dataclass(frozen=True, slots=True)
class ModelSeen:
    """The Model that versions belong to, with what ranks them."""

    name: str
    metric: str | None = None
    goal: Goal | None = None
    withdrawn: tuple[Withdrawal, ...] = ()
    """Champions that it has taken back."""


@dataclass(frozen=True, slots=True)
class Target:
    """The version to serve, or why there is none that could be. `waits`: it may yet come by itself."""

    version: Version | None = None
    reason: Reason | None = None
    message: str = ""
    waits: bool = False


def target(gis: InferenceService, model: ModelSeen | None, versions: Sequence[ModelVersionView]) -> Target:
    wanted = gis.spec.model_ref
    if wanted.track is Track.VERSION:
        view = next((version for version in versions if version.name == wanted.version), None)
        if view is None or view.deleting:
            message = f"ModelVersion {wanted.version!r} does not exist: register it or fix spec.modelRef.version"
            return Target(reason=Reason.VERSION_MISSING, message=message)
        if view.model != wanted.name:
            message = f"ModelVersion {view.name!r} belongs to Model {view.model!r}: fix spec.modelRef.name or .version"
            return Target(reason=Reason.VERSION_MISSING, message=message)
        if not view.ready:
            message = f"ModelVersion {view.name!r} is not registered yet: {view.message or view.reason}"
            return Target(reason=Reason.VERSION_NOT_READY, message=message, waits=True)
        return servable(view)
    if model is None:
        message = (
            f"Model {wanted.name!r} does not exist: the first TrainingJob with that spec.model.name makes it, or fix"
        )
        return Target(reason=Reason.MODEL_MISSING, message=f"{message} spec.modelRef.name")
    best = champion(versions, model.metric, model.goal, model.withdrawn)
    if best is None:
        none = f"no version of Model {model.name!r} is ready"
        ready = [version for version in versions if version.ready]
        if model.metric and any(model.metric in version.metrics for version in ready):
            none = (
                f"what is ready of Model {model.name!r} was taken back, or measured itself no better than what is not"
            )
        elif model.metric and ready:
            none = f"no version of Model {model.name!r} reports {model.metric!r}, which its objective ranks by"
        message = f"{none}: train or register one, or name one with track Version"
        return Target(reason=Reason.VERSION_MISSING, message=message, waits=True)
    return servable(best)


def servable(view: ModelVersionView) -> Target:
    """As a Target; a version whose files no pod can reach is none."""
    if storage.from_uri(view.uri) is None or not view.digest:
        message = (
            f"ModelVersion {view.name!r}: its artifact {view.uri!r} is neither pvc://claim/path nor s3://bucket/path"
        )
        return Target(reason=Reason.ARTIFACT_UNREACHABLE, message=f"{message}: register it anew with such a URI")
    return Target(Version(view.name, view.digest, view.uri, view.flavour))
