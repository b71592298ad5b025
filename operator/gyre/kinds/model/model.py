"""Model: what a model is for, who answers for it, and by which metric its versions are ranked."""

from __future__ import annotations

from typing import Annotated, Final

from gyre.api import gvks
from gyre.api.fields import BigCount, Digest, Line, Number, Text, Time, Word, clipped
from gyre.api.markers import Column, ListType, MaxItems, MaxLength, Rule, condition_column
from gyre.api.objective import Goal
from gyre.api.schema import Resource, Schema, Status
from gyre.api.terms import Term
from gyre.kinds.model.policy import Retire, Retrain, Rollback
from gyre.kinds.model.told import Retirement, Retraining, RolledBack

MAX_HISTORY: Final = 20
MAX_USES_SHOWN: Final = 50


class Task(Term):
    """What kind of answer the model gives."""

    CLASSIFICATION = "Classification", "the probability of a class"
    REGRESSION = "Regression", "a number"
    RANKING = "Ranking", "an order"
    FORECASTING = "Forecasting", "numbers of the future"
    GENERATION = "Generation", "text, images or sound"
    OTHER = "Other", "something else"


class Risk(Term):
    """How much harm a wrong answer can do, in the classes of the EU AI Act."""

    UNCLASSIFIED = "Unclassified", "nobody has judged it yet"
    MINIMAL = "Minimal", "no obligations"
    LIMITED = "Limited", "people must be told that they deal with a model"
    HIGH = "High", "a use listed in Annex III: assessment, human oversight and records are due"


class Objective(Schema):
    """The metric by which versions are ranked."""

    metric: Word
    """Its name, as in the metrics of the versions."""
    goal: Goal
    """Which way is better."""


class ModelSpec(
    Schema,
    rules=(
        Rule(
            "!has(self.retrain) || has(self.objective)",
            "give spec.objective with spec.retrain: without a metric nobody can tell a worse version from a better one",
            field_path=".objective",
            reason="FieldValueRequired",
        ),
    ),
):
    """What the model is for, who answers for it, and what "better" means."""

    description: Text | None = None
    """What it predicts, from what, for whom."""
    task: Task | None = None
    """What kind of answer it gives."""
    owner: Line | None = None
    """Who answers for it: a team or an address."""
    risk: Risk = Risk.UNCLASSIFIED
    """How much harm a wrong answer can do."""
    objective: Objective | None = None
    """By which metric versions are ranked; without it there is no best one."""
    retrain: Retrain | None = None
    """When and how a new version is trained by itself."""
    rollback: Rollback | None = None
    """When the champion is taken back by itself."""
    retire: Retire | None = None
    """When its time is over; it is said, and nothing is deleted."""

    @property
    def acts(self) -> bool:
        """It does something by itself, and has to remember it."""
        return self.retrain is not None or self.rollback is not None or self.retire is not None


ObjectName = Annotated[str, MaxLength(253)]


class Metric(Schema):
    """One metric."""

    name: Annotated[str, *clipped(63)]
    """Its name."""
    value: Number
    """Its value."""


class Latest(Schema):
    """A version with its metrics."""

    name: ObjectName
    """The ModelVersion."""
    digest: Digest | None = None
    """Digest of its artifact."""
    metrics: Annotated[tuple[Metric, ...], ListType("map", keys=("name",)), MaxItems(20)] = ()
    """Its metrics; the ModelVersion has them all."""
    time: Time | None = None
    """When its run finished."""


class Best(Schema):
    """The version that the objective ranks first."""

    name: ObjectName
    """The ModelVersion."""
    value: Number
    """Its value of spec.objective.metric."""


class Champion(Schema):
    """The version that speaks for the Model: services that track the Champion serve it."""

    name: ObjectName
    """The ModelVersion."""
    digest: Digest | None = None
    """Digest of its artifact."""


class Past(Schema):
    """One line of the history: a version was registered, or something became of it in a service."""

    version: ObjectName
    """The ModelVersion."""
    event: Word
    """Registered; Outranked: no better than the champion then; TakenBack; or what an InferenceService did with it: Deployed,
    Promoted, RolledBack, Switched, Abandoned, Released."""
    digest: Annotated[str, *clipped(12)] | None = None
    """The first twelve digits of its artifact's digest."""
    time: Time | None = None
    """When."""
    by: Annotated[str, *clipped(253)] | None = None
    """Who: the TrainingJob that made it; of a service, whoever asked for the version."""
    service: Annotated[str, *clipped(253)] | None = None
    """The InferenceService."""
    why: Annotated[str, *clipped(256)] | None = None
    """What spoke for it, or against it."""


class InUse(Schema):
    """A version that somebody needs."""

    version: ObjectName
    """The ModelVersion."""
    by: Annotated[str, MaxLength(320)]
    """Who needs it: `TrainingJob/<name>`."""


class ModelStatus(Status):
    """What gyre knows of the versions."""

    versions: BigCount | None = None
    """How many there are."""
    headline: Annotated[str, *clipped(128)] | None = None
    """The metric that speaks for the champion, without one for the latest version: `auc 0.7123`."""
    latest: Latest | None = None
    """The version whose run finished last."""
    best: Best | None = None
    """The version that spec.objective ranks first; of equals, the earliest."""
    champion: Champion | None = None
    """The version that services serve which track the Champion: of those that are ready the best by spec.objective, without
    one the latest."""
    history: Annotated[tuple[Past, ...], ListType("atomic"), MaxItems(MAX_HISTORY)] = ()
    """What became of the versions, newest first."""
    retrain: Retraining | None = None
    """Who called for new versions, and what came of it."""
    rolled_back: Annotated[tuple[RolledBack, ...], ListType("atomic"), MaxItems(20)] = ()
    """Champions that were taken back, newest first; services that track the champion read it here."""
    retire: Retirement | None = None
    """Whether its time is over."""
    in_use: Annotated[tuple[InUse, ...], ListType("atomic"), MaxItems(MAX_USES_SHOWN)] = ()
    """Versions that are needed, and by whom; while there are any, the API server refuses to delete the Model."""


Base = Resource[ModelSpec, ModelStatus]
"""On a line of its own: pydantic reads the source around it for docstrings, and fails inside an open bracket."""


class Model(
    Base,
    gvk=gvks.MODEL,
    short=("mdl",),
    columns=(
        Column("Versions", ".status.versions", type="integer"),
        Column("Champion", ".status.champion.name", description="What services that track it serve"),
        Column("Latest", ".status.latest.name"),
        Column("Metric", ".status.headline", description="Of the champion; without one, of the latest version"),
        Column("Best", ".status.best.name", priority=1),
        Column("Retrained", ".status.retrain.lastTime", type="date", priority=1),
        Column("Outcome", ".status.retrain.lastOutcome", priority=1),
        Column("Suppressed", ".status.retrain.suppressed[0].reason", priority=1),
        Column("Risk", ".spec.risk", priority=1),
        Column("Owner", ".spec.owner", priority=1),
        condition_column("Message", "Ready", show="message", priority=1),
    ),
    rules=(
        Rule(
            "!has(self.spec.retrain) || self.metadata.name.size() <= 27",
            "a Model with spec.retrain has a name of at most 27 characters: its TrainingJobs are <name>-retrain-<n>",
        ),
    ),
):
    """The name under which versions of a model are kept and compared."""
