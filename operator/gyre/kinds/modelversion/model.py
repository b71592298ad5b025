"""ModelVersion: what was trained, from what, how good it is. Its spec never changes."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from gyre.api import gvks
from gyre.api.fields import (
    BigCount,
    Count,
    Digest,
    Image,
    LabelValue,
    Line,
    Name,
    Number,
    Positive,
    Subdomain,
    Time,
    Uri,
    Word,
    clipped,
)
from gyre.api.markers import Column, Immutable, ListType, MaxItems, MaxLength, MaxProperties, MinLength, Pattern
from gyre.api.schema import Resource, Schema, Status

MAX_USERS_SHOWN: Final = 20

Metrics = Annotated[dict[str, Number], MaxProperties(64)]
"""Metrics by name, as decimal strings: `auc: "0.7123"`."""


class ModelRef(Schema):
    """A Model of the same namespace; it is created when it does not exist."""

    name: Name
    """Its name."""


class Artifact(Schema):
    """The files that make up the model."""

    uri: Uri
    """Where they lie: `pvc://claim/path` or `s3://bucket/path`."""
    digest: Digest
    """Merkle root over the files, as docs/run-contract.md defines it."""
    bytes: BigCount | None = None
    """Their size together."""
    flavour: Word
    """What can load them: torch, sklearn, onnx, …"""
    files: Count | None = None
    """How many there are."""


class Baseline(Schema):
    """What a model has to beat to be worth its cost."""

    name: Line
    """What it is, such as `always on time` or the name of another version."""
    metrics: Metrics = Field(default_factory=dict)
    """Its metrics on the same rows."""


class Beside(Schema):
    """The version that spoke for the Model when the run's last attempt began: worse than that is never served."""

    version: Subdomain
    """The ModelVersion."""
    digest: Digest
    """Digest of its artifact."""
    metrics: Metrics = Field(default_factory=dict)
    """Its metrics on the same rows."""
    problem: Line = ""
    """Why it was not measured; versions are then ranked by what each reports."""


class Evaluation(Schema):
    """How good the version is on rows it was not trained on."""

    metrics: Metrics = Field(default_factory=dict)
    """Metrics on the hold-out rows."""
    baseline: Baseline | None = None
    """What it is compared with."""
    champion: Beside | None = None
    """The champion on the same rows; these two figures rank the version."""
    rows: BigCount | None = None
    """Number of hold-out rows."""
    split: Line = ""
    """How the hold-out rows were chosen."""


class TrainedOn(Schema):
    """A Dataset as it was when the run pinned it."""

    name: Subdomain
    """The Dataset's name."""
    version: Positive | None = None
    """Its version then."""
    digest: Digest
    """Its digest then."""
    role: LabelValue = ""
    """What the run used it as, such as `train` or `holdout`."""


class RunImage(Schema):
    """The container image that trained it."""

    name: Image
    """As the run named it."""
    digest: Digest | None = None
    """What the name meant on the node."""


class Code(Schema):
    """The program that trained it."""

    sha256: Annotated[str, MaxLength(71), Pattern(r"^(sha256:)?[0-9a-f]{64}$")] | None = None
    """SHA-256 of the program's file."""
    revision: Annotated[str, MaxLength(128)] = ""
    """Revision in version control, if known."""
    path: Annotated[str, MaxLength(512)] = ""
    """Path of the program in the image or volume."""


class Run(Schema):
    """The TrainingJob that made it."""

    name: Subdomain
    """Its name."""
    uid: Annotated[str, MinLength(1), MaxLength(64)]
    """Its UID, which is the Ray Train run's name and folder."""
    attempts: Positive = 1
    """How many attempts it took."""
    started: Time | None = None
    """When the first attempt started."""
    finished: Time | None = None
    """When the last attempt finished; versions are ordered by it."""


class Lineage(Schema):
    """Everything needed to say where the version came from."""

    datasets: Annotated[tuple[TrainedOn, ...], ListType("atomic"), MaxItems(16)] = ()
    """The data, by digest."""
    image: RunImage | None = None
    """The image."""
    code: Code | None = None
    """The program."""
    parameters: Annotated[dict[str, Annotated[str, MaxLength(256)]], MaxProperties(128)] = Field(default_factory=dict)
    """The parameters of the run."""
    run: Run | None = None
    """The TrainingJob; absent when the version was registered by hand."""
    framework: Line = ""
    """Names and versions of the libraries, such as `torch 2.6.0, ray 2.60.0`."""


class ModelVersionSpec(Schema, rules=(Immutable("a version never changes: register a new ModelVersion instead"),)):
    """What was trained, from what, and how good it is. It cannot be changed."""

    model_ref: ModelRef
    """The Model that this is a version of."""
    artifact: Artifact
    """The files."""
    metrics: Metrics = Field(default_factory=dict)
    """The metrics that speak for the version."""
    evaluation: Evaluation | None = None
    """How they were measured."""
    lineage: Lineage = Lineage()
    """Where the version came from."""


class Using(Schema):
    """An object that needs this version to stay."""

    kind: Annotated[str, MaxLength(63)]
    """Its kind."""
    name: Annotated[str, MaxLength(253)]
    """Its name, in the same namespace."""


class ModelVersionStatus(Status):
    """What gyre knows of the version."""

    headline: Annotated[str, *clipped(128)] | None = None
    """The metric that speaks for the version: `auc 0.7123`."""
    baseline: Annotated[str, *clipped(128)] | None = None
    """The same metric of the baseline."""
    against: Annotated[str, *clipped(192)] | None = None
    """The same metric of the champion then, on the same rows: `auc 0.6812 of flights-1a2b3c4d`."""
    trained_on: Annotated[str, *clipped(128)] | None = None
    """The first Dataset: `flights@v3 1a2b3c4d5e6f`."""
    trained_by: Annotated[str, *clipped(256)] | None = None
    """The run: `TrainingJob/<name>`."""
    in_use_by: Annotated[tuple[Using, ...], ListType("atomic"), MaxItems(MAX_USERS_SHOWN)] = ()
    """Who needs this version to stay; while there is anyone, the API server refuses to delete it."""


Base = Resource[ModelVersionSpec, ModelVersionStatus]
"""On a line of its own: pydantic reads the source around it for docstrings, and fails inside an open bracket."""


class ModelVersion(
    Base,
    gvk=gvks.MODEL_VERSION,
    short=("mv",),
    max_name=63,
    selectable=(".spec.modelRef.name",),
    columns=(
        Column("Model", ".spec.modelRef.name"),
        Column("Metric", ".status.headline"),
        Column("Baseline", ".status.baseline"),
        Column("Against", ".status.against", priority=1),
        Column("Dataset", ".status.trainedOn"),
        Column("From", ".status.trainedBy"),
        Column("Artifact", ".spec.artifact.uri", priority=1),
    ),
):
    """One trained model: its files, its evidence and its origin. Immutable, owned by its Model."""
