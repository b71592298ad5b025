"""Every reason that an InferenceService can give, with its meaning. Pure."""

from __future__ import annotations

from typing import Final

from gyre.api.terms import Reason as Term


class Reason(Term):
    """Why an InferenceService is as it is."""

    STARTING = "Starting", "its ledger is being created"
    LEDGER_UNREADABLE = "LedgerUnreadable", "ConfigMap <name>-rollout was edited and cannot be read"
    WAITING_FOR_NAMESAKE = "WaitingForNamesake", "children of a deleted service of the same name are still going away"
    KSERVE_MISSING = "KServeMissing", "KServe is not installed"
    KSERVE_DOWN = "KServeDown", "no pod of KServe's controller is ready, so nothing new can come up"
    GATEWAY_MISSING = "GatewayMissing", "the Gateway of the spec does not exist"
    GATEWAY_NOT_READY = "GatewayNotReady", "the Gateway of the spec is not programmed"
    MODEL_MISSING = "ModelMissing", "the Model of the spec does not exist"
    VERSION_MISSING = "VersionMissing", "the version to serve does not exist"
    VERSION_NOT_READY = "VersionNotReady", "the version to serve is not registered yet"
    ARTIFACT_UNREACHABLE = "ArtifactUnreachable", "the version's files lie where no pod can reach them"
    STORAGE_MISSING = "StorageMissing", "the claim with the version's files does not exist"
    REVISION_QUARANTINED = "RevisionQuarantined", "the digest to serve failed here before and was not released"
    RELEASED = "Released", "a digest was taken out of quarantine"
    DEPLOYING = "Deploying", "the first version is coming up"
    DEPLOYED = "Deployed", "the first version took the traffic"
    ROLLOUT_STARTED = "RolloutStarted", "a candidate is coming up next to the stable version"
    ROUTING = "Routing", "the gateway has not confirmed the newest weights yet"
    JUDGING = "Judging", "the candidate has a share of the traffic and is compared with the stable version"
    STEP_REACHED = "StepReached", "the candidate got a larger share"
    WITHDRAWN = "Withdrawn", "no pod of the candidate is ready: it has no traffic until one is"
    METRICS_UNAVAILABLE = "MetricsUnavailable", "the counts of requests cannot be read: the weights stay"
    WEIGHTS_NOT_HONOURED = (
        "WeightsNotHonoured",
        "the gateway does not split the traffic as it was told: nothing is judged",
    )
    INCONCLUSIVE = "Inconclusive", "the deadline has passed without a verdict"
    PROMOTED = "Promoted", "the candidate is the stable version now"
    ROLLED_BACK = "RolledBack", "the candidate failed: the stable version has all traffic, the digest is quarantined"
    SWITCHED = "Switched", "a version that was still warm has all traffic again"
    ABANDONED = "Abandoned", "the candidate was dropped because another version was asked for"
    FROZEN = (
        "Frozen",
        "a service level objective has spent its budget: no new version begins a rollout, going back is allowed",
    )
    CLEARING = "Clearing", "predictors that nobody needs are going away"
    ARM_DOWN = "ArmDown", "one arm of the comparison has no ready pod: the other answers for both"
    AB_RUNNING = "AbRunning", "another version is asked for, and waits until spec.ab is taken away"
    IMAGE_PULL = "ImagePullBackOff", "an image cannot be pulled"
    CONTAINER_CONFIG = "ContainerConfigError", "a container cannot be made, often for a missing Secret or key"
    UNSCHEDULABLE = "Unschedulable", "a pod finds no node"
    CANNOT_MAKE_PODS = "CannotMakePods", "pods are refused by a quota, a policy or a webhook"
    NOT_AVAILABLE = "NotAvailable", "no pod of the stable version can take requests"
    ROLLING = "Rolling", "a change of the spec is rolling through the pods"
    ACCESS_UNVERIFIED = "AccessUnverified", "it is not proved yet that callers without a credential are refused"
    SERVING = "Serving", "the version asked for has all traffic"
    MORE_ERRORS = "MoreErrors", "the candidate fails more often"
    SLOWER = "Slower", "the candidate answers more slowly"
    FAILS_FAST = "FailsFast", "more than half of the first requests failed"
    BAD_REQUESTS_SPENT = "BadRequestsSpent", "maxBadRequests is spent"
    CRASHING = "Crashing", "the container ends again and again"
    NEVER_READY = "NeverReady", "not ready within rollout.readyWithin"
    DIGEST_MISMATCH = "DigestMismatch", "the files do not have the digest that the version states"
    UNSUPPORTED_FLAVOUR = "UnsupportedFlavour", "the server cannot load this flavour"
    ARTIFACT_NOT_FOUND = "ArtifactNotFound", "the version's files are not where it says"
    ARTIFACT_UNREADABLE = "ArtifactUnreadable", "the version's files cannot be read"
    LOGGING = "Logging", "requests are logged"
    LOG_NOT_READABLE = "LogNotReadable", "the collector of the prediction log does not tell how it is"
    LOG_NOT_WRITTEN = "LogNotWritten", "the collector cannot write to the place of the log"
    LOG_BEHIND = "LogBehind", "what the collector has taken is not written in time"
    LOG_NAME_TAKEN = "LogNameTaken", "the collector's name belongs to somebody else"


SAID: Final = {
    "DigestMismatch": Reason.DIGEST_MISMATCH,
    "UnsupportedFlavour": Reason.UNSUPPORTED_FLAVOUR,
    "NotFound": Reason.ARTIFACT_NOT_FOUND,
    "Unreadable": Reason.ARTIFACT_UNREADABLE,
}
"""Classes of error in the termination message of our server, by reason; all others are a crash."""

AT_ONCE: Final = frozenset({Reason.DIGEST_MISMATCH, Reason.UNSUPPORTED_FLAVOUR})
"""Said once is enough: the same files will be the same at the next start."""
