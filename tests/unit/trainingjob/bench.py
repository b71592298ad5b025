"""A TrainingJob in a little world: objects by address, a reader over them, the decision carried out, KubeRay and driver played.

`step()` is one look of the engine: gather, decide, carry out, summarize. `settle()` looks until nothing changes, as the
engine does. Carrying out keeps the engine's promises: guards, Create once, delete by UID, no write without a change.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from copy import deepcopy
from datetime import datetime
from typing import Any

from tests import make
from tests.make import NAMESPACE, Object

from gyre.api import gvks
from gyre.api.effects import Apply, Create, Delete, Gvk, Note, Ref
from gyre.api.intent import contains
from gyre.api.kind import Decision
from gyre.kinds.trainingjob import KIND
from gyre.kinds.trainingjob.model import TrainingJob
from gyre.kinds.trainingjob.observe import Observed

GVKS = {(gvk.api_version, gvk.kind): gvk for gvk in vars(gvks).values() if isinstance(gvk, Gvk)}


class Refused(Exception):
    """A guarded write on a stale view, or a name that is somebody else's."""


class Bench:
    def __init__(self, *objects: Object, now: datetime | None = None) -> None:
        self.objects: dict[Ref, Object] = {}
        self.now = now or make.at(1)
        self.version = 100
        self.notes: list[Note] = []
        self.status: Object = {}
        self.writes = 0
        self.decision: Decision | None = None
        self.seen: Observed | None = None
        standard = (make.training_job(), make.dataset(), make.claim(), make.node())
        for obj in objects or standard:
            self.put(obj)

    # ── the world ────────────────────────────────────────────────────────────────────────────────────────────────────

    def put(self, obj: Object) -> Object:
        self.version += 1
        kept = deepcopy(obj)
        kept["metadata"]["resourceVersion"] = str(self.version)
        kept["metadata"].setdefault("uid", f"uid-{kept['kind']}-{kept['metadata']['name']}-{self.version}")
        self.objects[ref_of(kept)] = kept
        return kept

    def drop(self, gvk: Gvk, name: str) -> None:
        self.objects.pop(Ref(gvk, NAMESPACE if gvk.namespaced else "", name), None)

    def find(self, gvk: Gvk, name: str) -> Object | None:
        return self.objects.get(Ref(gvk, NAMESPACE if gvk.namespaced else "", name))

    def all(self, gvk: Gvk) -> list[Object]:
        return [obj for ref, obj in self.objects.items() if ref.gvk == gvk]

    @property
    def job(self) -> Object:
        found = self.find(gvks.TRAINING_JOB, "flights")
        assert found is not None
        return found

    def edit(self, **spec: Any) -> None:
        changed = deepcopy(self.job)
        changed["spec"] |= spec
        changed["metadata"]["generation"] += 1
        self.put(changed)

    # ── the Reader protocol ──────────────────────────────────────────────────────────────────────────────────────────

    def get(self, ref: Ref) -> Object | None:
        return deepcopy(self.objects.get(ref))

    def owned(self, gvk: Gvk, owner_uid: str) -> Sequence[Object]:
        return [
            o for o in self._of(gvk) if any(w["uid"] == owner_uid for w in o["metadata"].get("ownerReferences", ()))
        ]

    def labelled(self, gvk: Gvk, namespace: str, label: str, value: str) -> Sequence[Object]:
        return [o for o in self._of(gvk) if o["metadata"].get("labels", {}).get(label) == value]

    def everything(self, gvk: Gvk) -> Sequence[Object]:
        return list(self._of(gvk))

    def referrers(self, ref: Ref, gvk: Gvk) -> Sequence[Object]:
        """Of a Model its versions: all that a TrainingJob asks for."""
        assert (ref.gvk, gvk) == (gvks.MODEL, gvks.MODEL_VERSION)
        return [obj for obj in self._of(gvk) if obj["spec"]["modelRef"]["name"] == ref.name]

    async def fetch(self, ref: Ref) -> Object | None:
        return self.get(ref)

    def _of(self, gvk: Gvk) -> Iterator[Object]:
        for ref in sorted(self.objects, key=str):
            if ref.gvk == gvk:
                yield deepcopy(self.objects[ref])

    # ── the engine ───────────────────────────────────────────────────────────────────────────────────────────────────

    def look(self) -> Decision:
        """Gather and decide, and carry nothing out."""
        job = TrainingJob.parse(self.job)
        self.seen = asyncio.run(KIND.gather(self, job))
        return KIND.decide(job, self.seen, self.now)

    def step(self, *, crash_after: int | None = None) -> bool:
        """One look, carried out; True when something changed. `crash_after` counts the effects that are still done."""
        self.decision = self.look()
        before = self.writes
        for number, effect in enumerate(self.decision.effects):
            if number == crash_after:
                return self.writes > before
            self.carry_out(effect)
        job = TrainingJob.parse(self.job)
        assert self.seen is not None
        self.status = dict(KIND.summarize(job, self.seen, self.decision, self.now))
        obj = self.job
        if obj.get("status") != self.status:
            self.put({**obj, "status": self.status})
        return self.writes > before

    def settle(self, looks: int = 12) -> Decision:
        for _ in range(looks):
            if not self.step():
                assert self.decision is not None
                return self.decision
        raise AssertionError(f"still writing after {looks} looks: {self.decision}")

    def carry_out(self, effect: Any) -> None:
        match effect:
            case Note():
                self.notes.append(effect)
            case Apply(manifest, guard):
                self._apply(dict(manifest), guard)
            case Create(manifest):
                live = self.objects.get(ref_of(manifest))
                if live is None:
                    self.put({**manifest, "metadata": {**manifest["metadata"]}})
                    self.writes += 1
                elif owner(manifest) and owner(live) != owner(manifest):
                    raise Refused(f"{ref_of(manifest)} is somebody else's")
            case Delete(ref, uid):
                live = self.objects.get(ref)
                if (
                    live is not None
                    and live["metadata"]["uid"] == uid
                    and not live["metadata"].get("deletionTimestamp")
                ):
                    self.writes += 1
                    self._delete(ref, live)

    def _delete(self, ref: Ref, live: Object) -> None:
        """KubeRay's finalizer keeps a RayJob until it has stopped the job: `gone` plays that."""
        if ref.gvk == gvks.RAY_JOB:
            live["metadata"]["deletionTimestamp"] = make.second(self.now)
            self.put(live)
        else:
            self.objects.pop(ref)

    def _apply(self, manifest: Object, guard: str | None) -> None:
        ref = ref_of(manifest)
        live = self.objects.get(ref)
        if guard is not None and (live is None or live["metadata"]["resourceVersion"] != guard):
            raise Refused(f"{ref} has moved on")
        if live is not None and owner(manifest) != owner(live):
            raise Refused(f"{ref} is somebody else's")
        if live is not None and contains(live, manifest):
            return
        merged = merge(live or {}, manifest)
        self.put(merged)
        self.writes += 1

    # ── KubeRay, the kubelet and the driver ──────────────────────────────────────────────────────────────────────────

    @property
    def attempt(self) -> int:
        return int(json.loads(self.run_map()["data"]["attempts.json"]).get("count", 0))

    def run_map(self) -> Object:
        found = self.find(gvks.CONFIG_MAP, "flights-run")
        assert found is not None
        return found

    def ledger(self) -> Object:
        loaded: Object = json.loads(self.run_map()["data"]["attempts.json"])
        return loaded

    def pods_up(self, *, workers: int = 2, on: str = "node-1") -> None:
        """KubeRay made the cluster and every pod is ready."""
        number = self.attempt
        self.ray_job(jobDeploymentStatus="Running", jobStatus="RUNNING", rayClusterName=f"flights-a{number}-x")
        labels = {"app.kubernetes.io/managed-by": "gyre", "gyre.dev/trainingjob": "flights"}
        meta = make.metadata(f"flights-a{number}-x", uid=f"uid-cluster-{number}", labels=labels)
        self.put({"apiVersion": "ray.io/v1", "kind": "RayCluster", "metadata": meta})
        self.put(make.pod(self.head, attempt=number, head=True, on=on))
        for index in range(workers):
            self.put(make.pod(f"flights-a{number}-worker-{index}", attempt=number, on=on))

    @property
    def head(self) -> str:
        return f"flights-a{self.attempt}-head"

    def ray_job(self, **status: Any) -> None:
        obj = self.find(gvks.RAY_JOB, f"flights-a{self.attempt}")
        assert obj is not None
        self.put({**obj, "status": {**obj.get("status", {}), **status}})

    def says(self, state: str = "Running", *, step: int = 0, ago: float = 0, **more: Any) -> None:
        """The driver of the newest attempt pushes its progress, `ago` seconds before now."""
        number = self.attempt
        heartbeat = make.datetime.fromtimestamp(self.now.timestamp() - ago, tz=make.UTC)
        opened = make.datetime.fromisoformat(self.ledger()["attempts"][-1]["opened"])
        started = more.pop("started", min(heartbeat, opened + make.timedelta(seconds=10)))
        said = make.progress(
            number, started=started, heartbeat=heartbeat, state=state, step=step, head=self.head, **more
        )
        config = deepcopy(self.run_map())
        config["data"]["progress.json"] = json.dumps(said)
        self.put(config)

    def gone(self) -> None:
        """KubeRay and the garbage collector finished with RayJobs that are being deleted."""
        for obj in self.all(gvks.RAY_JOB):
            if obj["metadata"].get("deletionTimestamp"):
                self.objects.pop(ref_of(obj))
        if not self.all(gvks.RAY_JOB):
            for gvk in (gvks.RAY_CLUSTER, gvks.POD):
                for obj in self.all(gvk):
                    self.objects.pop(ref_of(obj))

    def wait(self, seconds: float) -> None:
        self.now += make.timedelta(seconds=seconds)

    def started(self) -> Bench:
        """Attempt 1 runs and the driver has spoken."""
        self.settle()
        self.pods_up()
        self.wait(20)
        self.says(step=100)
        self.settle()
        return self

    # ── what is said ─────────────────────────────────────────────────────────────────────────────────────────────────

    def condition(self, type: str) -> Object:
        found: Object = next(entry for entry in self.status["conditions"] if entry["type"] == type)
        return found

    @property
    def reason(self) -> str:
        assert self.decision is not None
        return str(self.decision.reason)

    def told(self) -> list[str]:
        return [str(note.reason) for note in self.notes]


def ref_of(obj: Any) -> Ref:
    gvk = GVKS[obj["apiVersion"], obj["kind"]]
    return Ref(gvk, obj["metadata"].get("namespace", "") if gvk.namespaced else "", obj["metadata"]["name"])


def owner(obj: Any) -> str:
    owners = obj["metadata"].get("ownerReferences") or ()
    return next((entry["uid"] for entry in owners if entry.get("controller")), "")


def merge(live: Any, intent: Any) -> Any:
    """Server-side apply by one manager, near enough: objects by key, everything else replaced."""
    if isinstance(live, dict) and isinstance(intent, dict):
        return {**live, **{key: merge(live.get(key), value) for key, value in intent.items()}}
    return deepcopy(intent)


RUNNERS = (gvks.RAY_JOB, gvks.SERVICE_ACCOUNT, gvks.ROLE, gvks.ROLE_BINDING)
CKPT = make.checkpoint(80, make.at(15))


def names(bench: Bench, *gvk_list: object) -> list[str]:
    """`Kind/name` of what exists of these kinds."""
    return sorted(f"{ref.gvk.kind}/{ref.name}" for ref in bench.objects if ref.gvk in gvk_list)
