"""CostBudgets and Providers: pods come and go, prices come late, money runs out, somebody adds some.

Pods say their ends and stay to be seen for ten minutes, as those of Jobs do: then the books must come out the same to the last
digit, whatever went wrong. Only where a pod vanishes without a word may they differ, and then by less than was true.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.sweep import actors
from tests.sweep.actors import NS
from tests.sweep.scenarios import Scenario, Step, When
from tests.sweep.world import EPOCH, World, stamp

from gyre.api import kstatus
from gyre.api.effects import Ref
from gyre.api.gvks import CONFIG_MAP, COST_BUDGET, NODE, PERSISTENT_VOLUME_CLAIM, POD, PROVIDER
from gyre.api.kind import MANAGED_BY, Object
from gyre.api.kstatus import Verdict
from gyre.cost.text import from_text
from gyre.kinds import KINDS

BUDGET = Ref(COST_BUDGET, "", "team")
LEDGER = Ref(CONFIG_MAP, "gyre-system", "team-ledger")
PRICES = Ref(PROVIDER, "", "onprem")
CPU = {"resource": "CPU", "amount": "3.6", "capacityType": "OnDemand"}
STORAGE = {"resource": "Storage", "amount": "3.6"}
MEMORY = {"resource": "Memory", "amount": "1.8", "capacityType": "OnDemand"}
LOOSE = ("mark",)
GUESSED = ("lines", "days", "done", "unseen", "spent", "left", "cost", "owners", "message")
LATE = timedelta(seconds=600)
CURRENT, FAILED, NOT_FOUND = Verdict.CURRENT, Verdict.FAILED, Verdict.NOT_FOUND

Act = Callable[[World], Any]


class Payroll:
    """What happens in the cluster, by the clock."""

    def __init__(self, beats: Sequence[tuple[float, Act]]) -> None:
        self.beats, self.done = sorted(beats, key=lambda beat: beat[0]), 0

    def act(self, world: World) -> bool | datetime:
        if self.done == len(self.beats):
            return False
        at = EPOCH + timedelta(seconds=self.beats[self.done][0])
        if at > world.now:
            return at
        self.done += 1
        self.beats[self.done - 1][1](world)
        return True


def pod(name: str) -> Ref:
    return Ref(POD, NS, name)


def starts(name: str, job: str = "flights", on: str = "n1") -> Act:
    """One core and two GiB: 0.2 cents a second."""

    def act(world: World) -> None:
        labels = {MANAGED_BY: "gyre", "gyre.dev/trainingjob": job}
        asked = {"requests": {"cpu": "1", "memory": "2Gi"}}
        manifest = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": NS, "labels": labels},
            "spec": {"nodeName": on, "containers": [{"name": "x", "resources": asked}]},
        }
        world.create(pod(name), manifest)
        state = {"running": {"startedAt": stamp(world.now)}}
        world.patch(pod(name), {"status": {"phase": "Running", "containerStatuses": [{"name": "x", "state": state}]}})

    return act


def _state(world: World, name: str) -> Mapping[str, Any]:
    state: Mapping[str, Any] = world.get(pod(name))["status"]["containerStatuses"][0]["state"]
    return state


def ends(name: str) -> Act:
    def act(world: World) -> None:
        ended = {**_state(world, name)["running"], "finishedAt": stamp(world.now), "exitCode": 0}
        before = world.get(pod(name))["status"]["containerStatuses"][0]
        status = {**before, "state": {"terminated": ended}}
        world.patch(pod(name), {"status": {"phase": "Succeeded", "containerStatuses": [status]}})

    return act


def restarts(name: str) -> Act:
    def act(world: World) -> None:
        ended = {**_state(world, name)["running"], "finishedAt": stamp(world.now), "exitCode": 1}
        state = {"running": {"startedAt": stamp(world.now + timedelta(seconds=2))}}
        status = {"name": "x", "state": state, "lastState": {"terminated": ended}}
        world.patch(pod(name), {"status": {"containerStatuses": [status]}})

    return act


def goes(name: str) -> Act:
    return lambda world: world.delete(pod(name))


def disk(name: str) -> Ref:
    return Ref(PERSISTENT_VOLUME_CLAIM, NS, name)


def keeps(name: str) -> Act:
    """73 GiB: 0.01 EUR each hundred seconds. Something mounts it, so it does not go as soon as it is told to."""

    def act(world: World) -> None:
        manifest = {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {
                "name": name,
                "namespace": NS,
                "labels": {"gyre.dev/team": "a"},
                "finalizers": ["kubernetes.io/pvc-protection"],
            },
            "spec": {"resources": {"requests": {"storage": "73Gi"}}},
        }
        world.create(disk(name), manifest)
        world.patch(disk(name), {"status": {"phase": "Bound"}})

    return act


def grows(name: str) -> Act:
    return lambda world: world.patch(disk(name), {"spec": {"resources": {"requests": {"storage": "146Gi"}}}})


def told_to_go(name: str) -> Act:
    return lambda world: world.delete(disk(name))


def let_go(name: str) -> Act:
    return lambda world: world.patch(disk(name), {"metadata": {"finalizers": None}})


def provider(*prices: Mapping[str, Any], **spec: Any) -> Act:
    body = {"currency": "EUR", "prices": list(prices) or [CPU, MEMORY], **spec}
    return lambda world: actors.put(world, PROVIDER, PRICES.name, spec=body)


def budget(**spec: Any) -> Act:
    body = {"amount": "100", "currency": "EUR", **spec}
    return lambda world: actors.put(world, COST_BUDGET, BUDGET.name, spec=body)


def life(name: str, start: float, end: float, **more: Any) -> list[tuple[float, Act]]:
    """It runs, ends, and is there to be seen until ten minutes later."""
    return [(start, starts(name, **more)), (end, ends(name)), (end + 700, goes(name))]


class NeverTwice:
    """At no moment do the books hold more core-seconds than have run, as far as anybody could know: word of an end comes late by
    a sweep and an interval at the most. That nothing of it stays is what the end of each run is judged by."""

    def __init__(self) -> None:
        self.runs: dict[tuple[str, str], tuple[datetime, datetime | None]] = {}

    def __call__(self, world: World) -> None:
        for obj in world.list(POD):
            self._remember(obj)
        held = world.find(LEDGER)
        if held is None:
            return
        meter = from_text(held["data"]["ledger.json"])
        billed = sum((quantity for line, quantity in meter.bill.lines.items() if line.resource == "CPU"), Decimal(0))
        ends = ((start, min(world.now, end + LATE) if end else world.now) for start, end in self.runs.values())
        true = sum(max(0.0, (end - start).total_seconds()) for start, end in ends)
        assert billed <= Decimal(true), f"{billed} core-seconds are billed, {true} have run"

    def _remember(self, obj: Object) -> None:
        for status in (obj.get("status") or {}).get("containerStatuses") or ():
            state = status.get("state") or {}
            for told in (
                state.get("running"),
                state.get("terminated"),
                (status.get("lastState") or {}).get("terminated"),
            ):
                if told:
                    end = datetime.fromisoformat(told["finishedAt"]) if "finishedAt" in told else None
                    key = (obj["metadata"]["uid"], told["startedAt"])
                    self.runs[key] = (
                        datetime.fromisoformat(told["startedAt"]),
                        end or self.runs.get(key, (0, None))[1],
                    )


def spent(expected: str, action: str = "None") -> Act:
    def check(world: World) -> None:
        status = world.get(BUDGET)["status"]
        assert (status.get("spent"), status.get("action")) == (expected, action), status

    return check


def scenario(
    name: str,
    setup: Sequence[Act],
    beats: Sequence[tuple[float, Act]] = (),
    expect: Mapping[Ref, Verdict] | None = None,
    *,
    loose: Sequence[str] = LOOSE,
    **more: Any,
) -> Scenario:
    def begin(world: World) -> None:
        actors.nodes(world, "n1", "n2")
        for act in setup:
            act(world)

    return Scenario(
        name,
        KINDS,
        begin,
        expect if expect is not None else {BUDGET: CURRENT},
        actors=lambda: (Payroll(beats),),
        invariants=lambda: (NeverTwice(),),
        loose=loose,
        **more,
    )


def is_(ref: Ref, verdict: Verdict) -> When:
    return lambda world: kstatus.compute(world.find(ref)).verdict is verdict


def says(action: str) -> When:
    return lambda world: (world.find(BUDGET) or {}).get("status", {}).get("action") == action


def gone(world: World) -> None:
    left = [str(ref) for ref in world.objects if ref.gvk in (COST_BUDGET, CONFIG_MAP)]
    assert not left, f"left behind: {left}"


def ledger(world: World) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(world.get(LEDGER)["data"]["ledger.json"])
    return content


PARKS = {"amount": "0.3", "thresholds": [{"percent": 100, "action": "Park"}]}
LATER = stamp(EPOCH + timedelta(seconds=60))

BUDGETS = (
    scenario("nothing runs", [provider(), budget()], check=spent("0.00")),
    scenario("a pod runs and ends", [provider(), budget()], life("a", 10, 210), check=spent("0.40")),
    scenario(
        "pods come, start again and go",
        [provider(), budget()],
        [
            *life("a", 10, 210),
            (100, restarts("a")),
            *life("b", 50, 450, job="taxis"),
            *life("c", 300, 301, on="n2"),
        ],
        check=spent("1.20"),
    ),
    scenario("pods were there before it", [provider(), starts("a"), budget()], [(100, ends("a"))], check=spent("0.20")),
    scenario(
        "prices come late",
        [budget()],
        [*life("a", 10, 210), (400, provider())],
        check=spent("0.40"),
    ),
    scenario("prices never come", [budget()], life("a", 10, 210), {BUDGET: FAILED}, check=spent(None)),  # type: ignore[arg-type]
    scenario(
        "a price changes in mid-run",
        [provider({**CPU, "until": LATER}, {**CPU, "amount": "7.2", "from": LATER}, MEMORY), budget()],
        life("a", 10, 210),
        check=spent("0.55"),
    ),
    scenario(
        "money runs out and more is given",
        [provider(), budget(**PARKS)],
        life("a", 10, 210),
        steps=(Step(says("Park"), lambda world: world.patch(BUDGET, {"spec": {"amount": "50"}}), wait=5.0),),
        check=spent("0.40"),
    ),
    scenario(
        "a disk is kept for a while",
        [provider(CPU, MEMORY, STORAGE), budget()],
        [(10, keeps("data")), (1010, told_to_go("data")), (1710, let_go("data"))],
        check=spent("0.10"),
    ),
    scenario(
        "a disk grows",
        [provider(CPU, MEMORY, STORAGE), budget()],
        [(10, keeps("data")), (510, grows("data")), (1010, told_to_go("data")), (1710, let_go("data"))],
        loose=(*LOOSE, *GUESSED),
    ),
    scenario(
        "a pod vanishes without a word",
        [provider(), budget()],
        [(10, starts("a")), (500, goes("a"))],
        loose=(*LOOSE, *GUESSED),
    ),
    scenario(
        "deleted",
        [provider(), budget()],
        life("a", 10, 210),
        {BUDGET: NOT_FOUND},
        steps=(Step(is_(BUDGET, CURRENT), lambda world: world.delete(BUDGET), wait=250.0),),
        check=gone,
    ),
)

PROVIDERS = (
    scenario("prices for all nodes", [provider()], expect={PRICES: CURRENT}),
    scenario("for no node", [provider(nodeSelector={"pool": "a"})], expect={PRICES: CURRENT}),
    scenario(
        "a node joins",
        [provider()],
        [(10, lambda world: actors.nodes(world, "n3"))],
        {PRICES: CURRENT},
    ),
    scenario("a node leaves", [provider()], [(10, lambda world: world.delete(Ref(NODE, "", "n2")))], {PRICES: CURRENT}),
    scenario(
        "contested, and mended",
        [provider(), lambda world: actors.put(world, PROVIDER, "other", spec={"currency": "EUR", "prices": [CPU]})],
        expect={PRICES: CURRENT},
        steps=(Step(is_(PRICES, FAILED), lambda world: world.delete(Ref(PROVIDER, "", "other")), wait=5.0),),
    ),
    scenario("expired", [provider({**CPU, "until": stamp(EPOCH)})], expect={PRICES: FAILED}),
    scenario("expires in time", [provider({**CPU, "until": LATER})], expect={PRICES: FAILED}),
    scenario("begins in time", [provider({**CPU, "from": LATER}, MEMORY)], expect={PRICES: CURRENT}),
)
