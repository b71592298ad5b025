"""Datasets and what happens to their Jobs, in a few words each."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from tests.unit import jobstories
from tests.unit.jobstories import digest

from gyre.api import gvks
from gyre.api.effects import Ref
from gyre.api.kind import Object
from gyre.kinds.dataset import KIND
from gyre.kinds.dataset.model import Dataset

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
FLIGHTS = Ref(gvks.DATASET, "ml", "flights")
PVC = {"pvc": {"claimName": "shared", "path": "flights"}}
VOLUME = {"volume": {"size": "5Gi"}}
S3 = {
    "s3": {
        "bucket": "lake",
        "prefix": "flights",
        "endpoint": "http://store:9000",
        "region": "eu-1",
        "credentialsSecret": "lake-keys",
    }
}
PREPARE = {"args": ["flights", "--months", "1-5"]}


def a_dataset(
    source: Any = PVC, *, annotations: dict[str, str] | None = None, generation: int = 1, **spec: Any
) -> Object:
    metadata = {"name": "flights", "namespace": "ml", "uid": "d5", "generation": generation, "resourceVersion": "1"}
    return {
        "apiVersion": "gyre.dev/v1alpha1",
        "kind": "Dataset",
        "metadata": {**metadata, "annotations": annotations or {}},
        "spec": {"source": source, **spec},
    }


class Story(jobstories.Story):
    """One Dataset in a namespace that has the claim `shared`."""

    kind, ref, kept = KIND, FLIGHTS, Ref(gvks.CONFIG_MAP, "ml", "flights-versions")

    def __init__(self, dataset: Object | None = None, *, claim: bool = True) -> None:
        super().__init__(dataset or a_dataset(), NOW)
        if claim:
            self.cluster.put(
                gvks.PERSISTENT_VOLUME_CLAIM,
                {"metadata": {"name": "shared", "namespace": "ml"}, "status": {"phase": "Bound"}},
            )

    @property
    def dataset(self) -> Dataset:
        return Dataset.parse(self.obj)

    @property
    def versions(self) -> list[int]:
        return [entry["version"] for entry in self.ledger.get("entries", ())]

    def finds(self, letter: str = "a", **found: Any) -> None:
        content = {"version": 1, "digest": digest(letter), "files": 5, "bytes": 4096, "rows": 1000, **found}
        self.ends(json.dumps(content))

    def fails(self, cause: str = "NotFound", message: str = "/gyre/data/flights does not exist: fix the path") -> None:
        super().fails(cause, message)

    def has_version(self, letter: str = "a") -> Story:
        """Looked at, found, recorded."""
        self.look()
        self.finds(letter)
        self.look()
        self.pods_go()
        self.look()
        return self


__all__ = ["FLIGHTS", "NOW", "PREPARE", "PVC", "S3", "VOLUME", "Story", "a_dataset", "digest"]
