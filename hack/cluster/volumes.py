"""The pool of folders behind the default StorageClass.

Promises   `up` and `status` give volumes whose claim was deleted back to the pool, empty.
Never      empties a folder whose volume is bound.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster import manifests
from cluster.kubectl import apply, get, kubectl, list_all
from cluster.layout import Layout


@dataclass(frozen=True, slots=True)
class Pool:
    """Where the folders are, as the node sees them, and how they are made there, all empty and writable by anyone."""

    folder: str
    node: str
    make_empty: Callable[[Sequence[str]], None]


def on_this_machine(folder: Path, node: str) -> Pool:
    """Folders of the machine itself."""

    def make_empty(names: Sequence[str]) -> None:
        for name in names:
            shutil.rmtree(folder / name, ignore_errors=True)
            (folder / name).mkdir(parents=True)
            # As /tmp, but without its sticky bit: pods share a volume under different users.
            (folder / name).chmod(0o777)

    return Pool(str(folder), node, make_empty)


def prepare(layout: Layout, pool: Pool) -> str:
    """Class and volumes; those that were deleted by hand come back."""
    there = {volume["metadata"]["name"] for volume in list_all(layout, "persistentvolumes")}
    absent = [name for name in manifests.VOLUMES if name not in there]
    if absent or get(layout, "storageclass", manifests.STORAGE_CLASS) is None:
        pool.make_empty(absent)
        # Another default beside ours would make it a matter of age which of them serves a claim.
        for other in list_all(layout, "storageclass"):
            if other["metadata"]["name"] != manifests.STORAGE_CLASS:
                ends = "storageclass.kubernetes.io/is-default-class=false"
                kubectl(layout, "annotate", "--overwrite", "storageclass", other["metadata"]["name"], ends)
        apply(layout, [manifests.storage_class(), *(manifests.volume(n, pool.folder, pool.node) for n in absent)])
        return f"{len(absent)} volumes"
    recycled = recycle(layout, pool)
    return f"{len(recycled)} volumes emptied" if recycled else "kept"


def recycle(layout: Layout, pool: Pool) -> list[str]:
    """Empty the released volumes and put them back; returns their names."""
    names = manifests.released(list_all(layout, "persistentvolumes"))
    if names:
        # In this order: a volume that is there is empty.
        kubectl(layout, "delete", "persistentvolume", "--wait=true", *names)
        pool.make_empty(names)
        apply(layout, [manifests.volume(name, pool.folder, pool.node) for name in names])
    return names
