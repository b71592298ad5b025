"""Models, their versions and who uses them, in a few words each."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from gyre.api.kind import Object

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


def digest(letter: str) -> str:
    return "sha256:" + letter * 64


def a_version(
    name: str = "delay-1", model: str = "delay", *, owner: str = "", auc: str | None = "0.7123", **more: Any
) -> Object:
    owners = [{"apiVersion": "gyre.dev/v1alpha1", "kind": "Model", "name": model, "uid": owner}] if owner else []
    metadata = {
        "name": name,
        "namespace": "ml",
        "uid": f"uid-of-{name}",
        "generation": 1,
        "creationTimestamp": "2026-11-23T07:00:00Z",
        "ownerReferences": owners,
    }
    return {
        "apiVersion": "gyre.dev/v1alpha1",
        "kind": "ModelVersion",
        "metadata": {**metadata, **more.pop("metadata", {})},
        "spec": {
            "modelRef": {"name": model},
            "artifact": {
                "uri": "pvc://gyre-runs/u/artifact",
                "digest": digest("a"),
                "bytes": 1,
                "flavour": "torch",
                "files": 3,
            },
            "metrics": {"auc": auc, "loss": "0.41"} if auc else {},
            "evaluation": {"baseline": {"name": "always on time", "metrics": {"auc": "0.5"}}, "rows": 1000},
            "lineage": {
                "datasets": [{"name": "flights", "version": 3, "digest": digest("f")}],
                "run": {"name": "delay-run", "uid": "r1", "finished": more.pop("finished", "2026-11-23T07:00:00Z")},
            },
        },
        **more,
    }


def a_model(*, uid: str = "m1", generation: int = 1, **spec: Any) -> Object:
    metadata = {"name": "delay", "namespace": "ml", "uid": uid, "generation": generation}
    return {"apiVersion": "gyre.dev/v1alpha1", "kind": "Model", "metadata": metadata, "spec": spec}


def a_warm_start(version: str, *, done: str = "", labels: dict[str, str] | None = None) -> Object:
    """A TrainingJob that starts from a version; `done` is the status of its Succeeded."""
    conditions = [{"type": "Succeeded", "status": done}] if done else []
    if done == "False":
        conditions.append({"type": "Stalled", "status": "True"})
    return {
        "apiVersion": "gyre.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": "next", "namespace": "ml", "uid": "t1", "generation": 1, "labels": labels or {}},
        "spec": {
            "entrypoint": {"script": {"image": {"path": "/app/train.py"}}},
            "datasets": [{"name": "train", "ref": {"name": "flights"}}],
            "storage": {"pvc": {"claimName": "gyre-runs"}},
            **({"warmStart": {"modelVersion": {"name": version}}} if version else {}),
        },
        "status": {"conditions": conditions},
    }
