"""The `gyre` command as somebody runs it who has a role and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.api.apiserver import REPOSITORY
from tests.api.cluster import Cluster

from gyre.api import gvks

Gyre = Callable[..., "subprocess.CompletedProcess[str]"]
READER = "reader"


def command(kubeconfig: Path, namespace: str, folder: Path, *first: str, columns: int) -> Gyre:
    """`gyre FIRST… WORDS… -n NAMESPACE` in this folder, on a terminal so many columns wide."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "gyre", *first, *words, "-n", namespace],
            cwd=folder,
            env={
                **os.environ,
                "KUBECONFIG": str(kubeconfig),
                "COLUMNS": str(columns),
                "PYTHONPATH": str(REPOSITORY / "operator"),
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def reader(cluster: Cluster, namespace: str, rules: Sequence[dict[str, Any]]) -> Path:
    """A kubeconfig of a ServiceAccount that may do what the rules say, in this namespace."""
    rbac, metadata = "rbac.authorization.k8s.io", {"name": READER, "namespace": namespace}
    version = gvks.ROLE.api_version
    cluster.create(gvks.SERVICE_ACCOUNT, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    cluster.create(gvks.ROLE, {"apiVersion": version, "kind": "Role", "metadata": metadata, "rules": list(rules)})
    binding = {
        "apiVersion": version,
        "kind": "RoleBinding",
        "metadata": metadata,
        "subjects": [{"kind": "ServiceAccount", "name": READER, "namespace": namespace}],
        "roleRef": {"apiGroup": rbac, "kind": "Role", "name": READER},
    }
    cluster.create(gvks.ROLE_BINDING, binding)
    return cluster.server.kubeconfig(f"{namespace}-{READER}", cluster.token(namespace, READER))
