"""A ModelVersion says, for good, what was trained from what and how good it is.

Promises   it belongs to its Model, which is created when it is missing; who needs the version is written on it, and while
           there is anyone, the API server refuses to delete it, whether the operator runs or not.
Children   none. It applies a Model `<spec.modelRef.name>` when there is none, and an ownerReference on itself.
Never      changes its spec; calls an artifact good that nobody verified; brings a deleted Model back to life for the
           versions that go with it.

    created ──▶ Model exists? ──no──▶ Model created ──▶ owned by it: Registered
                     └── it was owned by a Model that is gone ──▶ ModelGone: the garbage collector takes it along

Conditions   Ready, Registered (its Model owns it), VerifiedArtifact (Unknown: nothing checks artifacts yet)
"""

from __future__ import annotations

from collections.abc import Iterable

from gyre.adapters.versions import USERS, USES_MODEL_VERSION, version_used_by
from gyre.api import gvks
from gyre.api.effects import Ref
from gyre.api.kind import Grant, Kind, Object, Watch
from gyre.kinds.modelversion import desired
from gyre.kinds.modelversion.decide import Reason, decide
from gyre.kinds.modelversion.model import ModelVersion
from gyre.kinds.modelversion.observe import gather
from gyre.kinds.modelversion.status import CONDITIONS, summarize


def version_of_user(obj: Object) -> Iterable[tuple[str, str]]:
    """The version that this object uses; one that has just ended still names it, so that its end is noticed."""
    spec = obj.get("spec") or {}
    named = ((spec.get("warmStart") or {}).get("modelVersion") or {}).get("name")
    for name in {version_used_by(obj), named} - {None}:
        yield obj["metadata"].get("namespace", ""), str(name)


def references(version: ModelVersion) -> Iterable[Ref]:
    yield Ref(gvks.MODEL, version.namespace, version.spec.model_ref.name)


KIND = Kind(
    model=ModelVersion,
    gvk=gvks.MODEL_VERSION,
    gather=gather,
    decide=decide,
    summarize=summarize,
    conditions=CONDITIONS,
    reasons=Reason,
    watches=tuple(Watch(user, version_of_user, managed=user.group != gvks.GROUP) for user in USERS),
    references=references,
    labels=tuple((user, USES_MODEL_VERSION) for user in USERS),
    grants=(
        Grant(gvks.MODEL, ("create", "patch")),
        Grant(gvks.MODEL_VERSION, ("patch",)),
    ),
    policies=desired.policies,
)
