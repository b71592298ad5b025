"""KubeRay and the training driver, scripted: what becomes of a RayJob, and what the driver in its head pod says.

A script is a list of beats for one attempt: seconds after the RayJob was created, and what happens then. The driver follows
docs/run-contract.md: it reads `run.json` and `command.json`, it merge-patches `progress.json`, it resumes from the newest
checkpoint that is not quarantined. Beats look at the world only, so they come out the same whenever the operator was killed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tests.sweep import actors
from tests.sweep.actors import NS, controller, digest
from tests.sweep.world import World, stamp

from gyre.adapters.kuberay import NODE_TYPE_LABEL
from gyre.api.effects import Ref
from gyre.api.gvks import CONFIG_MAP, NODE, POD, RAY_CLUSTER, RAY_JOB
from gyre.api.kind import Object
from gyre.kinds.trainingjob.names import ATTEMPT_LABEL, JOB_LABEL, run_name

FINALIZER = "ray.io/rayjob-finalizer"
TOTAL_STEPS = 40
ON_THE_SAME_ROWS = 0.64
"""auc of any champion, where the new version has 0.71."""


@dataclass(frozen=True, slots=True)
class Beat:
    at: float
    do: Callable[[Stage], Any]


class Stage:
    """One attempt, as a beat sees it."""

    def __init__(self, world: World, ray_job: Object) -> None:
        self.world, self.ray_job = world, ray_job
        metadata = ray_job["metadata"]
        self.name, self.job = metadata["name"], metadata["labels"][JOB_LABEL]
        self.attempt = int(metadata["labels"][ATTEMPT_LABEL])
        self.ref = Ref(RAY_JOB, NS, self.name)
        self.head = Ref(POD, NS, f"{self.name}-head")
        self.run = Ref(CONFIG_MAP, NS, run_name(self.job))

    def worker(self, index: int) -> Ref:
        return Ref(POD, NS, f"{self.name}-worker-{index}")

    @property
    def pods(self) -> list[Ref]:
        count = self.ray_job["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]["replicas"]
        refs = [self.head, *(self.worker(index) for index in range(count))]
        return [ref for ref in refs if self.world.find(ref) is not None]

    # ── KubeRay ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def submit(self) -> None:
        metadata = self.ray_job["metadata"]
        self.world.patch(self.ref, {"metadata": {"finalizers": [FINALIZER]}})
        cluster = {"name": f"{self.name}-c", "namespace": NS, "labels": metadata["labels"]}
        cluster["ownerReferences"] = [controller(self.ray_job)]
        ref = Ref(RAY_CLUSTER, NS, f"{self.name}-c")
        made = self.world.create(
            ref, {"apiVersion": RAY_CLUSTER.api_version, "kind": "RayCluster", "metadata": cluster, "spec": {}}
        )
        spec = self.ray_job["spec"]["rayClusterSpec"]
        group = spec["workerGroupSpecs"][0]
        actors.make_pod(self.world, self.head.name, made, spec["headGroupSpec"]["template"], {NODE_TYPE_LABEL: "head"})
        for index in range(group["replicas"]):
            actors.make_pod(self.world, self.worker(index).name, made, group["template"], {NODE_TYPE_LABEL: "worker"})
        self.status(jobDeploymentStatus="Initializing", rayClusterName=ref.name)

    def pods_run(self) -> None:
        for number, ref in enumerate(self.pods):
            head = ref == self.head
            container = "ray-head" if head else "ray-worker"
            actors.run_pod(self.world, ref, node=f"n{number % 2 + 1}", container=container)
        self.status(jobDeploymentStatus="Running", jobStatus="RUNNING")

    def pods_cannot_pull(self) -> None:
        for ref in self.pods:
            actors.waiting_pod(self.world, ref, "x", "ImagePullBackOff", "not found")

    def status(self, **fields: str) -> None:
        self.world.patch(self.ref, {"status": fields})

    def over(self, job_status: str, *, reason: str = "", message: str = "") -> None:
        ok = job_status == "SUCCEEDED"
        deployment = "Complete" if ok else "Failed"
        info = {"endTime": stamp(self.world.now)}
        status = {"jobStatus": job_status, "jobDeploymentStatus": deployment, "reason": reason, "message": message}
        self.world.patch(self.ref, {"status": {**status, "rayJobInfo": info, "endTime": info["endTime"]}})

    def lose_pod(self, ref: Ref) -> None:
        """Gone with its node: no grace."""
        if self.world.find(ref) is not None:
            self.world.patch(ref, {"metadata": {"finalizers": None}})
            self.world.delete(ref)

    def lose_node(self, name: str) -> None:
        self.world.patch(Ref(NODE, "", name), {"status": {"conditions": [{"type": "Ready", "status": "False"}]}})

    def node_back(self, name: str) -> None:
        self.world.patch(Ref(NODE, "", name), {"status": {"conditions": [{"type": "Ready", "status": "True"}]}})

    def oom(self, ref: Ref) -> None:
        ended = {"exitCode": 137, "reason": "OOMKilled", "finishedAt": stamp(self.world.now)}
        status = {"name": "ray-worker", "ready": True, "restartCount": 1, "state": {"running": {}}}
        self.world.patch(ref, {"status": {"containerStatuses": [{**status, "lastState": {"terminated": ended}}]}})

    # ── the driver ───────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def data(self) -> Mapping[str, str]:
        return (self.world.find(self.run) or {}).get("data") or {}

    @property
    def progress(self) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(self.data.get("progress.json", "{}"))
        return said

    @property
    def asked_to_park(self) -> bool:
        command = json.loads(self.data.get("command.json", "{}"))
        return bool(command.get("park"))

    def start(self) -> None:
        """A new driver: it says from which checkpoint it goes on, if there is one."""
        saved = self.progress.get("checkpoint")
        condemned = json.loads(self.data.get("run.json", "{}")).get("checkpoint", {}).get("quarantined", [])
        usable = saved if saved and saved["name"] not in condemned else None
        step = usable["step"] if usable else 0
        restore = {"name": usable["name"], "step": step, "ok": True, "error": ""} if usable else None
        self._write(
            {
                "version": 1,
                "attempt": self.attempt,
                "head": {
                    "pod": self.head.name,
                    "uid": (self.world.find(self.head) or {"metadata": {"uid": ""}})["metadata"]["uid"],
                },
                "started": _precise(self.world.now),
                "state": "Running",
                "step": step,
                "totalSteps": TOTAL_STEPS,
                "checkpoint": usable,
                "restore": restore,
                "restarts": [],
                "restartCount": 0,
            }
        )

    def say(self, **changes: Any) -> None:
        """The newest progress of this attempt's driver; nothing from a driver that never started."""
        if self.progress.get("attempt") == self.attempt:
            self._write({**self.progress, **changes})

    def train(self, steps: int, *, save: bool = True) -> None:
        step = self.progress.get("step", 0) + steps
        checkpoint = self._checkpoint(step) if save else self.progress.get("checkpoint")
        self.say(step=step, checkpoint=checkpoint, metrics={"latest": {"loss": 0.5}, "best": {"loss": 0.5}})

    def succeed(self) -> None:
        artifact = {"uri": "pvc://runs/x/artifact", "path": "x/artifact", "digest": digest("e"), "bytes": 9, "files": 3}
        evaluation = {"metrics": {"auc": 0.71}, "rows": 100, "split": "last tenth"}
        champion = json.loads(self.data.get("run.json", "{}")).get("champion")
        if champion:
            known = {key: champion[key] for key in ("version", "digest")}
            evaluation["champion"] = {**known, "metrics": {"auc": ON_THE_SAME_ROWS}}
        self.say(
            state="Succeeded",
            step=TOTAL_STEPS,
            checkpoint=self._checkpoint(TOTAL_STEPS),
            artifact={**artifact, "flavour": "torch"},
            evaluation=evaluation,
            lineage={"framework": "torch 2.6.0, ray 2.60.0"},
        )

    def fail(self, cls: str, message: str) -> None:
        failure = {"class": cls, "message": message, "step": self.progress.get("step", 0)}
        self.say(state="Failed", failure=failure)

    def restarted(self, cause: str, *, message: str = "", back: int = 0, resumed: bool = True) -> None:
        """The workers were started again inside the attempt."""
        step, past = self.progress.get("step", 0), self.progress.get("restarts", [])
        if resumed and past and past[-1]["resumedAt"] is None:
            past = [*past[:-1], {**past[-1], "resumedAt": _precise(self.world.now), "secondsLost": 4.0}]
            self.say(state="Running", step=past[-1]["toStep"], restarts=past)
            return
        entry = {"at": _precise(self.world.now), "cause": cause, "message": message, "fromStep": step}
        entry |= {"toStep": max(0, step - back), "resumedAt": None, "secondsLost": 0.0}
        self.say(state="Recovering", restarts=[*past, entry], restartCount=len(past) + 1)

    def park(self) -> None:
        self.say(state="Parked", checkpoint=self._checkpoint(self.progress.get("step", 0)))

    def _checkpoint(self, step: int) -> dict[str, Any]:
        name = f"checkpoint_{step:06}"
        place = {"uri": f"pvc://runs/{name}", "bytes": 10, "digest": digest("f"), "verified": True}
        return {"name": name, "step": step, "time": _precise(self.world.now), "blockedSeconds": 0.25, **place}

    def _write(self, said: dict[str, Any]) -> None:
        if self.world.find(self.run) is None or self.world.find(self.head) is None:
            return
        started = datetime.fromisoformat(said["started"])
        said = {**said, "heartbeat": _precise(self.world.now)}
        said["ledger"] = {"starting": 0.0, "productive": (self.world.now - started).total_seconds()}
        self.world.patch(self.run, {"data": {"progress.json": json.dumps(said, sort_keys=True)}})


Script = Sequence[Beat]

UP: Script = (Beat(1, Stage.submit), Beat(2, Stage.pods_run), Beat(3, Stage.start))
GOES_WELL: Script = (
    *UP,
    Beat(5, lambda s: s.train(10)),
    Beat(8, lambda s: s.train(10)),
    Beat(10, Stage.succeed),
    Beat(11, lambda s: s.over("SUCCEEDED")),
)


class KubeRay:
    """Plays the script of each attempt; `scripts` by attempt, the others go well."""

    def __init__(self, scripts: Mapping[int, Script] | None = None) -> None:
        self.scripts = scripts or {}
        self.played: dict[str, int] = {}
        self.parked: dict[str, datetime] = {}

    def act(self, world: World) -> bool | datetime:
        due: list[datetime] = []
        for ray_job in world.list(RAY_JOB):
            told = (
                self._go_away(world, ray_job)
                if ray_job["metadata"].get("deletionTimestamp")
                else self._play(world, ray_job)
            )
            if told is True:
                return True
            if isinstance(told, datetime):
                due.append(told)
        return min(due, default=False)

    def _play(self, world: World, ray_job: Object) -> bool | datetime:
        uid, stage = ray_job["metadata"]["uid"], Stage(world, ray_job)
        if (ray_job.get("status") or {}).get("jobDeploymentStatus") in ("Complete", "Failed"):
            return False
        parking = self._park(world, stage, uid)
        if parking is not None:
            return parking
        script, index = self.scripts.get(stage.attempt, GOES_WELL), self.played.get(uid, 0)
        if index == len(script):
            return False
        at = datetime.fromisoformat(ray_job["metadata"]["creationTimestamp"]) + timedelta(seconds=script[index].at)
        if at > world.now:
            return at
        self.played[uid] = index + 1
        script[index].do(stage)
        return True

    def _park(self, world: World, stage: Stage, uid: str) -> bool | datetime | None:
        """The driver obeys at its next step, and its job ends a second later."""
        spoken = stage.progress
        if spoken.get("attempt") != stage.attempt:
            return None
        if spoken.get("state") == "Parked":
            ends = self.parked[uid] + timedelta(seconds=1)
            if ends > world.now:
                return ends
            stage.over("SUCCEEDED")
            return True
        if stage.asked_to_park and spoken.get("state") == "Running":
            self.parked[uid] = world.now
            stage.park()
            return True
        return None

    def _go_away(self, world: World, ray_job: Object) -> bool | datetime:
        """KubeRay stops the job and lets the RayJob go; cluster and pods follow through the garbage collector."""
        at = datetime.fromisoformat(ray_job["metadata"]["deletionTimestamp"]) + timedelta(seconds=1)
        if at > world.now:
            return at
        if not ray_job["metadata"].get("finalizers"):
            return False
        world.patch(Ref(RAY_JOB, NS, ray_job["metadata"]["name"]), {"metadata": {"finalizers": None}})
        return True


def _precise(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
