"""Resources whose work is done by Jobs, what happens to those in a few words each, and what holds whatever happens.

`Story` and `Walk` are of any such kind; those of Dataset and DriftMonitor say what is theirs.
"""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.unit.reading import Cluster

from gyre.adapters.jobs import JOB_NAME_LABEL
from gyre.api import gvks
from gyre.api.effects import Create, Delete, Ref
from gyre.api.kind import Decision, Kind, Object
from gyre.api.kstatus import compute


def digest(letter: str) -> str:
    return "sha256:" + letter * 64


class Story:
    """One resource, looked at whenever something happens."""

    kind: ClassVar[Kind[Any, Any]]
    ref: ClassVar[Ref]
    kept: ClassVar[Ref]
    """Its ledger."""

    def __init__(self, obj: Object, now: datetime) -> None:
        self.cluster, self.now = Cluster(), now
        self.cluster.put(self.ref.gvk, obj)

    def look(self, seconds: float = 0) -> Decision:
        self.now += timedelta(seconds=seconds)
        return self.cluster.look(self.kind, self.ref, self.now)

    @property
    def obj(self) -> Object:
        return self.cluster.objects[self.ref]

    @property
    def status(self) -> dict[str, Any]:
        return self.obj["status"]

    @property
    def parsed(self) -> Any:
        return self.kind.model.parse(self.obj)

    @property
    def jobs(self) -> list[Object]:
        return self.cluster.all(gvks.JOB)

    @property
    def job(self) -> Object:
        (job,) = self.jobs
        return job

    @property
    def ledger(self) -> dict[str, Any]:
        return json.loads(self.cluster.objects[self.kept]["data"]["ledger.json"])

    @property
    def stamp(self) -> str:
        return self.now.strftime("%Y-%m-%dT%H:%M:%SZ")

    def condition(self, type: str) -> dict[str, Any] | None:
        return next((c for c in self.status["conditions"] if c["type"] == type), None)

    def edit(self, **spec: Any) -> None:
        metadata = {**self.obj["metadata"], "generation": self.obj["metadata"]["generation"] + 1}
        self.cluster.put(self.ref.gvk, {**self.obj, "metadata": metadata, "spec": {**self.obj["spec"], **spec}})

    def ask(self, when: str) -> None:
        metadata = {**self.obj["metadata"], "annotations": {"gyre.dev/requested-at": when}}
        self.cluster.put(self.ref.gvk, {**self.obj, "metadata": metadata})

    # ── what the Job controller and the kubelet do ───────────────────────────────────────────────────────────────────

    def pod(self, container: dict[str, Any] | None = None, *, phase: str = "Running", **status: Any) -> None:
        name, labels = self.job["metadata"]["name"], self.job["metadata"]["labels"]
        main = self.job["spec"]["template"]["spec"]["containers"][0]["name"]
        metadata = {"name": f"{name}-x", "namespace": self.ref.namespace, "creationTimestamp": self.stamp}
        told = {"phase": phase, "containerStatuses": [{"name": main, "state": container}] if container else []}
        self.cluster.put(
            gvks.POD,
            {
                "metadata": {**metadata, "labels": {**labels, JOB_NAME_LABEL: name}},
                "spec": {"nodeName": "n1"},
                "status": {**told, **status},
            },
        )

    def ends(self, message: str, *, code: int = 0, reason: str = "") -> None:
        """The pod ends and the Job with it."""
        ended = {"exitCode": code, "message": message, "reason": reason, "finishedAt": self.stamp}
        self.pod({"terminated": ended}, phase="Succeeded" if code == 0 else "Failed")
        self.job_ends("Complete" if code == 0 else "Failed")

    def job_ends(self, type: str, reason: str = "BackoffLimitExceeded") -> None:
        end = {"type": type, "status": "True", "reason": reason, "lastTransitionTime": self.stamp}
        self.cluster.put(gvks.JOB, {**self.job, "status": {"conditions": [end]}})

    def fails(self, cause: str, message: str) -> None:
        self.ends(json.dumps({"version": 1, "error": {"class": cause, "message": message}}), code=1)

    def pods_go(self) -> None:
        for ref in [ref for ref in self.cluster.objects if ref.gvk == gvks.POD]:
            del self.cluster.objects[ref]


class Walk(RuleBasedStateMachine):
    """It never raises and never runs two Jobs, whatever happens in whatever order."""

    story: Story

    def has_job(self) -> bool:
        return len(self.story.jobs) == 1

    @rule(limit=st.integers(0, 3))
    def look_and_die_after_some_writes(self, limit: int) -> None:
        """The operator is killed between two effects: what is left is just another world."""
        _, decision = self.decided()
        self.story.cluster.carry_out(decision.effects[:limit])

    @precondition(has_job)
    @rule(reason=st.sampled_from(["DeadlineExceeded", "BackoffLimitExceeded"]))
    def the_job_fails_without_a_word(self, reason: str) -> None:
        self.story.job_ends("Failed", reason)

    @precondition(has_job)
    @rule(fault=st.sampled_from(["ImagePullBackOff", "CreateContainerConfigError", "ContainerCreating"]))
    def the_pod_hangs(self, fault: str) -> None:
        self.story.pod({"waiting": {"reason": fault}}, phase="Pending")

    @rule()
    def pods_go(self) -> None:
        self.story.pods_go()

    @rule()
    def the_status_is_lost(self) -> None:
        self.story.obj["status"] = {}

    @invariant()
    def the_next_decision_can_be_made_and_told(self) -> None:
        seen, decision = self.decided()
        assert decision.after is None or decision.after > 0
        story, parsed = self.story, self.story.parsed
        status = story.kind.summarize(parsed, seen, decision, story.now)
        assert type(parsed.status).model_validate(status).to_dict() == status
        assert len(json.dumps(status)) < 16_384
        told = {**story.obj, "status": status}
        assert compute(told).verdict is not None
        self.others_see(told)

    @invariant()
    def at_most_one_job_is_there_after_the_next_decision(self) -> None:
        _, decision = self.decided()
        made = [one for one in decision.effects if isinstance(one, Create) and one.manifest["kind"] == "Job"]
        gone = {effect.ref for effect in decision.effects if isinstance(effect, Delete)}
        names = {job["metadata"]["name"]: job for job in self.story.jobs}
        left = [job for name, job in names.items() if Ref(gvks.JOB, self.story.ref.namespace, name) not in gone]
        assert len(made) + len([job for job in left if "status" not in job]) <= 1

    def others_see(self, told: Object) -> None:
        """What must hold of the object as it would be told."""

    def decided(self) -> tuple[Any, Decision]:
        story, parsed = self.story, self.story.parsed
        seen = asyncio.run(story.kind.gather(story.cluster, parsed))
        return seen, story.kind.decide(parsed, seen, story.now)
