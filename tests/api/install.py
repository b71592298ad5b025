"""gyre in a bare API server: exactly what `gyre install` prints, KubeRay's CRDs, stand-ins for those of serving, and the
operator's own credentials.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from tests.api import serving
from tests.api.apiserver import binaries
from tests.api.cluster import CRD, NAMESPACE, Cluster
from tests.api.running import NAMESPACE as SYSTEM

from gyre.api import gvks
from gyre.api.effects import Gvk, Ref
from gyre.api.install import manifests
from gyre.kinds import KINDS

RBAC = "rbac.authorization.k8s.io"
ADMISSION = "admissionregistration.k8s.io"
INSTALLED = {
    gvk.kind: gvk
    for gvk in (
        NAMESPACE,
        CRD,
        gvks.SERVICE_ACCOUNT,
        Gvk(RBAC, "v1", "ClusterRole", "clusterroles", namespaced=False),
        Gvk(RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False),
        gvks.ROLE,
        gvks.ROLE_BINDING,
        Gvk("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies"),
        Gvk(ADMISSION, "v1", "ValidatingAdmissionPolicy", "validatingadmissionpolicies", namespaced=False),
        Gvk(ADMISSION, "v1", "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", namespaced=False),
    )
}
KUBERAY = ("ray.io_rayjobs.yaml", "ray.io_rayclusters.yaml")
OPERATOR = "gyre-operator"


def install(cluster: Cluster) -> None:
    serving.install(cluster)
    for manifest in (*kuberay(), *gyre()):
        apply(cluster, manifest)
    names = [f"{kind.gvk.plural}.{kind.gvk.group}" for kind in KINDS]
    cluster.established([*names, "rayjobs.ray.io", "rayclusters.ray.io"])


def gyre() -> list[dict[str, Any]]:
    """Everything but the Deployment: the operator runs as a process of ours."""
    made = manifests(KINDS, image="localhost/gyre-operator:dev", namespace=SYSTEM)
    return [dict(m) for m in made if m["kind"] not in ("Deployment", "PodDisruptionBudget")]


def kuberay() -> list[dict[str, Any]]:
    folder = binaries() / "kuberay-config" / "crd" / "bases"
    return [yaml.safe_load((folder / name).read_text()) for name in KUBERAY]


def apply(cluster: Cluster, manifest: dict[str, Any]) -> dict[str, Any]:
    gvk, metadata = INSTALLED[manifest["kind"]], manifest["metadata"]
    return cluster.apply(Ref(gvk, metadata.get("namespace", ""), metadata["name"]), manifest, manager="installer")


def operator_kubeconfig(cluster: Cluster) -> Path:
    """Credentials of the operator's ServiceAccount: what its role allows and nothing else."""
    return cluster.server.kubeconfig(OPERATOR, cluster.token(SYSTEM, OPERATOR))
