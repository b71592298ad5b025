"""gyre's own images, and those of one program.

Promises   unchanged inputs build and import nothing; the builder (workloads/image/build) decides what unchanged means.
"""

import fcntl
import os
import sys
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Final

from cluster import binaries, commands, containers, fetched, oci
from cluster.configuration import PAUSE_IMAGE
from cluster.layout import REPOSITORY, Layout

OURS: Final = {"workload": "localhost/gyre-workload:dev", "operator": "localhost/gyre-operator:dev"}
BUILDER: Final = REPOSITORY / "workloads" / "image" / "build"


@dataclass(frozen=True, slots=True)
class Packed:
    """An image of one program."""

    name: str
    program: Path
    inside: str
    dynamic: bool = False
    """Does it need the C library? A program of Go's that we build does not."""
    writes: bool = False
    """Does it write below /tmp?"""


def build(layout: Layout) -> dict[str, Path]:
    """The archives of our images, by image name."""
    found: dict[str, Path] = {}
    for kind, name in OURS.items():
        printed = commands.run([_python(), BUILDER, kind], environment={"GYRE_CACHE": str(layout.cache)})
        found[name] = Path(printed.strip().splitlines()[-1])
    return found


def pause(layout: Layout) -> Packed:
    return Packed(PAUSE_IMAGE, binaries.folder(layout) / "pause", "/pause")


def kuberay(layout: Layout) -> Packed:
    name = f"localhost/kuberay-operator:{binaries.kuberay_version(layout)}"
    return Packed(name, binaries.folder(layout) / "kuberay-operator", "/manager")


def kserve(layout: Layout) -> Packed:
    name = f"localhost/kserve-manager:{binaries.version(layout, binaries.KSERVE)}"
    return Packed(name, binaries.folder(layout, binaries.KSERVE) / "kserve-manager", "/manager")


def gateway(layout: Layout) -> Packed:
    """Controller, maker of certificates, and what drains an Envoy (`shutdown-manager`): one program."""
    name = f"localhost/envoy-gateway:{binaries.version(layout, binaries.GATEWAY)}"
    program = binaries.folder(layout, binaries.GATEWAY) / "envoy-gateway"
    return Packed(name, program, "/usr/local/bin/envoy-gateway", writes=True)


def envoy(layout: Layout) -> Packed:
    return Packed(
        f"localhost/envoy:v{fetched.ENVOY_VERSION}", fetched.envoy(layout), "/usr/local/bin/envoy", dynamic=True
    )


def prometheus(layout: Layout) -> Packed:
    name = f"localhost/prometheus:{binaries.prometheus_version(layout)}"
    return Packed(name, binaries.folder(layout, binaries.GATEWAY) / "prometheus", "/prometheus")


def store(layout: Layout) -> Packed:
    name = f"localhost/rclone:{binaries.version(layout, binaries.STORE)}"
    return Packed(name, binaries.folder(layout, binaries.STORE) / "rclone", "/rclone", writes=True)


def import_packed(layout: Layout, *images: Packed) -> str:
    """These images; returns what was done."""
    return " and ".join(sorted({_import(layout, image) for image in images}))


def _import(layout: Layout, image: Packed) -> str:
    libraries = oci.libraries_in(commands.run(["ldd", image.program])) if image.dynamic else []
    folders = {"/tmp": 0o1777} if image.writes else {}
    stats = [(path.stat().st_size, path.stat().st_mtime_ns) for path in (image.program, *libraries)]
    return containers.import_made(
        layout,
        image.name,
        repr((astuple(image), stats)),
        lambda: oci.archive(image.name, image.program, image.inside, libraries=libraries, folders=folders),
    )


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
