"""The work queue: deduplication, one worker a key, back-off, timers; in virtual time."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.engine.virtualtime import run

from gyre.engine.queue import LONGEST_RETRY_SECONDS, WorkQueue, backoff


def queue() -> WorkQueue[str]:
    return WorkQueue(jitter=lambda: 0.0)


async def take(q: WorkQueue[str]) -> str:
    key, _ = await q.get()
    return key


async def empty(q: WorkQueue[str], seconds: float = 0.0) -> bool:
    """Nothing comes out within this (virtual) time."""
    try:
        await asyncio.wait_for(q.get(), seconds)
    except TimeoutError:
        return True
    return False


def test_a_key_added_twice_comes_out_once() -> None:
    async def story() -> None:
        q = queue()
        q.add("a")
        q.add("a")
        assert await take(q) == "a"
        q.done("a")
        assert await empty(q)

    run(story())


def test_a_key_added_while_it_is_worked_on_comes_out_again_only_when_that_is_done() -> None:
    async def story() -> None:
        q = queue()
        q.add("a")
        await take(q)
        q.add("a")
        assert await empty(q, 60)
        q.done("a")
        assert await take(q) == "a"

    run(story())


def test_a_worker_that_waits_is_woken_by_an_add() -> None:
    async def story() -> None:
        q = queue()
        waiting = asyncio.create_task(take(q))
        await asyncio.sleep(5)
        q.add("a")
        assert await waiting == "a"

    run(story())


def test_background_keys_wait_until_nobody_else_does() -> None:
    async def story() -> None:
        q = queue()
        q.add("slow", background=True)
        q.add("fast")
        assert [await take(q), await take(q)] == ["fast", "slow"]

    run(story())


def test_an_event_lifts_a_key_out_of_the_background() -> None:
    async def story() -> None:
        q = queue()
        for key in ("a", "b", "c"):
            q.add(key, background=True)
        q.add("c")
        q.add("c", background=True)
        assert [await take(q) for _ in range(3)] == ["c", "a", "b"]
        assert len(q) == 0

    run(story())


def test_of_two_wishes_for_later_the_sooner_wins() -> None:
    async def story() -> None:
        q, loop = queue(), asyncio.get_running_loop()
        start = loop.time()
        q.add_after("a", 60)
        q.add_after("a", 10)
        q.add_after("a", 30)
        assert await take(q) == "a"
        assert loop.time() - start == pytest.approx(10)
        q.done("a")
        assert await empty(q, 3600)

    run(story())


def test_an_add_cancels_the_wish_for_later() -> None:
    async def story() -> None:
        q = queue()
        q.add_after("a", 10)
        q.add("a")
        await take(q)
        q.done("a")
        assert q.delayed == 0
        assert await empty(q, 60)

    run(story())


def test_a_wish_for_no_time_at_all_is_an_add() -> None:
    async def story() -> None:
        q = queue()
        q.add_after("a", 0)
        assert len(q) == 1

    run(story())


def test_a_key_whose_object_is_gone_leaves_nothing_behind() -> None:
    async def story() -> None:
        q = queue()
        q.retry("a")
        q.drop("a")
        assert q.delayed == 0
        assert await empty(q, 3600)
        assert q.retry("a") == pytest.approx(0.005)

    run(story())


def test_each_failure_doubles_the_wait_and_success_forgives() -> None:
    async def story() -> None:
        q = queue()
        waits = [q.retry("a") for _ in range(4)]
        assert waits == [0.005, 0.01, 0.02, 0.04]
        q.forgive("a")
        assert q.retry("a") == 0.005

    run(story())


def test_a_server_that_says_when_to_come_back_is_heeded() -> None:
    async def story() -> None:
        assert queue().retry("a", at_least=7.0) == 7.0

    run(story())


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_no_wait_is_longer_than_a_quarter_of_an_hour_and_its_jitter(failures: int, jitter: float) -> None:
    assert 0.005 <= backoff(failures, jitter) <= LONGEST_RETRY_SECONDS * 1.2


def test_back_off_never_shrinks_with_failures() -> None:
    waits = [backoff(n, 0.0) for n in range(1, 60)]
    assert all(a <= b for a, b in pairwise(waits))


KEYS = st.sampled_from("abc")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), KEYS, st.just(0.0)),
        st.tuples(st.just("background"), KEYS, st.just(0.0)),
        st.tuples(st.just("after"), KEYS, st.sampled_from([0.0, 1.0, 5.0])),
        st.tuples(st.just("retry"), KEYS, st.just(0.0)),
        st.tuples(st.just("get"), KEYS, st.just(0.0)),
        st.tuples(st.just("done"), KEYS, st.just(0.0)),
        st.tuples(st.just("time"), KEYS, st.sampled_from([0.5, 2.0, 10.0])),
    ),
    max_size=60,
)


@given(STEPS)
def test_whatever_happens_no_add_is_lost_and_no_key_has_two_workers(steps: list[tuple[str, str, float]]) -> None:
    async def story() -> None:
        q = queue()
        owed: set[str] = set()
        working: list[str] = []
        for what, key, seconds in steps:
            if what == "add":
                q.add(key)
                owed.add(key)
            elif what == "background":
                q.add(key, background=True)
                owed.add(key)
            elif what == "after":
                q.add_after(key, seconds)
                owed.add(key)
            elif what == "retry":
                q.retry(key)
                owed.add(key)
            elif what == "get" and len(q):
                got = await take(q)
                assert got not in working
                working.append(got)
                owed.discard(got)
            elif what == "done" and working:
                q.done(working.pop(0))
            elif what == "time":
                await asyncio.sleep(seconds)
        while working:
            q.done(working.pop())
        while owed:
            got = await asyncio.wait_for(take(q), 3600)
            owed.discard(got)
            q.done(got)
        assert await empty(q, 3600)
        assert (len(q), q.delayed) == (0, 0)

    run(story())
