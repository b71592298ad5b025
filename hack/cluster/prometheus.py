"""Prometheus: one small pod that keeps a few hours of what gateway, models and operator count.

Promises   every pod annotated `prometheus.io/scrape: "true"` is read every five seconds, and so are the Gateways'
           Envoys and gyre's operator. Its data lives as long as its pod.
"""

import hashlib
import json
from typing import Any, Final

from cluster import binaries, images
from cluster.additions import Addition
from cluster.kubectl import get
from cluster.layout import Layout
from cluster.manifests import RESTRICTED, Object, account, config_map, deployment, role, rule, service, small

NAMESPACE: Final = "monitoring"
NAME: Final = "prometheus"
PORT: Final = 9090
PUBLISHED: Final = "docker.io/prom/prometheus"
OPERATOR: Final = {"app_kubernetes_io_name": "gyre", "app_kubernetes_io_component": "operator"}
ENVOY_KEPT: Final = "envoy_(cluster_upstream_(rq|cx)|http_downstream_(rq|cx)|server_(live|uptime|memory)).*"
"""Of Envoy's thousands of series those that say how requests went."""


def published(layout: Layout) -> Addition:
    return addition(f"{PUBLISHED}:{binaries.prometheus_version(layout)}")


def ours(layout: Layout) -> Addition:
    return addition(images.prometheus(layout).name)


def addition(image: str) -> Addition:
    text = json.dumps(settings(), indent=1)
    labels = {"app.kubernetes.io/name": NAME}
    # Its settings are read at its start alone, so other settings are another pod.
    annotations = {"gyre.dev/settings": hashlib.sha256(text.encode()).hexdigest()[:12]}
    objects = (
        account(NAME, NAMESPACE),
        *role(f"{NAMESPACE}:{NAME}", NAME, NAMESPACE, [rule("", "pods", "get list watch")], everywhere=True),
        config_map(NAME, NAMESPACE, {"prometheus.yml": text}),
        service(NAME, NAMESPACE, {"http": PORT}, labels=labels),
        deployment(NAME, NAMESPACE, _pod(image), labels=labels, annotations=annotations),
    )
    return Addition(NAME, NAME, NAMESPACE, objects=objects)


def settings() -> dict[str, Any]:
    """prometheus.yml. Its three jobs share one watch of pods, since they ask for the same."""
    return {
        "global": {"scrape_interval": "5s", "scrape_timeout": "4s"},
        "scrape_configs": [
            _job(
                "pods",
                _keep("true", "__meta_kubernetes_pod_annotation_prometheus_io_scrape"),
                _drop(".+", "__meta_kubernetes_pod_label_gateway_envoyproxy_io_owning_gateway_name"),
                *_ANNOTATED,
            ),
            _job(
                "gateway",
                _keep(".+", "__meta_kubernetes_pod_label_gateway_envoyproxy_io_owning_gateway_name"),
                _keep("envoy", "__meta_kubernetes_pod_container_name"),
                *_ANNOTATED,
                kept=ENVOY_KEPT,
            ),
            _job(
                "gyre-operator",
                *(_keep(value, f"__meta_kubernetes_pod_label_{label}") for label, value in OPERATOR.items()),
                _keep("metrics", "__meta_kubernetes_pod_container_port_name"),
            ),
        ],
    }


def _keep(regex: str, *labels: str) -> Object:
    return {"action": "keep", "source_labels": list(labels), "regex": regex}


def _drop(regex: str, *labels: str) -> Object:
    return {"action": "drop", "source_labels": list(labels), "regex": regex}


_ANNOTATED: Final[tuple[Object, ...]] = (
    {
        "source_labels": ["__meta_kubernetes_pod_annotation_prometheus_io_path"],
        "regex": "(.+)",
        "target_label": "__metrics_path__",
    },
    {
        "source_labels": ["__meta_kubernetes_pod_ip", "__meta_kubernetes_pod_annotation_prometheus_io_port"],
        "regex": "(.+);(.+)",
        "replacement": "$1:$2",
        "target_label": "__address__",
    },
)
"""Where a pod says that its metrics are. Several ports of one pod become one target by it."""

_NAMED: Final[tuple[Object, ...]] = (
    _drop("Succeeded|Failed", "__meta_kubernetes_pod_phase"),
    {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"},
    {"source_labels": ["__meta_kubernetes_pod_name"], "target_label": "pod"},
    {"action": "labelmap", "regex": "__meta_kubernetes_pod_label_(gyre_dev_.+)"},
)


def _job(name: str, *relabel: Object, kept: str | None = None) -> Object:
    job: Object = {
        "job_name": name,
        "kubernetes_sd_configs": [{"role": "pod"}],
        "relabel_configs": [*relabel, *_NAMED],
    }
    if kept:
        job["metric_relabel_configs"] = [_keep(kept, "__name__")]
    return job


def _pod(image: str) -> Object:
    probe = {"httpGet": {"path": "/-/ready", "port": PORT}, "periodSeconds": 1, "failureThreshold": 60}
    container = {
        "name": NAME,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": [
            "--config.file=/etc/prometheus/prometheus.yml",
            "--storage.tsdb.path=/data",
            "--storage.tsdb.retention.time=6h",
            "--log.level=warn",
        ],
        # Less memory for a little more work: garbage is collected at half the usual growth.
        "env": [{"name": "GOGC", "value": "50"}],
        "ports": [{"name": "http", "containerPort": PORT}],
        "readinessProbe": probe,
        "resources": small(),
        "securityContext": RESTRICTED | {"runAsUser": 65532, "runAsGroup": 65532},
        "volumeMounts": [
            {"name": "config", "mountPath": "/etc/prometheus", "readOnly": True},
            {"name": "data", "mountPath": "/data"},
        ],
    }
    return {
        "serviceAccountName": NAME,
        "terminationGracePeriodSeconds": 5,
        "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": NAME}}, {"name": "data", "emptyDir": {}}],
    }


def address(layout: Layout) -> str:
    """Where it answers on this machine, or nothing."""
    found = get(layout, "service", NAME, NAMESPACE)
    return f"http://{found['spec']['clusterIP']}:{PORT}" if found else ""
