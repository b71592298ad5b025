"""What a rollout ended on is kept, and is the same when it is computed again; what was changed since is noticed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.inferenceservice.test_rollout import steadily
from tests.unit.inferenceservice.worlds import LEDGER, SLOW, Story, a_service

from gyre.kinds.inferenceservice import memory, rulings
from gyre.kinds.inferenceservice.ledger import KEPT_RULINGS, Counts, Ground, Ledger, Rollout, Ruling, Version
from gyre.kinds.inferenceservice.policy import OnInconclusive
from gyre.kinds.inferenceservice.report import Happened
from gyre.stats import judge
from gyre.stats.judge import Evidence, Look

SERVICE: Any = a_service()


def promoted() -> Story:
    story = Story().serving().candidate()
    steadily(story)
    assert story.history[0] == ("Promoted", "b")
    return story


def failing(**spec: Any) -> Story:
    story = Story(a_service(**spec)).serving().candidate()
    steadily(story, b=0.05)
    assert story.history[0] == ("RolledBack", "b")
    return story


def slow() -> Story:
    story = Story().serving().candidate()
    story.shapes["b"] = SLOW
    steadily(story)
    return story


def failing_fast() -> Story:
    story = Story(a_service(rollout={"minRequests": 1000})).serving().candidate()
    story.takes(a=(180, 0), b=(20, 11))
    return story


def spent() -> Story:
    story = Story(a_service(rollout={"maxBadRequests": 5})).serving().candidate()
    story.takes(a=(9900, 1980), b=(100, 28))
    return story


def blast_radius() -> Story:
    story = Story(a_service(rollout={"maxBadRequests": 100})).serving().candidate()
    steadily(story, per_look=20_000, looks=80)
    return story


def overdue(policy: str) -> Story:
    story = Story(a_service(rollout={"deadline": "1m", "onInconclusive": policy})).serving().candidate()
    for _ in range(8):
        story.takes(a=(18, 0), b=(2, 0))
    return story


def crashing() -> Story:
    story = Story().serving().candidate()
    story.takes(a=(180, 1), b=(20, 0))
    story.crashes("b", "boom")
    story.look(1)
    return story


def kept(story: Story) -> Ruling:
    (ruling,) = story.ledger.rulings
    assert (ruling.at, ruling.event) == (story.ledger.history[-1].at, story.ledger.history[-1].event)
    return ruling


@pytest.mark.parametrize(
    ("tell", "event", "ground", "cause"),
    [
        (promoted, "Promoted", Ground.EVIDENCE, ""),
        (blast_radius, "Promoted", Ground.EVIDENCE, ""),
        (failing, "RolledBack", Ground.EVIDENCE, "MoreErrors"),
        (slow, "RolledBack", Ground.EVIDENCE, "Slower"),
        (failing_fast, "RolledBack", Ground.EVIDENCE, "FailsFast"),
        (spent, "RolledBack", Ground.EVIDENCE, "BadRequestsSpent"),
        (lambda: overdue("Rollback"), "RolledBack", Ground.DEADLINE, "Inconclusive"),
        (lambda: overdue("Promote"), "Promoted", Ground.DEADLINE, ""),
    ],
)
def test_whatever_ends_a_rollout_is_the_same_when_it_is_computed_again(
    tell: Callable[[], Story], event: str, ground: Ground, cause: str
):
    ruling = kept(tell())
    assert (ruling.event.value, ruling.ground, ruling.cause) == (event, ground, cause)
    found = rulings.again(ruling)
    assert found.equal is True, found.why
    assert "the evidence from the counts at" in found.why


def test_what_its_pods_showed_cannot_be_computed_again_and_that_is_said():
    found = rulings.again(kept(crashing()))
    assert found.equal is None
    assert "Crashed" in found.why or "Crash" in found.why


def test_the_counts_are_kept_weight_by_weight_and_are_those_of_the_clients():
    ruling = kept(promoted())
    assert [share.weight for share in ruling.rollout.shares] == [100, 250, 500]
    assert sum(share.candidate[0] for share in ruling.rollout.shares) == ruling.rollout.candidate_counts.requests
    assert ruling.rollout.sources == {}


def test_a_ruling_is_the_same_after_it_was_written_down_and_read():
    story = promoted()
    data = story.cluster.objects[LEDGER]["data"]
    assert "rulings" not in json.loads(data["rollout.json"])
    assert memory.to_data(story.ledger, story.series, None) == data


def test_a_service_that_has_ended_no_rollout_keeps_no_rulings():
    assert "rulings.json" not in Story().serving().cluster.objects[LEDGER]["data"]


def test_rulings_that_cannot_be_read_keep_nobody_from_serving():
    story = promoted()
    ledger = story.cluster.objects[LEDGER]
    for broken in ("{", "[{}]", "7"):
        found = memory.of({**ledger, "data": {**ledger["data"], "rulings.json": broken}})
        assert found.ledger == replace(story.ledger, rulings=())


def test_only_the_newest_rulings_are_kept():
    ruling, ledger = kept(failing_fast()), Ledger()
    for number in range(KEPT_RULINGS + 3):
        ledger = ledger.ruled(replace(ruling, at=ruling.at + timedelta(seconds=number)))
    assert len(ledger.rulings) == KEPT_RULINGS
    assert ledger.rulings[-1].at == ruling.at + timedelta(seconds=KEPT_RULINGS + 2)


def test_margins_that_change_in_mid_rollout_are_kept_with_the_counts_that_they_judged():
    story = Story().serving().candidate()
    steadily(story, looks=2)
    story.edit(rollout={"margins": {"errorRate": "3", "errorFloor": "0"}})
    steadily(story, b=0.05)
    ruling = kept(story)
    assert len({share.policy for share in ruling.rollout.shares}) == 2
    assert rulings.again(ruling).equal is True


def test_of_a_rollout_that_an_earlier_operator_began_the_evidence_is_taken_as_it_is():
    story = Story().serving().candidate()
    steadily(story, looks=1)
    earlier = story.ledger.with_rollout(shares=())
    ledger = story.cluster.objects[LEDGER]
    story.cluster.objects[LEDGER] = {**ledger, "data": memory.to_data(earlier, (), None)}
    steadily(story, b=0.05)
    ruling = kept(story)
    assert ruling.rollout.shares == ()
    found = rulings.again(ruling)
    assert found.equal is True
    assert "not kept" in found.why


# ── changed since ────────────────────────────────────────────────────────────────────────────────────────────────────


def a_bit(ruling: Ruling) -> Ruling:
    worse = [[*row] for row in ruling.rollout.evidence["worse"]]
    worse[0][0] += 1e-9
    return replace(ruling, rollout=replace(ruling.rollout, evidence={**ruling.rollout.evidence, "worse": worse}))


def another_count(ruling: Ruling) -> Ruling:
    first, *rest = ruling.rollout.shares
    requests, errors, *slow = first.candidate
    changed = replace(first, candidate=(requests, errors - 1, *slow))
    return replace(ruling, rollout=replace(ruling.rollout, shares=(changed, *rest)))


def another_weight(ruling: Ruling) -> Ruling:
    first, *rest = ruling.rollout.shares
    return replace(ruling, rollout=replace(ruling.rollout, shares=(replace(first, weight=first.weight + 50), *rest)))


def milder(ruling: Ruling) -> Ruling:
    assert ruling.policy is not None
    return replace(ruling, policy=replace(ruling.policy, alpha=0.01))


def unjudged(ruling: Ruling) -> Ruling:
    return replace(ruling, judgement=None)


@pytest.mark.parametrize(
    "change",
    [
        a_bit,
        another_count,
        another_weight,
        milder,
        unjudged,
        lambda ruling: replace(ruling, event=Happened.PROMOTED, cause=""),
        lambda ruling: replace(ruling, cause="Slower"),
        lambda ruling: replace(ruling, ground=Ground.DEADLINE),
        lambda ruling: replace(ruling, rollout=replace(ruling.rollout, evidence={"worse": "much"})),
        lambda ruling: replace(ruling, rollout=replace(ruling.rollout, evidence={})),
    ],
)
def test_what_somebody_changed_is_noticed(change: Callable[[Ruling], Ruling]):
    assert rulings.again(kept(failing())).equal is True
    assert rulings.again(change(kept(failing()))).equal is False


def test_a_deadline_that_had_not_come_and_a_policy_that_says_otherwise_are_noticed():
    ruling = kept(overdue("Rollback"))
    assert rulings.again(replace(ruling, deadline=3600.0)).equal is False
    assert rulings.again(replace(ruling, on_inconclusive=OnInconclusive.PROMOTE)).equal is False


COUNTS = st.integers(0, 50)
LOOKS = st.lists(
    st.tuples(st.sampled_from([100, 250, 500]), st.tuples(COUNTS, COUNTS, COUNTS), st.tuples(COUNTS, COUNTS, COUNTS)),
    max_size=30,
)


@given(LOOKS)
def test_counts_at_each_weight_give_the_evidence_again_however_they_came(looks: list[Any]):
    """Failures may be told a look before the requests that they belong to."""
    policy = rulings.policy_of(Story().service)
    evidence = Evidence.start(1)
    rollout = Rollout(Version("b", "sha256:b", ""), Story().now, edges=(0.1,))
    for weight, stable, candidate in looks:
        look = Look(weight / 1000, judge.Counts(*stable[:2], stable[2:]), judge.Counts(*candidate[:2], candidate[2:]))
        evidence = judge.updated(evidence, look, policy)
        rollout = replace(rollout, weight=weight)
        rollout = replace(
            rollout,
            shares=rulings.shared(rollout, look, policy),
            stable=Counts(evidence.stable.requests, evidence.stable.errors),
            candidate_counts=Counts(evidence.candidate.requests, evidence.candidate.errors),
        )
    ruling = Ruling(
        at=Story().now,
        event=Happened.ROLLED_BACK,
        ground=Ground.DEADLINE,
        rollout=replace(rollout, evidence=evidence.to_json()),
        against=rollout.candidate,
        policy=policy,
        judgement=judge.judge(evidence, policy),
        on_inconclusive=OnInconclusive.ROLLBACK,
    )
    found = rulings.again(ruling)
    assert found.equal is True, found.why
