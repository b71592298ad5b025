"""Dataset: where data lie, how they are prepared, how often they are looked at."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final

from pydantic import Field

from gyre.api import gvks
from gyre.api.fields import (
    BigCount,
    Count,
    Digest,
    Duration,
    Image,
    LabelValue,
    Positive,
    Quantity,
    SecretKeyRef,
    Subdomain,
    Text,
    Time,
    clipped,
)
from gyre.api.markers import (
    Between,
    Column,
    Immutable,
    ListType,
    MaxItems,
    MaxLength,
    MaxProperties,
    MinLength,
    Pattern,
    Rule,
    Span,
    at_most_one_of,
    exactly_one_of,
)
from gyre.api.schema import Resource, Schema, Status
from gyre.api.terms import Term

DEFAULT_IMAGE: Final = "localhost/gyre-workload:dev"
MAX_VERSIONS_SHOWN: Final = 20
MAX_COLUMNS_SHOWN: Final = 64
POSITIVE_QUANTITY: Final = "quantity(string(self)).isGreaterThan(quantity('0'))"

Path = Annotated[
    str,
    MaxLength(512),
    Pattern(r"^([-._a-zA-Z0-9=]+(/[-._a-zA-Z0-9=]+)*)?$"),
    Rule("!self.matches('(^|/)[.][.](/|$)')", "must stay below its root: leave out `..`"),
]
"""A relative path; `=` is for Hive partitions such as `month=01`."""
Argument = Annotated[str, MaxLength(1024)]
Arguments = Annotated[tuple[Argument, ...], ListType("atomic"), MaxItems(64)]


class AccessMode(Term):
    """How many nodes may mount the claim at once."""

    READ_WRITE_ONCE = "ReadWriteOnce", "one node; every provisioner can, but workers on a second node wait for ever"
    READ_WRITE_MANY = "ReadWriteMany", "any number of nodes; the provisioner must be able to"


class PvcSource(Schema):
    """A folder on a claim that exists already, in the namespace of the Dataset."""

    claim_name: Subdomain
    """The PersistentVolumeClaim."""
    path: Path = ""
    """A folder on it; the whole claim when empty."""


class S3Source(Schema):
    """A prefix in an S3-compatible store."""

    bucket: Annotated[str, MaxLength(63), Pattern(r"^[a-z0-9][-.a-z0-9]{1,61}[a-z0-9]$")]
    """The bucket."""
    prefix: Path = ""
    """Where in the bucket."""
    endpoint: Annotated[str, MaxLength(256), Pattern(r"^https?://[^\s/]+$")] | None = None
    """The store, when it is not AWS."""
    region: Annotated[str, MaxLength(63), Pattern(r"^[-a-z0-9]+$")] | None = None
    """Its region."""
    credentials_secret: Subdomain | None = None
    """Name of a Secret with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."""


class VolumeSource(Schema):
    """A claim `<dataset>-data` that gyre creates and that is deleted together with the Dataset."""

    size: Annotated[
        Quantity,
        Rule(POSITIVE_QUANTITY, "ask for more than zero bytes, such as 5Gi"),
        Rule(
            "!quantity(string(self)).isLessThan(quantity(string(oldSelf)))",
            "a volume can only grow: create a new Dataset for a smaller one",
        ),
    ]
    """Its size."""
    storage_class_name: Annotated[Subdomain, Immutable()] | None = None
    """Its StorageClass; the cluster's default when left out."""
    access_mode: Annotated[AccessMode, Immutable()] = AccessMode.READ_WRITE_ONCE
    """How many nodes may mount it at once."""


class Source(Schema, rules=(exactly_one_of("pvc", "s3", "volume"),)):
    """Where the data lie."""

    pvc: PvcSource | None = None
    """On a claim that exists already."""
    s3: S3Source | None = None
    """In a bucket."""
    volume: VolumeSource | None = None
    """On a claim that gyre creates; `prepare` fills it."""


class Variable(Schema, rules=(at_most_one_of("value", "secretKeyRef"),)):
    """One environment variable."""

    name: Annotated[
        str,
        MaxLength(128),
        Pattern(r"^[A-Za-z_][A-Za-z0-9_]*$"),
        Rule("!self.startsWith('GYRE_')", "GYRE_* belongs to the operator: use another name"),
    ]
    """Its name."""
    value: Annotated[str, MaxLength(4096)] | None = None
    """Its value."""
    secret_key_ref: SecretKeyRef | None = None
    """A key of a Secret in the same namespace that holds its value."""


class Resources(Schema):
    """What a pod gets."""

    cpu: Annotated[Quantity, Rule(POSITIVE_QUANTITY, "ask for more than zero CPUs, such as 250m")] = "100m"
    """CPUs requested; not a limit."""
    memory: Annotated[Quantity, Rule(POSITIVE_QUANTITY, "ask for more than zero bytes of memory, such as 1Gi")] = "1Gi"
    """Memory, request and limit."""


class Prepare(Schema):
    """A program that writes the data, before the first scan and again whenever this part of the spec changes.

    It may find what an earlier run of it has written, whole or in part, and must put it right.
    """

    image: Image = DEFAULT_IMAGE
    """Its image."""
    command: Arguments = ()
    """Its command. Default: `/opt/venv/bin/python -m gyre_data`, with `--out <folder>` appended to `args`."""
    args: Arguments = ()
    """Its arguments, such as `[flights, --months, 1-5]`. The folder to write to is in GYRE_DATA_PATH."""
    env: Annotated[tuple[Variable, ...], ListType("map", keys=("name",)), MaxItems(32)] = ()
    """Its environment."""
    resources: Resources = Resources()
    """What its pod gets."""
    timeout: Annotated[Duration, Span("10s", "7d")] = timedelta(hours=1)
    """How long it may take."""


class Scan(Schema):
    """How the data are looked at: read whole, and hashed."""

    every: Annotated[Duration, Span("1m", "365d")] | None = None
    """Time between scans; when left out, only a change of the spec or `gyre.dev/requested-at` starts one."""
    image: Image = DEFAULT_IMAGE
    """The image with `gyre_data`."""
    resources: Resources = Resources()
    """What its pod gets."""
    timeout: Annotated[Duration, Span("10s", "7d")] = timedelta(hours=1)
    """How long it may take."""


class DatasetSpec(
    Schema,
    rules=(
        Rule(
            "!has(self.prepare) || !has(self.source.s3)",
            "prepare writes to a mounted volume: leave it out and write to the bucket yourself, or use pvc or volume",
            field_path=".prepare",
        ),
        Rule(
            "has(self.source.volume) == has(oldSelf.source.volume)",
            "a Dataset keeps its volume: create a new Dataset for data that lie elsewhere",
            field_path=".source",
        ),
    ),
):
    """Where data lie, how they are prepared, how often they are looked at."""

    description: Text | None = None
    """What the data are about, and where they come from."""
    source: Source
    """Where the data lie."""
    prepare: Prepare | None = None
    """A program that writes them."""
    scan: Scan = Scan()
    """How they are looked at."""
    keep_versions: Annotated[int, Between(1, MAX_VERSIONS_SHOWN)] = 10
    """How many versions the status shows; the ledger keeps the digests of many more."""


class Version(Schema):
    """The data as one scan found them."""

    version: Positive
    """Its number; numbers only grow."""
    digest: Digest
    """Merkle root over all files, as docs/run-contract.md defines it."""
    short_digest: Annotated[str, MaxLength(12)] | None = None
    """Its first twelve digits."""
    files: Count | None = None
    """Number of files."""
    rows: BigCount | None = None
    """Number of rows, where the files tell it."""
    bytes: BigCount | None = None
    """Size of all files together."""
    size: Annotated[str, MaxLength(16)] | None = None
    """The same for people."""
    time: Time
    """When a scan first found them so."""
    same_as: Positive | None = None
    """An earlier version with the same digest: the data went back."""


class DatasetStatus(Status):
    """What the scans found."""

    current: Version | None = None
    """The newest version; whether it still holds is what Ready says."""
    versions: Annotated[tuple[Version, ...], ListType("atomic"), MaxItems(MAX_VERSIONS_SHOWN)] = ()
    """The newest versions, newest first."""
    schema_: Annotated[
        dict[str, Annotated[str, *clipped(63)]], MaxProperties(MAX_COLUMNS_SHOWN), Field(alias="schema")
    ] = Field(default_factory=dict)
    """Columns of the current version and their types."""
    last_scan: Time | None = None
    """When the last scan ended well."""
    next_scan: Time | None = None
    """When the next scan is due."""
    failures: Count | None = None
    """How many times in a row a prepare or scan Job has failed."""
    job: Annotated[LabelValue, MinLength(1)] | None = None
    """The Job that is running."""


Base = Resource[DatasetSpec, DatasetStatus]
"""On a line of its own: pydantic reads the source around it for docstrings, and fails inside an open bracket."""


class Dataset(
    Base,
    gvk=gvks.DATASET,
    short=("dset",),
    columns=(
        Column("Version", ".status.current.version", type="integer"),
        Column("Rows", ".status.current.rows", type="integer"),
        Column("Size", ".status.current.size"),
        Column("Digest", ".status.current.shortDigest"),
        Column("Scanned", ".status.lastScan", type="date", priority=1),
        Column("Message", '.status.conditions[?(@.type=="Ready")].message', priority=1),
    ),
):
    """Files with a number and a digest: what a TrainingJob is frozen to."""
