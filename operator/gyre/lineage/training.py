"""Runs of TrainingJobs as OpenLineage events: one run an attempt. Pure.

START when an attempt was opened; COMPLETE with its model, FAIL with the cause, ABORT when it was parked. Of an attempt that runs
only the START is told. An attempt that the ledger keeps no more (it keeps ten) is not told of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from openlineage.client import facet_v2 as facets
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, RunState

from gyre.adapters import storage
from gyre.adapters.run import Artifact
from gyre.api.kind import Object
from gyre.kinds.trainingjob import desired, memory
from gyre.kinds.trainingjob.ledger import Attempt, End, Ledger
from gyre.kinds.trainingjob.memory import Memory
from gyre.kinds.trainingjob.model import TrainingJob
from gyre.kinds.trainingjob.names import version_name
from gyre.lineage.naming import files_at, place_of, run_id
from gyre.lineage.telling import Told, event, kept, version_facet

STATES = {End.SUCCEEDED: RunState.COMPLETE, End.FAILED: RunState.FAIL, End.PARKED: RunState.ABORT}


def events(obj: Object, config: Object | None) -> Iterator[Told]:
    if config is None:
        return
    job = TrainingJob.parse(obj)
    held = memory.of(config, job.uid)
    if held.ledger is None:
        return
    for attempt in held.ledger.attempts:
        yield _event(job, held, held.ledger, attempt, RunState.START)
        if attempt.end is not None and attempt.closed is not None:
            yield _event(job, held, held.ledger, attempt, STATES[attempt.end])


def _event(job: TrainingJob, held: Memory, ledger: Ledger, attempt: Attempt, state: RunState) -> Told:
    at = attempt.opened if state is RunState.START else attempt.closed
    assert at is not None  # noqa: S101 - asked by whoever calls
    artifact = held.progress.artifact if held.progress and state is RunState.COMPLETE else None
    return event(
        at,
        state,
        run_id(job.uid, "attempt", attempt.number),
        _run(job, held, attempt, state),
        _job(job),
        [_pinned(job, pin.dataset, pin.place, pin.digest) for pin in ledger.pins],
        [_model(job, artifact)] if artifact else [],
    )


def _job(job: TrainingJob) -> Job:
    kind = facets.job_type_job.JobTypeJobFacet(processingType="BATCH", integration="GYRE", jobType="TRAINING_JOB")
    said: dict[str, Any] = {"jobType": kind}
    git = job.spec.entrypoint.script.git if job.spec.entrypoint.script else None
    if git is not None:
        said["sourceCodeLocation"] = facets.source_code_location_job.SourceCodeLocationJobFacet(
            type="git", url=git.url, repoUrl=git.url, path=git.path, version=git.revision
        )
    return kept(job.namespace, f"TrainingJob/{job.name}", said)


def _run(job: TrainingJob, held: Memory, attempt: Attempt, state: RunState) -> dict[str, Any]:
    execution = facets.execution_parameters_run
    parameters = [
        execution.ExecutionParameter(key=name, name=name, value=value)
        for name, value in sorted(job.spec.parameters.items())
    ]
    said: dict[str, Any] = {}
    if parameters:
        said["executionParameters"] = execution.ExecutionParametersRunFacet(parameters=parameters)
    if state is RunState.FAIL:
        message = f"{attempt.cls}: {attempt.evidence}" if attempt.cls else attempt.evidence
        said["errorMessage"] = facets.error_message_run.ErrorMessageRunFacet(
            message=message, programmingLanguage="python"
        )
    if state is RunState.COMPLETE and held.progress is not None:
        tags = {f"metric.{name}": value for name, value in desired.metrics_of(job, held.progress).items()}
        said |= _tags({**tags, **({"image": attempt.image} if attempt.image else {})})
    return said


def _tags(values: Mapping[str, str]) -> dict[str, Any]:
    tags = facets.tags_run
    rows = [tags.TagsRunFacetFields(key=key, value=value, source="GYRE") for key, value in sorted(values.items())]
    return {"tags": tags.TagsRunFacet(tags=rows)} if rows else {}


def _pinned(job: TrainingJob, name: str, place: storage.Place, digest: str) -> InputDataset:
    namespace, path = files_at(job.namespace, _uri(place))
    also = (place_of(job.namespace), f"Dataset/{name}", "GYRE")
    return InputDataset(namespace=namespace, name=path, facets=version_facet(digest, also=also))


def _uri(place: storage.Place) -> str:
    return place.uri if isinstance(place, storage.BucketPlace) else f"pvc://{place.claim}/{place.path}"


def _model(job: TrainingJob, artifact: Artifact) -> OutputDataset:
    namespace, path = files_at(job.namespace, artifact.uri)
    statistics = facets.output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
        size=artifact.bytes, fileCount=artifact.files or None
    )
    name = version_name(desired.model_name(job), artifact.digest)
    return OutputDataset(
        namespace=place_of(job.namespace),
        name=f"ModelVersion/{name}",
        facets=version_facet(artifact.digest, also=(namespace, path, "LOCATION"), kind="MODEL"),
        outputFacets={"outputStatistics": statistics},
    )
