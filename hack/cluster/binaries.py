"""Programs built from Go modules, each once for every state of its module.

Promises   the same sources give the same folder; a folder under that name is complete or absent file by file;
           two builds of one module at once wait for each other.
Never      builds what was not asked for: the API tests need two of the twelve programs, and nothing of serving.

Kubernetes, etcd, CoreDNS and KubeRay are one module, because client-go and its friends are then compiled once. KServe
0.20 and Envoy Gateway 1.7 do not compile against that set, nor against each other's, and have one each; Prometheus goes
with the latter. rclone, the optional store, has its own, because most clusters do without it.
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

from cluster import commands, host
from cluster.layout import Layout, Refused, version_of


@dataclass(frozen=True, slots=True)
class Program:
    """One program: the name we call it by, its Go package, and the name `go build` gives it."""

    name: str
    package: str
    built_as: str


@dataclass(frozen=True, slots=True)
class Kept:
    """Manifests out of a Go module, kept beside the programs so that a cached `up` needs no Go."""

    folder: str
    module: str
    below: str
    parts: tuple[str, ...]
    """Files or folders under `below`, which keep their paths."""


@dataclass(frozen=True, slots=True)
class Module:
    """One go.mod. Its folder in the cache is named by `name`, the version of `main` and a checksum of its files."""

    name: str
    path: str
    main: str
    programs: tuple[Program, ...]
    keeps: Kept
    tags: tuple[str, ...] = ()
    stamped: bool = False
    """Do its programs tell the version of Kubernetes to their clients?"""
    urgent: bool = False
    """Is a cluster of no use before it is built? The others are built beside a cluster that is starting."""


KUBERNETES: Final = Module(
    "kubernetes",
    ".",
    "k8s.io/kubernetes",
    (
        Program("etcd", "go.etcd.io/etcd/server/v3", "server"),
        Program("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver", "kube-apiserver"),
        Program("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager", "kube-controller-manager"),
        Program("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler", "kube-scheduler"),
        Program("kube-proxy", "k8s.io/kubernetes/cmd/kube-proxy", "kube-proxy"),
        Program("kubelet", "k8s.io/kubernetes/cmd/kubelet", "kubelet"),
        Program("kuberay-operator", "github.com/ray-project/kuberay/ray-operator", "ray-operator"),
        Program("coredns", "./coredns", "coredns"),
        Program("pause", "./pause", "pause"),
    ),
    Kept(
        "kuberay-config",
        "github.com/ray-project/kuberay/ray-operator",
        "config",
        ("crd", "rbac", "manager", "default"),
    ),
    stamped=True,
    urgent=True,
)
KSERVE: Final = Module(
    "kserve",
    "kserve",
    "github.com/kserve/kserve",
    (Program("kserve-manager", "github.com/kserve/kserve/cmd/manager", "manager"),),
    Kept(
        "kserve-config",
        "github.com/kserve/kserve",
        "config",
        (
            "crd/full/serving.kserve.io_inferenceservices.yaml",
            "crd/full/serving.kserve.io_trainedmodels.yaml",
            "crd/full/serving.kserve.io_clusterservingruntimes.yaml",
            "crd/full/serving.kserve.io_servingruntimes.yaml",
            "crd/full/serving.kserve.io_inferencegraphs.yaml",
            "crd/full/clusterstoragecontainer/serving.kserve.io_clusterstoragecontainers.yaml",
            "rbac/service_account.yaml",
            "rbac/role.yaml",
            "rbac/role_binding.yaml",
            "rbac/leader_election_role.yaml",
            "rbac/leader_election_role_binding.yaml",
            "webhook/service.yaml",
            "webhook/manifests.yaml",
            "manager/manager.yaml",
        ),
    ),
)
GATEWAY: Final = Module(
    "envoy-gateway",
    "gateway",
    "github.com/envoyproxy/gateway",
    (
        Program("envoy-gateway", "github.com/envoyproxy/gateway/cmd/envoy-gateway", "envoy-gateway"),
        Program("prometheus", "github.com/prometheus/prometheus/cmd/prometheus", "prometheus"),
    ),
    Kept(
        "gateway-crds",
        "github.com/envoyproxy/gateway",
        "charts/gateway-helm/crds",
        (
            "gatewayapi-crds.yaml",
            "generated/gateway.envoyproxy.io_backends.yaml",
            "generated/gateway.envoyproxy.io_backendtrafficpolicies.yaml",
            "generated/gateway.envoyproxy.io_clienttrafficpolicies.yaml",
            "generated/gateway.envoyproxy.io_envoyextensionpolicies.yaml",
            "generated/gateway.envoyproxy.io_envoypatchpolicies.yaml",
            "generated/gateway.envoyproxy.io_envoyproxies.yaml",
            "generated/gateway.envoyproxy.io_httproutefilters.yaml",
            "generated/gateway.envoyproxy.io_securitypolicies.yaml",
        ),
    ),
    # Of Prometheus' ways to find targets the one that is used, without the libraries of a dozen clouds.
    tags=("remove_all_sd", "enable_kubernetes_sd"),
)
STORE: Final = Module(
    "store", "store", "github.com/rclone/rclone", (Program("rclone", "./rclone", "rclone"),), Kept("", "", "", ())
)
"""Built when it is asked for, and by nobody else."""
MODULES: Final = (KUBERNETES, KSERVE, GATEWAY)
"""Without which no cluster is whole."""
ROOMY: Final = 8
"""GiB of memory a core from which on the compiler may keep its garbage: of each module one of them runs on each core."""


def sources(layout: Layout, module: Module) -> Path:
    return layout.modules / module.path


def version(layout: Layout, module: Module) -> str:
    return version_of(module.main, (sources(layout, module) / "go.mod").read_text())


def kuberay_version(layout: Layout) -> str:
    return version_of(KUBERNETES.keeps.module, (layout.modules / "go.mod").read_text())


def prometheus_version(layout: Layout) -> str:
    """As it calls itself: its module v0.310.0 is release v3.10.0."""
    asked = version_of("github.com/prometheus/prometheus", (sources(layout, GATEWAY) / "go.mod").read_text())
    _, release, patch = asked.split(".")
    return f"v{int(release) // 100}.{int(release) % 100}.{patch}"


def checksum(modules: Path) -> str:
    """Of everything that decides what is built: the module's files and our own few lines of Go."""
    digest = hashlib.sha256()
    for path in sorted([modules / "go.mod", modules / "go.sum", *modules.glob("*/*.go")]):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(modules).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:12]


def folder(layout: Layout, module: Module = KUBERNETES) -> Path:
    """Where this state of the module has its programs."""
    key = f"{version(layout, module)}-{platform.machine()}-{checksum(sources(layout, module))}"
    return layout.cache / "bin" / f"{module.name}-{key}"


def config(layout: Layout, module: Module) -> Path:
    """Where the manifests out of the module are."""
    return folder(layout, module) / module.keeps.folder


def compiler_memory(gib: float, cores: int) -> dict[str, str]:
    """Go's variables for compilers that share so much memory. Each is a short-lived process: it collects no garbage before it
    holds 2 GiB. Together with -dwarf=false, client-go took 51 s instead of 61 (Go 1.26 on two cores)."""
    return {"GOGC": "off", "GOMEMLIMIT": "2GiB"} if gib >= ROOMY * cores else {}


def linker_flags(stamp: str | None) -> str:
    """Without the version, clients refuse the server: "could not parse pre-release/metadata"."""
    if stamp is None:
        return "-s -w"
    major, minor, _ = stamp.removeprefix("v").split(".", 2)
    variables = {"gitVersion": stamp, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    return "-s -w " + " ".join(f"-X k8s.io/component-base/version.{name}={value}" for name, value in variables.items())


def chosen(names: Iterable[str], module: Module = KUBERNETES) -> tuple[Program, ...]:
    """The module's programs of these names; all of them for none."""
    wanted = set(names)
    if unknown := wanted - {program.name for program in module.programs}:
        known = ", ".join(program.name for program in module.programs)
        raise Refused(f"no program {', '.join(sorted(unknown))}; there are {known}")
    return tuple(program for program in module.programs if not wanted or program.name in wanted)


def missing(where: Path, programs: Iterable[Program]) -> tuple[Program, ...]:
    return tuple(program for program in programs if not (where / program.name).exists())


def complete(layout: Layout) -> bool:
    """Is there nothing left to build, in any module?"""
    return not any(missing(folder(layout, module), module.programs) for module in MODULES)


def build(layout: Layout, only: Iterable[str] = (), module: Module = KUBERNETES) -> str:
    """Build what is not there yet; returns a remark."""
    programs = chosen(only, module)
    where = folder(layout, module)
    with locked(layout.cache / f"{module.name}.lock"):
        absent = missing(where, programs)
        if absent:
            _go_build(layout, module, where, absent)
        _keep_config(layout, module)
    return f"built {len(absent)} of {len(programs)}" if absent else "cached"


def keep(layout: Layout, module: Module) -> Path:
    """The module's manifests alone, without a build: what a bare API server needs to know its kinds."""
    with locked(layout.cache / f"{module.name}.lock"):
        folder(layout, module).mkdir(parents=True, exist_ok=True)
        _keep_config(layout, module)
    return config(layout, module)


def _go() -> str:
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if go is None:
        raise Refused("Go is needed once to build Kubernetes; install Go 1.25 or newer and put it on PATH")
    return go


def _go_build(layout: Layout, module: Module, where: Path, programs: tuple[Program, ...]) -> None:
    go = _go()
    where.mkdir(parents=True, exist_ok=True)
    torn_prefix = f".building-{module.name}-"
    for torn in where.parent.glob(f"{torn_prefix}*"):
        # Of a build that was killed: the lock is ours, so nobody is writing there.
        shutil.rmtree(torn)
    priority = () if module.urgent else ("nice", "-n", "10")
    stamp = version(layout, module) if module.stamped else None
    memory = compiler_memory(host.memory_gib(), os.cpu_count() or 1)
    with tempfile.TemporaryDirectory(dir=where.parent, prefix=torn_prefix) as scratch:
        commands.run(
            [
                *(*priority, go, "build", "-trimpath", "-buildvcs=false", "-mod=readonly"),
                "-gcflags=all=-dwarf=false",  # the linker would drop it
                *("-tags", ",".join(module.tags), "-ldflags", linker_flags(stamp), "-o", f"{scratch}/"),
                *(program.package for program in programs),
            ],
            folder=sources(layout, module),
            environment={"CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off", **memory},
            log=layout.cache / f"go-build-{module.name}.log",
        )
        for program in programs:
            os.replace(Path(scratch) / program.built_as, where / program.name)


def _keep_config(layout: Layout, module: Module) -> None:
    kept, where = config(layout, module), folder(layout, module)
    if kept.exists() or not module.keeps.parts:
        return
    # `go list -m` would name no folder while the module is not downloaded, as when only the API server was built.
    asked = [_go(), "mod", "download", "-json", module.keeps.module]
    origin = Path(json.loads(commands.run(asked, folder=sources(layout, module)))["Dir"]) / module.keeps.below
    with tempfile.TemporaryDirectory(dir=where, prefix=".copying-") as scratch:
        copy = Path(scratch) / "copy"
        for part in module.keeps.parts:
            # Without modes: the module cache is read-only, and nobody could delete a read-only copy.
            if (origin / part).is_dir():
                shutil.copytree(origin / part, copy / part, copy_function=shutil.copyfile)
            else:
                (copy / part).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(origin / part, copy / part)
        for path in (copy, *copy.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        os.replace(copy, kept)


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
