"""The prediction log of an InferenceService as other kinds see it: where it lies, how it is reached, how it is masked.

Read through the published API, spec.log. Never raises: what is malformed is no log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gyre.adapters import storage


@dataclass(frozen=True, slots=True)
class LogView:
    """An InferenceService with `spec.log`."""

    service: str
    uri: str
    """The root: `service=<service>/…` lies below it."""
    masked: str
    """None, Hash, Masked or Full."""
    place: storage.Place
    """The root as a place, with how to reach it."""

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> LogView | None:
        """None when nothing is logged, or to a place that is none."""
        metadata, log = obj.get("metadata") or {}, (obj.get("spec") or {}).get("log")
        if not isinstance(log, Mapping):
            return None
        place = storage.from_uri(str(log.get("uri", "")))
        if place is None:
            return None
        s3, masking = log.get("s3") or {}, log.get("masking") or {}
        if isinstance(place, storage.BucketPlace):
            secret = (s3.get("credentialsSecret") or {}).get("name")
            place = storage.BucketPlace(place.bucket, place.prefix, s3.get("endpoint"), s3.get("region"), secret)
        return cls(
            service=str(metadata.get("name", "")),
            uri=place.uri,
            masked=str(masking.get("mode", "None")),
            place=place,
        )
