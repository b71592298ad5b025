"""A Dataset as the other kinds see it: where its data lie and which digest they have now.

A published object is read through its own API (spec and status), never through the kind that writes it. A status that
was not written for the newest spec counts as not ready, so nobody trains on what was asked for before. Never raises: a
half written object is simply not ready.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

DATA_SUFFIX = "-data"
"""`spec.source.volume`: the claim that gyre creates for a Dataset is `<dataset>-data`."""

DATA_FOLDER = "data"
"""The folder on that claim: its root may hold what a file system puts there, such as `lost+found`."""


@dataclass(frozen=True, slots=True)
class PvcSource:
    """Files on a claim in the Dataset's namespace; `path` is relative to its root, empty for the root itself."""

    claim: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class S3Source:
    """Objects below `s3://bucket/prefix`; the Secret holds AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."""

    bucket: str
    prefix: str = ""
    endpoint: str | None = None
    region: str | None = None
    credentials_secret: str | None = None

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")


Source: TypeAlias = PvcSource | S3Source


@dataclass(frozen=True, slots=True)
class DatasetView:
    """What a reader of a Dataset may rely on; `version` and `digest` are set once a version exists, ready or not."""

    name: str
    namespace: str
    uid: str
    ready: bool
    reason: str
    message: str
    version: int | None
    digest: str | None
    rows: int | None
    bytes: int | None
    source: Source

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> DatasetView:
        metadata = obj.get("metadata") or {}
        status = obj.get("status") or {}
        current = status.get("current") or {}
        ready, reason, message = readiness(metadata, status)
        return cls(
            name=str(metadata.get("name", "")),
            namespace=str(metadata.get("namespace", "")),
            uid=str(metadata.get("uid", "")),
            ready=ready and bool(current.get("digest")),
            reason=reason,
            message=message,
            version=current.get("version"),
            digest=current.get("digest"),
            rows=current.get("rows"),
            bytes=current.get("bytes"),
            source=source_of(str(metadata.get("name", "")), (obj.get("spec") or {}).get("source") or {}),
        )


def readiness(metadata: Mapping[str, Any], status: Mapping[str, Any]) -> tuple[bool, str, str]:
    """(ready, reason, message) of an object's Ready condition, as far as it speaks about the newest generation."""
    for condition in status.get("conditions") or ():
        if condition.get("type") == "Ready":
            reason, message = str(condition.get("reason", "")), str(condition.get("message", ""))
            seen = condition.get("observedGeneration", status.get("observedGeneration", -1))
            if seen < metadata.get("generation", 0):
                return False, "NotObserved", "gyre has not looked at its newest spec yet"
            return condition.get("status") == "True", reason, message
    return False, "NotObserved", "gyre has not looked at it yet"


def source_of(name: str, source: Mapping[str, Any]) -> Source:
    """Where the data of the Dataset `name` lie, by its `spec.source`."""
    if s3 := source.get("s3"):
        return S3Source(
            bucket=str(s3.get("bucket", "")),
            prefix=str(s3.get("prefix") or "").strip("/"),
            endpoint=s3.get("endpoint") or None,
            region=s3.get("region") or None,
            credentials_secret=s3.get("credentialsSecret") or None,
        )
    if pvc := source.get("pvc"):
        return PvcSource(claim=str(pvc.get("claimName", "")), path=str(pvc.get("path") or "").strip("/"))
    return PvcSource(claim=name + DATA_SUFFIX, path=DATA_FOLDER)
