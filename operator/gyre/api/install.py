"""Everything that installs gyre, as manifests in the order in which they are applied.

Promises   `gyre install | kubectl apply --server-side -f -` is all there is to it; the operator's pod satisfies the Pod
           Security Standard *restricted* and may do what `rbac` derives from the kinds, nothing else.
Never      a secret, a wildcard, a tag where a digest was given, a CPU limit (throttling would delay the lease).

Ports are those of `gyre run`: probes on 8080, metrics on 9090.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from gyre.api import rbac, restricted
from gyre.api.effects import Manifest
from gyre.api.kind import Kind
from gyre.api.markers import Json
from gyre.api.schema import crd

NAME: Final = rbac.NAME
LABELS: Final = rbac.LABELS
SELECTOR: Final = {"app.kubernetes.io/name": "gyre", "app.kubernetes.io/component": "operator"}
PROBES, METRICS = 8080, 9090


def manifests(
    kinds: Iterable[Kind[Any, Any]],
    *,
    image: str,
    namespace: str,
    replicas: int = 2,
    secrets_in: Iterable[str] = (),
) -> list[Manifest]:
    """The whole installation. In the namespaces of `secrets_in` the operator may read Secrets, if a kind asks for it."""
    kinds = tuple(kinds)
    return [
        namespace_of(namespace),
        *(crd(kind.model) for kind in kinds),
        service_account(namespace),
        *roles(kinds, namespace, tuple(secrets_in)),
        *(policy for kind in kinds for policy in kind.policies()),
        network_policy(namespace),
        disruption_budget(namespace),
        deployment(image, namespace, replicas),
    ]


def namespace_of(name: str) -> Json:
    """The operator's namespace, in which the API server refuses pods that are less than restricted."""
    levels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {**LABELS, **levels}}}


def service_account(namespace: str) -> Json:
    """No token is mounted by itself: the Deployment projects one that expires."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": _metadata(namespace),
        "automountServiceAccountToken": False,
    }


def roles(kinds: tuple[Kind[Any, Any], ...], namespace: str, secrets_in: tuple[str, ...]) -> list[Json]:
    """Each role, with its binding where it is the operator's."""
    account = {"service_account": NAME, "namespace": namespace}
    everywhere, election, secrets = rbac.cluster_role(kinds), rbac.lease_role(namespace), rbac.secret_role(kinds)
    wanted = [
        everywhere,
        rbac.binding(everywhere, **account),
        election,
        rbac.binding(election, **account, within=namespace),
        *rbac.user_roles(kinds),
    ]
    if secrets:
        wanted += [secrets, *(rbac.binding(secrets, **account, within=place) for place in secrets_in)]
    return wanted


def deployment(image: str, namespace: str, replicas: int = 2) -> Json:
    """Two replicas by default: one works, one keeps its cache warm and takes the lease within seconds."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(namespace),
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": SELECTOR},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 1}},
            "template": {"metadata": {"labels": {**LABELS, **SELECTOR}}, "spec": _pod(image, namespace)},
        },
    }


def _pod(image: str, namespace: str) -> Json:
    return {
        "serviceAccountName": NAME,
        "automountServiceAccountToken": False,
        "securityContext": {**restricted.POD, "fsGroup": restricted.NOBODY},
        "terminationGracePeriodSeconds": 30,
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": SELECTOR},
            }
        ],
        "containers": [_container(image, namespace)],
        "volumes": [{"name": "token", "projected": _TOKEN}, {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}],
    }


def _container(image: str, namespace: str) -> Json:
    probe = {"httpGet": {"path": "/healthz", "port": "probes"}}
    return {
        "name": "operator",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["run", f"--namespace={namespace}", f"--probe-port={PROBES}", f"--metrics-port={METRICS}"],
        "env": [{"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "ports": [{"name": "probes", "containerPort": PROBES}, {"name": "metrics", "containerPort": METRICS}],
        "startupProbe": {**probe, "periodSeconds": 2, "failureThreshold": 60},
        "livenessProbe": {**probe, "periodSeconds": 10, "failureThreshold": 6, "timeoutSeconds": 5},
        "readinessProbe": {**probe, "periodSeconds": 10, "timeoutSeconds": 5},
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "512Mi"}},
        "securityContext": restricted.CONTAINER,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "token", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the pod's own, the root file system is read-only
        ],
    }


_TOKEN: Final = {
    "defaultMode": 0o440,
    "sources": [
        {"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {
            "downwardAPI": {
                "items": [{"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]
            }
        },
    ],
}
"""What the ServiceAccount admission plugin would mount, but asked for: token, certificate, namespace."""


def disruption_budget(namespace: str) -> Json:
    """A drain takes one replica at a time."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": _metadata(namespace),
        "spec": {
            "maxUnavailable": 1,
            "selector": {"matchLabels": SELECTOR},
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    }


def network_policy(namespace: str) -> Json:
    """Nobody calls the operator but who scrapes it. Outwards it may go anywhere: the API server's address is nobody's pod.

    Probes come from the node, which NetworkPolicies do not stop.
    """
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": _metadata(namespace),
        "spec": {
            "podSelector": {"matchLabels": SELECTOR},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"ports": [{"protocol": "TCP", "port": METRICS}]}],
            "egress": [{}],
        },
    }


def _metadata(namespace: str) -> Json:
    return {"name": NAME, "namespace": namespace, "labels": LABELS}
