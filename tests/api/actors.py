"""Who else writes in a real cluster, played by hand: KubeRay, the driver in the head pod, the Job controller, the collector.

Promises   each writes what the original writes and nothing more; the driver under its own ServiceAccount's token.
           The shapes: KubeRay v1.6 `status` of RayJob; docs/run-contract.md for the rest.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from tests import make
from tests.api.apiserver import until
from tests.api.cluster import Cluster, Refused, holds

from gyre.adapters.jobs import JOB_NAME_LABEL
from gyre.api.effects import Gvk, Ref
from gyre.api.gvks import (
    CONFIG_MAP,
    DATASET,
    JOB,
    PERSISTENT_VOLUME_CLAIM,
    POD,
    RAY_CLUSTER,
    RAY_JOB,
    ROLE,
    ROLE_BINDING,
    SERVICE_ACCOUNT,
    TRAINING_JOB,
)

Object = dict[str, Any]
FOUND = {
    "version": 1,
    "digest": make.digest("a"),
    "files": 5,
    "bytes": 4096,
    "rows": 1000,
    "schema": {"distance": "int64"},
    "manifest": make.digest("b"),
}


class Team:
    """Everything that is not gyre, in one namespace."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster, self.namespace = cluster, namespace
        self._drivers: dict[str, Cluster] = {}
        self._heads: dict[str, str] = {}

    def ref(self, gvk: Gvk, name: str) -> Ref:
        return Ref(gvk, self.namespace, name)

    def job(self, name: str) -> Ref:
        return self.ref(TRAINING_JOB, name)

    # ── the user ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def claim(self, name: str) -> None:
        spec = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}
        self.create(PERSISTENT_VOLUME_CLAIM, name, spec=spec)

    def create(self, gvk: Gvk, name: str, **rest: Any) -> Object:
        metadata = {"name": name, "namespace": self.namespace}
        return self.cluster.create(gvk, {"apiVersion": gvk.api_version, "kind": gvk.kind, "metadata": metadata, **rest})

    def dataset(self, name: str = "flights") -> None:
        """A Dataset with its first version: the user's manifest, then the scan's Job played to its end."""
        self.claim("data")
        self.create(DATASET, name, spec={"source": {"pvc": {"claimName": "data"}}})
        self.scan_ends(name)
        self.cluster.wait(self.ref(DATASET, name), "is ready", holds("Ready"))

    def training_job(self, name: str = "flights", **spec: Any) -> Object:
        return self.create(TRAINING_JOB, name, spec=make.training_job(**spec)["spec"])

    # ── the Job controller ───────────────────────────────────────────────────────────────────────────────────────────

    def scan_ends(self, dataset: str, found: Object | None = None) -> None:
        """The Dataset's Job appears; its pod ends with this report in the termination message."""

        def its_job() -> Object | None:
            jobs = self.cluster.list(JOB, self.namespace)
            return next((job for job in jobs if _owner(job) == dataset and not _finished(job)), None)

        job = until(f"a Job of Dataset {dataset}", its_job)
        name, now = job["metadata"]["name"], _now()
        template = job["spec"]["template"]
        self._pod(f"{name}-x", job, template, {JOB_NAME_LABEL: name})
        message = json.dumps(FOUND if found is None else found)
        ended = {"exitCode": 0, "reason": "Completed", "message": message, "startedAt": now, "finishedAt": now}
        self._pod_status(f"{name}-x", phase="Succeeded", state={"terminated": ended}, ready=False)
        done = [
            {"type": kind, "status": "True", "lastProbeTime": now, "lastTransitionTime": now}
            for kind in ("SuccessCriteriaMet", "Complete")
        ]
        status = {"startTime": now, "completionTime": now, "succeeded": 1, "conditions": done}
        self.cluster.patch(self.ref(JOB, name), {"status": status}, subresource="status")

    # ── KubeRay ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def ray_job(self, name: str) -> Object:
        """The RayJob, once the operator has made it."""
        return self.cluster.wait(self.ref(RAY_JOB, name), "exists", lambda _: True)

    def kuberay_starts(self, name: str) -> None:
        """A cluster, a head pod that runs, and the program submitted."""
        job = self.ray_job(name)
        labels = job["metadata"].get("labels") or {}
        spec = job["spec"]["rayClusterSpec"]
        metadata = {
            "name": f"{name}-c",
            "namespace": self.namespace,
            "labels": labels,
            "ownerReferences": [_controlled(job)],
        }
        manifest = {"apiVersion": "ray.io/v1", "kind": "RayCluster", "metadata": metadata, "spec": spec}
        cluster = self._make(RAY_CLUSTER, manifest)
        self._pod(f"{name}-head", cluster, spec["headGroupSpec"]["template"], {"ray.io/node-type": "head"})
        self._pod_status(f"{name}-head", phase="Running", state={"running": {"startedAt": _now()}}, ready=True)
        self.kuberay_says(name, jobStatus="RUNNING", jobDeploymentStatus="Running", rayClusterName=f"{name}-c")

    def kuberay_says(self, name: str, **status: Any) -> None:
        self.cluster.patch(self.ref(RAY_JOB, name), {"status": status}, subresource="status")

    def head_is_lost(self, name: str, message: str = "node n1 is gone") -> None:
        """The pod garbage collector marks the head's pod: its node is gone."""
        condition = {"type": "DisruptionTarget", "status": "True", "reason": "DeletionByPodGC", "message": message}
        pod = self.cluster.get(self.ref(POD, f"{name}-head")) or {}
        kept = [c for c in pod["status"].get("conditions", []) if c["type"] != "Ready"]
        status = {"phase": "Failed", "conditions": [*kept, condition, {"type": "Ready", "status": "False"}]}
        self.cluster.patch(self.ref(POD, f"{name}-head"), {"status": status}, subresource="status")

    # ── the driver ───────────────────────────────────────────────────────────────────────────────────────────────────

    def driver_says(self, job: str, attempt: int = 1, **progress: Any) -> None:
        """A push as the driver makes it: a merge patch under the run's own token."""
        ref = self.ref(CONFIG_MAP, f"{job}-run")
        if job not in self._drivers:
            token = self.cluster.token(self.namespace, f"{job}-run")
            self._drivers[job] = Cluster(self.cluster.server, token)
        now, pod = datetime.now(UTC), f"{job}-a{attempt}-head"
        if pod not in self._heads:
            self._heads[pod] = (self.cluster.get(self.ref(POD, pod)) or {})["metadata"]["uid"]
        head = {"pod": pod, "uid": self._heads[pod]}
        spoken = {"started": now - timedelta(seconds=10), "heartbeat": now, **progress}
        said = {**make.progress(attempt, **spoken), "head": head}
        self._drivers[job].patch(ref, {"data": {"progress.json": json.dumps(said)}})

    def run_succeeds(self, job: str, attempt: int = 1) -> None:
        """From a RayJob that was just made to the end of a good run."""
        name = f"{job}-a{attempt}"
        self.kuberay_starts(name)
        self.driver_says(job, attempt, step=100, checkpoint=make.checkpoint(100, datetime.now(UTC)))
        self.driver_says(
            job, attempt, state="Succeeded", step=5000, artifact=make.artifact(), evaluation=make.EVALUATION
        )
        try:
            self.kuberay_says(name, jobStatus="SUCCEEDED", jobDeploymentStatus="Complete", endTime=_now())
        except Refused as refused:  # gyre has waited long enough for the last word, and the RayJob is gone
            if refused.code != 404:
                raise

    # ── the garbage collector and the kubelet ────────────────────────────────────────────────────────────────────────

    def collect_garbage(self) -> None:
        """Delete what is owned by an object that is gone, as often as it takes."""
        kinds = (RAY_JOB, RAY_CLUSTER, POD, JOB, CONFIG_MAP, SERVICE_ACCOUNT, ROLE, ROLE_BINDING)
        owners = (TRAINING_JOB, DATASET, *kinds)
        found = True
        while found:
            found = False
            alive = {obj["metadata"]["uid"] for gvk in owners for obj in self.cluster.list(gvk, self.namespace)}
            for gvk in kinds:
                for obj in self.cluster.list(gvk, self.namespace):
                    named = obj["metadata"].get("ownerReferences") or ()
                    if named and all(owner["uid"] not in alive for owner in named):
                        self._erase(gvk, obj["metadata"]["name"])
                        found = True

    def cleared(self, ray_job: str) -> None:
        """The operator deletes the RayJob; what hung on it goes."""
        self.cluster.wait_gone(self.ref(RAY_JOB, ray_job))
        self.collect_garbage()

    # ── pieces ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _erase(self, gvk: Gvk, name: str) -> None:
        try:
            options = {"gracePeriodSeconds": 0} if gvk == POD else {}
            self.cluster.delete(self.ref(gvk, name), **options)
        except Refused as refused:
            if refused.code != 404:
                raise

    def _make(self, gvk: Gvk, manifest: Object) -> Object:
        """Create, or find it made: an actor may be asked twice."""
        try:
            return self.cluster.create(gvk, manifest, validation="Ignore")
        except Refused as refused:
            if refused.reason != "AlreadyExists":
                raise
        return self.cluster.get(self.ref(gvk, manifest["metadata"]["name"])) or {}

    def _pod(self, name: str, owner: Object, template: Object, labels: dict[str, str]) -> None:
        metadata = {
            "name": name,
            "namespace": self.namespace,
            "labels": {**(template["metadata"].get("labels") or {}), **labels},
            "ownerReferences": [_controlled(owner)],
        }
        spec = {**template["spec"], "nodeName": "n1"}
        # The Job controller and KubeRay work under service accounts that exist; here nothing would mount a token.
        spec.pop("serviceAccountName", None)
        self._make(POD, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})

    def _pod_status(self, name: str, *, phase: str, state: Object, ready: bool) -> None:
        pod = self.cluster.get(self.ref(POD, name)) or {}
        container = {
            "name": pod["spec"]["containers"][0]["name"],
            "image": "localhost/gyre-workload:dev",
            "imageID": make.IMAGE_ID,
            "ready": ready,
            "restartCount": 0,
            "state": state,
        }
        conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
        status = {"phase": phase, "containerStatuses": [container], "conditions": conditions}
        self.cluster.patch(self.ref(POD, name), {"status": status}, subresource="status")


def attempts(cluster: Cluster, namespace: str, job: str) -> list[Object]:
    """The attempts that the ledger remembers."""
    ledger = cluster.get(Ref(CONFIG_MAP, namespace, f"{job}-run")) or {}
    for value in (ledger.get("data") or {}).values():
        remembered = json.loads(value)
        if isinstance(remembered, dict) and isinstance(remembered.get("attempts"), list):
            return list(remembered["attempts"])
    return []


def status_is(test: Callable[[Object], bool]) -> Callable[[Object], bool]:
    """For `wait`: what the status must say."""
    return lambda obj: test(obj.get("status") or {})


def _owner(obj: Object) -> str:
    return next((owner["name"] for owner in obj["metadata"].get("ownerReferences") or ()), "")


def _finished(job: Object) -> bool:
    return bool((job.get("status") or {}).get("conditions"))


def _controlled(obj: Object) -> Object:
    return {
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "name": obj["metadata"]["name"],
        "uid": obj["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
