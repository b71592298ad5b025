"""The prediction log of an InferenceService as other kinds see it: where it lies, and how it is masked.

Read through the published API, spec.log. Never raises: what is malformed is no log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class LogView:
    service: str
    uri: str
    """`pvc://<claim>/<path>` or `s3://<bucket>/<prefix>`; empty where nothing is logged."""
    masked: str
    """None, Hash, Masked or Full."""

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> LogView:
        metadata, spec = obj.get("metadata") or {}, obj.get("spec") or {}
        log = spec.get("log") or {}
        uri, masked = log.get("uri"), log.get("masking")
        return cls(
            service=str(metadata.get("name", "")),
            uri=uri.rstrip("/") if isinstance(uri, str) else "",
            masked=masked if isinstance(masked, str) else "None",
        )
