"""Whatever happens to a DriftMonitor, in whatever order: it never raises, never judges a window twice, never runs two Jobs."""

from __future__ import annotations

import asyncio
import json

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.unit.driftmonitor.worlds import DATASET, FLIGHTS, LEDGER, SERVICE, Story, a_dataset, a_service

from gyre.adapters.drift import DriftView
from gyre.api import gvks
from gyre.api.effects import Create, Delete, Ref
from gyre.api.kstatus import compute
from gyre.kinds.driftmonitor import KIND
from gyre.kinds.driftmonitor.ledger import KEPT
from gyre.kinds.driftmonitor.model import DriftMonitor
from gyre.kinds.driftmonitor.told import DriftMonitorStatus


class Walk(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.story = Story()
        self.most = 0

    def has_job(self) -> bool:
        return len(self.story.jobs) == 1

    @rule(seconds=st.sampled_from([0, 1, 30, 61, 3601, 20_000, 200_000, -5_000]))
    def look(self, seconds: int) -> None:
        self.story.look(seconds)

    @rule(limit=st.integers(0, 3))
    def look_and_die_after_some_writes(self, limit: int) -> None:
        """The operator is killed between two effects: what is left is just another world."""
        cluster = self.story.cluster
        dm = DriftMonitor.parse(cluster.objects[FLIGHTS])
        seen = asyncio.run(KIND.gather(cluster, dm))
        cluster.carry_out(KIND.decide(dm, seen, self.story.now).effects[:limit])

    @precondition(has_job)
    @rule(drifted=st.sampled_from([True, False, None]))
    def the_job_finds_something(self, drifted: bool | None) -> None:
        self.story.finds(drifted)

    @precondition(has_job)
    @rule(cause=st.sampled_from(["ReferenceTooSmall", "Unreadable", "Internal", "Novel"]))
    def the_job_fails(self, cause: str) -> None:
        self.story.fails(cause, "")

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

    @rule(letter=st.sampled_from("abc"), ready=st.sampled_from(["True", "False"]))
    def the_dataset_changes(self, letter: str, ready: str) -> None:
        self.story.change(DATASET, a_dataset(letter, ready=ready))

    @rule(uri=st.sampled_from([None, "pvc://logs/predictions", "s3://logs/p", "ftp://x"]))
    def the_log_moves(self, uri: str | None) -> None:
        self.story.change(SERVICE, a_service(uri))

    @rule(effect=st.sampled_from(["0.05", "0.1"]))
    def the_spec_changes(self, effect: str) -> None:
        self.story.edit(minEffect=effect)

    @rule()
    def the_status_is_lost(self) -> None:
        self.story.cluster.objects[FLIGHTS]["status"] = {}

    @invariant()
    def the_next_decision_can_be_made_and_told(self) -> None:
        cluster = self.story.cluster
        obj = cluster.objects[FLIGHTS]
        dm = DriftMonitor.parse(obj)
        seen = asyncio.run(KIND.gather(cluster, dm))
        decision = KIND.decide(dm, seen, self.story.now)
        assert decision.after is None or decision.after > 0
        status = KIND.summarize(dm, seen, decision, self.story.now)
        assert DriftMonitorStatus.model_validate(status).to_dict() == status
        assert len(json.dumps(status)) < 16_384
        told = {**obj, "status": status}
        assert compute(told).verdict is not None
        assert DriftView.of(told).drifted is bool(status.get("drifted"))
        made = [
            effect for effect in decision.effects if isinstance(effect, Create) and effect.manifest["kind"] == "Job"
        ]
        gone = {effect.ref for effect in decision.effects if isinstance(effect, Delete)}
        left = [job for job in self.story.jobs if Ref(gvks.JOB, "ml", job["metadata"]["name"]) not in gone]
        assert len(made) + len([job for job in left if "status" not in job]) <= 1

    @invariant()
    def windows_are_in_order_each_once_and_the_count_only_grows(self) -> None:
        if LEDGER not in self.story.cluster.objects:
            return
        windows = self.story.windows
        assert windows == sorted(set(windows))
        assert len(windows) <= KEPT
        seen = self.story.ledger.get("seen", 0)
        assert seen >= max(self.most, len(windows))
        self.most = seen


Walk.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
test_any_walk = Walk.TestCase
