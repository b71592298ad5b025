"""The API of a TrainingJob: spec, the rules that the API server enforces, columns. Pure.

The parts of the spec are in `parts.py`, the status is in `report.py`.

What may change after the start: suspend, timeLimit, finishBy, failurePolicy, ttl, checkpoint, maxCost. All else is what
the run *is*: a change of it is another run, so the API server refuses it and says which field and what to do.
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from gyre.api import gvks
from gyre.api.fields import Duration, Image, Labels, Name, Subdomain, Time, Word
from gyre.api.markers import (
    Between,
    Column,
    ListType,
    MaxItems,
    MaxLength,
    MaxProperties,
    MinItems,
    Rule,
    Span,
)
from gyre.api.model import Schema
from gyre.api.resource import Resource
from gyre.kinds.trainingjob.entrypoint import Entrypoint
from gyre.kinds.trainingjob.parts import (
    CheckpointPolicy,
    DatasetUse,
    Evaluate,
    FailurePolicy,
    Framework,
    Head,
    Lifetimes,
    MaxCost,
    ModelName,
    Objective,
    PullPolicy,
    Resources,
    Storage,
    Toleration,
    Variable,
    WarmStart,
)
from gyre.kinds.trainingjob.report import TrainingJobStatus

DEFAULT_IMAGE: Final = "localhost/gyre-workload:dev"

MUTABLE: Final = frozenset({"suspend", "timeLimit", "finishBy", "failurePolicy", "ttl", "checkpoint", "maxCost"})


class TrainingJobSpec(Schema):
    """What to train, on what, with what, until when."""

    entrypoint: Entrypoint
    """What runs."""
    framework: Framework = Framework.PYTORCH
    """Who runs the training processes."""
    image: Image = DEFAULT_IMAGE
    """Image of head and workers; it has Ray, torch and the driver `gyre_train`."""
    image_pull_policy: PullPolicy = PullPolicy.IF_NOT_PRESENT
    """When the kubelet pulls the image."""
    workers: Annotated[int, Between(1, 512)] = 1
    """Number of workers, one pod each."""
    resources: Resources = Resources()
    """What one worker gets."""
    head: Head = Head()
    """What the head pod gets."""
    env: Annotated[tuple[Variable, ...], ListType("map", keys=("name",)), MaxItems(64)] = ()
    """Environment of head and workers."""
    datasets: Annotated[tuple[DatasetUse, ...], ListType("map", keys=("name",)), MinItems(1), MaxItems(16)]
    """The Datasets of the run; their digests are pinned when it starts."""
    storage: Storage
    """Where checkpoints and the model are written."""
    checkpoint: CheckpointPolicy = CheckpointPolicy()
    """When a checkpoint is written."""
    failure_policy: FailurePolicy = FailurePolicy()
    """What to do about failures, by class."""
    time_limit: Annotated[Duration, Span("10s", "3650d")] | None = None
    """Time from the first start, over all attempts; parked time does not count."""
    finish_by: Time | None = None
    """The run fails, with class Timeout, when it is not done at this time."""
    max_cost: MaxCost | None = None
    """What the job may cost, over all attempts; more is not spent."""
    suspend: bool = False
    """Park: write a checkpoint, stop, keep everything. Back to false: go on from there."""
    queue: Name | None = None
    """A Kueue LocalQueue in the same namespace that admits each attempt."""
    ttl: Lifetimes = Lifetimes()
    """How long things are kept once the job is over."""
    parameters: Annotated[dict[str, Annotated[str, MaxLength(256)]], MaxProperties(128)] = Field(default_factory=dict)
    """Parameters of the program, as strings; they go into the lineage of the model."""
    model: ModelName | None = None
    """The model that the run makes a version of. Default: named like the job."""
    objective: Objective | None = None
    """The metric that decides which is best."""
    metrics: Annotated[tuple[Word, ...], ListType("set"), MaxItems(32)] = ()
    """Metrics to record in the status and with the version; all that are reported when empty."""
    warm_start: WarmStart | None = None
    """Start from the weights of an earlier model."""
    evaluate: Evaluate = Evaluate()
    """How the new model is measured."""
    node_selector: Labels = Field(default_factory=dict)
    """Labels of the nodes to run on."""
    tolerations: Annotated[tuple[Toleration, ...], ListType("atomic"), MaxItems(16)] = ()
    """Taints that the pods bear."""
    priority_class_name: Subdomain | None = None
    """PriorityClass of the pods."""
    image_pull_secret: Subdomain | None = None
    """A Secret of type kubernetes.io/dockerconfigjson to pull the image with."""


def fixed_once_started(field: str) -> Rule:
    """The field stays as it was once the first attempt has been opened."""
    new, old = f"self.spec.{field}", f"oldSelf.spec.{field}"
    unchanged = f"has({new}) == has({old}) && (!has({new}) || {new} == {old})"
    return Rule(
        f"!has(oldSelf.status) || !has(oldSelf.status.startTime) || ({unchanged})",
        f"spec.{field} cannot change once the job has started: create a new TrainingJob (delete this one to stop it)",
        field_path=f".spec.{field}",
        reason="FieldValueForbidden",
    )


def fixed_fields() -> tuple[str, ...]:
    names = (str(field.alias or name) for name, field in TrainingJobSpec.model_fields.items())
    return tuple(name for name in names if name not in MUTABLE)


Base = Resource[TrainingJobSpec, TrainingJobStatus]
"""On a line of its own: pydantic reads the source around it for docstrings, and fails inside an open bracket."""


class TrainingJob(
    Base,
    gvk=gvks.TRAINING_JOB,
    short=("tj",),
    columns=(
        Column("Workers", ".spec.workers", type="integer"),
        Column("Step", ".status.progress.step", type="integer"),
        Column("Ckpt-Age", ".status.checkpoint.time", type="date", description="Age of the newest checkpoint"),
        Column("Goodput", ".status.goodput.ratio", description="Share of the time that was not parked that trained"),
        Column("Attempt", ".status.attempt", type="integer"),
        Column("Model", ".status.modelVersion", priority=1),
        Column("Message", '.status.conditions[?(@.type=="Ready")].message', priority=1),
    ),
    rules=(
        Rule(
            "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
            "begin the name with a letter, and go on with a-z, 0-9 and `-`: the RayJobs made from it must (DNS-1035)",
        ),
        *(fixed_once_started(field) for field in fixed_fields()),
    ),
    max_name=40,
):
    """A TrainingJob trains once, to the end, through any number of attempts."""


__all__ = ["DEFAULT_IMAGE", "TrainingJob", "TrainingJobSpec"]
