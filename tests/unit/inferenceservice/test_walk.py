"""Whatever happens to a service, in whatever order: it never raises, moves no traffic to a version that was never ready or that
is quarantined, and takes no line of its history back.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.inferenceservice.worlds import SLOW, USUAL, Story, a_service, predictor, ready_pod

from gyre.adapters.kserve import CONTROLLER
from gyre.api import gvks
from gyre.api.effects import Ref
from gyre.kinds.inferenceservice import rulings
from gyre.kinds.inferenceservice.ledger import KEPT_HISTORY
from gyre.kinds.inferenceservice.model import InferenceService

LETTERS = st.sampled_from("abc")
MISMATCH = '{"version": 1, "error": {"class": "DigestMismatch", "message": "other files"}}'
ACTIONS = st.one_of(
    st.tuples(st.just("wait"), st.sampled_from([0, 1, 3, 11, 70, 700, 4000])),
    st.tuples(st.just("ask"), LETTERS),
    st.tuples(st.just("up"), st.tuples(LETTERS, st.booleans())),
    st.tuples(st.just("crash"), st.tuples(LETTERS, st.sampled_from(["", MISMATCH, "boom"]))),
    st.tuples(st.just("program"), st.none()),
    st.tuples(
        st.just("calls"), st.tuples(st.integers(0, 500), st.integers(0, 200), st.integers(0, 500), st.integers(0, 200))
    ),
    st.tuples(st.just("slow"), st.tuples(LETTERS, st.booleans())),
    st.tuples(st.just("silent"), st.booleans()),
    st.tuples(st.just("kserve"), st.booleans()),
    st.tuples(st.just("restart"), st.none()),
    st.tuples(st.just("gone"), st.none()),
    st.tuples(st.just("lose"), LETTERS),
    st.tuples(st.just("typo"), st.none()),
    st.tuples(
        st.just("spec"), st.sampled_from([{"replicas": 2}, {"keepWarm": "0s"}, {"rollout": {"maxBadRequests": 50}}])
    ),
)


def act(story: Story, what: str, how: Any) -> None:
    there = story.predictors
    match what:
        case "ask":
            story.ask_for(how)
        case "up" if how[0] in there:
            story.comes_up(how[0], ready=how[1])
        case "crash" if how[0] in there:
            story.crashes(*how)
        case "program" if story.backends:
            story.programs()
        case "calls":
            weights = dict(story.backends)
            named = list(weights)[:2]
            for letter, (requests, errors) in zip(named, (how[:2], how[2:]), strict=False):
                story.calls(**{letter: (requests, min(requests, errors))})
        case "slow":
            story.shapes[how[0]] = SLOW if how[1] else USUAL
        case "silent":
            story.silent = {"10.0.0.1": "no answer"} if how else {}
        case "kserve":
            story.drop(gvks.POD, "kserve-1")
            if how:
                story.put(gvks.POD, ready_pod("kserve-1", CONTROLLER, "10.0.0.2", "kserve"))
        case "restart":
            story.counts.clear()
        case "gone":
            story.gone()
        case "lose" if how in there:
            del story.cluster.objects[Ref(gvks.KSERVE_SERVICE, "ml", predictor(how))]
        case "typo":
            story.edit(modelRef={"name": "delays", "track": "Version", "version": "typo"})
        case "spec":
            story.edit(**how)


def check(story: Story, was_ready: set[str], before: dict[str, int]) -> None:
    ledger, now = story.ledger, dict(story.backends)
    condemned = {entry.digest[7] for entry in ledger.quarantined}
    gained = {letter for letter in now if letter not in before}
    assert gained <= was_ready, f"{gained - was_ready} has traffic and was never ready"
    stable = ledger.stable.digest[7] if ledger.stable else ""
    assert not (set(now) - {stable}) & condemned, f"{now} and quarantined {condemned}"
    named = {stable, ledger.rollout.candidate.digest[7] if ledger.rollout else ""} - {""}
    assert set(now) <= named | set(before)
    assert len(now) <= 2
    for ruling in ledger.rulings:
        found = rulings.again(ruling)
        assert found.equal is not False, found.why
    status = story.status
    assert len(json.dumps(status).encode()) < 16 * 1024
    InferenceService.parse(story.cluster.objects[Ref(gvks.INFERENCE_SERVICE, "ml", "late")])


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ACTIONS, max_size=40))
def test_whatever_happens_the_promises_hold(walk: list[tuple[str, Any]]) -> None:
    story = Story(a_service(rollout={"minRequests": 20, "readyWithin": "2m"}))
    was_ready: set[str] = set()
    history: list[Any] = []
    for what, how in walk:
        act(story, what, how)
        for letter in "abc":
            slice_ = story.cluster.objects.get(Ref(gvks.ENDPOINT_SLICE, "ml", f"{predictor(letter)}-predictor"))
            if slice_ and slice_["endpoints"][0]["conditions"]["ready"]:
                was_ready.add(letter)
        before = dict(story.backends)
        decision = story.look(how if what == "wait" else 0.5)
        assert decision.after is None or decision.after > 0
        check(story, was_ready, before)
        now = list(story.ledger.history)
        assert now[: len(history)] == history or len(now) == KEPT_HISTORY, "history is only added to"
        history = now
