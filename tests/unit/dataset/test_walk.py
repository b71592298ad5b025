"""Whatever happens to a Dataset, in whatever order: it never raises, never loses count, never runs two Jobs."""

from __future__ import annotations

import asyncio

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.unit.dataset.worlds import FLIGHTS, PREPARE, Story, a_dataset

from gyre.api import gvks
from gyre.api.effects import Create, Delete, Ref
from gyre.api.kstatus import compute
from gyre.kinds.dataset import KIND
from gyre.kinds.dataset.ledger import KEPT
from gyre.kinds.dataset.model import Dataset, DatasetStatus

LETTERS = st.sampled_from("abc")


class Walk(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.story = Story(a_dataset({"volume": {"size": "1Gi"}}, scan={"every": "1h"}))
        self.highest = 0

    def has_job(self) -> bool:
        return len(self.story.jobs) == 1

    @rule(seconds=st.sampled_from([0, 1, 30, 61, 3601, 100_000]))
    def look(self, seconds: int) -> None:
        self.story.look(seconds)

    @rule(limit=st.integers(0, 3))
    def look_and_die_after_some_writes(self, limit: int) -> None:
        """The operator is killed between two effects: what is left is just another world."""
        cluster = self.story.cluster
        ds = Dataset.parse(cluster.objects[FLIGHTS])
        seen = asyncio.run(KIND.gather(cluster, ds))
        cluster.carry_out(KIND.decide(ds, seen, self.story.now).effects[:limit])

    @precondition(has_job)
    @rule(letter=LETTERS)
    def the_job_finds_something(self, letter: str) -> None:
        self.story.finds(letter)

    @precondition(has_job)
    @rule(cause=st.sampled_from(["Empty", "Internal", "Novel"]))
    def the_job_fails(self, cause: str) -> None:
        self.story.fails(cause, "a reason")

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

    @rule(month=st.integers(1, 3))
    def the_preparation_changes(self, month: int) -> None:
        self.story.edit(prepare={"args": [*PREPARE["args"][:2], str(month)]})

    @rule(when=st.sampled_from("xy"))
    def a_scan_is_asked_for(self, when: str) -> None:
        self.story.ask(when)

    @rule()
    def the_status_is_lost(self) -> None:
        self.story.cluster.objects[FLIGHTS]["status"] = {}

    @invariant()
    def the_next_decision_can_be_made_and_told(self) -> None:
        cluster = self.story.cluster
        obj = cluster.objects[FLIGHTS]
        ds = Dataset.parse(obj)
        seen = asyncio.run(KIND.gather(cluster, ds))
        decision = KIND.decide(ds, seen, self.story.now)
        assert decision.after is None or decision.after > 0
        status = KIND.summarize(ds, seen, decision, self.story.now)
        assert DatasetStatus.model_validate(status).to_dict() == status
        assert compute({**obj, "status": status}).verdict is not None
        jobs = [
            effect for effect in decision.effects if isinstance(effect, Create) and effect.manifest["kind"] == "Job"
        ]
        gone = {effect.ref for effect in decision.effects if isinstance(effect, Delete)}
        left = [job for job in self.story.jobs if Ref(gvks.JOB, "ml", job["metadata"]["name"]) not in gone]
        assert len(jobs) + len([job for job in left if "status" not in job]) <= 1

    @invariant()
    def version_numbers_only_grow_and_the_ledger_is_bounded(self) -> None:
        if Ref(gvks.CONFIG_MAP, "ml", "flights-versions") not in self.story.cluster.objects:
            return
        versions = self.story.versions
        assert versions == sorted(set(versions))
        assert len(versions) <= KEPT
        assert (versions or [0])[-1] >= self.highest
        self.highest = (versions or [0])[-1]


Walk.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
test_any_walk = Walk.TestCase
