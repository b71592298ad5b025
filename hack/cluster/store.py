"""A small, real S3-compatible store, for who asks for it: `rclone serve s3` over a claim, as one pod.

Promises   http://s3.gyre-store:9000 answers with what was put there also after its pod was replaced; bucket `gyre` is there;
           its keys are chance, made once for a cluster, and in Secret gyre-store/s3 under the names that AWS' clients take.
Never      a part of a cluster that nobody asked for it: the code of gyre speaks plain S3 and works with any store.
"""

import base64
import json
import os
import secrets
from typing import Final

from cluster import images
from cluster.additions import Addition
from cluster.kubectl import get
from cluster.layout import Layout
from cluster.manifests import RESTRICTED, Object, deployment, service, small

NAMESPACE: Final = "gyre-store"
NAME: Final = "s3"
PORT: Final = 9000
BUCKET: Final = "gyre"
KEYS: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
USER: Final = {"runAsUser": 65532, "runAsGroup": 65532}


def ours(layout: Layout) -> Addition:
    return addition(images.store(layout).name, "/rclone", keys(layout))


def addition(image: str, program: str, pair: tuple[str, str]) -> Addition:
    labels = {"app.kubernetes.io/name": NAME}
    objects = (
        _secret(pair),
        _claim(),
        service(NAME, NAMESPACE, {"http": PORT}, labels=labels),
        _server(image, program, labels),
    )
    return Addition("store", NAME, NAMESPACE, objects=objects)


def keys(layout: Layout) -> tuple[str, str]:
    """Made at the first asking, and kept with the cluster's state."""
    file = layout.state / "store-keys.json"
    if not file.exists():
        made = json.dumps([f"gyre{secrets.token_hex(8)}", secrets.token_hex(24)])
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600), "w") as handle:
            handle.write(made)
    access, secret = json.loads(file.read_text())
    return access, secret


def _secret(pair: tuple[str, str]) -> Object:
    data = {name: base64.b64encode(value.encode()).decode() for name, value in zip(KEYS, pair, strict=True)}
    meta = {"name": NAME, "namespace": NAMESPACE}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": "Opaque", "data": data}


def _claim() -> Object:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}},
    }


def _server(image: str, program: str, labels: Object) -> Object:
    """Replaced, never doubled: two would write one disk."""
    made = deployment(NAME, NAMESPACE, _pod(image, program), labels=labels)
    return {**made, "spec": {**made["spec"], "strategy": {"type": "Recreate"}}}


def _pod(image: str, program: str) -> Object:
    common: Object = {
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "resources": small(),
        "securityContext": RESTRICTED | USER,
        "volumeMounts": [{"name": "data", "mountPath": "/data"}, {"name": "tmp", "mountPath": "/tmp"}],
    }
    home = {"name": "HOME", "value": "/tmp"}
    given = [{"name": key, "valueFrom": {"secretKeyRef": {"name": NAME, "key": key}}} for key in KEYS]
    # By the environment, so that no list of processes shows it; quoted, or rclone takes the pair for a list of two pairs.
    pair = {"name": "RCLONE_AUTH_KEY", "value": '"' + ",".join(f"$({key})" for key in KEYS) + '"'}
    server = {
        **common,
        "name": NAME,
        "command": [program],
        "args": ["serve", "s3", "--config=", f"--addr=:{PORT}", "--cache-dir=/tmp/cache", "/data"],
        "env": [home, *given, pair],
        "ports": [{"name": "http", "containerPort": PORT}],
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1, "failureThreshold": 60},
    }
    bucket = {
        **common,
        "name": "bucket",
        "command": [program],
        "args": ["mkdir", "--config=", f"/data/{BUCKET}"],
        "env": [home],
    }
    return {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 5,
        "securityContext": {"fsGroup": 65532, "fsGroupChangePolicy": "OnRootMismatch"},
        "initContainers": [bucket],
        "containers": [server],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": NAME}}, {"name": "tmp", "emptyDir": {}}],
    }


def address(layout: Layout) -> str:
    """Where it answers on this machine, or nothing."""
    found = get(layout, "service", NAME, NAMESPACE)
    return f"http://{found['spec']['clusterIP']}:{PORT}" if found else ""
