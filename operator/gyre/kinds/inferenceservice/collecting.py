"""The collector of a service's prediction log, and how predictors find it. Pure.

One pod, restarted in place and never doubled: two would have one journal. It has no token and no secret in its spec; keys come by
reference. Without the token that senders show, a collector does not start; a predictor does, and finds it in a file as soon as
there is one. Whatever becomes of it, predictors go on: what they cannot tell it they count.

The agent of KServe, which logs for runtimes that are not ours, spells headers as Go does and takes the version from the pod's
label `endpoint`, which KServe itself never sets (kserve/kserve v0.20.0 `pkg/logger/handler.go`, `agent_injector.go`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gyre.adapters import storage
from gyre.adapters.predictionlog import LOG_LABEL, LogView
from gyre.api import gvks, restricted
from gyre.api.accounts import account
from gyre.api.effects import Manifest
from gyre.api.kind import MANAGED_BY
from gyre.kinds.inferenceservice import tokens
from gyre.kinds.inferenceservice.ledger import Version
from gyre.kinds.inferenceservice.logspec import LogAuth, Masking, PredictionLog
from gyre.kinds.inferenceservice.model import InferenceService
from gyre.kinds.inferenceservice.names import log_name
from gyre.kinds.inferenceservice.parts import DEFAULT_IMAGE, OwnServer

PROGRAM: Final = ("/opt/venv/bin/python", "-m", "gyre_log")
PORT: Final = 8080
ROOT: Final = "/var/gyre/log"
JOURNAL: Final = "/var/gyre/journal"
MOUNTED: Final = "/var/gyre/log-token"
"""A folder in a predictor's pod; a change of the Secret reaches the file in it by itself."""
GRACE_SECONDS: Final = 45
"""It stores what it has within 20 s of SIGTERM."""
STARTING_SECONDS: Final = 720
"""Longer than it waits for the one before it to let go of the journal."""
RESOURCES: Final = {"requests": {"cpu": "50m", "memory": "256Mi"}, "limits": {"memory": "512Mi"}}
JOURNAL_SIZE: Final = "512Mi"
"""Of the node's disk, without a claim; the collector itself stops at half of it."""


def address(gis: InferenceService) -> str:
    return f"http://{log_name(gis.name)}.{gis.namespace}.svc"


def told_of(gis: InferenceService) -> dict[str, str]:
    """Environment of our own server; empty when nothing is logged, so that no pod of such a service is another."""
    if gis.spec.log is None:
        return {}
    told = {"GYRE_LOG_URL": f"{address(gis)}/events", "GYRE_LOG_PERCENT": str(gis.spec.log.percent)}
    return {**told, "GYRE_LOG_TOKEN_FILE": f"{MOUNTED}/{tokens.KEY}"} if tokens.reference(gis) else told


def token_of(gis: InferenceService) -> storage.Reach | None:
    """The token as a predictor mounts it; it starts without where there is none."""
    secret = tokens.reference(gis)
    if secret is None:
        return None
    items = [{"key": secret["key"], "path": tokens.KEY}]
    volume = {"name": "log-token", "secret": {"secretName": secret["name"], "items": items, "optional": True}}
    mount = {"name": "log-token", "mountPath": MOUNTED, "readOnly": True}
    return storage.Reach(MOUNTED, None, (volume,), (mount,))


def agent(gis: InferenceService, version: Version, labels: Mapping[str, str]) -> dict[str, Any]:
    """What makes KServe put its agent in front of another runtime. It cannot sample: the collector does that."""
    if gis.spec.log is None:
        return {}
    return {
        "labels": {**labels, "endpoint": version.name},
        "logger": {"mode": "all", "url": f"{address(gis)}/", "metadataHeaders": ["X-Request-Id"]},
    }


def collector(gis: InferenceService) -> tuple[Manifest, ...]:
    """Service and Deployment; nothing when nothing is logged."""
    log, view = gis.spec.log, LogView.of({"metadata": {"name": gis.name}, "spec": gis.spec.to_dict()})
    if log is None or view is None:
        return ()
    pods = {LOG_LABEL: gis.name}
    labels = {**account(gis.metadata.labels), MANAGED_BY: "gyre", **pods}
    metadata = {
        "name": log_name(gis.name),
        "namespace": gis.namespace,
        "labels": labels,
        "ownerReferences": [gis.owner_reference()],
    }
    ports = [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": PORT}]
    service = {
        "apiVersion": gvks.SERVICE.api_version,
        "kind": gvks.SERVICE.kind,
        "metadata": metadata,
        "spec": {"selector": pods, "ports": ports},
    }
    scraped = {"prometheus.io/scrape": "true", "prometheus.io/port": str(PORT), "prometheus.io/path": "/metrics"}
    told = {"labels": labels, "annotations": scraped}
    template = {"metadata": told, "spec": _pod(gis, log, view)}
    deployment = {
        "apiVersion": gvks.DEPLOYMENT.api_version,
        "kind": gvks.DEPLOYMENT.kind,
        "metadata": metadata,
        "spec": {
            "replicas": 1,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": pods},
            "template": template,
        },
    }
    return service, deployment


def _pod(gis: InferenceService, log: PredictionLog, view: LogView) -> dict[str, Any]:
    runtime = gis.spec.runtime.chosen
    ours = runtime if isinstance(runtime, OwnServer) else None
    reach = storage.reach(view.place, volume="log", mount=ROOT, read_only=False)
    volumes, mounts = list(reach.volumes), list(reach.mounts)
    if isinstance(view.place, storage.BucketPlace):
        claim = {"persistentVolumeClaim": {"claimName": log.journal_claim}}
        volumes.append(
            {"name": "journal", **(claim if log.journal_claim else {"emptyDir": {"sizeLimit": JOURNAL_SIZE}})}
        )
        mounts.append({"name": "journal", "mountPath": JOURNAL})
    asked = {"httpGet": {"path": "/ready", "port": PORT}, "timeoutSeconds": 2}
    container = {
        "name": "collector",
        "image": log.image or (ours.image if ours else DEFAULT_IMAGE),
        "imagePullPolicy": str(ours.image_pull_policy) if ours else "IfNotPresent",
        "command": list(PROGRAM),
        "env": _env(gis, log, view, reach),
        "ports": [{"containerPort": PORT, "protocol": "TCP"}],
        "resources": RESOURCES,
        "startupProbe": {**asked, "periodSeconds": 2, "failureThreshold": STARTING_SECONDS // 2},
        "readinessProbe": {**asked, "periodSeconds": 2, "failureThreshold": 2},
        "livenessProbe": {**asked, "periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 6},
        "securityContext": restricted.CONTAINER,
        "volumeMounts": [*mounts, {"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - the pod's own
    }
    pull = {"imagePullSecrets": [{"name": gis.spec.image_pull_secret}]} if gis.spec.image_pull_secret else {}
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "securityContext": {**restricted.POD, **restricted.OWNS_FILES},
        **pull,
        "containers": [container],
        "volumes": [*volumes, {"name": "tmp", "emptyDir": {}}],
    }


def _env(gis: InferenceService, log: PredictionLog, view: LogView, reach: storage.Reach) -> list[dict[str, Any]]:
    """docs/prediction-log.md, "The collector"."""
    masking, s3 = log.masking, reach.s3 or {}
    bucket = isinstance(view.place, storage.BucketPlace)
    values = {
        "GYRE_LOG_SERVICE": gis.name,
        "GYRE_LOG_URI": view.uri,
        **({} if bucket else {"GYRE_LOG_DIR": reach.path}),
        **({"GYRE_LOG_JOURNAL": f"{JOURNAL}/{gis.name}"} if bucket else {}),
        **({"GYRE_S3_ENDPOINT": s3["endpoint"]} if "endpoint" in s3 else {}),
        **({"GYRE_S3_REGION": s3["region"]} if "region" in s3 else {}),
        "GYRE_LOG_PERCENT": str(log.percent),
        "GYRE_LOG_AUTH": str(log.auth),
        "GYRE_LOG_MASKING": str(masking.mode),
        **({"GYRE_LOG_MASKING_FEATURES": "\n".join(masking.features)} if masking.features else {}),
        **({"GYRE_LOG_RETENTION_DAYS": str(log.retention.days)} if log.retention else {}),
        "HOME": "/tmp",  # noqa: S108
    }
    entries: list[dict[str, Any]] = [{"name": name, "value": value} for name, value in values.items()]
    if masking.mode is Masking.HASH and masking.key_secret_ref:
        key = {"secretKeyRef": masking.key_secret_ref.to_dict()}
        entries.append({"name": "GYRE_LOG_MASKING_KEY", "valueFrom": key})
    if log.auth is LogAuth.TOKEN:
        entries.append({"name": "GYRE_LOG_TOKEN", "valueFrom": {"secretKeyRef": tokens.reference(gis)}})
    return [*entries, *reach.env]
