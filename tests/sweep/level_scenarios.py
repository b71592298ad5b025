"""ServiceLevelObjectives and Models that train anew: counted once, trained once, whoever dies when.

The callers come for a while and then stay away; somebody waits until all that was counted has left the window, so that every run
ends in the same world. What was counted since the beginning stays in the ledger: it must be what came, in every run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from tests.sweep import actors, serving, training_invariants
from tests.sweep.actors import NS, digest
from tests.sweep.ray import KubeRay
from tests.sweep.scenarios import Scenario, Step
from tests.sweep.scheduler import Run
from tests.sweep.training_scenarios import EVIDENCE, LOOSE, SPEC, cluster
from tests.sweep.world import EPOCH, World

from gyre.api.effects import Ref
from gyre.api.gvks import (
    CONFIG_MAP,
    DRIFT_MONITOR,
    INFERENCE_SERVICE,
    MODEL,
    MODEL_VERSION,
    SERVICE_LEVEL_OBJECTIVE,
    TRAINING_JOB,
)
from gyre.api.kstatus import Verdict
from gyre.kinds import KINDS
from gyre.kinds.model.ledger import of as doings_of
from gyre.kinds.servicelevelobjective import KIND as LEVEL
from gyre.kinds.servicelevelobjective.ledger import of as budget_of

SLO = Ref(SERVICE_LEVEL_OBJECTIVE, NS, "late")
BUDGET = Ref(CONFIG_MAP, NS, "late-budget")
M = Ref(MODEL, NS, "delays")
DOINGS = Ref(CONFIG_MAP, NS, "delays-doings")
MOVING = (
    "looked",
    "counting",
    "since",
    "stretches",
    "sources",
    "message",
    "lastTransitionTime",
    "exhausted",
    "burn",
    "at",
)
"""What depends on when somebody looked."""


# ── counting ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Callers:
    """From `begin` to `end` (seconds since the scenario began) so many requests a second, of which so many fail; then nobody."""

    rate: int = 20
    failing: float = 0.0
    begin: float = 60.0
    end: float = 120.0
    until: float = 1200.0
    """Somebody waits so long, until all has left the window."""
    restart: float | None = None
    """When Envoy begins anew; it is asked a moment before by nobody in particular, so only what was asked for is counted."""
    born: datetime | None = None

    def act(self, world: World) -> bool | datetime:
        self.born = self.born or world.now
        due = self.born + timedelta(seconds=self.until)
        return due if due > world.now else False

    def came(self, now: datetime) -> int:
        passed = (now - (self.born or now)).total_seconds()
        return int(self.rate * max(0.0, min(passed, self.end) - self.begin)) if passed > self.begin else 0

    @property
    def all(self) -> tuple[int, int]:
        total = int(self.rate * (self.end - self.begin))
        return total, int(total * self.failing)

    def answer(self, world: World, url: str, headers: Any) -> tuple[int, str]:
        if ":19001/" not in url:
            return 0, "no route to host"
        total = self.came(world.now)
        bad = int(total * self.failing)
        name = f'envoy_cluster_name="httproute/{NS}/late/rule/0/backend/0"'
        lines = (("2", total - bad), ("5", bad))
        return 200, "\n".join(
            f'envoy_cluster_upstream_rq_xx{{envoy_response_code_class="{code}",{name}}} {count}'
            for code, count in lines
        )


def level(world: World, **spec: Any) -> None:
    objective = {"name": "availability", "type": "Availability", "target": "90"}
    given = {"serviceRef": {"name": "late"}, "objectives": [objective], "window": "10m", "minEvents": 50, **spec}
    actors.put(world, SERVICE_LEVEL_OBJECTIVE, SLO.name, spec=given)


def served(world: World, version: str = "delays-a") -> None:
    """A service as its own kind would tell of it; that kind does not run here."""
    actors.put(world, INFERENCE_SERVICE, "late", spec={"modelRef": {"name": "delays"}})
    world.patch(Ref(INFERENCE_SERVICE, NS, "late"), {"status": {"stable": {"version": version}}})


def counting(name: str, callers: Callable[[], Callers], verdict: Verdict = Verdict.CURRENT, **more: Any) -> Scenario:
    crew: dict[str, Callers] = {}
    spec, serves, steps = more.pop("spec", {}), more.pop("serves", True), more.pop("steps", ())
    check = more.pop("check", None)

    def setup(_: World) -> World:
        world = World()
        serving.installed(world)
        crew["callers"] = callers()
        world.answers = crew["callers"].answer
        if serves:
            served(world)
        level(world, **spec)
        return world

    def counted_once(world: World) -> None:
        ledger = budget_of(world.get(BUDGET)).ledger
        assert ledger is not None
        tally = ledger.tallies["availability"]
        assert (tally.events, tally.bad) == crew["callers"].all, f"counted {tally.events}, {tally.bad}"

    return Scenario(
        name,
        (LEVEL,),
        setup,
        {SLO: verdict},
        actors=lambda: (crew["callers"],),
        steps=steps,
        loose=MOVING,
        check=check or counted_once,
        **more,
    )


def nothing_kept(world: World) -> None:
    assert world.find(BUDGET) is None


def drop(world: World) -> None:
    world.delete(SLO)


def after(seconds: float) -> Callable[[World], bool]:
    return lambda world: world.now >= EPOCH + timedelta(seconds=seconds)


LEVELS: Sequence[Scenario] = (
    counting("good answers", Callers),
    counting("nobody comes", lambda: Callers(rate=0)),
    counting("a spent budget comes back", lambda: Callers(failing=0.5)),
    counting("a slow burn", lambda: Callers(rate=5, failing=0.05, end=300.0)),
    counting(
        "the service comes late",
        lambda: Callers(
            begin=400.0, end=460.0, until=1600.0
        ),  # after a sweep: whom nobody has told of counts from then on
        serves=False,
        steps=(Step(lambda world: world.find(BUDGET) is not None, served, wait=20.0),),
    ),
    counting(
        "deleted in the middle",
        Callers,
        Verdict.NOT_FOUND,
        steps=(Step(lambda world: world.find(BUDGET) is not None, drop, wait=90.0),),
        check=nothing_kept,
    ),
)


# ── training anew ────────────────────────────────────────────────────────────────────────────────────────────────────

TEMPLATE = {key: value for key, value in SPEC.items() if key not in ("model", "suspend")}
OBJECTIVE = {"metric": "auc", "goal": "Maximize"}


def one_at_a_time() -> Callable[[World], None]:
    """Never two TrainingJobs of one number, never two that run, never one that the ledger does not know."""
    made: dict[str, str] = {}

    def check(world: World) -> None:
        jobs = [obj for obj in world.list(TRAINING_JOB) if "-retrain-" in obj["metadata"]["name"]]
        held = world.find(DOINGS)
        ledger = doings_of(held).ledger if held else None
        for job in jobs:
            name, uid = job["metadata"]["name"], job["metadata"]["uid"]
            assert made.setdefault(name, uid) == uid, f"{name} was made twice"
            if world.find(M) is not None:
                assert ledger is not None, f"{name} was made before the ledger"
                assert int(name.rpartition("-")[2]) <= ledger.count, f"{name} is not in the ledger"
        open_ = [job for job in jobs if not over(job)]
        assert len(open_) <= 1, f"{len(open_)} run at once"

    return check


@cache
def modelled() -> World:
    """A Model whose champion is registered, so that each run begins with the same one; made once, forked by every run."""
    world = cluster().fork()
    actors.put(world, MODEL, M.name, spec={"objective": OBJECTIVE})
    spec = {
        "modelRef": {"name": M.name},
        "artifact": {"uri": "pvc://runs/a", "digest": digest("a"), "flavour": "torch"},
        "metrics": {"auc": "0.7"},
    }
    actors.put(world, MODEL_VERSION, "delays-aaaaaaaa", spec=spec)
    Run(KINDS, world, (actors.JobController(), actors.Kubelet())).settle()
    assert world.get(M)["status"]["champion"]["name"] == "delays-aaaaaaaa"
    return world


def over(job: Any) -> bool:
    conditions = {c["type"]: c["status"] for c in (job.get("status") or {}).get("conditions") or ()}
    return conditions.get("Succeeded") in ("True", "False")


def retraining(name: str, retrain: Any, jobs: int, *, steps: Sequence[Step] = (), **more: Any) -> Scenario:
    extra, verdict = more.pop("extra", lambda world: None), more.pop("verdict", Verdict.CURRENT)
    loose = more.pop("loose", ())

    def begin(_: World) -> World:
        world = modelled().fork()
        world.patch(M, {"spec": {"retrain": {"template": TEMPLATE, **retrain}}})
        extra(world)
        return world

    def so_many(world: World) -> None:
        found = [o["metadata"]["name"] for o in world.list(TRAINING_JOB) if "-retrain-" in o["metadata"]["name"]]
        assert len(found) == jobs, f"{found} were made, not {jobs}"
        ledger = doings_of(world.get(DOINGS)).ledger
        assert ledger is not None
        assert ledger.count == jobs
        assert all(run.outcome for run in ledger.runs), f"still open: {ledger.runs}"

    return Scenario(
        name,
        KINDS,
        begin,
        {M: verdict},
        actors=lambda: (KubeRay(), actors.JobController(), actors.Kubelet()),
        steps=steps,
        invariants=lambda: (*training_invariants.invariants(), one_at_a_time()),
        loose=(
            *LOOSE,
            "at",
            "born",
            "retrain-why",
            "gyre.dev/retrain-why",
            "lastWhy",
            "why",
            "next",
            "scheduled",
            "key",
            *loose,
        ),
        evidence=EVIDENCE,
        check=so_many,
        **more,
    )


def monitor(world: World, *, bug: str = "") -> None:
    actors.put(world, DRIFT_MONITOR, "shift", spec={"modelRef": {"name": M.name}})
    status: dict[str, Any] = {"drifted": True, "since": "2026-11-23T07:30:00Z", "conditions": judged(world, bug)}
    status |= {"dataBug": {"reason": "UnitChange", "message": bug}} if bug else {}
    world.patch(Ref(DRIFT_MONITOR, NS, "shift"), {"status": status})


def judged(world: World, bug: str = "") -> list[dict[str, Any]]:
    generation = world.get(Ref(DRIFT_MONITOR, NS, "shift"))["metadata"]["generation"]
    truths = {"Ready": "True", "DataBug": "True" if bug else "False"}
    return [{"type": type, "status": truth, "observedGeneration": generation} for type, truth in truths.items()]


def by_hand(value: str) -> Callable[[World], Any]:
    return lambda world: world.patch(M, {"metadata": {"annotations": {"gyre.dev/retrain": value}}})


def remembered(world: World) -> bool:
    return world.find(DOINGS) is not None


def mended(world: World) -> None:
    world.patch(Ref(DRIFT_MONITOR, NS, "shift"), {"status": {"dataBug": None, "conditions": judged(world)}})


@cache
def _drift() -> dict[str, Any]:
    return {"triggers": [{"drift": {"monitor": "shift"}}]}


def made(number: int) -> Callable[[World], bool]:
    """Whoever asks twice before anybody has looked has asked once."""
    return lambda world: world.find(Ref(TRAINING_JOB, NS, f"delays-retrain-{number}")) is not None


def done(number: int) -> Callable[[World], bool]:
    return lambda world: (
        (job := world.find(Ref(TRAINING_JOB, NS, f"delays-retrain-{number}"))) is not None and over(job)
    )


SECOND = ("champion",)
"""The second job is measured against the version of the first, or the one before if that is not heard of yet."""

RETRAININGS: Sequence[Scenario] = (
    retraining("drift", _drift(), 1, extra=monitor),
    retraining("by hand", {}, 1, steps=(Step(remembered, by_hand("one"), wait=5.0),)),
    retraining(
        "by hand, and again while it runs",
        {},
        2,
        steps=(Step(remembered, by_hand("one"), wait=5.0), Step(made(1), by_hand("two"), wait=3.0)),
        loose=SECOND,
    ),
    retraining(
        "broken data that are mended",
        _drift(),
        1,
        extra=lambda world: monitor(world, bug="kilometres"),
        steps=(Step(remembered, mended, wait=30.0),),
    ),
    retraining(
        "drift and a person, one after the other",
        _drift(),
        2,
        extra=monitor,
        steps=(Step(done(1), by_hand("one"), wait=30.0),),
        loose=SECOND,
    ),
    retraining("no cause", {"triggers": [{"rule": {"name": "low", "cel": "metrics['auc'] < 0.5"}}]}, 0),
)
