"""Who controls an object, by its ownerReferences. Pure; never raises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def controller_uid(obj: Mapping[str, Any]) -> str:
    """The uid of its controller; empty where it has none."""
    owners = obj["metadata"].get("ownerReferences") or ()
    return next((str(owner.get("uid", "")) for owner in owners if owner.get("controller")), "")
