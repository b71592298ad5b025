"""The prediction log as others see it: where an InferenceService's predictions lie, and what its collector says of itself.

The layout below `uri` is docs/prediction-log.md. Never raises: what cannot be read is None, and whoever needs it says so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from gyre.adapters import storage

LOG_LABEL: Final = "gyre.dev/prediction-log"
"""On a collector's Deployment, Service and pods: the InferenceService that it belongs to."""


@dataclass(frozen=True, slots=True)
class LogView:
    """An InferenceService with `spec.log`."""

    service: str
    namespace: str
    uri: str
    """The root: `service=<service>/…` lies below it."""
    masked: str
    """None, Hash, Masked or Full."""
    features: tuple[str, ...]
    """Which are masked, with Hash and Masked; all of them when empty."""
    percent: int
    place: storage.Place
    """The root as a place, with how to reach it."""

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> LogView | None:
        """None when nothing is logged, or to a place that is none."""
        spec = (obj.get("spec") or {}).get("log")
        if not isinstance(spec, Mapping):
            return None
        place = storage.from_uri(str(spec.get("uri", "")))
        if place is None:
            return None
        s3, masking = spec.get("s3") or {}, spec.get("masking") or {}
        if isinstance(place, storage.BucketPlace):
            secret = (s3.get("credentialsSecret") or {}).get("name")
            place = storage.BucketPlace(place.bucket, place.prefix, s3.get("endpoint"), s3.get("region"), secret)
        percent = spec.get("percent", 100)
        return cls(
            service=obj["metadata"]["name"],
            namespace=obj["metadata"].get("namespace", ""),
            uri=place.uri,
            masked=str(masking.get("mode", "None")),
            features=tuple(map(str, masking.get("features") or ())),
            percent=percent if isinstance(percent, int) else 100,
            place=place,
        )


@dataclass(frozen=True, slots=True)
class Told:
    """What a collector says of itself (`/status`)."""

    logged: int
    """Requests that lie in Parquet, since there is a journal."""
    lag: float
    """Seconds since the oldest arrived that does not."""
    problem: str
    """Why it cannot store; or empty."""

    @classmethod
    def of(cls, text: str) -> Told | None:
        try:
            told = json.loads(text)
            return cls(max(0, int(told["logged"])), max(0.0, float(told["lag"])), str(told["problem"])[:400])
        except (ValueError, KeyError, TypeError, OverflowError):
            return None
