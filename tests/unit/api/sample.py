"""A kind that uses every marker and every trap once; it exists only in tests."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from gyre.api import gvks
from gyre.api.fields import (
    BigCount,
    Count,
    Digest,
    Duration,
    Enforcement,
    Fraction,
    IntOrString,
    Labels,
    LocalRef,
    Money,
    Name,
    Number,
    PositiveDuration,
    Quantity,
    SecretKeyRef,
    Text,
    Time,
)
from gyre.api.markers import (
    Between,
    Column,
    Immutable,
    ImmutableOnceSet,
    ListType,
    MapType,
    MaxItems,
    PreserveUnknown,
    Rule,
    Scale,
    Span,
    exactly_one_of,
)
from gyre.api.schema import Resource, Schema, Status

SAMPLE: Final = gvks.ours("Sample", "samples")


class S3(Schema):
    """A bucket."""

    type: Literal["S3"]
    bucket: Name
    """The bucket."""
    region: Name = "eu-1"
    """Its region."""
    prefix: Name = "models"
    """Where in the store."""


class Claim(Schema, rules=(Rule("self.claim != self.prefix", "give claim and prefix different names"),)):
    """A PersistentVolumeClaim."""

    type: Literal["Claim"]
    claim: Name
    """The claim."""
    prefix: Name = "models"
    """Where in the store."""


class Retry(Schema):
    """How often to try again."""

    limit: Annotated[int, Between(0, 10)] = 3
    """How many times."""
    wait: PositiveDuration = timedelta(seconds=30)
    """How long to wait."""


class Variable(Schema, rules=(exactly_one_of("value", "secret"),)):
    """One environment variable."""

    name: Name
    """Its name."""
    value: Text | None = None
    """Its value."""
    secret: SecretKeyRef | None = None
    """Where its value is."""


class SampleSpec(Schema, rules=(Rule("self.low <= self.high", "make low at most high", field_path=".low"),)):
    """What to do."""

    low: Count = 1
    """The lower end."""
    high: Annotated[int, Field(gt=0, lt=100)] = 5
    """The upper end."""
    rows: BigCount | None = None
    """How many rows."""
    dataset: Annotated[LocalRef, Immutable()]
    """The Dataset to use."""
    queue: Annotated[Name, Immutable()] | None = None
    """The queue to wait in."""
    digest: Annotated[Digest | None, ImmutableOnceSet()] = None
    """The content that was pinned."""
    enforcement: Enforcement = Enforcement.AUDIT
    """Whether to act."""
    finish_by: Time | None = None
    """When it is too late."""
    timeout: Annotated[Duration, Span("10s", "30d")] = timedelta(hours=1)
    """How long it may take."""
    memory: Quantity = "2Gi"
    """Memory of one worker."""
    quantile: Fraction = Decimal("0.95")
    """Which quantile."""
    max_cost: Money | None = None
    """What it may cost."""
    port: IntOrString = 80
    """Where it listens."""
    retry: Retry = Retry()
    """On failure."""
    stubborn: Retry = Retry(limit=9)
    """On failure of the other kind."""
    store: Annotated[S3 | Claim, Field(discriminator="type")]
    """Where results go."""
    env: Annotated[tuple[Variable, ...], ListType("map", keys=("name",)), MaxItems(16)] = ()
    """The environment."""
    zones: Annotated[tuple[Name, ...], ListType("set"), MaxItems(8)] = ()
    """Zones to run in."""
    args: Annotated[tuple[Text, ...], ListType("atomic"), MaxItems(8)] = ()
    """Arguments, in order."""
    labels: Annotated[Labels, MapType("atomic")] = Field(default_factory=dict)
    """Labels of everything that is made."""
    pod_override: Annotated[dict[str, Any], PreserveUnknown()] | None = None
    """Merged into the pod."""


class SampleStatus(Status):
    """What was seen."""

    loss: Number | None = None
    """The last loss."""
    replicas: Count = 0
    """How many run."""


class Sample(
    Resource[SampleSpec, SampleStatus],
    gvk=SAMPLE,
    short=("smp",),
    columns=(Column("Dataset", ".spec.dataset.name"), Column("Loss", ".status.loss", priority=1)),
    selectable=(".spec.dataset.name",),
    scale=Scale(".spec.low", ".status.replicas"),
    rules=(Rule("self.metadata.name != 'forbidden'", "choose another name"),),
):
    """A sample of everything.

    This paragraph is not for `kubectl explain`.
    """


MINIMAL: Final[dict[str, Any]] = {
    "apiVersion": "gyre.dev/v1alpha1",
    "kind": "Sample",
    "metadata": {"name": "one", "namespace": "default"},
    "spec": {"dataset": {"name": "flights"}, "store": {"type": "S3", "bucket": "models"}},
}
