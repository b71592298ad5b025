"""The parts of a TrainingJob's spec that stand on their own: resources, storage, policies. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final

from pydantic import Field

from gyre.api.fields import (
    Amount,
    Currency,
    Duration,
    LocalRef,
    Name,
    Quantity,
    SecretKeyRef,
    SecretRef,
    Subdomain,
    Word,
)
from gyre.api.markers import (
    Between,
    Immutable,
    ListType,
    MaxItems,
    MaxLength,
    Pattern,
    Rule,
    Span,
    at_most_one_of,
    exactly_one_of,
)
from gyre.api.model import Schema
from gyre.api.objective import Goal
from gyre.api.terms import Term
from gyre.kinds.trainingjob.entrypoint import Path
from gyre.kinds.trainingjob.policy import FailureClass


class Framework(Term):
    """Who runs the training processes."""

    PYTORCH = "PyTorch", "Ray Train with torch.distributed"


class PullPolicy(Term):
    """When the kubelet pulls the image."""

    ALWAYS = "Always", "at every start of a pod"
    IF_NOT_PRESENT = "IfNotPresent", "when the node does not have it"
    NEVER = "Never", "not at all: the node must have it"


POSITIVE_QUANTITY: Final = "quantity(string(self)).isGreaterThan(quantity('0'))"


class Resources(Schema):
    """What one worker gets: requested and, for memory and GPUs, also the limit."""

    cpu: Annotated[Quantity, Rule(POSITIVE_QUANTITY, "ask for more than zero CPUs, such as 500m or 4")] = "1"
    """CPUs requested; not a limit."""
    memory: Annotated[Quantity, Rule(POSITIVE_QUANTITY, "ask for more than zero bytes of memory, such as 2Gi")] = "2Gi"
    """Memory, request and limit."""
    gpu: Annotated[int, Between(0, 64)] = 0
    """Whole GPUs (nvidia.com/gpu); a fraction of one is refused."""


class Head(Schema):
    """What the head pod gets: it coordinates and computes nothing."""

    cpu: Annotated[Quantity, Rule(POSITIVE_QUANTITY, "ask for more than zero CPUs, such as 250m")] = "250m"
    """CPUs requested; not a limit."""
    memory: Annotated[Quantity, Rule(POSITIVE_QUANTITY, "ask for more than zero bytes of memory, such as 1Gi")] = (
        "2560Mi"
    )
    """Memory, request and limit; GCS, dashboard, driver and controller take 1.7 GiB (docs/run-contract.md)."""


class Variable(Schema, rules=(at_most_one_of("value", "secretKeyRef"),)):
    """One environment variable of head and workers."""

    name: Annotated[
        str,
        MaxLength(128),
        Pattern(r"^[A-Za-z_][A-Za-z0-9_]*$"),
        Rule(
            "!self.startsWith('GYRE_') && !self.startsWith('KUBERAY_')",
            "GYRE_* and KUBERAY_* belong to the operators: use another name",
        ),
    ]
    """Its name."""
    value: Annotated[str, MaxLength(4096)] | None = None
    """Its value."""
    secret_key_ref: SecretKeyRef | None = None
    """A key of a Secret in the same namespace that holds its value."""


class DatasetUse(Schema):
    """One Dataset of the run."""

    name: Name
    """What the run calls it: `train`, `holdout`, …"""
    ref: LocalRef
    """The Dataset."""


class Claim(Schema):
    """A folder on a PersistentVolumeClaim that all nodes of the run can mount."""

    claim_name: Subdomain
    """The claim, in the namespace of the job."""
    path: Path = ""
    """A folder on it."""


class Bucket(Schema):
    """A prefix in an S3-compatible store."""

    bucket: Annotated[str, MaxLength(63), Pattern(r"^[a-z0-9][-.a-z0-9]{1,61}[a-z0-9]$")]
    """The bucket."""
    prefix: Path = ""
    """Where in the bucket."""
    endpoint: Annotated[str, MaxLength(256), Pattern(r"^https?://[^\s/]+$")] | None = None
    """The store, when it is not AWS."""
    region: Word | None = None
    """Its region."""
    credentials_secret: SecretRef | None = None
    """A Secret with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."""


class Storage(Schema, rules=(exactly_one_of("pvc", "s3"),)):
    """Where checkpoints and the model are written, in a folder named by the job's UID."""

    pvc: Claim | None = None
    """On a PersistentVolumeClaim."""
    s3: Bucket | None = None
    """In a bucket."""


class CheckpointPolicy(Schema):
    """When a checkpoint is written and how many are kept."""

    every: Annotated[Duration, Span("1s", "1d")] = timedelta(seconds=30)
    """Time between two; `status.checkpoint.advised` says what Daly's formula would choose."""
    every_steps: Annotated[int, Between(1, 10**9)] | None = None
    """Steps between two, instead of `every`."""
    keep: Annotated[int, Between(2, 100)] = 3
    """How many are kept; two at least, so that there is one before a bad one."""


class FailureRule(Schema):
    """What to do about one class of failure."""

    class_: FailureClass = Field(alias="class")
    """The class."""
    retries: Annotated[int, Between(0, 1000)]
    """How often to go on after such a failure."""
    backoff: Annotated[Duration, Span("0s", "1d")] | None = None
    """The wait before the first retry; it doubles up to ten minutes. Default: by class."""


class Waits(Schema):
    """How long a trouble that may pass is waited for before it is a failure."""

    schedule: Annotated[Duration, Span("10s", "7d")] = timedelta(minutes=15)
    """For a place on a node; then class Stockout."""
    pull: Annotated[Duration, Span("10s", "1d")] = timedelta(minutes=10)
    """For the image; then class ImagePull."""
    start: Annotated[Duration, Span("30s", "1d")] = timedelta(minutes=30)
    """For the first word of the driver; then class Framework."""
    silence: Annotated[Duration, Span("30s", "1d")] = timedelta(minutes=2)
    """For the next heartbeat; then class Hang."""
    park: Annotated[Duration, Span("5s", "1h")] = timedelta(minutes=2)
    """For the checkpoint when the job is suspended; then it is parked at the one before."""


class FailurePolicy(Schema):
    """What to do about failures, by class; the classes that are not named keep their defaults."""

    rules: Annotated[tuple[FailureRule, ...], ListType("map", keys=("class",)), MaxItems(16)] = ()
    """Retries and backoff by class."""
    waits: Waits = Waits()
    """How long troubles that may pass are waited for."""


class Lifetimes(Schema):
    """How long things are kept once the job is over."""

    pods: Annotated[Duration, Span("0s", "7d")] = timedelta(0)
    """The pods of a failed last attempt, for a look at them."""
    after_finished: Annotated[Duration, Span("1m", "3650d")] | None = None
    """The TrainingJob itself; the model it made stays. Under GitOps leave it out: it would be created again."""


class ModelName(Schema):
    """The model that the run makes a version of."""

    name: Annotated[Name, MaxLength(40)]
    """Name of the Model; it is created if there is none."""


class Objective(Schema):
    """The metric that decides which is best."""

    metric: Word
    """Its name, as the program reports it."""
    goal: Goal = Goal.MINIMIZE
    """Which way is better."""


class WarmStart(Schema):
    """Start from the weights of an earlier model."""

    model_version: LocalRef
    """The ModelVersion; its artifact is read only."""


class Against(Term):
    """What the new model is measured against, on the held-out rows."""

    CHAMPION = "Champion", "the version that speaks for its Model when an attempt starts, where there is one"
    NOTHING = "Nothing", "no other version: it is ranked by what it reports itself"


class Evaluate(Schema):
    """How the new model is measured."""

    against: Against = Against.CHAMPION
    """The version whose metrics are taken on the same rows. The ready-made loop does it by itself, scripts are told where its
    files are (docs/run-contract.md); that it cannot be measured never fails the run."""


class TolerationOperator(Term):
    """How a taint is matched."""

    EXISTS = "Exists", "by key alone"
    EQUAL = "Equal", "by key and value"


class TaintEffect(Term):
    """Effect of a taint."""

    NO_SCHEDULE = "NoSchedule", "new pods stay away"
    PREFER_NO_SCHEDULE = "PreferNoSchedule", "new pods stay away if they can"
    NO_EXECUTE = "NoExecute", "running pods go too"


class Toleration(Schema):
    """A taint that the pods bear."""

    key: Annotated[str, MaxLength(317)] | None = None
    """Key of the taint; all keys when left out, with Exists."""
    operator: TolerationOperator = TolerationOperator.EQUAL
    """How it is matched."""
    value: Annotated[str, MaxLength(63)] | None = None
    """Value of the taint."""
    effect: TaintEffect | None = None
    """Effect of the taint; all when left out."""


class OnMaxCost(Term):
    """What happens when the job has cost what it may."""

    PARK = "Park", "after a checkpoint; raising maxCost lets it go on"
    FAIL = "Fail", "the job is over, with reason MaxCost"


class MaxCost(Schema):
    """What the job may cost, over all attempts."""

    amount: Amount
    """Money, as a decimal string."""
    currency: Annotated[Currency, Immutable()]
    """ISO 4217 code; only Providers in this currency price the job. Given after the job has cost something in another one, the
    limit does not count: it cannot be compared."""
    action: OnMaxCost = OnMaxCost.PARK
    """What happens when it has cost so much."""
