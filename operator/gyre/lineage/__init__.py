"""`gyre lineage export` and `gyre bom`: what the cluster's objects tell of origin, in the languages that other programs speak.

Promises   the same objects give the same bytes: every id is a UUIDv5 of a UID, every time is one that an object states; so an
           export may be repeated, and cut off, and whoever receives it has each run once.
Never      writes to the cluster; invents a time, a digest or an input; sends anything unless it is told where.

    naming.py     ids, and what data are called                               pure
    training.py   runs of TrainingJobs                                        pure   ─┐
    data.py       what scans and preparations of Datasets have found          pure    ├ OpenLineage 2-0-2
    rollouts.py   what became of versions in services                        pure   ─┘
    telling.py    what every event has in common                              pure
    events.py     all of it in order                                          pure
    bom.py        a ModelVersion as a CycloneDX 1.6 ML-BOM                    pure
    sending.py    to a file or to an endpoint
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Protocol

from gyre.adapters.pods import moment
from gyre.api import gvks
from gyre.api.effects import Gvk, Ref
from gyre.api.kind import Object
from gyre.kinds.dataset.desired import ledger_name
from gyre.kinds.inferenceservice.names import rollout_name
from gyre.kinds.trainingjob.names import run_name
from gyre.kube.client import KubeApi
from gyre.kube.errors import NotFound
from gyre.lineage.bom import Origin, bom


class Getter(Protocol):
    async def get(self, ref: Ref) -> Object: ...
    def list(
        self, gvk: Gvk, *, namespace: str = "", selector: str = "", metadata_only: bool = False
    ) -> AsyncIterator[Object]: ...


LEDGERS = {
    gvks.DATASET: ledger_name,
    gvks.TRAINING_JOB: run_name,
    gvks.INFERENCE_SERVICE: rollout_name,
}
"""What something is told of, and the ConfigMap in which each of these kinds remembers."""


async def told(api: Getter, namespace: str) -> tuple[tuple[Object, Object | None], ...]:
    """Every object that something is told of, with its ledger. Of all namespaces when none is given."""
    found: list[tuple[Object, Object | None]] = []
    for gvk, ledger_of in LEDGERS.items():
        async for obj in api.list(gvk, namespace=namespace):
            metadata = obj["metadata"]
            ref = Ref(gvks.CONFIG_MAP, str(metadata["namespace"]), ledger_of(str(metadata["name"])))
            found.append((obj, await _maybe(api, ref)))
    return tuple(found)


def moment_of(text: str) -> datetime | None:
    """None for no text. Raises ValueError for what is no time."""
    if not text:
        return None
    found = moment(text)
    if found is None:
        raise ValueError(f"{text!r} is no time: write it like 2026-11-23T08:00:00Z")
    return found


async def export(namespace: str, since: str, *, to_file: Path | None, to_url: str) -> int:
    """How many events were written or sent."""
    from gyre.lineage import sending
    from gyre.lineage.events import events

    start = moment_of(since)
    api = await KubeApi.connect()
    try:
        objects = await told(api, namespace)
    finally:
        await api.close()
    found = events(objects, start)
    if to_file is not None:
        sending.write(found, to_file)
    if to_url:
        sending.send(found, to_url)
    return len(found)


async def origin(api: Getter, namespace: str, name: str) -> Origin:
    """Raises LookupError when there is no such version."""
    try:
        version = await api.get(Ref(gvks.MODEL_VERSION, namespace, name))
    except NotFound as error:
        raise LookupError(f"ModelVersion {namespace}/{name} does not exist") from error
    spec = version.get("spec") or {}
    model = await _maybe(api, Ref(gvks.MODEL, namespace, str((spec.get("modelRef") or {}).get("name", ""))))
    names = sorted({str(row.get("name", "")) for row in (spec.get("lineage") or {}).get("datasets") or ()})
    datasets = {name: await _maybe(api, Ref(gvks.DATASET, namespace, name)) for name in names if name}
    return Origin(version, model, {name: obj for name, obj in datasets.items() if obj is not None})


async def print_bom(what: str, namespace: str) -> str:
    word, slash, name = what.partition("/")
    if word.lower() not in ("mv", "modelversion", "modelversions") or not slash or not name:
        raise LookupError(f"only a ModelVersion has a bill of materials: mv/NAME, not {what!r}")
    api = await KubeApi.connect()
    try:
        found = await origin(api, namespace, name)
    finally:
        await api.close()
    return json.dumps(bom(found), indent=2, ensure_ascii=False)


async def _maybe(api: Getter, ref: Ref) -> Object | None:
    if not ref.name:
        return None
    try:
        return await api.get(ref)
    except NotFound:
        return None


__all__ = ["export", "origin", "print_bom", "told"]
