"""The parts of an InferenceService's spec that stand on their own: what to serve, in which container, for how much. Pure."""

from __future__ import annotations

from typing import Annotated, Final

from gyre.api.fields import Image, Name, Port, Quantity, SecretKeyRef, SecretRef, Subdomain, Word
from gyre.api.markers import (
    Between,
    ListType,
    MaxItems,
    MaxLength,
    Pattern,
    Rule,
    at_most_one_of,
)
from gyre.api.model import Schema
from gyre.api.terms import Term

DEFAULT_IMAGE: Final = "localhost/gyre-workload:dev"

POSITIVE_QUANTITY: Final = "quantity(string(self)).isGreaterThan(quantity('0'))"

Arguments = Annotated[tuple[Annotated[str, MaxLength(1024)], ...], ListType("atomic"), MaxItems(64)]


class Track(Term):
    """Which version of the Model is served."""

    CHAMPION = "Champion", "the best by the Model's objective; the latest where it states none"
    VERSION = "Version", "the one that is named"


class ModelRef(
    Schema,
    rules=(
        Rule(
            "self.track != 'Version' || has(self.version)",
            "name the version to serve, or set track to Champion",
            field_path=".version",
            reason="FieldValueRequired",
        ),
        Rule(
            "self.track != 'Champion' || !has(self.version)",
            "leave version out, or set track to Version",
            field_path=".version",
            reason="FieldValueForbidden",
        ),
    ),
):
    """What to serve."""

    name: Name
    """The Model, in the same namespace."""
    track: Track = Track.CHAMPION
    """Which of its versions."""
    version: Name | None = None
    """The ModelVersion, with track Version."""


class Resources(Schema):
    """What one pod gets."""

    cpu: Annotated[Quantity, Rule(POSITIVE_QUANTITY, "ask for more than zero CPUs, such as 250m or 2")] = "250m"
    """CPUs requested. The limit is twice as much, at least one: KServe puts one on every container."""
    memory: Annotated[Quantity, Rule(POSITIVE_QUANTITY, "ask for more than zero bytes of memory, such as 512Mi")] = (
        "512Mi"
    )
    """Memory, request and limit."""
    gpu: Annotated[int, Between(0, 64)] = 0
    """Whole GPUs (nvidia.com/gpu); a fraction of one is refused."""


class PullPolicy(Term):
    """When the kubelet pulls the image."""

    ALWAYS = "Always", "at every start of a pod"
    IF_NOT_PRESENT = "IfNotPresent", "when the node does not have it"
    NEVER = "Never", "not at all: the node must have it"


class Variable(Schema, rules=(at_most_one_of("value", "secretKeyRef"),)):
    """One environment variable of the container."""

    name: Annotated[
        str,
        MaxLength(128),
        Pattern(r"^[A-Za-z_][A-Za-z0-9_]*$"),
        Rule(
            "!self.startsWith('GYRE_') && self != 'STORAGE_URI' && self != 'INFERENCE_SERVICE_NAME'",
            "GYRE_*, STORAGE_URI and INFERENCE_SERVICE_NAME belong to the operators: use another name",
        ),
    ]
    """Its name."""
    value: Annotated[str, MaxLength(4096)] | None = None
    """Its value."""
    secret_key_ref: SecretKeyRef | None = None
    """A key of a Secret in the same namespace that holds its value."""


class OwnServer(Schema):
    """gyre's own server: Open Inference Protocol v2 and v1, digest verified before it is ready, metrics by version."""

    image: Image = DEFAULT_IMAGE
    """Image with `gyre_serve`."""
    image_pull_policy: PullPolicy = PullPolicy.IF_NOT_PRESENT
    """When the kubelet pulls the image."""
    max_body_bytes: Annotated[
        Quantity, Rule(POSITIVE_QUANTITY, "allow more than zero bytes of a request's body, such as 1Mi")
    ] = "1Mi"
    """The longest body of a request that is read; a longer one is answered with 413."""


class Container(Schema):
    """Any container that serves HTTP. It finds the artifact of a claim at /mnt/models, and its URI in GYRE_ARTIFACT_URI.

    Nobody verifies the digest, and latency is told by the gateway's histogram, which is coarse.
    """

    image: Image
    """The image; it must run as user 65532 with a read-only root file system."""
    image_pull_policy: PullPolicy = PullPolicy.IF_NOT_PRESENT
    """When the kubelet pulls the image."""
    command: Arguments = ()
    """Its entry point; the image's when empty."""
    args: Arguments = ()
    """Its arguments."""
    env: Annotated[tuple[Variable, ...], ListType("map", keys=("name",)), MaxItems(64)] = ()
    """Its environment."""
    port: Port = 8080
    """Where it listens."""
    readiness_path: Annotated[str, MaxLength(256), Pattern(r"^/[^\s]*$")] = "/"
    """Answered with 200 once it can serve."""


class Protocol(Term):
    """Language of the requests."""

    V1 = "v1", "TensorFlow's, as KServe has it"
    V2 = "v2", "the Open Inference Protocol"


class ServingRuntime(Schema):
    """A ServingRuntime of KServe, which fetches the artifact itself; nobody verifies the digest."""

    model_format: Word
    """What KServe calls the flavour: `sklearn`, `onnx`, …"""
    runtime: Subdomain | None = None
    """The ServingRuntime or ClusterServingRuntime; KServe chooses one by the format when it is left out."""
    protocol_version: Protocol = Protocol.V2
    """Language of the requests."""
    args: Arguments = ()
    """Further arguments of the runtime's container."""
    service_account_name: Subdomain | None = None
    """ServiceAccount with the credentials for s3:// artifacts, as KServe wants them."""


class Runtime(Schema, rules=(at_most_one_of("gyre", "container", "kserve"),)):
    """What serves the artifact; gyre's own server when nothing is said.

    That default is not written into the object: it would stay there next to what the user says later, and be one too many.
    """

    gyre: OwnServer | None = None
    """gyre's own server."""
    container: Container | None = None
    """A container of your own."""
    kserve: ServingRuntime | None = None
    """A ServingRuntime of KServe."""

    @property
    def chosen(self) -> OwnServer | Container | ServingRuntime:
        return self.container or self.kserve or self.gyre or OwnServer()


class GatewayRef(Schema):
    """The Gateway that clients come through."""

    name: Name = "gyre"
    """Its name."""
    namespace: Name = "gyre-gateway"
    """Its namespace."""
    section_name: Name | None = None
    """One of its listeners; all that admit the host when left out."""


class Bucket(Schema):
    """How to reach an artifact whose URI is `s3://…`."""

    endpoint: Annotated[str, MaxLength(256), Pattern(r"^https?://[^\s/]+$")] | None = None
    """The store, when it is not AWS."""
    region: Word | None = None
    """Its region."""
    credentials_secret: SecretRef | None = None
    """A Secret with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."""
