"""The status of a TrainingJob, as the API has it. Filled in by `status.py`. Pure."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from gyre.api.conditions import Truth
from gyre.api.fields import (
    BigCount,
    Count,
    Currency,
    Digest,
    Duration,
    Name,
    Number,
    Percent,
    Subdomain,
    Time,
    Uri,
    Word,
    clipped,
)
from gyre.api.markers import ListType, MapType, MaxItems, MaxLength, MaxProperties, Pattern
from gyre.api.model import Schema
from gyre.api.resource import Status
from gyre.api.terms import Term
from gyre.kinds.trainingjob.policy import FailureClass

Metrics = Annotated[dict[str, Number], MaxProperties(32)]
Evidence = Annotated[str, *clipped(256)]
CheckpointName = Annotated[str, MaxLength(253)]


class Ending(Term):
    """How an attempt ended."""

    SUCCEEDED = "Succeeded", "with a model"
    PARKED = "Parked", "after a checkpoint, at the user's wish"
    FAILED = "Failed", "see its class and evidence"


class Pinned(Schema):
    """One Dataset of the run, as pinned at the start."""

    name: Name
    """What the run calls it."""
    dataset: Subdomain
    """The Dataset."""
    version: Count
    """Its version."""
    digest: Digest
    """Its digest: the run stops when the data have another."""


class Opponent(Schema):
    """The version that the new model is measured against."""

    version: Subdomain
    """The ModelVersion; it is in use as long as an attempt runs."""
    digest: Annotated[str, MaxLength(71)]
    """Digest of its artifact."""
    problem: Evidence = ""
    """Why it cannot be measured."""


class AttemptReport(Schema):
    """One attempt."""

    number: Count
    """Counted from 1."""
    opened: Time
    """When it was begun."""
    closed: Time | None = None
    """When it ended."""
    result: Ending | None = None
    """How it ended; none while it runs."""
    class_: FailureClass | None = Field(default=None, alias="class")
    """The class of its failure."""
    evidence: Evidence = ""
    """What the class was told from."""
    from_step: BigCount = 0
    """The step it began at."""
    to_step: BigCount = 0
    """The last step it reported."""
    seconds_lost: Count = 0
    """Seconds of work that was thrown away, and of waiting for the next start."""


class RestartReport(Schema):
    """The workers were started again inside an attempt."""

    attempt: Count
    """The attempt."""
    time: Annotated[str, MaxLength(40)]
    """When, as the driver said it."""
    class_: FailureClass = Field(alias="class")
    """The class of the failure."""
    message: Evidence = ""
    """What the driver said, or what the pods showed."""
    from_step: BigCount = 0
    """The step that was reached."""
    to_step: BigCount = 0
    """The step that it went on from."""
    seconds_lost: Count = 0
    """Seconds until training went on, and of work done twice."""


class ProgressReport(Schema):
    """How far the run is."""

    step: BigCount
    """The last step."""
    total_steps: BigCount | None = None
    """How many there will be, if known."""
    percent: Percent | None = None
    """Share of the steps that are done."""
    epoch: BigCount = 0
    """The epoch."""
    steps_per_second: Number | None = None
    """Speed."""
    heartbeat: Time | None = None
    """When the driver last spoke."""
    estimated_finish: Time | None = None
    """When it will be done at this speed."""
    state: Word | None = None
    """What the driver is doing."""


class CheckpointReport(Schema):
    """The newest checkpoint, and how often there should be one."""

    uri: Uri | None = None
    """Where it is."""
    name: CheckpointName | None = None
    """Its name in the run's folder."""
    step: BigCount | None = None
    """The step it was taken at."""
    time: Time | None = None
    """When it was complete."""
    bytes: BigCount | None = None
    """Its size."""
    verified: Truth = Truth.UNKNOWN
    """Whether it was read back and has the digest that was written."""
    advised: Duration | None = None
    """The interval by Daly's formula, from the observed cost of saving and rate of failures."""
    quarantined: Annotated[tuple[CheckpointName, ...], ListType("set"), MaxItems(32)] = ()
    """Checkpoints that could not be restored twice, and are not used again."""


class MetricsReport(Schema):
    """What the program measured."""

    latest: Metrics = Field(default_factory=dict)
    """The last values."""
    best: Metrics = Field(default_factory=dict)
    """The best values so far, by the objective."""


class Goodput(Schema):
    """Where the time went: rows that sum exactly to `wall`, as of `asOf`."""

    as_of: Time
    """The last moment that was accounted for."""
    wall_milliseconds: BigCount
    """Time from creation to `asOf`."""
    ratio: Annotated[str, MaxLength(8), Pattern(r"^[0-9.]+%$")] | None = None
    """Productive share of the time that was not parked."""
    milliseconds: Annotated[dict[str, BigCount], MapType("granular"), MaxProperties(16)] = Field(default_factory=dict)
    """The rows: productive, queued, parked, starting, checkpointSave, checkpointRestore, wasted, recovering, other."""


class CostReport(Schema):
    """What the pods of the run have cost, as of its last entry."""

    spent: Annotated[str, MaxLength(23), Pattern(r"^[0-9]+\.[0-9]{2}$")] | None = None
    """Money as a decimal string; none when something has no price: then see atLeast."""
    at_least: Annotated[str, MaxLength(23), Pattern(r"^[0-9]+\.[0-9]{2}$")] | None = None
    """What has a price, where not everything has."""
    currency: Currency
    """Of both."""


class TrainingJobStatus(Status):
    """What was last seen of the run."""

    start_time: Time | None = None
    """When the first attempt was begun; from then on the run's own fields are fixed."""
    completion_time: Time | None = None
    """When the job was over."""
    attempt: Count = 0
    """The newest attempt."""
    attempts: Annotated[tuple[AttemptReport, ...], ListType("map", keys=("number",)), MaxItems(10)] = ()
    """The last ten attempts."""
    restart_count: Count = 0
    """How often workers were started again inside attempts."""
    restarts: Annotated[tuple[RestartReport, ...], ListType("atomic"), MaxItems(10)] = ()
    """The last ten of those."""
    failures: Annotated[dict[str, Count], MaxProperties(32)] = Field(default_factory=dict)
    """Failures so far by class, of attempts and of restarts: what the budgets count."""
    datasets: Annotated[tuple[Pinned, ...], ListType("map", keys=("name",)), MaxItems(16)] = ()
    """The Datasets, as pinned."""
    champion: Opponent | None = None
    """The version that the new model is measured against, as of the newest attempt's start."""
    progress: ProgressReport | None = None
    """How far the run is."""
    checkpoint: CheckpointReport | None = None
    """The newest checkpoint."""
    metrics: MetricsReport | None = None
    """What the program measured."""
    goodput: Goodput | None = None
    """Where the time went."""
    cost: CostReport | None = None
    """What its pods have cost; none while no Provider prices anything."""
    model_version: Subdomain | None = None
    """The ModelVersion that the run made."""
    ray_job: Subdomain | None = None
    """The RayJob of the running attempt."""
