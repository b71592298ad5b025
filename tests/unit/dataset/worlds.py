"""Datasets and what happens to their Jobs, in a few words each."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.unit.reading import Cluster

from gyre.adapters.jobs import JOB_NAME_LABEL
from gyre.api import gvks
from gyre.api.effects import Ref
from gyre.api.kind import Decision, Object
from gyre.kinds.dataset import KIND
from gyre.kinds.dataset.model import Dataset

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
FLIGHTS = Ref(gvks.DATASET, "ml", "flights")
PVC = {"pvc": {"claimName": "shared", "path": "flights"}}
VOLUME = {"volume": {"size": "5Gi"}}
S3 = {
    "s3": {
        "bucket": "lake",
        "prefix": "flights",
        "endpoint": "http://store:9000",
        "region": "eu-1",
        "credentialsSecret": "lake-keys",
    }
}
PREPARE = {"args": ["flights", "--months", "1-5"]}


def digest(letter: str) -> str:
    return "sha256:" + letter * 64


def a_dataset(
    source: Any = PVC, *, annotations: dict[str, str] | None = None, generation: int = 1, **spec: Any
) -> Object:
    metadata = {"name": "flights", "namespace": "ml", "uid": "d5", "generation": generation, "resourceVersion": "1"}
    return {
        "apiVersion": "gyre.dev/v1alpha1",
        "kind": "Dataset",
        "metadata": {**metadata, "annotations": annotations or {}},
        "spec": {"source": source, **spec},
    }


class Story:
    """One Dataset in a namespace that has the claim `shared`, looked at whenever something happens."""

    def __init__(self, dataset: Object | None = None, *, claim: bool = True) -> None:
        self.cluster, self.now = Cluster(), NOW
        self.cluster.put(gvks.DATASET, dataset or a_dataset())
        if claim:
            self.cluster.put(
                gvks.PERSISTENT_VOLUME_CLAIM,
                {"metadata": {"name": "shared", "namespace": "ml"}, "status": {"phase": "Bound"}},
            )

    def look(self, seconds: float = 0) -> Decision:
        self.now += timedelta(seconds=seconds)
        return self.cluster.look(KIND, FLIGHTS, self.now)

    @property
    def status(self) -> dict[str, Any]:
        return self.cluster.objects[FLIGHTS]["status"]

    @property
    def dataset(self) -> Dataset:
        return Dataset.parse(self.cluster.objects[FLIGHTS])

    @property
    def jobs(self) -> list[Object]:
        return self.cluster.all(gvks.JOB)

    @property
    def job(self) -> Object:
        (job,) = self.jobs
        return job

    @property
    def versions(self) -> list[int]:
        return [entry["version"] for entry in self.ledger.get("entries", ())]

    @property
    def ledger(self) -> dict[str, Any]:
        return json.loads(self.cluster.objects[Ref(gvks.CONFIG_MAP, "ml", "flights-versions")]["data"]["ledger.json"])

    def condition(self, type: str) -> dict[str, Any] | None:
        return next((c for c in self.status["conditions"] if c["type"] == type), None)

    def edit(self, **spec: Any) -> None:
        obj = self.cluster.objects[FLIGHTS]
        metadata = {**obj["metadata"], "generation": obj["metadata"]["generation"] + 1}
        self.cluster.put(gvks.DATASET, {**obj, "metadata": metadata, "spec": {**obj["spec"], **spec}})

    def ask(self, when: str) -> None:
        obj = self.cluster.objects[FLIGHTS]
        annotations = {"gyre.dev/requested-at": when}
        self.cluster.put(gvks.DATASET, {**obj, "metadata": {**obj["metadata"], "annotations": annotations}})

    # ── what the Job controller and the kubelet do ───────────────────────────────────────────────────────────────────

    def pod(self, container: dict[str, Any] | None = None, *, phase: str = "Running", **status: Any) -> None:
        job = self.job
        labels = {**job["metadata"]["labels"], JOB_NAME_LABEL: job["metadata"]["name"]}
        main = job["spec"]["template"]["spec"]["containers"][0]["name"]
        self.cluster.put(
            gvks.POD,
            {
                "metadata": {
                    "name": f"{job['metadata']['name']}-x",
                    "namespace": "ml",
                    "labels": labels,
                    "creationTimestamp": self.stamp,
                },
                "spec": {"nodeName": "n1"},
                "status": {
                    "phase": phase,
                    "containerStatuses": [{"name": main, "state": container}] if container else [],
                    **status,
                },
            },
        )

    def ends(self, message: str, *, code: int = 0, reason: str = "") -> None:
        """The pod ends and the Job with it."""
        ended = {"exitCode": code, "message": message, "reason": reason, "finishedAt": self.stamp}
        self.pod({"terminated": ended}, phase="Succeeded" if code == 0 else "Failed")
        self.job_ends("Complete" if code == 0 else "Failed")

    def job_ends(self, type: str, reason: str = "BackoffLimitExceeded") -> None:
        job = self.job
        end = {"type": type, "status": "True", "reason": reason, "lastTransitionTime": self.stamp}
        self.cluster.put(gvks.JOB, {**job, "status": {"conditions": [end]}})

    def finds(self, letter: str = "a", **found: Any) -> None:
        content = {"version": 1, "digest": digest(letter), "files": 5, "bytes": 4096, "rows": 1000, **found}
        self.ends(json.dumps(content))

    def fails(self, cause: str = "NotFound", message: str = "/gyre/data/flights does not exist: fix the path") -> None:
        self.ends(json.dumps({"version": 1, "error": {"class": cause, "message": message}}), code=1)

    def pods_go(self) -> None:
        for ref in [ref for ref in self.cluster.objects if ref.gvk == gvks.POD]:
            del self.cluster.objects[ref]

    def has_version(self, letter: str = "a") -> Story:
        """Looked at, found, recorded."""
        self.look()
        self.finds(letter)
        self.look()
        self.pods_go()
        self.look()
        return self

    @property
    def stamp(self) -> str:
        return self.now.strftime("%Y-%m-%dT%H:%M:%SZ")
