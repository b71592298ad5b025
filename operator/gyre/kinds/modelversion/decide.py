"""What to do next with a ModelVersion. Pure: the same version and world give the same decision."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final, TypeAlias

from gyre.adapters.versions import short
from gyre.api import gvks
from gyre.api.effects import Apply, Note
from gyre.api.kind import Decision
from gyre.api.terms import Reason as Reasons
from gyre.kinds.modelversion import desired
from gyre.kinds.modelversion.model import ModelVersion
from gyre.kinds.modelversion.observe import Observed


class Reason(Reasons):
    """Why a ModelVersion is as it is."""

    REGISTERED = "Registered", "its Model owns it"
    REGISTERING = "Registering", "it is being handed to its Model"
    CREATING_MODEL = "CreatingModel", "its Model does not exist yet and is being created"
    MODEL_GOING = "ModelGoing", "its Model is being deleted"
    MODEL_GONE = "ModelGone", "the Model that owned it was deleted; it goes along"
    UNVERIFIED = "Unverified", "nothing has compared the artifact with its digest"


Rule: TypeAlias = Callable[[ModelVersion, Observed], Decision | None]


def decide(version: ModelVersion, seen: Observed, now: datetime) -> Decision:
    """The first rule that has something to say wins; the last one always has."""
    del now  # nothing about a version depends on the hour
    for rule in RULES:
        if decision := rule(version, seen):
            return decision
    return registered(version, seen)


def owners(version: ModelVersion) -> frozenset[str]:
    """UIDs of the Models that own the version."""
    references = version.metadata.owner_references
    return frozenset(o.uid for o in references if o.kind == gvks.MODEL.kind and o.api_version == gvks.MODEL.api_version)


def model_gone(version: ModelVersion, seen: Observed) -> Decision | None:
    """Versions go with the Model they belonged to, even if there is a new one of that name by now."""
    owned_by = owners(version)
    if not owned_by or (seen.model and seen.model.uid in owned_by):
        return None
    return Decision.waiting(
        Reason.MODEL_GONE,
        f"Model {version.spec.model_ref.name!r}, which owned this version, was deleted; the garbage collector deletes "
        "the version too. To keep versions, delete the Model with --cascade=orphan",
    )


def model_going(version: ModelVersion, seen: Observed) -> Decision | None:
    """Nothing is handed to a Model that is on its way out."""
    if seen.model is None or not seen.model.deleting:
        return None
    return Decision.waiting(
        Reason.MODEL_GOING, f"Model {version.spec.model_ref.name!r} is being deleted; waiting until it is gone"
    )


def no_model_yet(version: ModelVersion, seen: Observed) -> Decision | None:
    """A first version brings its Model with it: applied, so that two versions at once make one Model."""
    if seen.model is not None:
        return None
    name = version.spec.model_ref.name
    return Decision.progressing(Reason.CREATING_MODEL, f"creating Model {name!r}", Apply(desired.model(version)))


def registered(version: ModelVersion, seen: Observed) -> Decision:
    """Its Model owns it, so it goes when the Model goes."""
    name = version.spec.model_ref.name
    if seen.model is None:  # only if a rule above is taken out
        return Decision.waiting(Reason.CREATING_MODEL, f"Model {name!r} does not exist yet")
    claim = Apply(desired.claim(version, seen.model.uid))
    if seen.model.uid not in owners(version):
        told = f"version {version.name} ({short(version.spec.artifact.digest)}) is registered with Model {name}"
        return Decision.progressing(
            Reason.REGISTERING, f"handing it to Model {name!r}", claim, Note(Reason.REGISTERED, told)
        )
    return Decision.settled(Reason.REGISTERED, f"registered with Model {name!r}", claim)


RULES: Final[tuple[Rule, ...]] = (
    model_gone,
    model_going,
    no_model_yet,
    registered,
)
