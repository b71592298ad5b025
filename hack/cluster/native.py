"""The native cluster: Kubernetes' own programs on this machine, without Docker and systemd.

Promises   `up` brings about what is missing, be it nothing or all; `down` leaves no process, mount, interface,
           chain or cgroup, and says so if it could not.
"""

import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from cluster import (
    additions,
    binaries,
    certificates,
    components,
    configuration,
    containers,
    daemons,
    fetched,
    gateway,
    host,
    images,
    kserve,
    kubectl,
    kuberay,
    manifests,
    network,
    prometheus,
    store,
    volumes,
)
from cluster.components import Component
from cluster.layout import MARKER, Layout, Refused
from cluster.steps import Step, run_all, together

OWNER: Final = Path("/run/gyre-cluster")
"""Names the state folder of the cluster that has this machine."""

ADDED: Final = (
    f"{kuberay.NAMESPACE}/{kuberay.NAME}",
    f"{kserve.NAMESPACE}/{kserve.MANAGER}",
    f"{gateway.NAMESPACE}/{gateway.CONTROLLER}",
    f"{prometheus.NAMESPACE}/{prometheus.NAME}",
)
"""The Deployments without which the cluster is not whole."""


def up(layout: Layout, *, with_images: bool = True, with_store: bool = False) -> float:
    """Everything, in as little time as the needs of the steps allow; returns the seconds."""
    _own_the_machine(layout)
    fresh = not any(_daemon(part, layout).running() for part in _components(layout))
    # A store that outlived its cluster may hold containers that nobody knows any more.
    first = not (layout.state / "etcd").exists()
    layout.claim_state()
    configuration.write(layout)
    return run_all(table(layout, fresh=fresh, first=first, with_images=with_images, with_store=with_store))


def table(layout: Layout, *, fresh: bool, first: bool, with_images: bool, with_store: bool = False) -> list[Step]:
    """The steps of `up`. What a later day adds is a row here and a module of its own."""
    archives: dict[str, Path] = {}
    pool = _pool(layout)
    disk = host.DISK if binaries.complete(layout) else host.DISK_TO_BUILD

    def build_images() -> str:
        archives.update(images.build(layout))
        return ", ".join(path.name for path in archives.values())

    rows = [
        Step("machine", lambda: host.check(layout, fresh=fresh, disk=disk)),
        Step("packages", host.install_packages, ("machine",)),
        Step("programs", lambda: binaries.build(layout), ("machine",)),
        Step("kubectl", lambda: kubectl.fetch(layout), ("machine",)),
        Step("certificates", lambda: certificates.issue(layout), ("packages",)),
        Step("network", lambda: network.prepare(layout), ("packages",)),
        Step("containerd", lambda: _containerd(layout, first), ("packages",)),
        Step("control plane", lambda: _control_plane(layout), ("programs", "certificates", "network")),
        Step("pause image", lambda: images.import_packed(layout, images.pause(layout)), ("programs", "containerd")),
        Step("node", lambda: _node(layout), ("control plane", "pause image", "kubectl")),
        Step("dns", lambda: _dns(layout), ("control plane", "kubectl")),
        Step("storage", lambda: volumes.prepare(layout, pool), ("control plane", "kubectl")),
        Step("kuberay", lambda: _kuberay(layout), ("control plane", "containerd", "kubectl")),
        Step("kuberay serves", lambda: additions.serves(layout, kuberay.ours(layout)), ("kuberay", "node", "dns")),
        *_serving(layout),
    ]
    if with_store:
        rows += _storing(layout)
    if with_images:
        rows += [
            # After the packages, because there is one apt at a time.
            Step("build images", build_images, ("packages",)),
            Step("import images", lambda: images.import_ours(layout, archives), ("build images", "containerd")),
        ]
    return rows


def _serving(layout: Layout) -> list[Step]:
    """What models are served by. Its builds begin with Kubernetes', so that cores are busy while one of them downloads or links.
    They are `nice`, which counts only where the kernel does not schedule by session (sched_autogroup_enabled): elsewhere the
    three share the cores, and Kubernetes is ready later, all of it not."""
    there = ("control plane", "containerd", "kubectl")
    return [
        Step("envoy program", lambda: fetched.envoy(layout).parent.name, ("machine",)),
        Step("kserve program", lambda: binaries.build(layout, module=binaries.KSERVE), ("machine",)),
        Step("gateway program", lambda: binaries.build(layout, module=binaries.GATEWAY), ("machine",)),
        Step("prometheus", lambda: _prometheus(layout), (*there, "gateway program")),
        Step("prometheus serves", lambda: _prometheus_serves(layout), ("prometheus", "node")),
        Step("kserve", lambda: _kserve(layout), (*there, "kserve program")),
        Step("kserve serves", lambda: kserve.serves(layout, kserve.ours(layout)), ("kserve", "node", "dns")),
        # An Envoy looks for its controller by name as soon as it starts, and long again if nobody answers.
        Step("gateway", lambda: _gateway(layout), (*there, "gateway program", "envoy program", "node", "dns")),
        Step("gateway serves", lambda: gateway.serves(layout, gateway.ours(layout)), ("gateway",)),
    ]


def _storing(layout: Layout) -> list[Step]:
    """The optional store, built after all that every cluster needs."""
    needs = ("control plane", "containerd", "kubectl", "storage", "store program")
    return [
        Step(
            "store program",
            lambda: binaries.build(layout, module=binaries.STORE),
            ("programs", "kserve program", "gateway program"),
        ),
        Step("store", lambda: _store(layout), needs),
        Step("store serves", lambda: _store_serves(layout), ("store", "node", "dns")),
    ]


def down(layout: Layout, *, purge: bool = False) -> None:
    """The reverse, also after a crash of anything."""
    _own_the_machine(layout)
    parts = {part.name: _daemon(part, layout) for part in _components(layout)}
    containerd = parts.pop("containerd")
    # The kubelet among the first, or it would start again what is ended below. Little grace: what they would write
    # down in the end is deleted anyway.
    found = {name: identity for name, process in parts.items() if (identity := process.running())}
    daemons.end([(identity.pid, identity.born) for identity in found.values()], grace=1.0)
    if containerd.running():
        containers.forget_containers(layout)
        containerd.stop()
    lost = [stray for part in _components(layout) for stray in daemons.strays(part.argv[0], layout.state)]
    daemons.end(lost, grace=1.0)
    containers.remove(layout)
    network.remove(layout)
    images.release_builder(layout)
    left = containers.remains(layout) + network.remains()
    if left:
        raise Refused(f"could not remove: {'; '.join(left)}")
    delete_state(layout)
    shutil.rmtree(layout.run, ignore_errors=True)
    OWNER.unlink(missing_ok=True)
    if purge:
        shutil.rmtree(layout.store, ignore_errors=True)


def _own_the_machine(layout: Layout) -> None:
    """Bridge, ports and sockets exist once, so a machine has one native cluster, whatever folders the caller names."""
    owner = Path(OWNER.read_text()) if OWNER.exists() else layout.state
    if owner != layout.state and (owner / MARKER).exists():
        raise Refused(f"this machine's cluster lives in {owner}; set GYRE_CLUSTER_DIR to it, or take it down first")
    OWNER.write_text(str(layout.state))


def delete_state(layout: Layout) -> None:
    """Only a folder that bears our mark, and only when nothing is mounted below it."""
    if (layout.state / MARKER).exists():
        if mounted := containers.mounts_below((layout.state,), Path("/proc/self/mounts").read_text()):
            raise Refused(f"not deleting {layout.state}: {mounted[0]} is still mounted")
        shutil.rmtree(layout.state)


def status(layout: Layout) -> bool:
    """Print each process with pid, memory and health, then the cluster's own view; True if all is well."""
    well = True
    print(f"{'':24}{'pid':>8}{'MiB':>8}{'minutes':>9}")
    total = 0.0
    for part in _components(layout):
        identity = _daemon(part, layout).running()
        serves = identity is not None and components.healthy(part, layout)
        well = well and serves
        if identity is None:
            print(f"{part.name:24}{'-':>8}{'-':>8}{'-':>9}  not running")
            continue
        memory = daemons.resident_mib(identity.pid)
        total += memory
        minutes = daemons.age_seconds(identity.pid) / 60
        print(
            f"{part.name:24}{identity.pid:>8}{memory:>8.0f}{minutes:>9.1f}  {'serves' if serves else 'does not answer'}"
        )
    print(f"{'together':24}{'':>8}{total:>8.0f}")
    if not well:
        print("\nnot whole: run `up` again", file=sys.stderr)
        return False
    missing = additions.missing(layout, ADDED)
    emptied = volumes.recycle(layout, _pool(layout))
    print(f"\n{kubectl.kubectl(layout, 'get', 'nodes', '-o', 'wide').strip()}")
    print(f"\n{kubectl.kubectl(layout, 'get', 'pods', '-A').strip()}")
    print(f"\n{_addresses(layout)}")
    listed = kubectl.list_all(layout, "persistentvolumes")
    free = sum(volume.get("status", {}).get("phase") == "Available" for volume in listed)
    print(f"\nvolumes: {free} of {len(listed)} free" + (f", {len(emptied)} just emptied" if emptied else ""))
    if missing:
        print(f"\nnot ready: {', '.join(missing)}; wait a little, or run `up` again", file=sys.stderr)
    return not missing


def load(layout: Layout, archive: Path) -> str:
    return containers.import_file(layout, archive)


def _components(layout: Layout) -> tuple[Component, ...]:
    return components.components(layout, binaries.folder(layout))


def _daemon(part: Component, layout: Layout) -> daemons.Daemon:
    return components.daemon(part, layout)


def _pool(layout: Layout) -> volumes.Pool:
    return volumes.on_this_machine(layout.volumes, certificates.NODE)


def _start(layout: Layout, *names: str) -> str:
    """These components at once; returns what was done."""
    done: dict[str, str] = {}
    parts = {part.name: part for part in _components(layout)}

    def starter(name: str) -> Callable[[], None]:
        return lambda: done.update({name: components.start(parts[name], layout)})

    together([starter(name) for name in names])
    return _summary(done)


def _summary(done: dict[str, str]) -> str:
    news: Sequence[str] = [f"{name} {remark}" for name, remark in done.items() if remark != "runs"]
    return ", ".join(news) or "runs"


def _containerd(layout: Layout, first: bool) -> str:
    layout.store.mkdir(parents=True, exist_ok=True)
    remark = _start(layout, "containerd")
    if first:
        containers.forget_containers(layout)
    return remark


def _control_plane(layout: Layout) -> str:
    remarks = [_start(layout, "etcd"), _start(layout, "kube-apiserver")]
    remarks.append(_start(layout, "kube-controller-manager", "kube-scheduler"))
    return ", ".join(remark for remark in remarks if remark != "runs") or "runs"


def _node(layout: Layout) -> str:
    remark = _start(layout, "kubelet", "kube-proxy")
    node = f"node/{certificates.NODE}"
    kubectl.kubectl(layout, "wait", "--for=create", node, "--timeout=60s")
    kubectl.kubectl(layout, "wait", "--for=condition=Ready", node, "--timeout=120s")
    return remark


def _dns(layout: Layout) -> str:
    if kubectl.get(layout, "service", "kube-dns", "kube-system") is None:
        kubectl.apply(layout, manifests.dns())
    return _start(layout, "coredns")


def _kuberay(layout: Layout) -> str:
    images.import_packed(layout, images.kuberay(layout))
    return additions.install(layout, kuberay.ours(layout))


def _kserve(layout: Layout) -> str:
    images.import_packed(layout, images.kserve(layout))
    kserve.prepare(layout)
    return additions.install(layout, kserve.ours(layout))


def _gateway(layout: Layout) -> str:
    images.import_packed(layout, images.gateway(layout), images.envoy(layout))
    return additions.install(layout, gateway.ours(layout))


def _prometheus(layout: Layout) -> str:
    images.import_packed(layout, images.prometheus(layout))
    return additions.install(layout, prometheus.ours(layout))


def _prometheus_serves(layout: Layout) -> str:
    additions.serves(layout, prometheus.ours(layout))
    return prometheus.address(layout)


def _store(layout: Layout) -> str:
    images.import_packed(layout, images.store(layout))
    return additions.install(layout, store.ours(layout))


def _store_serves(layout: Layout) -> str:
    additions.serves(layout, store.ours(layout))
    return store.address(layout)


def _addresses(layout: Layout) -> str:
    lines = [f"gateway     {gateway.address(layout) or 'none'}", f"prometheus  {prometheus.address(layout) or 'none'}"]
    if found := store.address(layout):
        lines.append(f"store       {found}")
    return "\n".join(lines)
