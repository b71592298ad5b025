"""gyre's own images, and those of one static program.

Promises   unchanged inputs build and import nothing; the builder (workloads/image/build) decides what unchanged means.
"""

import fcntl
import os
import sys
from pathlib import Path
from typing import Final

from cluster import binaries, commands, containers, oci
from cluster.configuration import PAUSE_IMAGE
from cluster.layout import REPOSITORY, Layout

OURS: Final = {"workload": "localhost/gyre-workload:dev", "operator": "localhost/gyre-operator:dev"}
BUILDER: Final = REPOSITORY / "workloads" / "image" / "build"


def build(layout: Layout) -> dict[str, Path]:
    """The archives of our images, by image name."""
    found: dict[str, Path] = {}
    for kind, name in OURS.items():
        printed = commands.run([_python(), BUILDER, kind], environment={"GYRE_CACHE": str(layout.cache)})
        found[name] = Path(printed.strip().splitlines()[-1])
    return found


def kuberay_image(layout: Layout) -> str:
    return f"localhost/kuberay-operator:{binaries.kuberay_version(layout)}"


def import_programs(layout: Layout) -> str:
    """Pause, without which no pod starts, and KubeRay."""
    where = binaries.folder(layout)
    remarks = {
        containers.import_bytes(layout, oci.archive(name, where / program, inside), name)
        for name, program, inside in (
            (PAUSE_IMAGE, "pause", "/pause"),
            (kuberay_image(layout), "kuberay-operator", "/manager"),
        )
    }
    return " and ".join(sorted(remarks))


def import_ours(layout: Layout, archives: dict[str, Path]) -> str:
    return ", ".join(
        f"{name.removeprefix('localhost/')} {containers.import_file(layout, archive, name)}"
        for name, archive in archives.items()
    )


def release_builder(layout: Layout) -> None:
    """buildah keeps its storage mounted after a build; not while one is running, which holds the lock."""
    storage = layout.cache / "containers"
    with (layout.cache / "image.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        for point in containers.mounts_below((storage,), Path("/proc/self/mounts").read_text()):
            # A container that somebody runs by buildah keeps its mounts: those are busy.
            commands.tried(["umount", point])


def _python() -> str:
    return sys.executable or os.environ.get("PYTHON", "python3")
