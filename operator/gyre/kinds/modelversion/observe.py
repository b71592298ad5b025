"""The only reads a ModelVersion makes: its Model, and who uses it."""

from __future__ import annotations

from dataclasses import dataclass

from gyre.adapters.versions import USERS, USES_MODEL_VERSION, Use, use_of, version_used_by
from gyre.api import gvks
from gyre.api.effects import Ref
from gyre.api.kind import Reader
from gyre.kinds.modelversion.model import ModelVersion


@dataclass(frozen=True, slots=True)
class ModelSeen:
    uid: str
    deleting: bool
    objective: str | None
    """The metric by which the Model ranks its versions, if it says one."""


@dataclass(frozen=True, slots=True)
class Observed:
    model: ModelSeen | None
    users: tuple[Use, ...] = ()


async def gather(reader: Reader, version: ModelVersion) -> Observed:
    obj = reader.get(Ref(gvks.MODEL, version.namespace, version.spec.model_ref.name))
    model = None
    if obj is not None:
        metadata, spec = obj["metadata"], obj.get("spec") or {}
        model = ModelSeen(
            uid=metadata["uid"],
            deleting=bool(metadata.get("deletionTimestamp")),
            objective=(spec.get("objective") or {}).get("metric"),
        )
    return Observed(model, users(reader, version.ref))


def users(reader: Reader, version: Ref) -> tuple[Use, ...]:
    """Objects that need this version, each once, in order: those whose spec names it and those whose label does."""
    found = {
        use_of(obj)
        for gvk in USERS
        for obj in (
            *reader.referrers(version, gvk),
            *reader.labelled(gvk, version.namespace, USES_MODEL_VERSION, version.name),
        )
        if version_used_by(obj) == version.name
    }
    return tuple(sorted(found))
