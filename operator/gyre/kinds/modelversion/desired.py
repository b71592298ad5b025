"""What a ModelVersion wants of the API server: a Model, an owner, and a policy on its deletion."""

from __future__ import annotations

from gyre.adapters.deletion import refuse_while
from gyre.api import gvks
from gyre.api.effects import Manifest
from gyre.kinds.modelversion.model import ModelVersion


def model(version: ModelVersion) -> Manifest:
    """The least that a Model can be. Nothing of it is ever taken back: its owner is whoever edits it."""
    return {
        "apiVersion": gvks.MODEL.api_version,
        "kind": gvks.MODEL.kind,
        "metadata": {"name": version.spec.model_ref.name, "namespace": version.namespace},
        "spec": {},
    }


def claim(version: ModelVersion, model_uid: str) -> Manifest:
    """An ownerReference on the version itself. With the UID of what was seen, a deleted version is not made again.

    It is not a controller reference, so that it stands next to one that somebody else has set.
    """
    return {
        "apiVersion": gvks.MODEL_VERSION.api_version,
        "kind": gvks.MODEL_VERSION.kind,
        "metadata": {
            "name": version.name,
            "namespace": version.namespace,
            "uid": version.uid,
            "ownerReferences": [
                {
                    "apiVersion": gvks.MODEL.api_version,
                    "kind": gvks.MODEL.kind,
                    "name": version.spec.model_ref.name,
                    "uid": model_uid,
                }
            ],
        },
    }


def policies() -> tuple[Manifest, ...]:
    """The API server refuses to delete a version that somebody needs."""
    return refuse_while(
        gvks.MODEL_VERSION,
        field="inUseBy",
        message="""
            'ModelVersion ' + oldObject.metadata.name + ' is in use by ' + oldObject.status.inUseBy[0].kind + '/'
            + oldObject.status.inUseBy[0].name
            + (oldObject.status.inUseBy.size() > 1
               ? ' and ' + string(oldObject.status.inUseBy.size() - 1) + ' more' : '')
            + ': delete or repoint ' + (oldObject.status.inUseBy.size() > 1 ? 'them' : 'it') + ' first'
        """,
    )
