"""Pods of the workload image that a story needs besides what gyre makes: callers, and makers of bad versions."""

from __future__ import annotations

import json
import shlex
from typing import Any

from narrator import Narrator


def apply(say: Narrator, manifest: dict[str, Any]) -> None:
    name = f"{manifest['kind'].lower()}/{manifest['metadata']['name']}"
    say.console.print(f"[cyan]$ {say.kubectl} apply -f -[/]  [dim]# {name}[/]")
    say.run(f"printf %s {shlex.quote(json.dumps(manifest))} | {say.kubectl} apply -f -", show=False)


def pod_of(
    name: str, command: str, volumes: dict[str, Any], *, memory: str, env: list[Any] | None = None
) -> dict[str, Any]:
    """A restricted pod of the workload image; each volume is mounted at `/<its name>`."""
    mounts = [{"name": volume, "mountPath": f"/{volume}"} for volume in volumes]
    container = {
        "name": "main",
        "image": "localhost/gyre-workload:dev",
        "imagePullPolicy": "IfNotPresent",
        "command": ["/bin/sh", "-ec", command],
        "env": env or [],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": memory}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [*mounts, {"name": "tmp", "mountPath": "/tmp"}],
    }
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "runAsGroup": 65532,
            "fsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [
            *({"name": volume, **source} for volume, source in volumes.items()),
            {"name": "tmp", "emptyDir": {}},
        ],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def phase(pod: dict[str, Any]) -> str:
    return str(pod.get("status", {}).get("phase", ""))
