"""The machine: is it fit, and which packages does it lack?

Promises   whatever is unfit is told before anything is begun, each in one sentence that says what to do.
Never      removes or upgrades a package.
"""

import os
import platform
import shutil
import socket
from pathlib import Path
from typing import Final

from cluster import commands
from cluster.layout import Layout, Refused

PACKAGES: Final = {
    # package                     a file that proves it
    "containerd": "/usr/bin/containerd",
    "runc": "/usr/sbin/runc",
    "containernetworking-plugins": "/usr/lib/cni/ptp",
    "iptables": "/usr/sbin/iptables",
    "iproute2": "/sbin/ip",
    "openssl": "/usr/bin/openssl",
}
PORTS: Final = {
    6443: "kube-apiserver",
    10248: "kubelet",
    10249: "kube-proxy",
    10250: "kubelet",
    10256: "kube-proxy",
    10257: "kube-controller-manager",
    10259: "kube-scheduler",
    12379: "etcd",
    12380: "etcd",
}
DISK_TO_BUILD: Final = 20
"""GiB: 12 for Go's caches, 1 for the programs, 5 for the workload image in archive and store, the rest for pods."""
DISK: Final = 8
"""GiB, once the programs are there."""
MEMORY: Final = 5
"""GiB: control plane and serving take 2, one Ray head and two workers 2."""


def check(layout: Layout, *, fresh: bool, disk: int = DISK_TO_BUILD) -> str:
    """Raise Refused for the first thing that is unfit. Ports and disk are looked at only before a first start."""
    if platform.system() != "Linux":
        raise Refused("the native cluster needs Linux; elsewhere install Docker and kind, and run this again")
    if os.geteuid() != 0:
        raise Refused("the native cluster needs root for containers; run with sudo, or install Docker and kind")
    cgroups = Path("/sys/fs/cgroup")
    if not (cgroups / "memory").exists() and not (cgroups / "cgroup.controllers").exists():
        raise Refused("no cgroup file system is mounted at /sys/fs/cgroup; mount it, or run on a whole machine")
    layout.cache.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(layout.cache).free / 2**30
    if fresh and free < disk:
        raise Refused(f"{layout.cache} has {free:.0f} GiB free and {disk} are needed; set GYRE_CACHE to a larger disk")
    if (memory := memory_gib()) < MEMORY:
        raise Refused(f"this machine has {memory:.1f} GiB of memory and the cluster needs {MEMORY}")
    if fresh:
        for port, name in PORTS.items():
            if _taken(port):
                raise Refused(f"port {port}, which {name} needs, is in use; end the program that listens there")
    return f"{os.cpu_count()} cores, {memory:.0f} GiB memory, {free:.0f} GiB disk"


def memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def install_packages() -> str:
    """Install what is missing, and nothing else."""
    absent = [package for package, proof in PACKAGES.items() if not Path(proof).exists()]
    if not absent:
        return "all there"
    if shutil.which("apt-get") is None:
        raise Refused(f"install {', '.join(absent)} by this system's package manager; only Debian's is known here")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    apt = ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=600"]
    commands.run([*apt, "update"], environment=quiet)
    commands.run([*apt, "install", "-y", "--no-install-recommends", *absent], environment=quiet)
    if lacking := [package for package in absent if not Path(PACKAGES[package]).exists()]:
        raise Refused(f"{', '.join(lacking)}: installed, but {PACKAGES[lacking[0]]} is not there")
    return f"installed {', '.join(absent)}"


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))  # noqa: S104  (only bound to learn whether somebody else has it)
        except OSError:
            return True
    return False
