"""The API of an InferenceService: spec, the rules that the API server enforces, columns. Pure.

The parts of the spec are in `parts.py`, `policy.py`, `experiments.py` and `access.py`, the status is in `report.py`.

Everything may change at any time. A change of modelRef is a rollout; a change of replicas, resources or runtime rolls inside
each version, pod by pod, and no evidence is gathered about it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from gyre.api import gvks
from gyre.api.fields import Duration, Labels, Subdomain
from gyre.api.markers import Between, Column, MaxLength, Pattern, Rule, Scale, Span, condition_column
from gyre.api.model import Schema
from gyre.api.resource import Resource
from gyre.kinds.inferenceservice.access import Auth, RateLimit
from gyre.kinds.inferenceservice.experiments import Ab, Shadow
from gyre.kinds.inferenceservice.logspec import PredictionLog
from gyre.kinds.inferenceservice.names import LONGEST, default_host
from gyre.kinds.inferenceservice.parts import (
    Bucket,
    GatewayRef,
    ModelRef,
    Resources,
    Runtime,
)
from gyre.kinds.inferenceservice.policy import RolloutPolicy
from gyre.kinds.inferenceservice.report import InferenceServiceStatus

Host = Annotated[str, MaxLength(253), Pattern(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+$")]
"""A host name with a dot in it; HTTPRoute takes no address."""


class InferenceServiceSpec(
    Schema,
    rules=(
        Rule(
            "!has(self.ab) || !has(self.rollout) || !(has(self.rollout.steps) || has(self.rollout.maxBadRequests))",
            "an A/B test and a canary cannot share the traffic: leave out rollout.steps and rollout.maxBadRequests while "
            "there is ab",
            field_path=".ab",
            reason="FieldValueForbidden",
        ),
        Rule(
            "!has(self.log) || (has(self.log.auth) && self.log.auth == 'None') || !has(self.runtime) "
            "|| !(has(self.runtime.kserve) || has(self.runtime.container))",
            "KServe's agent, which logs for this runtime, cannot send a token: set log.auth to None, and keep others out with a "
            "NetworkPolicy (docs/prediction-log.md)",
            field_path=".log",
            reason="FieldValueInvalid",
        ),
        Rule(
            "!has(self.ab) || !has(self.shadow) || self.ab.version != self.shadow.version",
            "one version cannot answer as arm B and be a shadow at once: name another version, or leave one of them out",
            field_path=".shadow",
            reason="FieldValueForbidden",
        ),
    ),
):
    """What to serve, where, and how a new version comes to its traffic."""

    model_ref: ModelRef
    """What to serve."""
    replicas: Annotated[int, Between(1, 1000)] = 1
    """Pods of each version."""
    resources: Resources = Resources()
    """What one pod gets."""
    runtime: Runtime = Runtime()
    """What serves the artifact."""
    s3: Bucket | None = None
    """How to reach artifacts in a bucket."""
    gateway: GatewayRef = GatewayRef()
    """The Gateway that clients come through."""
    host: Host | None = None
    """Name by which clients ask for the service. Default: `<name>.<namespace>.gyre.local`."""
    rollout: RolloutPolicy = RolloutPolicy()
    """How a new version comes to its traffic."""
    keep_warm: Annotated[Duration, Span("0s", "30d")] = timedelta(minutes=10)
    """How long the previous version stays up after a promotion: so long it can take the traffic back in seconds."""
    ab: Ab | None = None
    """Two versions side by side, compared caller by caller; no rollout begins meanwhile."""
    shadow: Shadow | None = None
    """A version that gets copies of requests, and whose answers reach nobody."""
    auth: Auth | None = None
    """Who may call; everybody when left out."""
    rate_limit: RateLimit | None = None
    """How many requests are let through."""
    log: PredictionLog | None = None
    """Which requests and answers are kept."""
    node_selector: Labels = Field(default_factory=dict)
    """Labels of the nodes to run on."""
    image_pull_secret: Subdomain | None = None
    """A Secret of type kubernetes.io/dockerconfigjson to pull the image with."""


Base = Resource[InferenceServiceSpec, InferenceServiceStatus]
"""On a line of its own: pydantic reads the source around it for docstrings, and fails inside an open bracket."""


class InferenceService(
    Base,
    gvk=gvks.INFERENCE_SERVICE,
    short=("gis",),
    columns=(
        Column("Stable", ".status.stable.version"),
        Column("Canary", ".status.canary.version"),
        Column("Weight", ".status.canary.weight", description="The canary's share of the traffic"),
        Column("Evidence", ".status.evidence.summary", description="E-values against their thresholds"),
        Column("ETA", ".status.evidence.eta", description="Time until it is decided, at the present traffic"),
        Column("URL", ".status.url"),
        Column("Step", ".status.canary.step", priority=1),
        Column("Model", ".spec.modelRef.name", priority=1),
        Column("Address", ".status.address", priority=1),
        condition_column("Message", "Ready", show="message", priority=1),
    ),
    selectable=(".spec.modelRef.name",),
    scale=Scale(),
    rules=(
        Rule(
            "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
            "begin the name with a letter, and go on with a-z, 0-9 and `-`: the Services made from it must (DNS-1035)",
        ),
    ),
    max_name=LONGEST,
):
    """An InferenceService puts one version of a Model behind an endpoint, and lets a new one take over only on evidence."""

    @property
    def host(self) -> str:
        return self.spec.host or default_host(self.name, self.namespace)


__all__ = ["InferenceService", "InferenceServiceSpec"]
