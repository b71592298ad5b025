"""KubeRay, from its own manifests, with one change on top: see `manifests.kuberay`."""

import hashlib
import json
import os
from pathlib import Path

from cluster import binaries, manifests
from cluster.kubectl import SERVER_SIDE, apply, get, kubectl
from cluster.layout import Layout

PUBLISHED = "quay.io/kuberay/operator"


def published(layout: Layout) -> tuple[str, str]:
    """Manifests and image as the project publishes them, for clusters that can fetch both."""
    version = binaries.kuberay_version(layout)
    base = f"https://github.com/ray-project/kuberay/ray-operator/config/default?ref={version}"
    return base, f"{PUBLISHED}:{version}"


def install(layout: Layout, base: str | Path, image: str) -> str:
    """Apply what is not applied yet; the pod may still be starting when this returns."""
    folder = layout.state / "kuberay"
    folder.mkdir(exist_ok=True)
    if isinstance(base, Path):
        # A kustomization names its bases by relative paths only.
        base = os.path.relpath(base.resolve(), folder.resolve())
    text = json.dumps(manifests.kuberay(base, image), indent=1)
    note, wanted = folder / "applied", hashlib.sha256(text.encode()).hexdigest()
    deployment = get(layout, "deployment", "kuberay-operator", manifests.KUBERAY_NAMESPACE)
    if deployment is not None and note.exists() and note.read_text() == wanted:
        return "kept"
    (folder / "kustomization.yaml").write_text(text)
    apply(layout, [manifests.namespace(manifests.KUBERAY_NAMESPACE)])
    kubectl(layout, "apply", *SERVER_SIDE, "-k", folder)
    note.write_text(wanted)
    return image


def wait(layout: Layout) -> str:
    """Until it serves: a RayJob of now is taken up at once."""
    where = ("-n", manifests.KUBERAY_NAMESPACE)
    kubectl(layout, "rollout", "status", "deployment/kuberay-operator", *where, "--timeout=180s")
    kubectl(layout, "wait", "--for=condition=Established", "crd/rayjobs.ray.io", "crd/rayclusters.ray.io")
    return "ready"
