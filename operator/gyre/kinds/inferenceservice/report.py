"""The status of an InferenceService, as the API has it. Filled in by `status.py`. Pure."""

from __future__ import annotations

from typing import Annotated

from gyre.api.fields import BigCount, Count, Digest, Duration, Line, Number, Subdomain, Time, Uri, Word, clipped
from gyre.api.markers import ListType, MaxItems, MaxLength
from gyre.api.model import Schema
from gyre.api.resource import Status
from gyre.api.terms import Term
from gyre.kinds.inferenceservice.experiments import AbReport

MAX_HISTORY = 10
MAX_QUARANTINED = 10
MAX_WARM = 4

Why = Annotated[str, *clipped(256)]
By = Annotated[str, *clipped(128)]
Short = Annotated[str, MaxLength(32)]


class Happened(Term):
    """What became of a version."""

    DEPLOYED = "Deployed", "the first version: it took all traffic, with nothing to compare it with"
    PROMOTED = "Promoted", "it passed its canary and took all traffic"
    ROLLED_BACK = "RolledBack", "it failed its canary and was quarantined"
    SWITCHED = "Switched", "it was still warm and took all traffic at once, as asked"
    ABANDONED = "Abandoned", "another version was asked for before it was judged"
    RELEASED = "Released", "taken out of quarantine by annotation"


class Served(Schema):
    """A version that has all the traffic, or had it."""

    version: Subdomain
    """The ModelVersion."""
    digest: Digest
    """Digest of its artifact."""
    since: Time | None = None
    """Since when."""


class Counted(Schema):
    """Requests as clients saw them, since the rollout began to count."""

    requests: BigCount = 0
    """How many."""
    errors: BigCount = 0
    """How many of them failed (5xx)."""


class Canary(Schema):
    """The version that is being judged."""

    version: Subdomain
    """The ModelVersion."""
    digest: Digest
    """Digest of its artifact."""
    started: Time
    """When its rollout began."""
    weight: Short
    """Its share of the traffic: `10%`."""
    step: Short
    """Where it is: `2 of 3`."""
    requests: BigCount = 0
    """Requests that it answered in this step."""


class Judged(Schema):
    """What the counts say, against both thresholds. E-values: one of 20 is proof at alpha or beta 0.05."""

    summary: Short
    """`bad 0.4/20 good 13/20`."""
    bad: Number
    """Evidence that the candidate is worse than the stable version."""
    good: Number
    """Evidence that it is better than the margins, in the metric where there is least."""
    by: Word | None = None
    """The metric that says most."""
    eta: Duration | None = None
    """Time until it is decided, at the present traffic."""
    stable: Counted = Counted()
    """Requests to the stable version."""
    canary: Counted = Counted()
    """Requests to the candidate."""
    as_of: Time
    """The last look."""


class Warm(Schema):
    """A version that had the traffic before, kept up so that it can take it back in seconds."""

    version: Subdomain
    """The ModelVersion."""
    digest: Digest
    """Digest of its artifact."""
    until: Time
    """When it goes."""


class Quarantined(Schema):
    """A digest that failed here; it is not tried again until it is released."""

    digest: Digest
    """Digest of the artifact."""
    version: Subdomain
    """The ModelVersion then."""
    time: Time
    """When it failed."""
    cause: Word
    """In one word."""
    message: Why = ""
    """In many."""


class Past(Schema):
    """One line of the history."""

    time: Time
    """When."""
    event: Happened
    """What."""
    version: Subdomain
    """Which ModelVersion."""
    digest: Annotated[str, *clipped(12)] = ""
    """The first twelve digits of its artifact's digest."""
    by: By = ""
    """Who asked for it: the field manager that changed the spec, or the Model whose champion it became."""
    why: Why = ""
    """What was found."""


class LogReport(Schema):
    """How the prediction log is doing. What nobody could tell is left out."""

    uri: Uri
    """Where it lies."""
    logged: BigCount | None = None
    """Requests that lie there."""
    dropped: BigCount | None = None
    """Requests that the predictors that run now could not tell of; KServe's agent does not count them."""
    lag: Duration | None = None
    """Age of the oldest request that is not there yet, in steps of 30 s."""


class InferenceServiceStatus(Status):
    """What was last seen of the service."""

    url: Uri | None = None
    """Where clients reach it; the host's name has to lead to `address`."""
    address: Line | None = None
    """Address of the Gateway."""
    replicas: Count | None = None
    """Pods of the stable version that are ready."""
    stable: Served | None = None
    """The version that has the traffic."""
    canary: Canary | None = None
    """The version that is being rolled out."""
    evidence: Judged | None = None
    """What the rollout's counts say so far."""
    warm: Annotated[tuple[Warm, ...], ListType("map", keys=("digest",)), MaxItems(MAX_WARM)] = ()
    """Versions that can take the traffic back at once."""
    quarantined: Annotated[tuple[Quarantined, ...], ListType("map", keys=("digest",)), MaxItems(MAX_QUARANTINED)] = ()
    """Digests that failed, newest first."""
    ab: AbReport | None = None
    """What the comparison of the arms has found."""
    log: LogReport | None = None
    """How the prediction log is doing."""
    history: Annotated[tuple[Past, ...], ListType("atomic"), MaxItems(MAX_HISTORY)] = ()
    """What became of the versions, newest first."""
