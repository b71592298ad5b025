"""What is remembered survives being written down, and is never mistaken for nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gyre.kinds.inferenceservice import memory
from gyre.kinds.inferenceservice.ledger import Counts, Ledger, Quarantined, Rollout, Version, Warm
from gyre.kinds.inferenceservice.memory import MOST_POINTS, added
from gyre.kinds.inferenceservice.report import Happened

NOW = datetime(2026, 11, 24, 10, 0, 0, 123000, tzinfo=UTC)
A, B, C = (Version(f"delays-{letter}", "sha256:" + letter * 64, f"pvc://runs/{letter}", "torch") for letter in "abc")


def full() -> Ledger:
    rollout = Rollout(
        B,
        NOW,
        by="kubectl-edit",
        step=1,
        weight=250,
        since=NOW,
        counting=NOW,
        looked=NOW,
        sources={"gs/x": (10, 1), "pc/y": (7, 3, 2, 1, 0)},
        timed_by="predictor",
        edges=(0.01, 0.1, 1 / 3),
        evidence={"worse": [[0.1, -2.5]], "floor": [1e-300]},
        stable=Counts(90, 1),
        candidate_counts=Counts(10, 0),
        in_step=10,
    )
    ledger = Ledger(A, NOW, rollout, (Warm(C, NOW),), (Quarantined("sha256:d", "x", NOW, "Slower", "m"),), "all")
    return ledger.noted(NOW, Happened.DEPLOYED, A, "me", "first")


def stored(data: dict[str, str]) -> dict[str, Any]:
    owner = {"controller": True, "uid": "gis"}
    return {"metadata": {"resourceVersion": "7", "ownerReferences": [owner]}, "data": data}


@pytest.mark.parametrize("ledger", [Ledger(), full()], ids=["empty", "full"])
def test_a_ledger_comes_back_as_it_was(ledger: Ledger):
    found = memory.of(stored(memory.to_data(ledger, (), None)))
    assert found.ledger == ledger
    assert (found.version, found.owner, found.problem) == ("7", "gis", "")
    assert memory.to_data(found.ledger, (), None) == memory.to_data(ledger, (), None)


@pytest.mark.parametrize(
    "text", [None, "", "{", "[]", "{}", '{"version": 2}', '{"version": 1, "stable": 7}', '{"version": 1, "warm": [{}]}']
)
def test_a_ledger_that_cannot_be_read_is_not_an_empty_one(text: str | None):
    found = memory.of(stored({} if text is None else {"rollout.json": text}))
    assert found.ledger is None
    assert found.problem


def test_a_broken_series_or_comparison_is_merely_forgotten():
    data = {**memory.to_data(full(), (), None), "series.json": "[", "ab.json": '{"what": 3}'}
    found = memory.of(stored(data))
    assert (found.ledger, found.series, found.compared) == (full(), (), None)


@given(st.integers(0, 3 * MOST_POINTS))
def test_the_series_is_bounded_and_keeps_its_newest_point(count: int):
    series: tuple[Any, ...] = ()
    for number in range(count):
        series = added(series, {"t": number})
    assert len(series) <= MOST_POINTS
    times = [point["t"] for point in series]
    assert times == sorted(times)
    assert not count or times[-1] == count - 1
    assert count <= MOST_POINTS or len(series) >= MOST_POINTS // 2


# ── the ledger ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_weights_follow_from_the_ledger_alone():
    ledger = Ledger(stable=A).started(B, NOW, "")
    assert ledger.weights == ((A, 1000),), "up, and without traffic"
    assert ledger.weighted(0, 100, NOW).weights == ((A, 900), (B, 100))
    assert ledger.weighted(0, 100, NOW).withdrawn(NOW).weights == ((A, 1000),)
    assert ledger.weighted(0, 100, NOW).withdrawn(NOW).resumed(NOW).weights == ((A, 900), (B, 100))
    assert Ledger().started(A, NOW, "").weights == (), "nobody can answer yet"


def test_everything_that_may_get_traffic_is_needed_once():
    ledger = Ledger(stable=A, warm=(Warm(C, NOW), Warm(A, NOW))).started(B, NOW, "")
    assert ledger.needed == (A, B, C)


def test_a_promotion_leaves_the_old_version_warm_and_a_rollback_leaves_the_digest_quarantined():
    ledger = Ledger(stable=A).started(B, NOW, "me").weighted(2, 500, NOW)
    over = ledger.taken_over(NOW, Happened.PROMOTED, "good", warm_until=NOW + timedelta(minutes=1))
    assert (over.stable, [entry.version for entry in over.warm], over.rollout) == (B, [A], None)
    assert (over.history[-1].event, over.history[-1].by) == (Happened.PROMOTED, "me")
    back = ledger.rolled_back(NOW, "Slower", "by 90 %")
    assert (back.stable, back.rollout, back.quarantine_of(B.digest) is not None) == (A, None, True)
    assert ledger.quarantined == (), "nothing is edited"


def test_a_version_that_failed_twice_is_quarantined_once():
    ledger = Ledger(stable=A).started(B, NOW, "").rolled_back(NOW, "Slower", "1")
    again = ledger.started(B, NOW, "").rolled_back(NOW, "MoreErrors", "2")
    assert [entry.cause for entry in again.quarantined] == ["MoreErrors"]


def test_a_warm_version_cools_unless_it_is_asked_for():
    ledger = Ledger(stable=A, warm=(Warm(B, NOW), Warm(C, NOW + timedelta(seconds=1))))
    assert [entry.version for entry in ledger.cooled(NOW).warm] == [C]
    assert [entry.version for entry in ledger.cooled(NOW, B.digest).warm] == [B, C]


def test_the_ledger_stays_small_for_ever():
    ledger = Ledger(stable=A)
    for number in range(200):
        bad = Version(f"delays-{number}", f"sha256:{number:064x}", "pvc://runs/x" * 20)
        ledger = ledger.started(bad, NOW, "m" * 300).rolled_back(NOW, "MoreErrors", "w" * 3000)
    assert len(json.dumps(memory.to_data(ledger, (), None)).encode()) < 64 * 1024
    assert ledger.quarantined[-1].version == "delays-199"
