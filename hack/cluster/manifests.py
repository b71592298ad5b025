"""What is applied to the API server, as plain objects. Pure."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from cluster import network

Object = dict[str, Any]

STORAGE_CLASS: Final = "gyre-local"
KUBERAY_NAMESPACE: Final = "ray-system"
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


def kuberay(base: str, image: str) -> Object:
    """A kustomization over KubeRay's own manifests: our image, small requests, quick probes.

    It runs as a pod because it reaches Ray's dashboard by a Service's name: on the host it cannot resolve it and
    calls a job that succeeded failed. It tolerates every taint, so that a test may taint the node.
    """
    repository, _, tag = image.rpartition(":")
    probe = {"initialDelaySeconds": 1, "periodSeconds": 2, "failureThreshold": 30}
    patch = [
        {"op": "replace", "path": f"/spec/template/spec/containers/0/{kind}/{key}", "value": value}
        for kind in ("livenessProbe", "readinessProbe")
        for key, value in probe.items()
    ]
    patch += [
        {
            "op": "replace",
            "path": "/spec/template/spec/containers/0/resources",
            "value": {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
        },
        {"op": "add", "path": "/spec/template/spec/tolerations", "value": [{"operator": "Exists"}]},
    ]
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": KUBERAY_NAMESPACE,
        "resources": [base],
        "images": [{"name": "quay.io/kuberay/operator", "newName": repository, "newTag": tag}],
        "patches": [{"target": {"kind": "Deployment", "name": "kuberay-operator"}, "patch": json.dumps(patch)}],
    }


def namespace(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
