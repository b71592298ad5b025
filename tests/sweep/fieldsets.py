"""Who owns which field: as much of server-side apply as our managers use.

Promises   a field that a manager stops applying goes, unless another manager applies it too; what it applies wins (force).
Never      merges inside lists: every list is atomic here. Each list that gyre writes has one writer, so the result is the
           same as with list maps. The API tier checks this model against a real API server.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

Path: TypeAlias = tuple[str, ...]
Owners: TypeAlias = dict[str, frozenset[Path]]

ADDRESS = frozenset(
    {("apiVersion",), ("kind",)} | {("metadata", key) for key in ("name", "namespace", "uid", "resourceVersion")}
)


def clone(value: Any) -> Any:
    """A copy that shares nothing; also turns tuples into lists, as the way over the wire does."""
    return json.loads(json.dumps(value))


def leaves(value: Any, path: Path = ()) -> Iterator[Path]:
    """The paths that an intent claims. An empty map is a leaf of its own."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    else:
        yield path


def claimed(manifest: Mapping[str, Any], part: str | None) -> frozenset[Path]:
    """The fields of a manifest; `part` restricts it to one top-level field (the status subresource)."""
    paths = (path for path in leaves(manifest) if path not in ADDRESS)
    return frozenset(path for path in paths if (path[0] == "status") == (part == "status"))


def apply(
    live: Mapping[str, Any], owners: Owners, manager: str, manifest: Mapping[str, Any], part: str | None
) -> dict[str, Any]:
    """The object after a forced apply by `manager`; `owners` is updated in place."""
    after: dict[str, Any] = clone(live)
    mine = claimed(manifest, part)
    others = frozenset().union(*(paths for name, paths in owners.items() if name != manager))
    for path in owners.get(manager, frozenset()) - mine - others:
        _remove(after, path)
    for path in mine:
        _set(after, path, _value(manifest, path))
    # What two apply alike they own together; what is changed by force is lost to the others.
    taken = frozenset(path for path in mine if _missing_or(live, path) != _value(manifest, path))
    for name in owners:
        owners[name] = owners[name] - taken
    owners[manager] = mine
    return after


def _missing_or(tree: Any, path: Path) -> Any:
    """The value at a path, or None where there is none."""
    for key in path:
        tree = tree.get(key) if isinstance(tree, Mapping) else None
    return tree


def _value(tree: Any, path: Path) -> Any:
    for key in path:
        tree = tree[key]
    return clone(tree)


def _set(tree: dict[str, Any], path: Path, value: Any) -> None:
    for key in path[:-1]:
        inner = tree.get(key)
        if not isinstance(inner, dict):
            inner = tree[key] = {}
        tree = inner
    if value == {} and isinstance(tree.get(path[-1]), dict):
        return
    tree[path[-1]] = value


def _remove(tree: dict[str, Any], path: Path) -> None:
    """Take a field away, and the maps that it leaves empty."""
    chain: list[tuple[dict[str, Any], str]] = []
    for key in path[:-1]:
        chain.append((tree, key))
        inner = tree.get(key)
        if not isinstance(inner, dict):
            return
        tree = inner
    tree.pop(path[-1], None)
    for parent, key in reversed(chain):
        if parent[key] == {}:
            del parent[key]
