"""What scans and preparations of Datasets have found, as OpenLineage events: one run a version, and the newest failure. Pure.

The ledger keeps when a version was found, not when its scan began: START and COMPLETE have the same time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from openlineage.client import facet_v2 as facets
from openlineage.client.event_v2 import Job, OutputDataset, RunState

from gyre.adapters.pods import moment
from gyre.api.kind import Object
from gyre.kinds.dataset import ledger as scans
from gyre.lineage.naming import data_at, place_of, run_id
from gyre.lineage.telling import Told, event, kept, version_facet


def events(obj: Object, config: Object | None) -> Iterator[Told]:
    try:
        ledger = scans.from_data((config or {}).get("data"))
    except scans.UnreadableLedger:
        return
    uid, job = str(obj["metadata"].get("uid", "")), _job(obj)
    for entry in ledger.entries:
        at, run = moment(entry.time), run_id(uid, "version", entry.version)
        assert at is not None  # noqa: S101 - whoever read the ledger has looked
        schema = ledger.schema if entry is ledger.current else {}
        yield event(at, RunState.START, run, {}, job, [], [])
        yield event(at, RunState.COMPLETE, run, {}, job, [], [_found(obj, entry, schema)])
    failure = ledger.failure
    failed = moment(failure.time) if failure else None
    if failure is not None and failed is not None:
        run = run_id(uid, "failure", failure.trigger, failure.time)
        message = facets.error_message_run.ErrorMessageRunFacet(
            message=f"{failure.cause}: {failure.message}", programmingLanguage="python"
        )
        yield event(failed, RunState.START, run, {}, job, [], [])
        yield event(failed, RunState.FAIL, run, {"errorMessage": message}, job, [], [])


def _job(obj: Object) -> Job:
    metadata, spec = obj["metadata"], obj.get("spec") or {}
    kind = "DATASET_PREPARATION" if spec.get("prepare") else "DATASET_SCAN"
    said: dict[str, Any] = {
        "jobType": facets.job_type_job.JobTypeJobFacet(processingType="BATCH", integration="GYRE", jobType=kind)
    }
    if spec.get("description"):
        said["documentation"] = facets.documentation_job.DocumentationJobFacet(description=str(spec["description"]))
    return kept(metadata["namespace"], f"Dataset/{metadata['name']}", said)


def _found(obj: Object, entry: scans.Entry, schema: Any) -> OutputDataset:
    place, metadata = data_at(obj["metadata"]["namespace"], obj), obj["metadata"]
    said = version_facet(entry.digest, also=(place_of(metadata["namespace"]), f"Dataset/{metadata['name']}", "GYRE"))
    if schema:
        columns = facets.schema_dataset
        fields = [columns.SchemaDatasetFacetFields(name=name, type=kind) for name, kind in schema.items()]
        said["schema"] = columns.SchemaDatasetFacet(fields=fields)
    statistics = facets.output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
        rowCount=entry.rows, size=entry.bytes, fileCount=entry.files
    )
    return OutputDataset(namespace=place[0], name=place[1], facets=said, outputFacets={"outputStatistics": statistics})
