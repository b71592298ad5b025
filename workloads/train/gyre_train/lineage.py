"""Where a result comes from: the code, its parameters, the frameworks. Imports nothing that is slow."""

from __future__ import annotations

import hashlib
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from gyre_train.contract import RunSpec

REVISION: Final = Path("/gyre/code/revision")  # written by the init container that clones a repository


def lineage(spec: RunSpec) -> dict[str, Any]:
    """progress.json's `lineage`."""
    frameworks = f"torch {installed('torch').split('+')[0]}, ray {installed('ray')}"
    return {
        "code": {"sha256": code_digest(spec), "revision": revision()},
        "parameters": parameters(spec),
        "framework": frameworks,
        "python": platform.python_version(),
    }


def parameters(spec: RunSpec) -> dict[str, str]:
    """What the run was told: the ready-made loop's own settings, as far as given, and `spec.parameters` over them."""
    loop = {name: value for name, value in (spec.tabular or {}).items() if isinstance(value, str | int | float | list)}
    flat = {name: _text(value) for name, value in loop.items() if name not in ("features", "ignore")}
    return {**flat, **spec.parameters}


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "?"


def revision() -> str:
    """The commit that was checked out, or what the operator was asked to check out."""
    try:
        return REVISION.read_text(encoding="utf-8").strip()
    except OSError:
        return os.environ.get("GYRE_CODE_REVISION", "")


def code_digest(spec: RunSpec) -> str:
    """SHA-256 of the user's script, or of this package when its loop is what runs."""
    paths = [Path(spec.script.path)] if spec.script else sorted(Path(__file__).parent.glob("*.py"))
    total = hashlib.sha256()
    for path in paths:
        total.update(path.read_bytes() if path.exists() else b"")
    return total.hexdigest()
