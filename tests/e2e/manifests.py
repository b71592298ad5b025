"""What the tests apply, as plain objects; written as a user would write it, nothing of the operator's is used."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.e2e.cluster import Object

WORKLOAD_IMAGE = "localhost/gyre-workload:dev"
CLAIM = "work"
DATA = "numbers"
SCRIPTS = Path(__file__).parent / "scripts"
API = "gyre.dev/v1alpha1"

RESTRICTED: Object = {
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "runAsGroup": 65532,
    "fsGroup": 65532,
    "seccompProfile": {"type": "RuntimeDefault"},
}
UNPRIVILEGED: Object = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def namespace(name: str) -> Object:
    labels = {"pod-security.kubernetes.io/enforce": "restricted", "gyre.dev/e2e": "true"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def claim(name: str = CLAIM, size: str = "1Gi") -> Object:
    """From the default StorageClass."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": size}}},
    }


def shell(
    name: str,
    command: str,
    *,
    image: str = WORKLOAD_IMAGE,
    claim_name: str = CLAIM,
    read_only: bool = False,
    env: Sequence[Object] = (),
) -> Object:
    """A pod that runs a command on the claim (at /work) and ends."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "securityContext": RESTRICTED,
            "tolerations": [{"operator": "Exists"}],
            "containers": [
                {
                    "name": "shell",
                    "image": image,
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["/bin/sh", "-ec", command],
                    "securityContext": UNPRIVILEGED,
                    "env": list(env),
                    "volumeMounts": [{"name": "work", "mountPath": "/work", "readOnly": read_only}],
                }
            ],
            "volumes": [{"name": "work", "persistentVolumeClaim": {"claimName": claim_name}}],
        },
    }


def script(name: str, text: str | None = None) -> Object:
    """A ConfigMap with one of `scripts/`, or with `text`, as train.py."""
    text = (SCRIPTS / f"{name}.py").read_text() if text is None else text
    metadata = {"name": name.replace("_", "-")}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"train.py": text}}


def dataset(name: str = DATA, **source: Any) -> Object:
    """By default the small files that `seeded` writes."""
    source = source or {"pvc": {"claimName": CLAIM, "path": "data"}}
    return {"apiVersion": API, "kind": "Dataset", "metadata": {"name": name}, "spec": {"source": source}}


def training_job(
    name: str,
    *,
    code: str = "steady",
    steps: int = 200,
    step_seconds: float = 0.1,
    checkpoint_every: str = "5s",
    data: str = DATA,
    **spec: Any,
) -> Object:
    """A job of one small worker that runs a script out of a ConfigMap; `spec` adds to it and overrides."""
    usual: Object = {
        "entrypoint": {"script": {"configMap": {"name": code.replace("_", "-"), "key": "train.py"}}},
        "workers": 1,
        "resources": {"cpu": "200m", "memory": "1Gi"},
        "head": {"cpu": "200m", "memory": "2Gi"},
        "datasets": [{"name": "train", "ref": {"name": data}}],
        "storage": {"pvc": {"claimName": CLAIM, "path": "runs"}},
        "checkpoint": {"every": checkpoint_every},
        "parameters": {"steps": str(steps), "stepSeconds": str(step_seconds)},
    }
    return {"apiVersion": API, "kind": "TrainingJob", "metadata": {"name": name}, "spec": {**usual, **spec}}


def sum_of_steps(steps: int) -> int:
    """What `steady` has tallied when each step was counted exactly once."""
    return steps * (steps - 1) // 2
