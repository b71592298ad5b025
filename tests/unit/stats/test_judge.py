"""The judge's promises about any counts at all: how they are cut, saved, ordered, how large they are."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from math import exp, isfinite, log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gyre.stats import judge
from gyre.stats.eprocess import chance, log_mean, log_rates, log_ratios
from gyre.stats.evidence import SLOW_FLOOR
from gyre.stats.judge import Counts, Evidence, Look, Policy, Verdict

POLICY = Policy(alpha=0.05, beta=0.05, error_margin=2.0, latency_margin=1.5, error_floor=0.01, min_requests=50)
EDGES = 3
SHARES = st.floats(1e-6, 1.0 - 1e-6)
LARGEST = 2**53 - 1


@st.composite
def counts(draw: st.DrawFn, most: int = 10**6) -> Counts:
    requests = draw(st.integers(0, most))
    errors = draw(st.integers(0, requests))
    slow = sorted((draw(st.integers(0, requests)) for _ in range(EDGES)), reverse=True)
    return Counts(requests, errors, tuple(slow))


@st.composite
def looks(draw: st.DrawFn, most: int = 10**6, share: float | None = None) -> Look:
    return Look(draw(SHARES) if share is None else share, draw(counts(most)), draw(counts(most)))


def after(many: list[Look], evidence: Evidence | None = None, policy: Policy = POLICY) -> Evidence:
    found = evidence or Evidence.start(EDGES)
    for look in many:
        found = judge.updated(found, look, policy)
    return found


def together(one: Look, more: Look) -> Look:
    def plus(a: Counts, b: Counts) -> Counts:
        return Counts(a.requests + b.requests, a.errors + b.errors, tuple(map(sum, zip(a.slow, b.slow, strict=True))))

    return Look(one.share, plus(one.stable, more.stable), plus(one.candidate, more.candidate))


def numbers(evidence: Evidence) -> list[float]:
    rows = (*evidence.worse, *evidence.fine, *evidence.floor, evidence.ratio)
    return [value for row in rows for value in row]


def close(one: Evidence, other: Evidence) -> bool:
    """But for rounding: sums of floats depend on their order in the last digits, in proportion to what was added up."""
    assert (one.stable, one.candidate) == (other.stable, other.candidate)
    size = 1.0 + sum(one.stable.slow) + sum(one.candidate.slow) + one.stable.requests + one.candidate.requests
    return numbers(one) == pytest.approx(numbers(other), rel=1e-9, abs=1e-12 * size)


# ── how the counts come ───────────────────────────────────────────────────────────────────────────────────────────────


@given(st.lists(looks(share=0.1), min_size=1, max_size=8))
def test_at_the_same_share_it_does_not_matter_how_counts_are_cut_into_looks(many: list[Look]):
    whole = many[0]
    for look in many[1:]:
        whole = together(whole, look)
    assert close(after(many), after([whole]))


@given(st.lists(looks(), max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_looks_does_not_matter_but_for_rounding(many: list[Look], shuffler):
    other = list(many)
    shuffler.shuffle(other)
    assert close(after(many), after(other))


@given(st.lists(looks(), min_size=1, max_size=8), st.data())
def test_a_restart_in_the_middle_changes_no_bit(many: list[Look], data: st.DataObject):
    cut = data.draw(st.integers(0, len(many)))
    saved = json.loads(json.dumps(after(many[:cut]).to_json()))
    assert after(many[cut:], Evidence.from_json(saved)) == after(many)


@given(looks())
def test_a_look_at_nothing_changes_nothing(look: Look):
    nothing = Counts(slow=(0,) * EDGES)
    evidence = after([look])
    assert after([Look(look.share, nothing, nothing)], evidence) == evidence


# ── how large they are ────────────────────────────────────────────────────────────────────────────────────────────────


@given(st.lists(looks(most=LARGEST), min_size=1, max_size=4))
def test_no_counts_are_too_large_to_be_judged(many: list[Look]):
    evidence = after(many)
    assert all(map(isfinite, numbers(evidence)))
    judgement = judge.judge(evidence, POLICY)
    assert isfinite(judgement.bad)
    assert isfinite(judgement.good)
    assert json.loads(json.dumps(evidence.to_json())) == evidence.to_json()


@pytest.mark.parametrize("share", [5e-324, 1e-300, 1e-17, 0.5, 1.0 - 2.0**-53])
def test_no_share_is_too_near_to_nothing_or_to_all(share: float):
    look = Look(share, Counts(10**9, 10**6, (5, 4, 3)), Counts(10**9, 10**7, (9, 8, 7)))
    assert all(map(isfinite, numbers(after([look]))))


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, 1.5, float("nan"), float("inf")])
def test_without_a_share_for_both_there_is_nothing_to_compare_with(share: float):
    with pytest.raises(ValueError, match="nothing to compare with"):
        after([Look(share, Counts(slow=(0,) * EDGES), Counts(slow=(0,) * EDGES))])


def test_counts_that_shrink_are_refused():
    with pytest.raises(ValueError, match="counts only grow"):
        after([Look(0.1, Counts(-1, 0, (0,) * EDGES), Counts(slow=(0,) * EDGES))])


def test_counts_of_other_edges_are_refused():
    with pytest.raises(ValueError, match="argument"):
        after([Look(0.1, Counts(1, 0, (0,)), Counts(1, 0, (0,)))])


def test_more_failures_than_requests_are_no_proof_of_success():
    """Counters are read one after the other, so failures may be ahead of requests."""
    assert max(log_rates(5, 3, (0.001, 0.006), 0.01)) < 0


# ── what the numbers are ──────────────────────────────────────────────────────────────────────────────────────────────


@given(st.integers(0, 500), st.integers(0, 500), st.floats(0.01, 0.99), st.floats(0.1, 20), st.floats(0.1, 20))
def test_the_ratio_is_that_of_two_binomial_likelihoods(x: int, y: int, q: float, ratio: float, against: float):
    p, p0 = chance(q, ratio), chance(q, against)
    plain = x * log(p / p0) + y * log((1 - p) / (1 - p0))
    assert log_ratios(x, x + y, q, (ratio,), against)[0] == pytest.approx(plain, rel=1e-9, abs=1e-9)


@given(st.floats(0.01, 0.99), st.integers(1, 60), st.floats(0.05, 1.0), st.sampled_from([1.25, 2.0, 20.0]))
def test_its_expectation_is_one_at_the_null_and_less_beyond(q: float, n: int, better: float, alternative: float):
    """Exactly, by summing over all that can happen: no simulation, no tolerance to hide in."""
    assert expected(q, n, 1.0, alternative) == pytest.approx(1.0, rel=1e-9)
    assert expected(q, n, better, alternative) <= 1.0 + 1e-9


def expected(q: float, n: int, truth: float, alternative: float) -> float:
    p = chance(q, truth)
    total, weight = 0.0, (1 - p) ** n
    for x in range(n + 1):
        total += weight * exp(log_ratios(x, n, q, (alternative,), 1.0)[0])
        weight *= (n - x) / (x + 1) * p / (1 - p)
    return total


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=7))
def test_an_average_lies_between_its_terms(values: list[float]):
    assert min(values) - 1e-6 <= log_mean(values) <= max(values) + 1e-6


def test_an_average_of_ones_is_one():
    assert log_mean([0.0] * 7) == pytest.approx(0.0, abs=1e-12)
    assert log_mean([0.0, 1e308]) == pytest.approx(1e308)


# ── verdicts ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@given(looks(share=0.1), st.integers(1, 100))
def test_more_of_the_failures_with_the_candidate_never_speak_less_against_it(look: Look, more: int):
    moved = min(more, look.stable.errors, look.candidate.requests - look.candidate.errors)
    worse = Look(
        look.share,
        replace(look.stable, errors=look.stable.errors - moved),
        replace(look.candidate, errors=look.candidate.errors + moved),
    )
    before, now = after([look]), after([worse])
    slack = 1e-9 * (1.0 + look.stable.requests + look.candidate.requests)
    assert judge.bad_of(now, POLICY) >= judge.bad_of(before, POLICY) - slack
    assert judge.each_good(now, POLICY)[0] <= judge.each_good(before, POLICY)[0] + slack


@settings(max_examples=200)
@given(st.lists(looks(most=3000, share=0.2), min_size=1, max_size=5))
def test_a_verdict_is_a_threshold_reached_and_nothing_else(many: list[Look]):
    evidence = after(many)
    found = judge.judge(evidence, POLICY)
    assert found.bad_threshold == found.good_threshold == pytest.approx(log(20))
    if found.bad >= log(20):
        assert found.verdict is Verdict.ROLLBACK
    elif found.good >= log(20) and evidence.candidate.requests >= POLICY.min_requests:
        assert found.verdict is Verdict.PROMOTE
    else:
        assert found.verdict is Verdict.CONTINUE
        assert judge.inconclusive(found).verdict is Verdict.INCONCLUSIVE
    assert (judge.inconclusive(found) == found) is (found.verdict is not Verdict.CONTINUE)


def test_nothing_is_promoted_without_counts():
    assert judge.judge(Evidence.start(EDGES), POLICY).verdict is Verdict.CONTINUE
    assert judge.judge(Evidence.start(0), replace(POLICY, min_requests=0)).verdict is Verdict.CONTINUE


def test_too_few_requests_promote_nothing_however_good_they_are():
    good = Look(0.5, Counts(200, 100, (150, 150, 150)), Counts(200, 0, (0, 0, 0)))
    assert judge.judge(after([good]), POLICY).verdict is Verdict.PROMOTE
    assert judge.judge(after([good]), replace(POLICY, min_requests=201)).verdict is Verdict.CONTINUE


def test_the_metric_that_is_worse_is_named():
    slow = Look(0.5, Counts(1000, 5, (500, 250, 100)), Counts(1000, 5, (900, 700, 500)))
    broken = Look(0.5, Counts(1000, 5, (500, 250, 100)), Counts(1000, 90, (500, 250, 100)))
    assert judge.judge(after([slow]), POLICY).by == judge.LATENCY
    assert judge.judge(after([broken]), POLICY).by == judge.ERRORS
    assert (
        judge.judge(after([broken]), POLICY).verdict is judge.judge(after([slow]), POLICY).verdict is Verdict.ROLLBACK
    )


def test_being_bad_in_one_metric_is_enough_not_to_be_promoted():
    look = Look(0.5, Counts(4000, 0, (2000, 1000, 200)), Counts(4000, 0, (2000, 1000, 300)))
    found = judge.judge(after([look]), replace(POLICY, alpha=1e-9))
    assert found.verdict is Verdict.CONTINUE
    assert found.by == judge.LATENCY


def test_a_service_without_any_errors_can_be_promoted_by_the_floor():
    look = Look(0.5, Counts(1000, 0), Counts(1000, 0))
    clean = judge.updated(Evidence.start(0), look, POLICY)
    assert judge.judge(clean, POLICY).verdict is Verdict.PROMOTE
    without = replace(POLICY, error_floor=0.0)
    assert judge.judge(judge.updated(Evidence.start(0), look, without), without).verdict is Verdict.CONTINUE


def test_answers_that_all_fall_into_one_bucket_let_a_candidate_pass_and_a_slow_one_not():
    usual, slow = Counts(2000, 0, (0,)), Counts(2000, 0, (400,))
    assert (
        judge.judge(judge.updated(Evidence.start(1), Look(0.5, usual, usual), POLICY), POLICY).verdict
        is Verdict.PROMOTE
    )
    found = judge.judge(judge.updated(Evidence.start(1), Look(0.5, usual, slow), POLICY), POLICY)
    assert (found.verdict, found.by) == (Verdict.ROLLBACK, judge.LATENCY)


def test_a_split_that_is_not_as_the_weights_say_is_noticed():
    def split(mine: int) -> bool:
        look = Look(0.1, Counts(10_000 - mine, 0, (0,) * EDGES), Counts(mine, 0, (0,) * EDGES))
        return judge.judge(after([look]), POLICY).sample_ratio_ok

    assert split(1000)
    assert split(1050)
    assert not split(2000)
    assert not split(0)


def test_the_time_that_is_left_shrinks_as_the_evidence_grows():
    look = Look(0.1, Counts(9000, 45, (4500, 2250, 900)), Counts(1000, 5, (500, 250, 100)))
    left = []
    evidence = Evidence.start(EDGES)
    while (found := judge.judge(evidence, POLICY)).verdict is Verdict.CONTINUE:
        left.append(found.needed_requests)
        evidence = after([look], evidence)
    assert found.verdict is Verdict.PROMOTE
    assert left[0] is None
    known = [value for value in left if value is not None]
    assert len(known) >= 2
    assert all(later < sooner for sooner, later in pairwise(known))
    truth = [10_000 * (len(left) - number) for number in range(len(left))][1:]
    assert all(0.5 * real <= told <= real + 10_000 for told, real in zip(known, truth, strict=True))


def test_the_time_that_is_left_counts_the_requests_that_a_promotion_takes_at_least():
    look = Look(0.5, Counts(200, 100, (150, 150, 150)), Counts(200, 0, (0, 0, 0)))
    assert judge.judge(after([look]), replace(POLICY, min_requests=400)).needed_requests == 400


def test_what_is_saved_by_somebody_else_is_refused():
    saved = Evidence.start(1).to_json()
    for broken in ({}, {**saved, "worse": 3}, {**saved, "stable": ["x", 1]}, {**saved, "ratio": [None]}):
        with pytest.raises((KeyError, TypeError, ValueError)):
            Evidence.from_json(broken)


@pytest.mark.parametrize(
    ("requests", "errors", "out"), [(19, 19, False), (20, 10, False), (20, 11, True), (400, 190, False)]
)
def test_failing_fast_is_more_than_half_of_the_first_twenty(requests: int, errors: int, out: bool):
    assert judge.failing_fast(requests, errors) is out


def test_a_candidate_that_is_a_little_slower_is_tolerated_as_far_as_the_policy_says_and_no_further() -> None:
    def bad(policy: Policy, ratio: float) -> float:
        """log E after 4000 requests to each, of which a tenth of the stable version's are slow."""
        slow = round(400 * ratio)
        look = Look(0.5, Counts(4000, 0, (400,)), Counts(4000, 0, (slow,)))
        return judge.bad_of(judge.updated(Evidence.start(1), look, policy), policy)

    strict, tolerant = POLICY, replace(POLICY, latency_tolerance=1.4)
    assert bad(strict, 1.3) > -log(POLICY.alpha)
    assert bad(tolerant, 1.3) < 0.0
    assert bad(tolerant, 2.0) > -log(POLICY.alpha)


def test_an_edge_that_nearly_no_answer_exceeds_is_no_trap_for_a_candidate() -> None:
    """Five times as many slow answers as the stable version has, but still 1 %: nobody minds."""

    floored = replace(POLICY, slow_floor=SLOW_FLOOR)

    def judged(slow: int, policy: Policy = floored) -> judge.Judgement:
        look = Look(0.5, Counts(20_000, 0, (40,)), Counts(20_000, 0, (slow,)))
        return judge.judge(judge.updated(Evidence.start(1), look, policy), policy)

    assert judged(200).verdict is Verdict.PROMOTE
    assert judged(200, POLICY).verdict is Verdict.ROLLBACK, "which it was without a floor"
    far = judged(800)
    assert (far.verdict, far.by) == (Verdict.ROLLBACK, judge.LATENCY), "4 %: twenty times as many, and above the floor"


def test_the_time_that_is_left_is_that_of_the_slower_proof():
    """By the ratio it is proved at once that the candidate is slow more often; that it is more than the floor takes its time."""
    floored = replace(POLICY, slow_floor=SLOW_FLOOR, alpha=1e-6)
    left = [
        judge.judge(
            judge.updated(Evidence.start(1), Look(0.5, Counts(n, 0, (n // 500,)), Counts(n, 0, (n // 25,))), floored),
            floored,
        )
        for n in (500, 1000, 5000)
    ]
    assert [found.verdict for found in left] == [Verdict.CONTINUE, Verdict.CONTINUE, Verdict.ROLLBACK]
    needed = [found.needed_requests or 0 for found in left]
    assert 0.3 < needed[1] / (needed[0] - 1000) < 1.7, "each look shows the same, so it comes nearer by what was seen"
