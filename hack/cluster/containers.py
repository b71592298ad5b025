"""containerd: images in; containers, shims, mounts and cgroups out.

Promises   `remove` ends what runs under our own containerd, known by its socket, and no other's containers.
Never      deletes the store of images: only `down --purge` does.
"""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from cluster import commands, daemons
from cluster.layout import Layout, Refused
from cluster.oci import names_in

NAMESPACE: Final = "k8s.io"
"""Where the kubelet looks for images."""


def ctr(layout: Layout, *arguments: str | Path, given: bytes | None = None) -> str:
    return commands.run(["ctr", "-a", layout.socket, "-n", NAMESPACE, *arguments], given=given)


def images(layout: Layout) -> set[str]:
    return set(ctr(layout, "images", "list", "-q").split())


def import_made(layout: Layout, name: str, identity: str, make: Callable[[], bytes]) -> str:
    """An image that we make in memory, unless the one that was imported last was made of the very same things."""
    return _once(layout, name, identity, lambda: ctr(layout, "images", "import", "-", given=make()))


def import_file(layout: Layout, archive: Path, name: str | None = None) -> str:
    """An archive from disk, unless it is the one that was imported last. `name` is what it must be called."""
    stat = archive.stat()
    names = names_in(archive)
    wanted = name or (names[0] if names else None)
    if wanted is None:
        raise Refused(f"{archive} names no image; write it with a name, as `localhost/thing:tag`")

    def import_and_name() -> None:
        before = images(layout)
        ctr(layout, "images", "import", archive)
        have = images(layout)
        if wanted not in have or wanted not in names:
            # Builders differ in what they call an image inside an archive; the pods know one name only.
            source = next((n for n in names if n in have), None) or next(iter(have - before), None)
            if source is None:
                raise Refused(f"{archive} brought no image that could be called {wanted}")
            if source != wanted:
                ctr(layout, "images", "tag", "--force", source, wanted)

        _drop_superseded(layout)

    return _once(layout, wanted, f"{archive.name} {stat.st_size} {stat.st_mtime_ns}", import_and_name)


def superseded(listing: str) -> list[str]:
    """Names `sha256:…` in what `ctr images list` prints whose image bears no other name any more.

    The CRI plugin gives each image such a second name, and by it keeps every former build of a tag for ever.
    """
    rows = [line.split() for line in listing.splitlines()[1:]]
    named = {row[2] for row in rows if not row[0].startswith("sha256:")}
    return [row[0] for row in rows if row[0].startswith("sha256:") and row[2] not in named]


def _drop_superseded(layout: Layout) -> None:
    if names := superseded(ctr(layout, "images", "list")):
        ctr(layout, "images", "remove", *names)


def _once(layout: Layout, name: str, identity: str, work: Callable[[], object]) -> str:
    """The note on what was imported lies in the store, so that both vanish together."""
    note = layout.store / "gyre-imported" / name.replace("/", "_")
    if note.exists() and note.read_text() == identity and name in images(layout):
        return "kept"
    work()
    # `pinned`, because nothing here could bring back what the kubelet collects. `image` is emptied, because a tag that
    # moved keeps the CRI plugin's mark of the former image, and by that the new one would get no name of its own.
    ctr(layout, "images", "label", name, "io.cri-containerd.pinned=pinned", "io.cri-containerd.image=")
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(identity)
    return "imported"


def forget_containers(layout: Layout) -> None:
    """Delete every container and its snapshot while containerd still runs. Nothing may be starting them again."""
    tasks = ctr(layout, "tasks", "list", "-q").split()
    if tasks:
        for task in tasks:
            commands.tried(["ctr", "-a", layout.socket, "-n", NAMESPACE, "tasks", "kill", "-s", "SIGKILL", "-a", task])
        commands.tried(["ctr", "-a", layout.socket, "-n", NAMESPACE, "tasks", "delete", "--force", *tasks])
    if containers := ctr(layout, "containers", "list", "-q").split():
        commands.tried(["ctr", "-a", layout.socket, "-n", NAMESPACE, "containers", "delete", *containers])


def shims(layout: Layout) -> list[int]:
    """Processes that hold containers of *our* containerd: its socket is in their command line."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"containerd-shim" in words[0] and str(layout.socket).encode() in words:
            found.append(int(folder.name))
    return found


def descendants(roots: Iterable[int]) -> list[int]:
    """All processes below these, from /proc, the roots themselves first."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text()
        except OSError:
            continue
        parent = int(stat[stat.rindex(")") + 2 :].split()[1])
        children.setdefault(parent, []).append(int(folder.name))
    found, queue = [], list(roots)
    while queue:
        pid = queue.pop(0)
        found.append(pid)
        queue += children.get(pid, [])
    return found


def mounts_below(folders: Iterable[Path], table: str) -> list[str]:
    """Mount points under these folders in /proc/self/mounts' text, the deepest first."""
    points = [line.split()[1].encode().decode("unicode_escape") for line in table.splitlines()]
    inside = [p for p in points if any(Path(p) == folder or folder in Path(p).parents for folder in folders)]
    return sorted(inside, key=lambda point: point.count("/"), reverse=True)


def remove(layout: Layout) -> None:
    """After containerd's end: what it left behind, be it after a crash."""
    pids = descendants(shims(layout))
    daemons.end([(pid, began) for pid in pids if (began := daemons.born(pid)) is not None], grace=0.0)
    folders = (layout.state, layout.store, layout.run)
    for _ in range(3):
        points = mounts_below(folders, Path("/proc/self/mounts").read_text())
        for point in points:
            if commands.tried(["umount", point]) is None:
                commands.tried(["umount", "--lazy", point])
        if not points:
            break
    _remove_cgroups()
    _remove_traces(layout)


def _remove_cgroups() -> None:
    """The kubelet's groups. The kernel lets only empty ones go, so a running pod of another cluster keeps its own."""
    for root in Path("/sys/fs/cgroup").glob("**/kubepods"):
        for folder, _, _ in os.walk(root, topdown=False):
            try:
                os.rmdir(folder)
            except OSError:
                continue


def _remove_traces(layout: Layout) -> None:
    """Links and sockets that the kubelet and the shims put at fixed places."""
    for address in layout.run.glob("io.containerd.runtime.v2.task/*/*/address"):
        Path(address.read_text().strip().removeprefix("unix://")).unlink(missing_ok=True)
    logs = Path("/var/log/containers")
    for link in logs.glob("*.log"):
        if link.is_symlink() and str(layout.state) in os.readlink(link):
            link.unlink()
    plugins = Path("/var/lib/kubelet/device-plugins")
    for name in ("kubelet.sock", "kubelet_internal_checkpoint", "DEPRECATION"):
        (plugins / name).unlink(missing_ok=True)
    for folder in (logs, plugins, plugins.parent, Path("/run/containerd/s"), Path("/run/containerd")):
        try:
            folder.rmdir()
        except OSError:
            continue


def remains(layout: Layout) -> list[str]:
    """Processes and mounts of ours that still exist: empty after `remove`."""
    folders = (layout.state, layout.store, layout.run)
    mounts = mounts_below(folders, Path("/proc/self/mounts").read_text())
    return [f"shim {pid}" for pid in shims(layout)] + [f"mount {point}" for point in mounts]
