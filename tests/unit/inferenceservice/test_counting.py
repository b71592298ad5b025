"""From counters to counts: restarts, newcomers, pods that nobody hears."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gyre.adapters.exposition import Traffic
from gyre.kinds.inferenceservice.counting import ENOUGH, Proxy, Readings, Server, begun, between, more
from gyre.kinds.inferenceservice.ledger import Rollout, Version

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
OLD, YOUNG = NOW - timedelta(hours=1), NOW + timedelta(seconds=5)
FLOOR = 0.005
ROLLOUT = Rollout(Version("b", "sha256:b", "pvc://runs/b"), NOW, weight=100)


def timed(count: int, slow: int = 0) -> Traffic:
    """Half of the answers within 10 ms, `slow` of them above 20 ms."""
    return Traffic(0, 0, ((0.01, count // 2), (0.02, count - slow), (math.inf, count)))


def proxy(uid: str, a: tuple[int, int], b: tuple[int, int], created: datetime = OLD) -> Proxy:
    return Proxy(uid, created, {(0, 0): Traffic(*a), (0, 1): Traffic(*b)})


def readings(*proxies: Proxy, servers: tuple[Server, ...] = ()) -> Readings:
    return Readings(NOW, proxies, servers)


def counting(*proxies: Proxy, servers: tuple[Server, ...] = ()) -> Rollout:
    given = ROLLOUT if servers else replace(ROLLOUT, timed_by="gateway")
    found = begun(given, readings(*proxies, servers=servers), FLOOR)
    assert found is not None
    return found


def test_counts_are_what_came_since_the_last_look():
    rollout = counting(proxy("e1", (100, 5), (10, 1)))
    new = between(rollout, readings(proxy("e1", (190, 7), (20, 4))))
    assert (new.stable.requests, new.stable.errors) == (90, 2)
    assert (new.candidate.requests, new.candidate.errors) == (10, 3)


def test_a_process_that_began_anew_counts_from_zero():
    rollout = counting(proxy("e1", (100, 5), (10, 1)))
    new = between(rollout, readings(proxy("e1", (30, 1), (4, 0))))
    assert (new.stable.requests, new.candidate.requests) == (30, 4)


def test_a_younger_process_counts_whole_and_an_older_one_from_where_it_is_met():
    rollout = counting(proxy("e1", (100, 0), (10, 0)))
    same = proxy("e1", (100, 0), (10, 0))
    young = between(rollout, readings(same, proxy("e2", (40, 1), (5, 1), created=YOUNG)))
    assert (young.stable.requests, young.candidate.requests) == (40, 5)
    old = between(rollout, readings(same, proxy("e2", (4000, 1), (500, 1))))
    assert (old.stable.requests, old.candidate.requests) == (0, 0), "its past belongs to nobody"


def test_a_process_that_is_gone_takes_only_its_last_seconds_with_it():
    rollout = counting(proxy("e1", (100, 0), (10, 0)), proxy("e2", (50, 0), (5, 0)))
    new = between(rollout, readings(proxy("e1", (110, 0), (12, 0))))
    assert (new.stable.requests, new.candidate.requests) == (10, 2)
    assert len(new.sources) == 2


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=20), st.integers(0, 20))
def test_however_it_is_looked_at_the_counts_add_up(steps: list[tuple[int, int]], restart: int):
    """Many looks or few, with a restart that is noticed in between: every request is counted once."""
    value: tuple[int, ...] | None = (0, 0)
    total, truth = [0, 0], [0, 0]
    now = (0, 0)
    for number, step in enumerate(steps):
        if number == restart:
            total = [t + n for t, n in zip(total, more(value, now, young=False), strict=True)]
            now, value = (0, 0), (0, 0)
        now = (now[0] + step[0], now[1] + step[1])
        truth = [t + s for t, s in zip(truth, step, strict=True)]
        if number % 3 == 0:
            total = [t + n for t, n in zip(total, more(value, now, young=False), strict=True)]
            value = now
    total = [t + n for t, n in zip(total, more(value, now, young=False), strict=True)]
    assert total == truth


def test_latency_is_told_by_the_predictors_where_they_tell_it():
    servers = (Server("p1", OLD, "s", timed(1000, 50)), Server("p2", OLD, "c", timed(0)))
    rollout = begun(ROLLOUT, readings(proxy("e1", (1000, 0), (0, 0)), servers=servers), FLOOR)
    assert rollout is not None
    assert rollout.timed_by == "predictor"
    assert rollout.edges, "taken from the stable version's usual latency"
    later = (Server("p1", OLD, "s", timed(1090, 54)), Server("p2", OLD, "c", timed(10, 4)))
    new = between(rollout, readings(proxy("e1", (1090, 0), (10, 0)), servers=later))
    assert new.problem == ""
    assert new.candidate.slow[-1] == 4
    assert new.stable.slow[-1] == 4


def test_no_answer_within_the_floor_is_slow():
    servers = (Server("p1", OLD, "s", timed(1000, 50)), Server("p2", OLD, "c", timed(0)))
    seen = readings(proxy("e1", (1000, 0), (0, 0)), servers=servers)
    edges = [begun(ROLLOUT, seen, floor).edges for floor in (0.0, 0.01, 0.015, 60.0)]
    assert edges == [(0.01, 0.02), (0.01, 0.02), (0.02,), ()]


def test_fewer_than_enough_answers_of_the_stable_version_are_no_measure():
    few = (Server("p1", OLD, "s", timed(ENOUGH - 1)), Server("p2", OLD, "c", timed(500)))
    assert begun(ROLLOUT, readings(proxy("e1", (49, 0), (0, 0)), servers=few), FLOOR) is None


def test_once_fixed_the_measure_of_latency_stays():
    servers = (Server("p1", OLD, "s", timed(1000, 50)), Server("p2", OLD, "c", timed(0)))
    first = begun(ROLLOUT, readings(proxy("e1", (1000, 0), (0, 0)), servers=servers), FLOOR)
    assert first is not None
    slower = (Server("p1", OLD, "s", timed(9000, 8000)), Server("p2", OLD, "c", timed(90, 90)))
    second = begun(first, readings(proxy("e1", (9000, 0), (90, 0)), servers=slower), FLOOR)
    assert second is not None
    assert (second.edges, second.timed_by, second.evidence) == (first.edges, first.timed_by, first.evidence)


@pytest.mark.parametrize(("role", "who"), [("c", "the candidate"), ("s", "the stable version")])
def test_a_version_whose_pods_are_not_heard_is_not_taken_for_quick(role: str, who: str):
    servers = (Server("p1", OLD, "s", timed(1000, 50)), Server("p2", OLD, "c", timed(100)))
    rollout = counting(proxy("e1", (1000, 0), (100, 0)), servers=servers)
    heard = tuple(server for server in servers if server.role != role)
    grown = tuple(Server(s.uid, s.created, s.role, timed(s.counted.timed + 200)) for s in heard)
    new = between(rollout, readings(proxy("e1", (1200, 0), (300, 0)), servers=grown))
    assert who in new.problem
    assert "its pods timed 0 of them" in new.problem
