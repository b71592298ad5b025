"""The children of a DriftMonitor as plain objects: its ledger, and a Job a window.

What a Job is asked for goes in as one JSON, GYRE_DRIFT_PLAN (workloads/drift/gyre_drift/plan.py reads it); what it may open comes
as mounted claims and keys from Secrets, which are named here and never read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from gyre.adapters import jobs
from gyre.adapters.datasets import DatasetView, S3Source
from gyre.adapters.storage import ACCESS_KEYS, BucketPlace, ClaimPlace, Place, from_uri, reach
from gyre.api import gvks
from gyre.api.accounts import account
from gyre.api.effects import Manifest, Ref
from gyre.api.kind import MANAGED_BY
from gyre.kinds.driftmonitor.ledger import Ledger, stamp, to_data
from gyre.kinds.driftmonitor.model import DriftMonitor
from gyre.kinds.driftmonitor.plan import Step, windows_between_false_alarms

MONITOR_LABEL: Final = "gyre.dev/drift-monitor"
PROGRAM: Final = ("/opt/venv/bin/python", "-m", "gyre_drift")
PLAN: Final = "GYRE_DRIFT_PLAN"
LOG, REFERENCE, REPORT = "log", "reference", "report"
KEYS: Final = {
    LOG: ACCESS_KEYS,
    REFERENCE: ("GYRE_REFERENCE_ACCESS_KEY_ID", "GYRE_REFERENCE_SECRET_ACCESS_KEY"),
    REPORT: ("GYRE_REPORT_ACCESS_KEY_ID", "GYRE_REPORT_SECRET_ACCESS_KEY"),
}
"""In which variables the keys of each store come: there may be three of them."""
MOST_METRICS: Final = 16


@dataclass(frozen=True, slots=True)
class Asked:
    """What a Job needs besides the spec."""

    log: Place
    dataset: DatasetView | None
    metric: str
    baseline: Mapping[str, Decimal]


def ledger_name(monitor: str) -> str:
    return f"{monitor}-windows"


def ledger(dm: DriftMonitor, content: Ledger) -> Manifest:
    """What the windows told so far: the only memory of a DriftMonitor."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata(dm, ledger_name(dm.name)),
        "data": to_data(content),
    }


def job_ref(dm: DriftMonitor, name: str) -> Ref:
    return Ref(gvks.JOB, dm.namespace, name)


def job(dm: DriftMonitor, step: Step, asked: Asked) -> Manifest:
    """Judges one window; writes beside the log, and its termination message."""
    log, report = asked.log, _report(dm, asked.log)
    used = [(LOG, log, False), *([(REFERENCE, found, True)] if (found := _reference(asked)) else [])]
    used += [(REPORT, report, False)] if report else []
    reached = {name: _reach(name, where, read_only) for name, where, read_only in used}
    plan = _plan(dm, step, asked, {name: _place(where, reached[name].path) for name, where, _ in used})
    container = {
        "name": "judge",
        "image": dm.spec.image,
        "command": [*PROGRAM],
        "env": [
            {"name": "HOME", "value": "/tmp"},  # noqa: S108 - in the pod; the root file system is read-only
            {"name": PLAN, "value": _text(plan)},
            *(entry for name, found in reached.items() for entry in _keys(name, found.env)),
        ],
        "resources": {
            "requests": {"cpu": dm.spec.resources.cpu, "memory": dm.spec.resources.memory},
            "limits": {"memory": dm.spec.resources.memory},
        },
        "volumeMounts": [mount for found in reached.values() for mount in found.mounts],
    }
    return jobs.job(
        _metadata(dm, step.name),
        container=container,
        volumes=[volume for found in reached.values() for volume in found.volumes],
        seconds=int(dm.spec.timeout.total_seconds()),
        owns_files=any(isinstance(where, ClaimPlace) for where in (log, report)),
    )


def _text(plan: Mapping[str, Any]) -> str:
    """As JSON in which the kubelet finds no `$(…)` to put something else in the place of."""
    return json.dumps(plan, sort_keys=True, separators=(",", ":")).replace("$", "\\u0024")


def _report(dm: DriftMonitor, log: Place) -> Place | None:
    """Where the reports go, if not beside the log. A bucket that is not said how to reach is reached as the log's."""
    place = from_uri(dm.spec.report.uri) if dm.spec.report else None
    if dm.spec.report is None or not isinstance(place, BucketPlace):
        return place
    if s3 := dm.spec.report.s3:
        secret = s3.credentials_secret.name if s3.credentials_secret else None
        return replace(place, endpoint=s3.endpoint, region=s3.region, secret=secret)
    same = log if isinstance(log, BucketPlace) else place
    return replace(place, endpoint=same.endpoint, region=same.region, secret=same.secret)


def _reference(asked: Asked) -> Place | None:
    if asked.dataset is None:
        return None
    source = asked.dataset.source
    if isinstance(source, S3Source):
        return BucketPlace(source.bucket, source.prefix, source.endpoint, source.region, source.credentials_secret)
    return ClaimPlace(source.claim, source.path)


def _reach(name: str, where: Place, read_only: bool) -> Any:
    """A claim is mounted whole, so that a folder that is missing is told as such and not as a pod that never starts."""
    if isinstance(where, ClaimPlace) and read_only:
        whole = reach(ClaimPlace(where.claim), volume=name, mount=f"/gyre/{name}", read_only=True)
        return replace(whole, path=f"/gyre/{name}/{where.path}".rstrip("/"))
    return reach(where, volume=name, mount=f"/gyre/{name}", read_only=read_only)


def _place(where: Place, path: str) -> dict[str, str]:
    connection = where.connection() if isinstance(where, BucketPlace) else {}
    return {"path": path, "uri": where.uri, **connection}


def _keys(name: str, env: tuple[dict[str, Any], ...]) -> list[dict[str, Any]]:
    names = dict(zip(ACCESS_KEYS, KEYS[name], strict=True))
    return [{**entry, "name": names[entry["name"]]} for entry in env]


def _plan(dm: DriftMonitor, step: Step, asked: Asked, places: Mapping[str, Any]) -> dict[str, Any]:
    spec = dm.spec
    plan: dict[str, Any] = {
        "monitor": dm.name,
        "service": spec.service_ref.name,
        "log": places[LOG],
        "window": _span(step.start, step.end),
        "windows": windows_between_false_alarms(dm),
        "minEffect": str(spec.min_effect),
        "features": [feature.to_dict() for feature in spec.features],
        "metric": asked.metric,
        "baseline": {name: str(value) for name, value in sorted(asked.baseline.items())[:MOST_METRICS]},
    }
    if REPORT in places:
        plan["report"] = places[REPORT]
    if spec.reference.window:
        plan["reference"] = {"window": _span(spec.reference.window.from_, spec.reference.window.to)}
    elif asked.dataset:
        found = asked.dataset
        plan["reference"] = {
            "dataset": {
                "name": found.name,
                "version": found.version,
                "digest": found.digest,
                "place": places[REFERENCE],
            }
        }
    return plan


def _span(start: datetime, end: datetime) -> dict[str, str]:
    return {"from": stamp(start), "to": stamp(end)}


def _metadata(dm: DriftMonitor, name: str) -> dict[str, Any]:
    labels = {**account(dm.metadata.labels), MANAGED_BY: "gyre", MONITOR_LABEL: dm.name}
    return {"name": name, "namespace": dm.namespace, "labels": labels, "ownerReferences": [dm.owner_reference()]}
