"""What the counts of an A/B comparison prove: the arms of a route whose Envoy pods count, look by look."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from gyre.adapters.exposition import Traffic
from gyre.kinds.inferenceservice.comparison import Compared, looked, paused, report
from gyre.kinds.inferenceservice.counting import Proxy, Readings
from gyre.kinds.inferenceservice.experiments import Ab, Winner
from gyre.kinds.inferenceservice.ledger import Counts, Version

T0 = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
A = Version("flights-late-aaaa", "sha256:" + "a" * 64, "pvc://models/a")
B = Version("flights-late-bbbb", "sha256:" + "b" * 64, "pvc://models/b")
ALPHA = 0.05
EDGES = (0.005, 0.01, 0.025, 0.05, float("inf"))


def ab(**more: object) -> Ab:
    return Ab.model_validate({"version": B.name, **more})


class Envoys:
    """Counters that only grow, until a pod is replaced."""

    def __init__(self) -> None:
        self.seconds = 0
        self.pods: dict[str, tuple[datetime, dict[tuple[int, int], Traffic]]] = {
            "envoy-1": (T0 - timedelta(hours=1), {})
        }

    def count(
        self, place: tuple[int, int], requests: int, errors: int = 0, slow: tuple[int, ...] = (), pod: str = "envoy-1"
    ) -> None:
        """`slow`: of the requests, how many took longer than each of EDGES but the last."""
        counted = self.pods[pod][1]
        before = counted.get(place, Traffic())
        was = dict(before.latency)
        latency = (
            tuple((edge, was.get(edge, 0) + requests - over) for edge, over in zip(EDGES, (*slow, 0), strict=True))
            if slow
            else before.latency
        )
        counted[place] = Traffic(before.requests + requests, before.errors + errors, latency)

    def replaced(self, old: str, new: str) -> None:
        del self.pods[old]
        self.pods[new] = (self.now, {})

    @property
    def now(self) -> datetime:
        return T0 + timedelta(seconds=self.seconds)

    def readings(self) -> Readings:
        self.seconds += 10
        proxies = tuple(Proxy(uid, created, dict(counted)) for uid, (created, counted) in self.pods.items())
        return Readings(self.now, proxies)


def compared(known: Compared | None, envoys: Envoys, of: Ab | None = None) -> Compared:
    return looked(known, of or ab(), A, B, envoys.readings(), alpha=ALPHA)


def counts(comparison: Compared) -> Mapping[str, Counts]:
    return {"a": comparison.a, "b": comparison.b}


def winner(comparison: Compared) -> Winner:
    return report(comparison, A, B, alpha=ALPHA).winner


def test_what_was_counted_before_belongs_to_nobody():
    envoys = Envoys()
    envoys.count((2, 0), 1000, 500)
    comparison = compared(None, envoys)
    assert counts(comparison) == {"a": Counts(), "b": Counts()}


def test_an_arm_is_the_sum_of_its_rules():
    envoys = Envoys()
    comparison = compared(None, envoys)
    for rule in (0, 1, 2):
        envoys.count((rule, 0), 10, 1)
        envoys.count((rule, 1), 20, 2)
    assert counts(compared(comparison, envoys)) == {"a": Counts(30, 3), "b": Counts(60, 6)}


def test_callers_whom_no_header_tells_are_not_counted():
    envoys, by_header = Envoys(), ab(by="Header", name="x-user-id")
    comparison = compared(None, envoys, by_header)
    envoys.count((0, 0), 10)
    envoys.count((1, 1), 10)
    envoys.count((2, 0), 1000, 1000)
    assert counts(compared(comparison, envoys, by_header)) == {"a": Counts(10), "b": Counts(10)}


def test_a_gateway_pod_that_was_replaced_is_counted_from_its_beginning():
    envoys = Envoys()
    comparison = compared(None, envoys)
    envoys.count((2, 0), 100)
    comparison = compared(comparison, envoys)
    envoys.replaced("envoy-1", "envoy-2")
    envoys.count((2, 0), 7, 1, pod="envoy-2")
    assert compared(comparison, envoys).a == Counts(107, 1)


def test_what_one_arm_answers_for_both_is_counted_for_neither():
    envoys = Envoys()
    comparison = compared(None, envoys)
    envoys.count((1, 1), 100)
    away = paused(compared(comparison, envoys))
    envoys.count((1, 1), 50, 50)  # by arm A, in the place of B
    back = compared(away, envoys)
    assert back.b == Counts(100, 0)
    envoys.count((1, 1), 10, 1)
    assert compared(back, envoys).b == Counts(110, 1)


def test_counters_that_begin_anew_are_counted_whole():
    """An Envoy that was restarted in its pod."""
    envoys = Envoys()
    comparison = compared(None, envoys)
    envoys.count((1, 1), 100)
    comparison = compared(comparison, envoys)
    envoys.pods["envoy-1"][1][(1, 1)] = Traffic(5, 1)
    assert compared(comparison, envoys).b == Counts(105, 1)


@pytest.mark.parametrize(("failing", "winner"), [("b", Winner.A), ("a", Winner.B)])
def test_the_arm_that_fails_more_loses(failing: str, winner: Winner):
    envoys = Envoys()
    comparison = compared(None, envoys)
    for _ in range(20):
        envoys.count((0, 0), 50, 10 if failing == "a" else 1)
        envoys.count((1, 1), 50, 10 if failing == "b" else 1)
        comparison = compared(comparison, envoys)
    found = report(comparison, A, B, alpha=ALPHA)
    assert found.winner is winner
    assert found.a.version == A.name
    assert found.b.requests == 1000


def test_the_metric_that_is_named_decides_and_no_other():
    """B fails more, and is faster: by latency it wins."""
    envoys, by_latency = Envoys(), ab(metric="Latency")
    comparison = compared(None, envoys, by_latency)
    for _ in range(20):
        envoys.count((0, 0), 100, 0, slow=(80, 50, 25, 10))
        envoys.count((1, 1), 100, 30, slow=(40, 20, 10, 2))
        comparison = compared(comparison, envoys, by_latency)
    assert comparison.edges
    assert report(comparison, A, B, alpha=ALPHA).winner is Winner.B


def test_latency_is_told_by_what_is_usual_for_a_and_not_before_it_is_known():
    envoys, by_latency = Envoys(), ab(metric="Latency")
    comparison = compared(None, envoys, by_latency)
    envoys.count((0, 0), 10, slow=(8, 5, 2, 1))
    assert compared(comparison, envoys, by_latency).edges == ()
    envoys.count((0, 0), 90, slow=(72, 45, 23, 9))
    assert compared(comparison, envoys, by_latency).edges == (0.01, 0.025, 0.05)


def test_a_winner_stays_the_winner():
    envoys = Envoys()
    comparison = compared(None, envoys)
    envoys.count((0, 0), 1000, 1)
    envoys.count((1, 1), 1000, 60)
    comparison = compared(comparison, envoys)
    assert winner(comparison) == Winner.A
    envoys.count((0, 0), 1000, 100)
    envoys.count((1, 1), 1000, 0)
    assert winner(compared(comparison, envoys)) == Winner.A


@pytest.mark.parametrize(
    "changed", [ab(split=40), ab(metric="Latency"), ab(by="Header", name="x-user-id"), ab(name="other")]
)
def test_another_comparison_begins_anew(changed: Ab):
    envoys = Envoys()
    comparison = compared(None, envoys)
    envoys.count((2, 0), 100, 50)
    comparison = compared(comparison, envoys)
    anew = looked(comparison, changed, A, B, envoys.readings(), alpha=ALPHA)
    assert (anew.a, anew.b, winner(anew)) == (Counts(), Counts(), Winner.UNDECIDED)


def test_other_files_under_the_same_name_are_another_comparison():
    envoys = Envoys()
    comparison = compared(None, envoys)
    envoys.count((2, 0), 100)
    comparison = compared(comparison, envoys)
    other = Version(B.name, "sha256:" + "c" * 64, B.uri)
    assert looked(comparison, ab(), A, other, envoys.readings(), alpha=ALPHA).a == Counts()


def test_an_arm_that_nobody_comes_to_proves_nothing():
    envoys = Envoys()
    comparison = compared(None, envoys)
    envoys.count((2, 0), 1000, 900)
    comparison = compared(comparison, envoys)
    assert comparison.a == Counts(1000, 900)
    assert winner(comparison) == Winner.UNDECIDED


def test_equal_arms_have_a_winner_no_more_often_than_was_allowed():
    """400 comparisons of equal arms, with shares and loads that move, 60 looks each: at alpha 0.05 about 20 may be wrong."""
    chance, wrong = random.Random(5), 0
    for _ in range(400):
        envoys = Envoys()
        comparison = compared(None, envoys)
        for _ in range(60):
            rate, load = chance.choice((0.01, 0.05, 0.2)), chance.randint(10, 60)
            for place in ((0, 0), (1, 1)):
                requests = max(1, round(load * chance.uniform(0.5, 1.5)))
                envoys.count(place, requests, sum(chance.random() < rate for _ in range(requests)))
            comparison = compared(comparison, envoys)
        wrong += winner(comparison) != Winner.UNDECIDED
    assert wrong <= 20 + 3 * (400 * 0.05 * 0.95) ** 0.5


def test_the_evidence_is_told_for_both_arms_against_the_same_threshold():
    assert report(None, A, B, alpha=ALPHA).evidence == "A better 1.0/40 B better 1.0/40"
