"""Whatever happens to a Dataset, in whatever order: it never raises, never loses count, never runs two Jobs."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule
from tests.unit import jobstories
from tests.unit.dataset.worlds import PREPARE, Story, a_dataset

from gyre.kinds.dataset.ledger import KEPT

LETTERS = st.sampled_from("abc")


class Walk(jobstories.Walk):
    def __init__(self) -> None:
        super().__init__()
        self.story: Story = Story(a_dataset({"volume": {"size": "1Gi"}}, scan={"every": "1h"}))
        self.highest = 0

    @rule(seconds=st.sampled_from([0, 1, 30, 61, 3601, 100_000]))
    def look(self, seconds: int) -> None:
        self.story.look(seconds)

    @precondition(jobstories.Walk.has_job)
    @rule(letter=LETTERS)
    def the_job_finds_something(self, letter: str) -> None:
        self.story.finds(letter)

    @precondition(jobstories.Walk.has_job)
    @rule(cause=st.sampled_from(["Empty", "Internal", "Novel"]))
    def the_job_fails(self, cause: str) -> None:
        self.story.fails(cause, "a reason")

    @rule(month=st.integers(1, 3))
    def the_preparation_changes(self, month: int) -> None:
        self.story.edit(prepare={"args": [*PREPARE["args"][:2], str(month)]})

    @rule(when=st.sampled_from("xy"))
    def a_scan_is_asked_for(self, when: str) -> None:
        self.story.ask(when)

    @invariant()
    def version_numbers_only_grow_and_the_ledger_is_bounded(self) -> None:
        if self.story.kept not in self.story.cluster.objects:
            return
        versions = self.story.versions
        assert versions == sorted(set(versions))
        assert len(versions) <= KEPT
        assert (versions or [0])[-1] >= self.highest
        self.highest = (versions or [0])[-1]


Walk.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
test_any_walk = Walk.TestCase
