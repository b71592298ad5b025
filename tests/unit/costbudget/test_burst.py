"""A thousand jobs that start at once, and end at once: how often the books are looked at, and that nothing is lost by it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.sweep.world import EPOCH, World, stamp
from tests.unit.engine import stories

from gyre.api.effects import Ref
from gyre.api.gvks import CONFIG_MAP, COST_BUDGET, NODE, POD, PROVIDER
from gyre.api.kind import MANAGED_BY, Object
from gyre.cost.bill import money
from gyre.cost.text import from_text
from gyre.engine.engine import Engine
from gyre.kinds.costbudget import KIND, SETTLE
from gyre.kinds.costbudget.decide import decide

JOBS = 1000
APART = 0.01
"""Seconds between two events: a busy API server."""
BUDGET = Ref(COST_BUDGET, "", "team")
LEDGER = Ref(CONFIG_MAP, "gyre-system", "team-ledger")


def a_world() -> World:
    world = World()
    room = {"cpu": "8", "memory": "32Gi"}
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}}
    world.create(Ref(NODE, "", "n1"), node)
    world.patch(Ref(NODE, "", "n1"), {"status": {"capacity": room, "allocatable": room}})
    prices = [{"resource": "CPU", "amount": "3.6", "capacityType": "OnDemand"}]
    for gvk, name, spec in (
        (PROVIDER, "onprem", {"currency": "EUR", "prices": prices}),
        (COST_BUDGET, "team", {"amount": "100000", "currency": "EUR"}),
    ):
        body = {"apiVersion": gvk.api_version, "kind": gvk.kind, "metadata": {"name": name}, "spec": spec}
        world.create(Ref(gvk, "", name), body)
    return world


class Burst:
    """The engine with CostBudgets alone; `looks` are the moments at which it looked at one."""

    def __init__(self) -> None:
        self.world, self.looks = a_world(), list[datetime]()
        self.started: dict[str, datetime] = {}

    def noted(self, budget: Any, seen: Any, now: datetime) -> Any:
        if not self.looks or self.looks[-1] != now:
            self.looks.append(now)
        return decide(budget, seen, now)

    def tell(self) -> None:
        stories.tell(self.world, (replace(KIND, decide=self.noted),), self.story)

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=asyncio.get_running_loop().time())

    async def story(self, engine: Engine) -> None:
        await asyncio.sleep(20)
        self.looks.clear()
        for number in range(JOBS):
            engine.event(POD, "ADDED", self.begins(f"p{number}"))
            await asyncio.sleep(APART)
        await asyncio.sleep(SETTLE + 1)
        assert len(from_text(self.ledger).spans) == JOBS
        self.fewer_than(JOBS * APART)
        await asyncio.sleep(10)
        self.looks.clear()
        for number in range(JOBS):
            ended = self.ends(f"p{number}")
            engine.event(POD, "DELETED", ended)
            await asyncio.sleep(APART)
        await asyncio.sleep(SETTLE + 1)
        self.fewer_than(JOBS * APART)

    def fewer_than(self, seconds: float) -> None:
        assert 0 < len(self.looks) <= seconds / SETTLE + 2, f"{len(self.looks)} looks in {seconds} s"
        gaps = [later - sooner for sooner, later in zip(self.looks, self.looks[1:], strict=False)]
        assert min(gaps) >= timedelta(seconds=SETTLE)

    @property
    def ledger(self) -> str:
        return str(self.world.get(LEDGER)["data"]["ledger.json"])

    def begins(self, name: str) -> Object:
        """One core: a tenth of a cent a second."""
        self.started[name] = self.now().replace(microsecond=0)
        labels = {MANAGED_BY: "gyre", "gyre.dev/trainingjob": name}
        containers = [{"name": "x", "resources": {"requests": {"cpu": "1"}}}]
        manifest = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": "ml", "labels": labels},
            "spec": {"nodeName": "n1", "containers": containers},
        }
        self.world.create(Ref(POD, "ml", name), manifest)
        return self.says(name, {"running": {"startedAt": stamp(self.started[name])}})

    def ends(self, name: str) -> Object:
        """It says so, and is gone in the same moment: a watch that merges events tells only of the deletion."""
        times = {
            "startedAt": stamp(self.started[name]),
            "finishedAt": stamp(self.started[name] + timedelta(seconds=20)),
        }
        last = self.says(name, {"terminated": {**times, "exitCode": 0}})
        self.world.delete(Ref(POD, "ml", name))
        version = str(self.world.version)
        return {**last, "metadata": {**last["metadata"], "resourceVersion": version}}

    def says(self, name: str, state: Object) -> Object:
        status = {"phase": "Running", "containerStatuses": [{"name": "x", "state": state}]}
        return self.world.patch(Ref(POD, "ml", name), {"status": status})


def test_a_burst_of_pods_is_a_look_every_few_seconds_and_every_end_is_billed_to_the_second():
    burst = Burst()
    burst.tell()
    meter = from_text(burst.ledger)
    assert (len(meter.spans), meter.unseen) == (0, 0)
    assert money(meter.bill.total()) == Decimal(JOBS * 20) * Decimal("0.001")
