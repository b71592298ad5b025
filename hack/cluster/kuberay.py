"""KubeRay, from its own manifests, with few changes on top.

It runs as a pod because it reaches Ray's dashboard by a Service's name: on the host it cannot resolve it and calls a
job that succeeded failed.
"""

from typing import Final

from cluster import binaries, images
from cluster.additions import Addition
from cluster.layout import Layout
from cluster.manifests import CONTAINER, QUICK, controller_patch, image

NAMESPACE: Final = "ray-system"
NAME: Final = "kuberay-operator"
PUBLISHED: Final = "quay.io/kuberay/operator"
ALONE: Final = {"op": "add", "path": f"{CONTAINER}/args/-", "value": "--enable-leader-election=false"}
"""There is one replica; a lease that it could not renew on a busy machine (within 5 s) would end it in the middle of its work."""


def published(layout: Layout) -> Addition:
    """Manifests and image as the project publishes them, for clusters that can fetch both."""
    version = binaries.kuberay_version(layout)
    base = f"https://github.com/ray-project/kuberay/ray-operator/config/default?ref={version}"
    return addition(base, f"{PUBLISHED}:{version}")


def ours(layout: Layout) -> Addition:
    """Those out of the module, and the program we built."""
    return addition(str(binaries.config(layout, binaries.KUBERNETES) / "default"), images.kuberay(layout).name)


def addition(base: str, name: str) -> Addition:
    deployment = {"kind": "Deployment", "name": NAME}
    changes = {
        "images": [image(PUBLISHED, name)],
        "patches": [{"target": deployment, "patch": controller_patch(QUICK, ALONE)}],
    }
    return Addition("kuberay", NAME, NAMESPACE, upstream=(base,), changes=changes)
