"""DriftMonitor: which service is watched, what it is compared with, how often a false alarm may come."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Final

from pydantic import Field

from gyre.api import gvks
from gyre.api.fields import (
    Duration,
    Fraction,
    Image,
    LocalRef,
    Name,
    Positive,
    Quantity,
    SecretRef,
    Time,
    Word,
)
from gyre.api.markers import (
    Column,
    ListType,
    MaxItems,
    MaxLength,
    MinLength,
    Pattern,
    Rule,
    Span,
    condition_column,
    exactly_one_of,
)
from gyre.api.schema import Resource, Schema
from gyre.api.terms import Term
from gyre.kinds.driftmonitor.told import DriftMonitorStatus

DEFAULT_IMAGE: Final = "localhost/gyre-workload:dev"
MAX_FEATURES: Final = 128
MOST_WINDOWS: Final = 10_000
POSITIVE_QUANTITY: Final = "quantity(string(self)).isGreaterThan(quantity('0'))"

FeatureName = Annotated[str, MinLength(1), MaxLength(128)]
StorageUri = Annotated[
    str,
    MaxLength(1024),
    Pattern(r"^(pvc|s3)://[a-z0-9][-.a-z0-9]*(/[-._a-zA-Z0-9=]+)*/?$"),
    Rule("!self.matches('(^|/)[.][.](/|$)')", "must stay below its root: leave out `..`"),
]


class FeatureType(Term):
    """How a feature is counted."""

    NUMERIC = "Numeric", "a number: in bins between the reference's deciles"
    CATEGORICAL = "Categorical", "one of some values: each for itself"


class Feature(Schema):
    """A column that the model is asked with."""

    name: FeatureName
    """Its name, in the log (without `in.`) and in the reference."""
    type: FeatureType
    """How it is counted."""


class DatasetReference(Schema):
    """Rows of a Dataset, which has a column for each feature."""

    name: Name
    """The Dataset, in the same namespace."""
    version: Positive | None = None
    """Its version; whatever is current when left out, and then a new version is a new reference."""


class SpanReference(
    Schema,
    rules=(Rule("self.from < self.to", "let the window end after it begins", field_path=".to"),),
):
    """Rows of the log itself: features as they came then, and the answers too."""

    from_: Annotated[Time, Field(alias="from")]
    """Its first moment."""
    to: Time
    """The first moment that is not in it any more."""


class Reference(Schema, rules=(exactly_one_of("dataset", "window"),)):
    """What windows are compared with."""

    dataset: DatasetReference | None = None
    """Rows of a Dataset. It has no answers, so only features are compared."""
    window: SpanReference | None = None
    """A span of the prediction log."""


class Resources(Schema):
    """What the pod of a Job gets."""

    cpu: Annotated[Quantity, Rule(POSITIVE_QUANTITY, "ask for more than zero CPUs, such as 250m")] = "250m"
    """CPUs requested; not a limit."""
    memory: Annotated[Quantity, Rule(POSITIVE_QUANTITY, "ask for more than zero bytes of memory, such as 1Gi")] = "1Gi"
    """Memory, request and limit."""


class Bucket(Schema):
    """How to reach a report whose URI is `s3://…`."""

    endpoint: Annotated[str, MaxLength(256), Pattern(r"^https?://[^\s/]+$")] | None = None
    """The store, when it is not AWS."""
    region: Word | None = None
    """Its region."""
    credentials_secret: SecretRef | None = None
    """A Secret with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."""


class Report(Schema):
    """Where the reports go."""

    uri: StorageUri
    """`pvc://claim/path` or `s3://bucket/prefix`."""
    s3: Bucket | None = None
    """How to reach that bucket; as the log's when left out."""


class DriftMonitorSpec(
    Schema,
    rules=(
        Rule(
            "self.window <= self.expectedTimeBetweenFalseAlarms",
            "a false alarm can come once a window at the most: shorten window, or lengthen expectedTimeBetweenFalseAlarms",
            field_path=".expectedTimeBetweenFalseAlarms",
        ),
        Rule(
            f"self.expectedTimeBetweenFalseAlarms.getSeconds() <= self.window.getSeconds() * {MOST_WINDOWS}",
            f"the threshold is calibrated for {MOST_WINDOWS} windows at the most: lengthen window, or shorten "
            "expectedTimeBetweenFalseAlarms",
            field_path=".expectedTimeBetweenFalseAlarms",
        ),
    ),
):
    """Which service is watched, what it is compared with, how often a false alarm may come."""

    service_ref: LocalRef
    """The InferenceService whose prediction log is read, in the same namespace."""
    model_ref: LocalRef
    """The Model it is about: its objective is what the impact is told in, and its retraining reads this monitor."""
    reference: Reference
    """What windows are compared with."""
    features: Annotated[tuple[Feature, ...], ListType("map", keys=("name",)), MaxItems(MAX_FEATURES)] = ()
    """What is compared; every feature of the log when empty."""
    window: Annotated[Duration, Span("30s", "90d")] = timedelta(days=1)
    """How much traffic is judged at once. Windows begin at multiples of it since 1970, UTC; each is judged once."""
    lateness: Annotated[Duration, Span("0s", "1d")] = timedelta(minutes=2)
    """How long after its end a window is judged: predictions need some time to reach the log."""
    expected_time_between_false_alarms: Annotated[Duration, Span("1m", "9999d")] = timedelta(days=90)
    """How long it takes on average until a monitor alarms although nothing has changed."""
    min_effect: Fraction = Decimal("0.05")
    """The share of rows that must have moved before anybody minds, however significant it is."""
    resources: Resources = Resources()
    """What the pod of a Job gets."""
    timeout: Annotated[Duration, Span("10s", "1d")] = timedelta(minutes=30)
    """How long a Job may take."""
    image: Image = DEFAULT_IMAGE
    """The image with `gyre_drift`."""
    report: Report | None = None
    """Where the reports go; beside the log when left out."""


Base = Resource[DriftMonitorSpec, DriftMonitorStatus]
"""On a line of its own: pydantic reads the source around it for docstrings, and fails inside an open bracket."""


class DriftMonitor(
    Base,
    gvk=gvks.DRIFT_MONITOR,
    short=("dm",),
    columns=(
        condition_column("Drifted", "Drifted"),
        Column("Bug", ".status.dataBug.reason", description="What is wrong with the data rather than different"),
        Column("Worst", ".status.worst[0].feature"),
        Column("Since", ".status.since", type="date"),
        Column("Windows", ".status.windowsSeen", type="integer"),
        Column("Impact", ".status.impact.estimate", priority=1),
        Column("Labels", ".status.labels.seen", type="integer", priority=1),
        Column("Wrong", ".status.labels.wrong", type="integer", priority=1),
        Column("Service", ".spec.serviceRef.name", priority=1),
        Column("Report", ".status.report.uri", priority=1),
        condition_column("Message", "Ready", show="message", priority=1),
    ),
    max_name=40,
):
    """A DriftMonitor says whether what a model is asked has moved away from a reference, at a stated rate of false alarms."""
