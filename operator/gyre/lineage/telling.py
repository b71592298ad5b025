"""What every OpenLineage event has in common: who says it, when, of which run; and how data are told by digest. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias

from openlineage.client import facet_v2 as facets
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState, set_producer

from gyre.lineage.naming import PRODUCER, place_of

Told: TypeAlias = RunEvent

set_producer(PRODUCER)


def event(
    at: datetime,
    state: RunState,
    run: str,
    told: Mapping[str, Any],
    job: Job,
    inputs: Sequence[InputDataset],
    outputs: Sequence[OutputDataset],
) -> Told:
    time = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return RunEvent(
        eventTime=time,
        producer=PRODUCER,
        run=Run(runId=run, facets=dict(told)),
        job=job,
        eventType=state,
        inputs=list(inputs),
        outputs=list(outputs),
    )


def kept(namespace: str, name: str, said: Mapping[str, Any]) -> Job:
    return Job(namespace=place_of(namespace), name=name, facets=dict(said))


def version_facet(digest: str, *, also: tuple[str, str, str] | None = None, kind: str = "") -> dict[str, Any]:
    """Data as they were, by digest; `also`: (namespace, name, type) by which others know them."""
    said: dict[str, Any] = {"version": facets.dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=digest)}
    if also is not None:
        symlinks = facets.symlinks_dataset
        other = symlinks.Identifier(namespace=also[0], name=also[1], type=also[2])
        said["symlinks"] = symlinks.SymlinksDatasetFacet(identifiers=[other])
    if kind:
        said["datasetType"] = facets.dataset_type_dataset.DatasetTypeDatasetFacet(datasetType=kind)
    return said
