"""The rest of the cluster, scripted: the kubelet, the Job controller with the data programs, nodes and claims.

Promises   deterministic, and functions of the world and its clock: what the operator does late is merely seen later.
Never      more than one step at a time, so that every order of steps is some run's order.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from tests.sweep.world import World, stamp

from gyre.adapters.jobs import JOB_NAME_LABEL
from gyre.api.effects import Gvk, Manifest, Ref
from gyre.api.gvks import CONFIG_MAP, JOB, NODE, PERSISTENT_VOLUME_CLAIM, POD
from gyre.api.kind import Object

NS = "ml"
KUBELET = "kubelet.example/grace"
"""A finalizer on pods: it stands for the grace period that a real kubelet gives."""
GRACE_SECONDS = 3.0
DISK = Ref(CONFIG_MAP, NS, "disk")
"""What lies on the volume, as the scan will find it; not an object of gyre's."""
IMAGE_ID = "localhost/gyre-workload@sha256:" + "1" * 64


def digest(letter: str) -> str:
    return "sha256:" + letter * 64


def controller(obj: Object) -> dict[str, Any]:
    return {
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "name": obj["metadata"]["name"],
        "uid": obj["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def make_pod(world: World, name: str, owner: Object, template: Mapping[str, Any], labels: Mapping[str, str]) -> None:
    metadata = {
        "name": name,
        "namespace": owner["metadata"]["namespace"],
        "labels": {**template["metadata"]["labels"], **labels},
        "ownerReferences": [controller(owner)],
        "finalizers": [KUBELET],
    }
    ref = Ref(POD, owner["metadata"]["namespace"], name)
    wanted = (template.get("spec") or {}).get("containers") or [{"name": "x"}]
    containers = [{"name": one["name"], "resources": one.get("resources", {})} for one in wanted]
    world.create(ref, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": containers}})
    world.patch(ref, {"status": {"phase": "Pending"}})


def run_pod(world: World, ref: Ref, *, node: str, container: str) -> None:
    state = {"running": {"startedAt": stamp(world.now)}}
    status = {"name": container, "ready": True, "restartCount": 0, "imageID": IMAGE_ID, "state": state}
    world.patch(
        ref,
        {
            "spec": {"nodeName": node},
            "status": {
                "phase": "Running",
                "conditions": [{"type": "Ready", "status": "True"}],
                "containerStatuses": [status],
            },
        },
    )


def waiting_pod(world: World, ref: Ref, container: str, reason: str, message: str) -> None:
    state = {"waiting": {"reason": reason, "message": message}}
    status = {"name": container, "ready": False, "restartCount": 0, "imageID": "", "state": state}
    world.patch(ref, {"spec": {"nodeName": "n1"}, "status": {"phase": "Pending", "containerStatuses": [status]}})


def end_pod(world: World, ref: Ref, *, code: int, reason: str, message: str = "") -> None:
    """The container is over; its last words are in its termination message."""
    ended = {"exitCode": code, "reason": reason, "message": message, "finishedAt": stamp(world.now)}
    status = {"name": "x", "ready": False, "restartCount": 0, "imageID": IMAGE_ID, "state": {"terminated": ended}}
    world.patch(ref, {"status": {"phase": "Failed" if code else "Succeeded", "containerStatuses": [status]}})


class Kubelet:
    """Lets a pod go some seconds after it was deleted."""

    def act(self, world: World) -> bool | datetime:
        due: list[datetime] = []
        for pod in world.list(POD):
            deleted = pod["metadata"].get("deletionTimestamp")
            if not deleted:
                continue
            goes = datetime.fromisoformat(deleted) + timedelta(seconds=GRACE_SECONDS)
            if goes <= world.now:
                world.patch(
                    Ref(POD, pod["metadata"]["namespace"], pod["metadata"]["name"]), {"metadata": {"finalizers": None}}
                )
                return True
            due.append(goes)
        return min(due, default=False)


class JobController:
    """A Job gets a pod after a second, and the pod an end after three: what it found on the disk."""

    def act(self, world: World) -> bool | datetime:
        due: list[datetime] = []
        for job in world.list(JOB):
            if (job.get("status") or {}).get("conditions"):
                continue
            born = datetime.fromisoformat(job["metadata"]["creationTimestamp"])
            pod = Ref(POD, job["metadata"]["namespace"], f"{job['metadata']['name']}-x")
            at = born + timedelta(seconds=3 if world.find(pod) else 1)
            if at > world.now:
                due.append(at)
            elif world.find(pod) is None:
                labels = {JOB_NAME_LABEL: job["metadata"]["name"]}
                make_pod(world, pod.name, job, job["spec"]["template"], labels)
                return True
            elif self._end(world, job, pod):
                return True
        return min(due, default=False)

    def _end(self, world: World, job: Object, pod: Ref) -> bool:
        found = json.loads(world.get(DISK)["data"]["found"])
        if found == "stuck":
            if (world.get(pod)["status"].get("containerStatuses")) is None:
                waiting_pod(world, pod, "x", "ImagePullBackOff", "back-off pulling image")
                return True
            return False
        code = 1 if "error" in found else 0
        if not (world.get(pod)["status"].get("containerStatuses") or [{}])[0].get("state", {}).get("terminated"):
            message = json.dumps(self.said(world, job, found))
            end_pod(world, pod, code=code, reason="Error" if code else "Completed", message=message)
            return True
        condition = {"type": "Failed", "reason": "BackoffLimitExceeded"} if code else {"type": "Complete"}
        condition |= {"status": "True", "lastTransitionTime": stamp(world.now)}
        ref = Ref(JOB, job["metadata"]["namespace"], job["metadata"]["name"])
        world.patch(ref, {"status": {"conditions": [condition]}})
        return True

    def said(self, world: World, job: Object, found: Any) -> Any:
        """The last word of this Job's pod."""
        return found


# ── things that are just there ───────────────────────────────────────────────────────────────────────────────────────


def put(world: World, gvk: Gvk, name: str, **rest: Any) -> Object:
    metadata = {"name": name, **({"namespace": NS} if gvk.namespaced else {})}
    manifest: Manifest = {"apiVersion": gvk.api_version, "kind": gvk.kind, "metadata": metadata, **rest}
    return world.create(Ref(gvk, NS if gvk.namespaced else "", name), manifest)


def nodes(world: World, *names: str) -> None:
    for name in names:
        put(world, NODE, name, spec={})
        allocatable = {"cpu": "8", "memory": "32Gi"}
        conditions = [{"type": "Ready", "status": "True"}]
        world.patch(Ref(NODE, "", name), {"status": {"allocatable": allocatable, "conditions": conditions}})


def claim(world: World, name: str) -> None:
    put(world, PERSISTENT_VOLUME_CLAIM, name, spec={"resources": {"requests": {"storage": "1Gi"}}})


def disk(world: World, found: Any) -> None:
    """Set what a scan will find."""
    if world.find(DISK) is None:
        put(world, CONFIG_MAP, DISK.name, data={"found": json.dumps(found)})
    else:
        world.patch(DISK, {"data": {"found": json.dumps(found)}})


def files(letter: str = "a") -> dict[str, Any]:
    """The report of a scan that went well."""
    return {
        "version": 1,
        "digest": digest(letter),
        "files": 5,
        "bytes": 4096,
        "rows": 1000,
        "schema": {"distance": "int64"},
        "manifest": digest("b"),
    }


def trouble(cause: str, message: str) -> dict[str, Any]:
    return {"version": 1, "error": {"class": cause, "message": message}}
