"""Where files lie, and how a pod reaches them: a claim is mounted, a bucket is addressed.

One `Place` serves checkpoints, data sets and model artifacts. Pure.

    Place                     in the pod                          its URI
    claim `runs`, path `a`    read only: /gyre/data/x (subPath)   pvc://runs/a
                              to write:  /gyre/storage/a
    bucket `b`, prefix `a`    s3://b/a (keys from a Secret)       s3://b/a

A folder to write to is not a subPath: the kubelet would make a missing one itself, as root and not always for our group.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

ACCESS_KEYS: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


@dataclass(frozen=True, slots=True)
class ClaimPlace:
    claim: str
    path: str = ""

    @property
    def uri(self) -> str:
        return f"pvc://{self.claim}/{self.path}".rstrip("/")


@dataclass(frozen=True, slots=True)
class BucketPlace:
    bucket: str
    prefix: str = ""
    endpoint: str | None = None
    region: str | None = None
    secret: str | None = None

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    def connection(self) -> dict[str, str]:
        """How to reach the bucket, without its keys."""
        pairs = (("endpoint", self.endpoint), ("region", self.region))
        return {key: value for key, value in pairs if value}


Place: TypeAlias = ClaimPlace | BucketPlace


@dataclass(frozen=True, slots=True)
class Reach:
    """How containers reach a place: what goes into the pod, and the path or address to give to the program."""

    path: str
    s3: dict[str, str] | None
    volumes: tuple[dict[str, Any], ...] = ()
    mounts: tuple[dict[str, Any], ...] = ()
    env: tuple[dict[str, Any], ...] = ()


def reach(place: Place, *, volume: str, mount: str, read_only: bool, may_be_gone: bool = False) -> Reach:
    """`volume` names the volume in the pod, `mount` is where a claim appears. `may_be_gone`: a folder that is not there any more
    shall not keep the pod from starting, as a subPath of a read-only volume would."""
    match place:
        case ClaimPlace(claim, path):
            flag: dict[str, Any] = {"readOnly": True} if read_only else {}
            sub = {"subPath": path} if path and read_only and not may_be_gone else {}
            return Reach(
                path=f"{mount}/{path}" if path and not sub else mount,
                s3=None,
                volumes=({"name": volume, "persistentVolumeClaim": {"claimName": claim}},),
                mounts=({"name": volume, "mountPath": mount, **sub, **flag},),
            )
        case BucketPlace(secret=secret):
            keys = tuple(
                {"name": key, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}
                for key in (ACCESS_KEYS if secret else ())
            )
            return Reach(path=place.uri, s3=place.connection(), env=keys)


def to_json(place: Place) -> dict[str, Any]:
    """As kept in a ledger; a Secret is named, never read."""
    match place:
        case ClaimPlace(claim, path):
            return {"claim": claim, "path": path}
        case BucketPlace(bucket, prefix, endpoint, region, secret):
            pairs = (("endpoint", endpoint), ("region", region), ("secret", secret))
            return {"bucket": bucket, "prefix": prefix} | {key: value for key, value in pairs if value}


def from_json(data: Mapping[str, Any]) -> Place:
    if "claim" in data:
        return ClaimPlace(data["claim"], data.get("path", ""))
    rest = (data.get("endpoint"), data.get("region"), data.get("secret"))
    return BucketPlace(data.get("bucket", ""), data.get("prefix", ""), *rest)


def from_uri(uri: str) -> Place | None:
    """`pvc://claim/path` or `s3://bucket/prefix`; None for anything else."""
    scheme, _, rest = uri.partition("://")
    head, _, path = rest.partition("/")
    if not head or scheme not in ("pvc", "s3"):
        return None
    return ClaimPlace(head, path.strip("/")) if scheme == "pvc" else BucketPlace(head, path.strip("/"))
