"""The same cluster in Docker, by kind, from published images.

Promises   same kubeconfig path, StorageClass, KubeRay, KServe, Gateway, Prometheus and image names as the native one.
Not tried  on the machine this was written on, which has no Docker engine; what is pure is tested.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cluster import additions, binaries, commands, gateway, images, kserve, kubectl, kuberay, prometheus, volumes
from cluster.layout import Layout
from cluster.native import delete_state
from cluster.steps import Step, run_all

NAME: Final = "gyre"
NODE: Final = f"{NAME}-control-plane"
NODE_IMAGE: Final = "kindest/node:v1.35.0@sha256:452d707d4862f52530247495d180205e029056831160e22870e37e3f6c1ac31f"
"""What kind 0.31 was released with: the same minor version as go.mod's."""
FOLDER: Final = "/var/lib/gyre-volumes"


def configuration() -> str:
    """kind's configuration: one node, which also runs pods; the kubelet as patient with the disk as the native one."""
    return f"""\
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
name: {NAME}
nodes:
  - role: control-plane
    image: {NODE_IMAGE}
    kubeadmConfigPatches:
      - |
        kind: KubeletConfiguration
        imageGCHighThresholdPercent: 100
        evictionHard:
          memory.available: 100Mi
          nodefs.available: 1%
          imagefs.available: 1%
          nodefs.inodesFree: 1%
"""


def up(layout: Layout, *, with_images: bool = True) -> float:
    layout.claim_state()
    archives: dict[str, Path] = {}

    def build_images() -> str:
        archives.update(images.build(layout))
        return ", ".join(path.name for path in archives.values())

    rows = [
        Step("kubectl", lambda: kubectl.fetch(layout)),
        Step("kind", lambda: _create(layout)),
        Step("storage", lambda: volumes.prepare(layout, _pool()), ("kind", "kubectl")),
        Step("kuberay", lambda: _add(layout, kuberay.published(layout)), ("kind", "kubectl")),
        Step("kserve", lambda: _kserve(layout), ("kind", "kubectl")),
        Step("gateway", lambda: _gateway(layout), ("kind", "kubectl")),
        Step("prometheus", lambda: _add(layout, prometheus.published(layout)), ("kind", "kubectl")),
    ]
    if with_images:
        rows += [
            Step("build images", build_images),
            Step("load images", lambda: "".join(load(p) for p in archives.values()), ("build images", "kind")),
        ]
    return run_all(rows)


def down(layout: Layout) -> None:
    commands.run(["kind", "delete", "cluster", "--name", NAME])
    delete_state(layout)


def status(layout: Layout) -> bool:
    if NODE not in commands.run(["kind", "get", "nodes", "--name", NAME]).split():
        print("kind has no cluster of this name: run `up` again")
        return False
    volumes.recycle(layout, _pool())
    print(kubectl.kubectl(layout, "get", "nodes,pods", "-A"))
    return True


def load(archive: Path) -> str:
    commands.run(["kind", "load", "image-archive", "--name", NAME, archive])
    return ""


def _create(layout: Layout) -> str:
    if NAME in commands.run(["kind", "get", "clusters"]).split():
        commands.run(["kind", "export", "kubeconfig", "--name", NAME, "--kubeconfig", layout.kubeconfig])
        return "runs"
    create = ["kind", "create", "cluster", "--wait", "120s", "--config", "-"]
    commands.run([*create, "--kubeconfig", layout.kubeconfig], given=configuration().encode())
    return binaries.version(layout, binaries.KUBERNETES)


def _add(layout: Layout, addition: additions.Addition) -> str:
    additions.install(layout, addition)
    return additions.serves(layout, addition)


def _kserve(layout: Layout) -> str:
    kserve.prepare(layout)
    addition = kserve.published(layout)
    additions.install(layout, addition)
    return kserve.serves(layout, addition)


def _gateway(layout: Layout) -> str:
    addition = gateway.published(layout)
    additions.install(layout, addition)
    return gateway.serves(layout, addition)


def _pool() -> volumes.Pool:
    def make_empty(names: Sequence[str]) -> None:
        folders = [f"{FOLDER}/{name}" for name in names]
        if folders:
            commands.run(["docker", "exec", NODE, "rm", "-rf", *folders])
            commands.run(["docker", "exec", NODE, "mkdir", "-p", "-m", "0777", *folders])

    return volumes.Pool(FOLDER, NODE, make_empty)
