"""What a Model wants of the API server: a policy on its deletion."""

from __future__ import annotations

from gyre.adapters.deletion import refuse_while
from gyre.api import gvks
from gyre.api.effects import Manifest


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
