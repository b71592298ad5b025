"""What runs as pods in every flavour of the cluster: KubeRay, KServe, Envoy Gateway, Prometheus.

Promises   what is applied already is not applied again; whatever runs finds its own kinds established: Envoy Gateway
           asks once, at its start, which kinds there are, and serves a route without its policies for ever after.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cluster.kubectl import SERVER_SIDE, apply, get, insist, kubectl
from cluster.layout import Layout
from cluster.manifests import Object, namespace


@dataclass(frozen=True, slots=True)
class Addition:
    """One of them. Files are paths of this machine or addresses, so that either flavour says the same of them."""

    name: str
    deployment: str
    namespace: str
    crds: tuple[str, ...] = ()
    """Files of CustomResourceDefinitions, applied first and waited for."""
    upstream: tuple[str, ...] = ()
    """Files, or one folder, of the project's own manifests."""
    changes: Object = field(default_factory=dict)
    """What kustomize is to change in those."""
    objects: tuple[Object, ...] = ()
    """What we write ourselves."""


def install(layout: Layout, addition: Addition) -> str:
    """Apply what is not applied yet; the pods may still be starting when this returns."""
    folder = layout.state / addition.name
    folder.mkdir(exist_ok=True)
    note, wanted = folder / "applied", hashlib.sha256(repr(addition).encode()).hexdigest()
    deployment = get(layout, "deployment", addition.deployment, addition.namespace)
    if deployment is not None and note.exists() and note.read_text() == wanted:
        return "kept"
    apply(layout, [namespace(addition.namespace)])
    if addition.crds:
        kubectl(layout, "apply", *SERVER_SIDE, *(word for file in addition.crds for word in ("-f", file)))
        # A definition that has no conditions at all yet is an error to `wait`.
        insist(layout, "wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    if addition.objects:
        apply(layout, addition.objects)
    if addition.upstream:
        (folder / "kustomization.yaml").write_text(json.dumps(kustomization(addition, folder), indent=1))
        # By itself kustomize reads no file outside its own folder, and ours are in the cache.
        rendered = kubectl(layout, "kustomize", "--load-restrictor=LoadRestrictionsNone", folder)
        kubectl(layout, "apply", *SERVER_SIDE, "-f", "-", given=rendered.encode())
    note.write_text(wanted)
    return "applied"


def kustomization(addition: Addition, folder: Path) -> dict[str, Any]:
    """The project's own files, in the namespace, changed."""
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": addition.namespace,
        "resources": [_relative(file, folder) for file in addition.upstream],
        **addition.changes,
    }


def _relative(file: str, folder: Path) -> str:
    """kustomize names folders by relative paths only; an address stays what it is."""
    return os.path.relpath(Path(file).resolve(), folder.resolve()) if file.startswith("/") else file


def serves(layout: Layout, addition: Addition) -> str:
    """Wait until its pods are ready."""
    where = ("-n", addition.namespace, "--timeout=180s")
    kubectl(layout, "rollout", "status", f"deployment/{addition.deployment}", *where)
    return "ready"


def missing(layout: Layout, names: Sequence[str]) -> list[str]:
    """Those of these Deployments, as `namespace/name`, without a pod that serves."""
    listed = json.loads(kubectl(layout, "get", "deployments", "-A", "-o", "json"))["items"]
    return [name for name in names if name not in serving(listed)]


def serving(deployments: Sequence[Object]) -> set[str]:
    """Namespace and name of each that has a pod which serves."""
    return {
        f"{found['metadata']['namespace']}/{found['metadata']['name']}"
        for found in deployments
        if found.get("status", {}).get("readyReplicas", 0) > 0
    }
