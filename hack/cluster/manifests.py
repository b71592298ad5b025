"""What is applied to the API server, as plain objects. Pure."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from cluster import network

Object = dict[str, Any]

STORAGE_CLASS: Final = "gyre-local"
VOLUMES: Final = {f"gyre-{number:02d}": "10Gi" for number in range(56)} | {
    f"gyre-large-{number}": "100Gi" for number in range(8)
}
"""The pool. Sizes only decide which claim fits which volume: a folder has no limit of its own."""


def dns() -> list[Object]:
    """CoreDNS runs on the node, so the Service gets its address written by hand."""
    ports = [{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 53, "protocol": "TCP"}]
    meta = {"namespace": "kube-system", "labels": {"k8s-app": "kube-dns", "kubernetes.io/name": "CoreDNS"}}
    rules = [
        {"apiGroups": [""], "resources": ["services", "pods", "namespaces"], "verbs": ["list", "watch"]},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
    ]
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": meta | {"name": "kube-dns"},
            "spec": {"clusterIP": network.DNS_SERVICE, "ports": ports},
        },
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": "kube-dns-node",
                "namespace": "kube-system",
                "labels": {
                    "kubernetes.io/service-name": "kube-dns",
                    "endpointslice.kubernetes.io/managed-by": "hack-cluster",
                },
            },
            "addressType": "IPv4",
            "endpoints": [{"addresses": [network.ADDRESS], "conditions": {"ready": True}}],
            "ports": ports,
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": "system:coredns"},
            "rules": rules,
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "system:coredns"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:coredns"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "system:coredns"}],
        },
    ]


def storage_class() -> Object:
    """The default class. `Immediate`: a claim binds by itself, without a pod; with one node no choice is lost by it."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": STORAGE_CLASS,
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "Immediate",
        "reclaimPolicy": "Retain",
    }


def volume(name: str, folder: str, node: str) -> Object:
    """One folder of the pool, shared if asked: all pods are on the one node."""
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/managed-by": "hack-cluster"}},
        "spec": {
            "capacity": {"storage": VOLUMES[name]},
            "accessModes": ["ReadWriteOnce", "ReadWriteMany", "ReadOnlyMany"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": STORAGE_CLASS,
            "local": {"path": f"{folder}/{name}"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [term]}},
        },
    }


def released(volumes: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of the pool's volumes whose claim is gone: nobody else brings them back."""
    return [
        volume["metadata"]["name"]
        for volume in volumes
        if volume["spec"].get("storageClassName") == STORAGE_CLASS
        and volume["metadata"]["name"] in VOLUMES
        and volume.get("status", {}).get("phase") in ("Released", "Failed")
    ]


def image(published: str, ours: str) -> Object:
    """For kustomize: take ours wherever theirs is named."""
    repository, _, tag = ours.rpartition(":")
    return {"name": published, "newName": repository, "newTag": tag}


def small(limit: str = "512Mi") -> Object:
    """Requests that leave a small machine to the models; every one of the cluster's own pods has them."""
    return {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"memory": limit}}


EVERYWHERE: Final[list[Object]] = [{"operator": "Exists"}]
"""Tolerations of the cluster's own pods, so that a test may taint the node."""

RESTRICTED: Final[Object] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
"""A container's security context, as the restricted profile of pod security asks for it."""


CONTAINER: Final = "/spec/template/spec/containers/0"
"""Of a Deployment with one container, as a JSON pointer."""


def controller_patch(probe: Object, *more: Object) -> str:
    """A JSON patch of a published controller Deployment: probes that notice soon, small requests, any node."""
    patch = [
        {"op": "add", "path": f"{CONTAINER}/{kind}/{key}", "value": value}
        for kind in ("livenessProbe", "readinessProbe")
        for key, value in probe.items()
    ]
    patch += [
        {"op": "add", "path": f"{CONTAINER}/resources", "value": small()},
        {"op": "add", "path": "/spec/template/spec/tolerations", "value": EVERYWHERE},
        *more,
    ]
    return json.dumps(patch)


QUICK: Final[Object] = {"initialDelaySeconds": 1, "periodSeconds": 2, "failureThreshold": 30}
"""A probe for a cluster that is waited for."""


def deployment(name: str, namespace: str, pod: Object, *, labels: Object, annotations: Object | None = None) -> Object:
    """One replica, replaced by its successor after that one is ready."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels, "annotations": annotations or {}},
                "spec": {"tolerations": EVERYWHERE, **pod},
            },
        },
    }


def rule(group: str, resources: str, verbs: str) -> Object:
    """A rule of a role. Words, separated by spaces."""
    return {"apiGroups": [group], "resources": resources.split(), "verbs": verbs.split()}


def role(name: str, account: str, namespace: str, rules: Sequence[Object], *, everywhere: bool) -> list[Object]:
    """A role of that name and its binding to a ServiceAccount; in all namespaces, or in the account's own."""
    api = "rbac.authorization.k8s.io"
    prefix = "Cluster" if everywhere else ""
    meta: Object = {"name": name} | ({} if everywhere else {"namespace": namespace})
    return [
        {"apiVersion": f"{api}/v1", "kind": f"{prefix}Role", "metadata": meta, "rules": list(rules)},
        {
            "apiVersion": f"{api}/v1",
            "kind": f"{prefix}RoleBinding",
            "metadata": meta,
            "roleRef": {"apiGroup": api, "kind": f"{prefix}Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
        },
    ]


def account(name: str, namespace: str) -> Object:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}}


def config_map(name: str, namespace: str, data: Mapping[str, str]) -> Object:
    meta = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": dict(data)}


def service(name: str, namespace: str, ports: Mapping[str, int], *, labels: Object) -> Object:
    """Each port under its own number."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"selector": labels, "ports": [{"name": name, "port": port} for name, port in ports.items()]},
    }


def namespace(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
