"""All that is told, in the order in which it happened. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from openlineage.client.event_v2 import RunState

from gyre.api import gvks
from gyre.api.kind import Object
from gyre.lineage import data, rollouts, training
from gyre.lineage.telling import Told


def events(objects: Iterable[tuple[Object, Object | None]], since: datetime | None = None) -> tuple[Told, ...]:
    """Of these objects, each with its ledger: oldest first; of one moment, the start before the end."""
    found: list[Told] = []
    for obj, config in objects:
        if obj.get("kind") == gvks.DATASET.kind:
            found += data.events(obj, config)
        elif obj.get("kind") == gvks.TRAINING_JOB.kind:
            found += training.events(obj, config)
        elif obj.get("kind") == gvks.INFERENCE_SERVICE.kind:
            found += rollouts.events(obj, config)
    found.sort(key=lambda told: (told.eventTime, told.eventType is not RunState.START, told.job.name, told.run.runId))
    if since is None:
        return tuple(found)
    return tuple(told for told in found if datetime.fromisoformat(told.eventTime) >= since)
