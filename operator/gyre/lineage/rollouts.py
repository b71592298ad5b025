"""What happened to versions in services, as OpenLineage events: one run a rollout. Pure.

A rollout is named by its candidate and when it began, so it has the same id while it goes on and after its end. Promoted,
deployed and switched are COMPLETE with the endpoint as output, rolled back is FAIL, abandoned is ABORT.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from openlineage.client import facet_v2 as facets
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, RunState

from gyre.api.kind import Object
from gyre.kinds.inferenceservice import memory
from gyre.kinds.inferenceservice.ledger import Entry
from gyre.kinds.inferenceservice.model import InferenceService
from gyre.kinds.inferenceservice.report import Happened
from gyre.lineage.naming import place_of, run_id
from gyre.lineage.telling import Told, event, kept, version_facet

STATES: Mapping[Happened, RunState] = {
    Happened.DEPLOYED: RunState.COMPLETE,
    Happened.PROMOTED: RunState.COMPLETE,
    Happened.SWITCHED: RunState.COMPLETE,
    Happened.ROLLED_BACK: RunState.FAIL,
    Happened.ABANDONED: RunState.ABORT,
}


def events(obj: Object, config: Object | None) -> Iterator[Told]:
    if config is None:
        return
    gis, ledger = InferenceService.parse(obj), memory.of(config).ledger
    if ledger is None:
        return
    for entry in ledger.history:
        if entry.event not in STATES:
            continue
        began = entry.started or entry.at
        run, inputs = _run_id(gis, entry.digest, began), [_version(gis, entry.version, entry.digest)]
        yield event(began, RunState.START, run, {}, _job(gis), inputs, [])
        outputs = [_endpoint(gis, entry)] if STATES[entry.event] is RunState.COMPLETE else []
        yield event(entry.at, STATES[entry.event], run, _told(entry), _job(gis), inputs, outputs)
    if ledger.rollout is not None:
        candidate, began = ledger.rollout.candidate, ledger.rollout.started
        inputs = [_version(gis, candidate.name, candidate.digest)]
        yield event(began, RunState.START, _run_id(gis, candidate.digest, began), {}, _job(gis), inputs, [])


def _run_id(gis: InferenceService, digest: str, began: datetime) -> str:
    return run_id(gis.uid, "rollout", digest, began.isoformat())


def _job(gis: InferenceService) -> Job:
    kind = facets.job_type_job.JobTypeJobFacet(processingType="SERVICE", integration="GYRE", jobType="ROLLOUT")
    return kept(gis.namespace, f"InferenceService/{gis.name}", {"jobType": kind})


def _told(entry: Entry) -> dict[str, Any]:
    tags = facets.tags_run
    values = {"event": entry.event.value, "by": entry.by, "why": entry.why}
    rows = [tags.TagsRunFacetFields(key=key, value=value, source="GYRE") for key, value in values.items() if value]
    said: dict[str, Any] = {"tags": tags.TagsRunFacet(tags=rows)}
    if entry.event is Happened.ROLLED_BACK:
        said["errorMessage"] = facets.error_message_run.ErrorMessageRunFacet(
            message=entry.why, programmingLanguage="python"
        )
    return said


def _version(gis: InferenceService, name: str, digest: str) -> InputDataset:
    said = version_facet(digest, kind="MODEL")
    return InputDataset(namespace=place_of(gis.namespace), name=f"ModelVersion/{name}", facets=said)


def _endpoint(gis: InferenceService, entry: Entry) -> OutputDataset:
    name = f"InferenceService/{gis.name}"
    said = version_facet(entry.digest, kind="ENDPOINT")
    return OutputDataset(namespace=place_of(gis.namespace), name=name, facets=said)
