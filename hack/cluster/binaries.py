"""Kubernetes, etcd, CoreDNS and KubeRay built from one Go module, once for every state of that module.

Promises   the same sources give the same folder; a folder under that name is complete or absent file by file;
           two builds at once wait for each other.
Never      builds what was not asked for: the API tests need two of the nine programs.
"""

import fcntl
import hashlib
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cluster import commands
from cluster.layout import Layout, Refused, version_of


@dataclass(frozen=True, slots=True)
class Program:
    """One program: the name we call it by, its Go package, and the name `go build` gives it."""

    name: str
    package: str
    built_as: str


PROGRAMS: Final = (
    Program("etcd", "go.etcd.io/etcd/server/v3", "server"),
    Program("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver", "kube-apiserver"),
    Program("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager", "kube-controller-manager"),
    Program("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler", "kube-scheduler"),
    Program("kube-proxy", "k8s.io/kubernetes/cmd/kube-proxy", "kube-proxy"),
    Program("kubelet", "k8s.io/kubernetes/cmd/kubelet", "kubelet"),
    Program("kuberay-operator", "github.com/ray-project/kuberay/ray-operator", "ray-operator"),
    Program("coredns", "./coredns", "coredns"),
    Program("pause", "./pause", "pause"),
)
KUBERAY_CONFIG: Final = "kuberay-config"
"""The CRDs and roles out of KubeRay's module, kept beside its binary so that a cached `up` needs no Go."""


def kubernetes_version(layout: Layout) -> str:
    return version_of("k8s.io/kubernetes", (layout.modules / "go.mod").read_text())


def kuberay_version(layout: Layout) -> str:
    return version_of("github.com/ray-project/kuberay/ray-operator", (layout.modules / "go.mod").read_text())


def checksum(modules: Path) -> str:
    """Of everything that decides what is built: the module's files and our own few lines of Go."""
    digest = hashlib.sha256()
    for path in sorted([modules / "go.mod", modules / "go.sum", *modules.glob("*/*.go")]):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(modules).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:12]


def folder(layout: Layout) -> Path:
    """Where this state of the module has its programs."""
    version = kubernetes_version(layout)
    return layout.cache / "bin" / f"kubernetes-{version}-{platform.machine()}-{checksum(layout.modules)}"


def linker_flags(version: str) -> str:
    """Without the version, clients refuse the server: "could not parse pre-release/metadata"."""
    major, minor, _ = version.removeprefix("v").split(".", 2)
    variables = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    return "-s -w " + " ".join(f"-X k8s.io/component-base/version.{name}={value}" for name, value in variables.items())


def chosen(names: Iterable[str]) -> tuple[Program, ...]:
    """The programs of these names; all of them for none."""
    wanted = set(names)
    if unknown := wanted - {program.name for program in PROGRAMS}:
        raise Refused(f"no program {', '.join(sorted(unknown))}; there are {', '.join(p.name for p in PROGRAMS)}")
    return tuple(program for program in PROGRAMS if not wanted or program.name in wanted)


def missing(where: Path, programs: Iterable[Program]) -> tuple[Program, ...]:
    return tuple(program for program in programs if not (where / program.name).exists())


def build(layout: Layout, only: Iterable[str] = ()) -> str:
    """Build what is not there yet; returns a remark."""
    programs = chosen(only)
    where = folder(layout)
    with locked(layout.cache / "binaries.lock"):
        absent = missing(where, programs)
        if absent:
            _go_build(layout, where, absent)
        _keep_kuberay_config(layout, where)
    return f"built {len(absent)} of {len(programs)}" if absent else "cached"


def _go() -> str:
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if go is None:
        raise Refused("Go is needed once to build Kubernetes; install Go 1.25 or newer and put it on PATH")
    return go


def _go_build(layout: Layout, where: Path, programs: tuple[Program, ...]) -> None:
    go = _go()
    where.mkdir(parents=True, exist_ok=True)
    for torn in where.parent.glob(".building-*"):
        # Of a build that was killed: the lock is ours, so nobody is writing there.
        shutil.rmtree(torn)
    log = layout.cache / "go-build.log"
    with tempfile.TemporaryDirectory(dir=where.parent, prefix=".building-") as scratch:
        commands.run(
            [
                *(go, "build", "-trimpath", "-buildvcs=false", "-mod=readonly"),
                *("-ldflags", linker_flags(kubernetes_version(layout)), "-o", f"{scratch}/"),
                *(program.package for program in programs),
            ],
            folder=layout.modules,
            environment={"CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off"},
            log=log,
        )
        for program in programs:
            os.replace(Path(scratch) / program.built_as, where / program.name)


def _keep_kuberay_config(layout: Layout, where: Path) -> None:
    kept = where / KUBERAY_CONFIG
    if kept.exists():
        return
    # `go list -m` would name no folder while the module is not downloaded, as when only the API server was built.
    asked = [_go(), "mod", "download", "-json", "github.com/ray-project/kuberay/ray-operator"]
    source = Path(json.loads(commands.run(asked, folder=layout.modules))["Dir"]) / "config"
    with tempfile.TemporaryDirectory(dir=where, prefix=".copying-") as scratch:
        for part in ("crd", "rbac", "manager", "default"):
            # Without modes: the module cache is read-only, and nobody could delete a read-only copy.
            shutil.copytree(source / part, Path(scratch) / "config" / part, copy_function=shutil.copyfile)
        for path in (Path(scratch) / "config").rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        os.replace(Path(scratch) / "config", kept)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock that dies with this process; a second run waits and then finds everything done."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting for the other run that holds {path.name}", file=sys.stderr, flush=True)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
