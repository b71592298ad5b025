"""Whole lives for `gyre why`: data scanned, a model trained on them, the version served; as the operator itself leaves them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from copy import deepcopy
from typing import Any

from tests import make
from tests.unit.dataset.worlds import Story as Scans
from tests.unit.inferenceservice.worlds import GIS, NOW, NS, Story, a_service
from tests.unit.reading import Cluster
from tests.unit.trainingjob.bench import Bench
from tests.unit.trainingjob.test_succeeding import succeeded

from gyre.api import gvks
from gyre.api.effects import Gvk, Ref
from gyre.api.kind import Object
from gyre.kinds import KINDS
from gyre.kube.errors import NotFound, Rejected, Unavailable

VERSION = Ref(gvks.MODEL_VERSION, NS, "flights-ffffffff")
CHAMPION = Ref(gvks.MODEL_VERSION, NS, "flights-cccccccc")
MODEL = Ref(gvks.MODEL, NS, "flights")
JOB = Ref(gvks.TRAINING_JOB, NS, "flights")
RUN = Ref(gvks.CONFIG_MAP, NS, "flights-run")
DATA = Ref(gvks.DATASET, NS, "flights")
SCANS = Ref(gvks.CONFIG_MAP, NS, "flights-versions")
PARAMETERS = {"batch": "64", "learningRate": "0.01"}


class Answers:
    """An API server that has these objects; some it does not give to the one who asks."""

    def __init__(self, cluster: Cluster, *, forbidden: tuple[Gvk, ...] = (), down: bool = False) -> None:
        self.objects, self.forbidden, self.down = cluster.objects, forbidden, down
        self.asked: list[str] = []

    def _may(self, gvk: Gvk, verb: str) -> None:
        self.asked.append(f"{verb} {gvk.plural}")
        if self.down:
            raise Unavailable(503, "ServiceUnavailable", "etcd has no leader")
        if gvk in self.forbidden:
            raise Rejected(403, "Forbidden", f"cannot {verb} resource {gvk.plural}")

    async def get(self, ref: Ref) -> Object:
        self._may(ref.gvk, "get")
        if ref not in self.objects:
            raise NotFound(404, "NotFound", ref.name)
        return deepcopy(self.objects[ref])

    async def list(
        self, gvk: Gvk, *, namespace: str = "", selector: str = "", metadata_only: bool = False
    ) -> AsyncIterator[Object]:
        self._may(gvk, "list")
        if gvk.group == gvks.GROUP and gvk not in {kind.gvk for kind in KINDS} and not self._any(gvk):
            raise NotFound(404, "NotFound", "the server could not find the requested resource")
        key, _, value = selector.partition("=")
        for ref, obj in self.objects.items():
            labels = obj["metadata"].get("labels") or {}
            if ref.gvk == gvk and namespace in ("", ref.namespace) and (not key or labels.get(key) == value):
                yield deepcopy(obj)

    def _any(self, gvk: Gvk) -> bool:
        return any(ref.gvk == gvk for ref in self.objects)


def trained(*, attempts: int = 1, beside: str = "", **spec: Any) -> Cluster:
    """A Dataset that was scanned, a job that ended well, its version, all registered by the operator. `beside`: the auc, on the
    same rows, of a champion that reported 0.75 once."""
    scans = Scans().has_version("a")
    job = make.training_job(parameters=PARAMETERS, **spec)
    others = (make.model(), make.champion(CHAMPION.name, auc="0.75")) if beside else ()
    bench = Bench(job, make.dataset(version=1, letter="a"), make.claim(), make.node(), *others).started()
    for _ in range(attempts - 1):
        bench.says("Failed", failure={"class": "Framework", "message": "NCCL timeout", "step": 100})
        bench.settle()
        bench.gone()
        bench.wait(120)
        bench.started()
    told = {"version": CHAMPION.name, "digest": make.digest("c"), "metrics": {"auc": float(beside or 0)}}
    succeeded(bench, **({"champion": told} if beside else {}))
    bench.settle()
    bench.gone()
    bench.settle()
    cluster = scans.cluster
    kept = (gvks.TRAINING_JOB, gvks.CONFIG_MAP, gvks.MODEL_VERSION)
    for obj in moved([obj for ref, obj in bench.objects.items() if ref.gvk in kept]):
        cluster.put(gvk_of(obj), obj)
    cluster.objects[VERSION]["metadata"].update(generation=1, creationTimestamp="2026-11-23T08:00:21Z")
    objective = {"metric": "auc", "goal": "Maximize"}
    metadata = {"name": "flights", "namespace": NS, "generation": 1}
    cluster.put(gvks.MODEL, {"metadata": metadata, "spec": {"objective": objective, "owner": "delays@example.org"}})
    looked(cluster, VERSION)
    if beside:
        cluster.objects[CHAMPION]["metadata"]["creationTimestamp"] = "2026-11-22T08:00:00Z"
        looked(cluster, CHAMPION)
    looked(cluster, MODEL)
    return cluster


def serving() -> Story:
    """The version that was trained is served as the Champion of its model."""
    story = Story(a_service(modelRef={"name": "flights", "track": "Champion"}))
    for ref, obj in trained().objects.items():
        story.cluster.objects[ref] = obj
    story.look()
    story.comes_up("f")
    story.look(5)
    story.programs()
    story.look(1)
    assert story.history == [("Deployed", "f")]
    return story


def looked(cluster: Cluster, ref: Ref) -> None:
    """By the operator."""
    cluster.look(next(kind for kind in KINDS if kind.gvk == ref.gvk), ref, NOW)


def changed(cluster: Cluster, ref: Ref, **change: Any) -> Cluster:
    """The same world with other fields in one object; `data` is merged into a ConfigMap's."""
    other = Cluster()
    other.objects = deepcopy(cluster.objects)
    obj = other.objects[ref]
    for key, value in change.items():
        obj[key] = {**obj.get(key, {}), **value}
    return other


def rewritten(cluster: Cluster, ref: Ref, key: str, change: Any) -> Cluster:
    """A text of a ConfigMap, parsed, changed and written again."""
    content = json.loads(cluster.objects[ref]["data"][key])
    change(content)
    return changed(cluster, ref, data={key: json.dumps(content)})


def moved(objects: list[Object]) -> list[Object]:
    """Into the namespace of the service."""
    found: list[Object] = json.loads(json.dumps(objects).replace(f'"{make.NAMESPACE}"', f'"{NS}"'))
    return found


def gvk_of(obj: Mapping[str, Any]) -> Gvk:
    known = [gvk for gvk in vars(gvks).values() if isinstance(gvk, Gvk)]
    return next(gvk for gvk in known if (gvk.api_version, gvk.kind) == (obj["apiVersion"], obj["kind"]))


__all__ = ["GIS", "NS", "Answers", "serving", "trained"]
