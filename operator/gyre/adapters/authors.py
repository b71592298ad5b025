"""Who wrote a field of an object: as far as the API server tells it, which is the name of the tool, not of the person.

Source: kubernetes/apimachinery `pkg/apis/meta/v1/types.go` (ManagedFieldsEntry), v0.35.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def author_of(obj: Mapping[str, Any], *path: str) -> str:
    """The field manager that wrote the field last: `kubectl-edit`, `argocd-controller`, …; empty when nobody can tell."""
    wrote = [
        (str(entry.get("time", "")), str(entry.get("manager", "")))
        for entry in (obj.get("metadata") or {}).get("managedFields") or ()
        if not entry.get("subresource") and _owns(entry.get("fieldsV1") or {}, path)
    ]
    return max(wrote, default=("", ""))[1]


def _owns(fields: Any, path: tuple[str, ...]) -> bool:
    for name in path:
        fields = fields.get(f"f:{name}") if isinstance(fields, Mapping) else None
    return fields is not None
