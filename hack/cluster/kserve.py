"""KServe's controller alone, in Standard mode: Deployments and Services, no Knative, no Istio, no ingress of its own.

Promises   its webhooks answer when `serves` returns. Their certificate is our own: cert-manager is not needed.
Recipe     config/default of github.com/kserve/kserve v0.20.0, less cert-manager, metrics proxy, runtimes.
"""

import base64
import json
from typing import Final

from cluster import additions, binaries, certificates, images
from cluster.additions import Addition
from cluster.certificates import Identity
from cluster.kubectl import insist
from cluster.layout import Layout
from cluster.manifests import CONTAINER, QUICK, Object, config_map, controller_patch, image

NAMESPACE: Final = "kserve"
MANAGER: Final = "kserve-controller-manager"
WEBHOOK: Final = "kserve-webhook-server-service"
SECRET: Final = "kserve-webhook-server-cert"  # noqa: S105  (a Secret's name)
IDENTITY: Final = Identity("kserve-webhook", WEBHOOK, names=(f"DNS:{WEBHOOK}.{NAMESPACE}.svc",))
STORAGE_INITIALIZER: Final = "kserve/storage-initializer"


def published(layout: Layout) -> Addition:
    """From the project's repository and registry."""
    version = binaries.version(layout, binaries.KSERVE)
    base = f"https://raw.githubusercontent.com/kserve/kserve/{version}/{binaries.KSERVE.keeps.below}"
    return addition(layout, base, f"kserve/kserve-controller:{version}", f"{STORAGE_INITIALIZER}:{version}")


def ours(layout: Layout) -> Addition:
    """Out of the module. Nothing here can fetch a storage initializer, and gyre's own server needs none."""
    return addition(
        layout, str(binaries.config(layout, binaries.KSERVE)), images.kserve(layout).name, "localhost/none:1"
    )


def addition(layout: Layout, base: str, manager: str, storage_initializer: str) -> Addition:
    files = [f"{base}/{part}" for part in binaries.KSERVE.keeps.parts]
    crds = tuple(file for file in files if "/crd/" in file)
    authority = base64.b64encode((layout.certificates / "ca.crt").read_bytes()).decode()
    return Addition(
        "kserve",
        MANAGER,
        NAMESPACE,
        crds=crds,
        upstream=tuple(file for file in files if file not in crds),
        changes=changes(manager, authority),
        objects=(settings(storage_initializer), _secret(layout)),
    )


def settings(storage_initializer: str) -> Object:
    """The smallest settings that work. The last four must have all quantities, though they are never used."""
    resources = {"cpuRequest": "50m", "cpuLimit": "1", "memoryRequest": "64Mi", "memoryLimit": "512Mi"}
    injected = {"image": storage_initializer} | resources
    sections = {
        "deploy": {"defaultDeploymentMode": "Standard"},
        "ingress": {
            "disableIngressCreation": True,
            "disableIstioVirtualHost": True,
            "ingressGateway": "none/none",
            "ingressDomain": "cluster.local",
            # With the default, one label of 63 characters has to hold the predictor's name and its namespace.
            "domainTemplate": "{{ .Name }}.{{ .Namespace }}.{{ .IngressDomain }}",
            "urlScheme": "http",
        },
        # By default a predictor asks for a whole core.
        "inferenceService": {"resource": resources | {"memoryRequest": "256Mi", "memoryLimit": "1Gi"}},
        **dict.fromkeys(("storageInitializer", "logger", "batcher", "agent"), injected),
    }
    return config_map("inferenceservice-config", NAMESPACE, {key: json.dumps(value) for key, value in sections.items()})


def changes(manager: str, authority: str) -> Object:
    """Image, small requests, quick probes; and into each webhook what cert-manager would have put there."""
    ours_of_it = (
        {"op": "add", "path": f"{CONTAINER}/imagePullPolicy", "value": "IfNotPresent"},
        # There is one replica: a lease would only keep a new one waiting for that of a dead one.
        {"op": "add", "path": f"{CONTAINER}/args", "value": ["--leader-elect=false"]},
    )
    return {
        "images": [image("ko://github.com/kserve/kserve/cmd/manager", manager)],
        "patches": [
            {"target": {"kind": "Deployment", "name": MANAGER}, "patch": controller_patch(QUICK, *ours_of_it)},
            {"target": {"kind": "MutatingWebhookConfiguration"}, "patch": _webhooks(2, authority)},
            {"target": {"kind": "ValidatingWebhookConfiguration"}, "patch": _webhooks(1, authority)},
        ],
    }


def _webhooks(count: int, authority: str) -> str:
    values = {"caBundle": authority, "service/name": WEBHOOK, "service/namespace": NAMESPACE}
    return json.dumps(
        [
            {"op": "add", "path": f"/webhooks/{index}/clientConfig/{key}", "value": value}
            for index in range(count)
            for key, value in values.items()
        ]
    )


def _secret(layout: Layout) -> Object:
    def text(suffix: str) -> str:
        return base64.b64encode((layout.certificates / f"{IDENTITY.file}{suffix}").read_bytes()).decode()

    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET, "namespace": NAMESPACE},
        "type": "kubernetes.io/tls",
        "data": {"tls.crt": text(".crt"), "tls.key": text(".key")},
    }


def prepare(layout: Layout) -> None:
    """The certificate of its webhooks, which `addition` reads."""
    certificates.authority(layout)
    certificates.certify(layout, IDENTITY)


def serves(layout: Layout, addition: Addition) -> str:
    """Ready, and its webhooks answer: kube-proxy may learn of a pod later than the Deployment does."""
    additions.serves(layout, addition)
    insist(layout, "create", "--dry-run=server", "-f", "-", given=json.dumps(_probe()).encode())
    return "ready"


def _probe() -> Object:
    container = {"name": "kserve-container", "image": "localhost/none:1"}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "probe", "namespace": NAMESPACE},
        "spec": {"predictor": {"containers": [container]}},
    }
