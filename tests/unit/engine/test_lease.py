"""The Lease: never two replicas that may both write, whatever fails and however slow the answers are."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sweep.world import EPOCH, World
from tests.unit.engine.virtualtime import run

from gyre.api.effects import Manifest, Ref
from gyre.api.gvks import LEASE
from gyre.api.kind import Object
from gyre.engine.lease import DURATION_SECONDS, SAFETY_SECONDS, Lease, LeaseLost
from gyre.kube import errors

REF = Ref(LEASE, "gyre-system", "gyre-operator")


class Line:
    """A slow and faulty line to the world: each request is done after a delay, its answer comes after another or never."""

    def __init__(self, world: World, delays: list[tuple[float, float, str]]) -> None:
        self.world, self.delays = world, delays

    async def _carry(self, act: Any) -> Object:
        there, back, fault = self.delays.pop(0) if self.delays else (0.01, 0.01, "")
        await asyncio.sleep(there)
        if fault == "lost":
            raise errors.Unavailable(0, "TimeoutError", "no answer")
        try:
            answer: Object = act()
        finally:
            await asyncio.sleep(back)
        if fault == "unheard":
            raise errors.Unavailable(0, "TimeoutError", "no answer")
        return answer

    async def get(self, ref: Ref) -> Object:
        return await self._carry(lambda: self.world.get(ref))

    async def create(self, ref: Ref, manifest: Manifest, *, manager: str) -> Object:
        return await self._carry(lambda: self.world.create(ref, manifest))

    async def replace(self, ref: Ref, manifest: Manifest, *, manager: str) -> Object:
        return await self._carry(lambda: self.world.replace(ref, manifest))


def replica(world: World, name: str, *delays: tuple[float, float, str]) -> Lease:
    """Its wall clock is an hour off for `b`: only the monotonic ones may count."""
    clock, skew = asyncio.get_running_loop().time, timedelta(hours=name == "b")
    return Lease(
        Line(world, list(delays)),  # type: ignore[arg-type]
        namespace=REF.namespace,
        name=REF.name,
        identity=name,
        now=lambda: EPOCH + skew + timedelta(seconds=clock()),
        monotonic=clock,
    )


async def keep(lease: Lease) -> bool:
    """True when it ended because the lease was lost."""
    try:
        await lease.keep()
    except LeaseLost:
        return True
    return False


async def stop(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def test_the_first_replica_holds_it_and_the_second_waits() -> None:
    async def story() -> None:
        world = World()
        a, b = replica(world, "a"), replica(world, "b")
        tasks = asyncio.create_task(keep(a)), asyncio.create_task(keep(b))
        await asyncio.sleep(300)
        assert (a.held(), b.held()) == (True, False)
        assert world.get(REF)["spec"]["holderIdentity"] == "a"
        await stop(*tasks)

    run(story())


def test_a_released_lease_is_taken_at_once() -> None:
    async def story() -> None:
        world = World()
        a, b = replica(world, "a"), replica(world, "b")
        first = asyncio.create_task(keep(a))
        await a.acquired.wait()
        second = asyncio.create_task(keep(b))
        await asyncio.sleep(1)
        await stop(first)
        await a.release()
        assert not a.held()
        await asyncio.wait_for(b.acquired.wait(), 2)
        await stop(second)

    run(story())


def test_the_lease_of_a_dead_replica_is_taken_after_its_duration() -> None:
    async def story() -> None:
        world, loop = World(), asyncio.get_running_loop()
        a, b = replica(world, "a"), replica(world, "b")
        first, second = asyncio.create_task(keep(a)), asyncio.create_task(keep(b))
        await a.acquired.wait()
        await stop(first)
        died = loop.time()
        await b.acquired.wait()
        assert DURATION_SECONDS - 5 <= loop.time() - died <= DURATION_SECONDS + 2
        await stop(second)

    run(story())


def test_a_replica_that_cannot_renew_stops_writing_before_another_may_start_and_then_ends() -> None:
    async def story() -> None:
        world, loop = World(), asyncio.get_running_loop()
        a = replica(world, "a", *[(0.0, 0.0, "")] * 2, *[(0.0, 0.0, "lost")] * 100)
        task = asyncio.create_task(keep(a))
        await a.acquired.wait()
        start = loop.time()
        assert await task
        assert not a.held()
        assert loop.time() - start <= DURATION_SECONDS - SAFETY_SECONDS + 1.1

    run(story())


def test_a_replica_that_sees_another_holder_stops_writing_at_once() -> None:
    async def story() -> None:
        world = World()
        a = replica(world, "a")
        task = asyncio.create_task(keep(a))
        await a.acquired.wait()
        world.patch(REF, {"spec": {"holderIdentity": "b"}})
        assert await asyncio.wait_for(task, 6)
        assert not a.held()

    run(story())


def test_of_two_who_create_it_at_once_one_wins() -> None:
    async def story() -> None:
        world = World()
        a, b = replica(world, "a", (1, 0, ""), (1, 0, "")), replica(world, "b", (1, 0, ""), (1, 0, ""))
        tasks = asyncio.create_task(keep(a)), asyncio.create_task(keep(b))
        await asyncio.sleep(10)
        assert [a.held(), b.held()].count(True) == 1
        await stop(*tasks)

    run(story())


def test_what_a_slow_answer_says_is_counted_from_its_arrival() -> None:
    """The record in it may be as young as the answer: counted from the question, the lease would be taken far too soon."""

    async def story() -> None:
        world = World()
        quick, lost = (0.0, 0.0, ""), (0.0, 0.0, "lost")
        a = replica(world, "a", *[quick] * 10, *[lost] * 60)
        b = replica(world, "b", (20.5, 0.0, ""))
        tasks = asyncio.create_task(keep(a)), asyncio.create_task(keep(b))
        for _ in range(120):
            await asyncio.sleep(0.5)
            assert [a.held(), b.held()].count(True) <= 1
        assert b.held()
        await stop(*tasks)

    run(story())


SECONDS = st.sampled_from([0.0, 0.01, 1.0, 3.0, 8.0, 14.0, 20.0, 29.0])
DELAYS = st.lists(st.tuples(SECONDS, SECONDS, st.sampled_from(["", "", "", "lost", "unheard"])), max_size=14)


@pytest.mark.parametrize("crash", [False, True], ids=["", "one-dies"])
@given(a=DELAYS, b=DELAYS, gap=SECONDS)
@settings(max_examples=150, deadline=None)
def test_never_two_replicas_hold_it(crash: bool, a: list[Any], b: list[Any], gap: float) -> None:
    async def story() -> None:
        world = World()
        leases = [replica(world, "a", *a), replica(world, "b", *b)]
        tasks = [asyncio.create_task(keep(leases[0]))]
        await asyncio.sleep(gap)
        tasks.append(asyncio.create_task(keep(leases[1])))
        for tick in range(240):
            await asyncio.sleep(0.5)
            assert [lease.held() for lease in leases].count(True) <= 1, "two may write"
            if crash and tick == 60:
                await stop(tasks[0])
        await stop(*tasks)

    run(story())
