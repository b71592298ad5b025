"""What runs and data are called, the same for ever. Pure.

A run's id is a UUIDv5 of the UID of its object and of what makes it one of several. Data are named by where they lie, as
OpenLineage's naming has it (spec/Naming.md), so that another program that reads the same bucket tells of the same data. Models
and endpoints have their names in the cluster: a version that was promoted is known by no other once its object is gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import NAMESPACE_URL, UUID, uuid5

from gyre.adapters import storage
from gyre.adapters.datasets import PvcSource, S3Source, source_of

PRODUCER: Final = "https://gyre.dev/gyre"
_RUNS: Final = uuid5(NAMESPACE_URL, PRODUCER)


def run_id(uid: str, *parts: object) -> str:
    return str(uuid5(_RUNS, "/".join((uid, *map(str, parts)))))


def serial(uid: str) -> UUID:
    """Of a bill of materials."""
    return uuid5(_RUNS, f"{uid}/bom")


def place_of(namespace: str) -> str:
    """The namespace of jobs, and of data that lie nowhere but in the cluster: of endpoints."""
    return f"gyre://{namespace}"


def data_at(namespace: str, dataset: Mapping[str, Any]) -> tuple[str, str]:
    """(namespace, name) of a Dataset's files."""
    name = str((dataset.get("metadata") or {}).get("name", ""))
    match source_of(name, (dataset.get("spec") or {}).get("source") or {}):
        case S3Source(bucket, prefix):
            return f"s3://{bucket}", prefix or "/"
        case PvcSource(claim, path):
            return f"pvc://{namespace}/{claim}", path or "/"


def files_at(namespace: str, uri: str) -> tuple[str, str]:
    """(namespace, name) of an artifact."""
    match storage.from_uri(uri):
        case storage.BucketPlace(bucket, prefix):
            return f"s3://{bucket}", prefix or "/"
        case storage.ClaimPlace(claim, path):
            return f"pvc://{namespace}/{claim}", path or "/"
    return place_of(namespace), uri
