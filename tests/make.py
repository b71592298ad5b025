"""Objects for tests, as the API server would return them: one function a kind, sensible defaults, overridable.

Plain dicts, fresh at every call. Times are RFC 3339; T0 is when everything is created.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

T0 = datetime(2026, 11, 23, 8, 0, 0, tzinfo=UTC)
NAMESPACE = "team-a"
Object = dict[str, Any]


def at(seconds: float = 0) -> datetime:
    return T0 + timedelta(seconds=seconds)


def stamp(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def second(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def digest(letter: str = "a") -> str:
    return "sha256:" + letter * 64


def metadata(name: str, *, uid: str, namespace: str = NAMESPACE, **more: Any) -> Object:
    scope = {"namespace": namespace} if namespace else {}
    return {
        "name": name,
        **scope,
        "uid": uid,
        "generation": 1,
        "resourceVersion": "1",
        "creationTimestamp": second(T0),
        **more,
    }


def owned_by(obj: Object) -> list[Object]:
    meta = obj["metadata"]
    return [
        {
            "apiVersion": obj["apiVersion"],
            "kind": obj["kind"],
            "name": meta["name"],
            "uid": meta["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]


TABULAR: Object = {"target": {"column": "arr_delay", "above": "15"}, "holdout": {"partition": "Last"}}


def training_job(name: str = "flights", *, uid: str = "uid-job", **spec: Any) -> Object:
    """A TrainingJob over Dataset `flights` and claim `runs`; keywords replace fields of the spec, None removes one."""
    given: Object = {
        "entrypoint": {"tabular": TABULAR},
        "workers": 2,
        "datasets": [{"name": "train", "ref": {"name": "flights"}}],
        "storage": {"pvc": {"claimName": "runs", "path": "flights"}},
        **spec,
    }
    return {
        "apiVersion": "gyre.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": metadata(name, uid=uid),
        "spec": {key: value for key, value in given.items() if value is not None},
    }


def script(text_from: str = "code", key: str = "train.py", *args: str) -> Object:
    return {"script": {"configMap": {"name": text_from, "key": key}, "args": list(args)}}


def dataset(name: str = "flights", *, ready: bool = True, version: int = 3, letter: str = "a", **source: Any) -> Object:
    condition = {
        "type": "Ready",
        "status": "True" if ready else "False",
        "reason": "Verified" if ready else "Scanning",
        "message": "" if ready else "reading the files",
        "observedGeneration": 1,
    }
    current = {"version": version, "digest": digest(letter), "rows": 1000, "bytes": 5000} if ready else None
    return {
        "apiVersion": "gyre.dev/v1alpha1",
        "kind": "Dataset",
        "metadata": metadata(name, uid=f"uid-dataset-{name}"),
        "spec": {"source": source or {"pvc": {"claimName": "data", "path": name}}},
        "status": {"observedGeneration": 1, "conditions": [condition], **({"current": current} if current else {})},
    }


def claim(name: str = "runs") -> Object:
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata(name, uid=f"uid-claim-{name}")}


def config_map(name: str = "code", **data: str) -> Object:
    meta = metadata(name, uid=f"uid-config-map-{name}")
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}


def node(
    name: str = "node-1",
    *,
    ready: bool = True,
    taints: tuple[str, ...] = (),
    cpu: str = "8",
    memory: str = "32Gi",
    gpu: int = 0,
) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": metadata(name, uid=f"uid-{name}", namespace=""),
        "spec": {"taints": [{"key": key, "effect": "NoSchedule"} for key in taints]},
        "status": {
            "allocatable": {"cpu": cpu, "memory": memory, "nvidia.com/gpu": str(gpu)},
            "conditions": [{"type": "Ready", "status": "True" if ready else "Unknown"}],
        },
    }


IMAGE_ID = "localhost/gyre-workload@" + digest("e")


def container(
    name: str = "ray-head",
    *,
    waiting: str = "",
    message: str = "",
    died: Object | None = None,
    died_before: Object | None = None,
    restarts: int = 0,
) -> Object:
    """A container's status; running unless it waits or died."""
    state: Object = {"running": {"startedAt": second(T0)}}
    if waiting:
        state = {"waiting": {"reason": waiting, "message": message}}
    if died:
        state = {"terminated": died}
    last = {"terminated": died_before} if died_before else {}
    return {
        "name": name,
        "ready": not waiting and not died,
        "restartCount": restarts,
        "imageID": "" if waiting else IMAGE_ID,
        "state": state,
        "lastState": last,
    }


def oom_killed(when: datetime = T0) -> Object:
    return {"reason": "OOMKilled", "exitCode": 137, "finishedAt": second(when)}


def pod(
    name: str,
    *,
    job: str = "flights",
    attempt: int = 1,
    head: bool = False,
    on: str = "node-1",
    phase: str = "Running",
    ready: bool = True,
    containers: list[Object] | None = None,
    conditions: list[Object] | None = None,
    **status: Any,
) -> Object:
    labels = {
        "app.kubernetes.io/managed-by": "gyre",
        "gyre.dev/trainingjob": job,
        "gyre.dev/attempt": str(attempt),
        "ray.io/node-type": "head" if head else "worker",
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata(name, uid=f"uid-{name}", labels=labels),
        "spec": {"nodeName": on} if on else {},
        "status": {
            "phase": phase,
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}, *(conditions or [])],
            "containerStatuses": [container("ray-head" if head else "ray-worker")]
            if containers is None
            else containers,
            **status,
        },
    }


def unschedulable(since: datetime = T0, message: str = "0/3 nodes are available: 3 Insufficient cpu.") -> Object:
    reason = {"reason": "Unschedulable", "message": message, "lastTransitionTime": second(since)}
    return {"type": "PodScheduled", "status": "False", **reason}


def disrupted(reason: str = "EvictionByEvictionAPI", message: str = "evicted by kubectl drain") -> Object:
    return {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": message}


def model_version(name: str = "earlier", *, uri: str = "pvc://models/earlier", letter: str = "c") -> Object:
    return {
        "apiVersion": "gyre.dev/v1alpha1",
        "kind": "ModelVersion",
        "metadata": metadata(name, uid=f"uid-version-{name}"),
        "spec": {
            "modelRef": {"name": "flights"},
            "artifact": {"uri": uri, "digest": digest(letter), "flavour": "torch"},
        },
    }


def model(name: str = "flights", **spec: Any) -> Object:
    """A Model that ranks its versions by auc."""
    objective = {"metric": "auc", "goal": "Maximize"}
    return {
        "apiVersion": "gyre.dev/v1alpha1",
        "kind": "Model",
        "metadata": metadata(name, uid=f"uid-model-{name}"),
        "spec": {"objective": objective, **spec},
    }


def champion(
    name: str = "flights-cccccccc", *, uri: str = "pvc://runs/flights/old/artifact", auc: str = "0.72"
) -> Object:
    """A version of Model `flights` that is ready and reports its auc."""
    version = model_version(name, uri=uri)
    version["spec"]["metrics"] = {"auc": auc}
    ready = {"type": "Ready", "status": "True", "reason": "Registered", "observedGeneration": 1}
    return {**version, "status": {"observedGeneration": 1, "conditions": [ready]}}


def progress(
    attempt: int = 1,
    *,
    started: datetime,
    heartbeat: datetime,
    state: str = "Running",
    step: int = 0,
    head: str = "flights-a1-head",
    **more: Any,
) -> Object:
    """progress.json as in docs/run-contract.md; all of the time is productive unless `ledger` says otherwise."""
    span = (heartbeat - started).total_seconds()
    return {
        "version": 1,
        "attempt": attempt,
        "head": {"pod": head, "uid": f"uid-{head}"},
        "started": stamp(started),
        "heartbeat": stamp(heartbeat),
        "state": state,
        "step": step,
        "totalSteps": 5000,
        "epoch": 1,
        "stepsPerSecond": 10.0,
        "metrics": {"latest": {"loss": 0.4}, "best": {"loss": 0.39}},
        "checkpoint": None,
        "restore": None,
        "restarts": [],
        "restartCount": 0,
        "ledger": {"productive": span},
        "failure": None,
        "artifact": None,
        "evaluation": None,
        "lineage": {"code": {"sha256": "d" * 64, "revision": ""}, "framework": "torch 2.6.0, ray 2.60.0"},
        **more,
    }


def checkpoint(step: int, time: datetime, name: str = "", *, blocked: float = 0.2) -> Object:
    name = name or f"checkpoint_{step}"
    return {
        "name": name,
        "uri": f"pvc://runs/flights/uid-job/{name}",
        "step": step,
        "time": stamp(time),
        "bytes": 1000,
        "digest": digest("b"),
        "verified": True,
        "blockedSeconds": blocked,
    }


def artifact(letter: str = "f") -> Object:
    return {
        "uri": "pvc://runs/flights/uid-job/artifact",
        "path": "uid-job/artifact",
        "digest": digest(letter),
        "bytes": 2048,
        "flavour": "torch",
        "files": 3,
    }


EVALUATION: Object = {
    "metrics": {"auc": 0.71, "logLoss": 0.5},
    "baseline": {"name": "frequency by carrier", "metrics": {"auc": 0.6}},
    "rows": 1000,
    "split": "last partition 2013-05 of train",
}
