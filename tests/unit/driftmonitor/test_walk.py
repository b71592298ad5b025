"""Whatever happens to a DriftMonitor, in whatever order: it never raises, never judges a window twice, never runs two Jobs, never
forgets a label or counts one twice."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule
from tests.unit import jobstories
from tests.unit.driftmonitor.worlds import DATASET, SERVICE, Story, a_dataset, a_service

from gyre.adapters.drift import DriftView
from gyre.adapters.labels import labelled
from gyre.api.kind import Object
from gyre.kinds.driftmonitor.ledger import KEPT

COME = 10
"""Labels that come in each window."""


class Walk(jobstories.Walk):
    def __init__(self) -> None:
        super().__init__()
        self.story: Story = Story()
        self.most, self.counted = 0, (0, 0)
        self.book: set[str] = set()

    @rule(seconds=st.sampled_from([0, 1, 30, 61, 3601, 20_000, 200_000, -5_000]))
    def look(self, seconds: int) -> None:
        self.story.look(seconds)

    @precondition(jobstories.Walk.has_job)
    @rule(drifted=st.sampled_from([True, False, None]))
    def the_job_finds_something(self, drifted: bool | None) -> None:
        """And tells the sums of its book, in which each window is once (docs/drift-contract.md, "Labels")."""
        self.book.add(self.story.job["metadata"]["name"].rsplit("-", 1)[0])
        sums = {"seen": COME * len(self.book), "wrong": len(self.book)}
        self.story.finds(drifted, labels={"rows": COME, "errors": 1, "book": "b", **sums})

    @precondition(jobstories.Walk.has_job)
    @rule(cause=st.sampled_from(["ReferenceTooSmall", "Unreadable", "Internal", "Novel"]))
    def the_job_fails(self, cause: str) -> None:
        self.story.fails(cause, "")

    @rule(letter=st.sampled_from("abc"), ready=st.sampled_from(["True", "False"]))
    def the_dataset_changes(self, letter: str, ready: str) -> None:
        self.story.change(DATASET, a_dataset(letter, ready=ready))

    @rule(uri=st.sampled_from([None, "pvc://logs/predictions", "s3://logs/p", "ftp://x"]))
    def the_log_moves(self, uri: str | None) -> None:
        self.story.change(SERVICE, a_service(uri))

    @rule(effect=st.sampled_from(["0.05", "0.1"]))
    def the_spec_changes(self, effect: str) -> None:
        self.story.edit(minEffect=effect)

    def others_see(self, told: Object) -> None:
        assert DriftView.of(told).drifted is bool(told["status"].get("drifted"))
        now = labelled(told) or (0, 0)
        assert now >= self.counted
        assert now[0] <= COME * len(self.book)
        self.counted = now

    @invariant()
    def windows_are_in_order_each_once_and_the_count_only_grows(self) -> None:
        if self.story.kept not in self.story.cluster.objects:
            return
        windows = self.story.windows
        assert windows == sorted(set(windows))
        assert len(windows) <= KEPT
        seen = self.story.ledger.get("seen", 0)
        assert seen >= max(self.most, len(windows))
        self.most = seen


Walk.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
test_any_walk = Walk.TestCase
