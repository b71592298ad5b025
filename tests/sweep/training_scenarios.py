"""TrainingJobs: the ways in which a run goes well, goes wrong, and is interfered with."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from tests.sweep import actors, training_invariants
from tests.sweep.actors import NS
from tests.sweep.ray import GOES_WELL, UP, Beat, KubeRay, Script, Stage
from tests.sweep.scenarios import Scenario, Step, When
from tests.sweep.scheduler import Run
from tests.sweep.training_invariants import ledger_of, no_orphans, nothing_runs, versions
from tests.sweep.world import World

from gyre.api import kstatus
from gyre.api.effects import Ref
from gyre.api.gvks import CONFIG_MAP, COST_BUDGET, DATASET, PROVIDER, RAY_JOB, TRAINING_JOB
from gyre.api.kstatus import Verdict
from gyre.kinds import KINDS

JOB = Ref(TRAINING_JOB, NS, "job")
RUN = Ref(CONFIG_MAP, NS, "job-run")
BUDGET = Ref(COST_BUDGET, "", "team")

TABULAR = {"target": {"column": "arr_delay", "above": "15"}, "holdout": {"partition": "Last"}}
SPEC: Mapping[str, Any] = {
    "entrypoint": {"tabular": TABULAR},
    "workers": 1,
    "datasets": [{"name": "train", "ref": {"name": "flights"}}],
    "storage": {"pvc": {"claimName": "runs", "path": "flights"}},
}
DATASET_SPEC = {"source": {"pvc": {"claimName": "data", "path": "flights"}}}

LOOSE = (
    *("totals", "rows", "mark", "lost", "goodput", "secondsLost", "blockedSeconds", "ledger", "park_deadline"),
    *("timeToStart", "lostSeconds", "ratio", "seconds", "advised", "duration", "productive"),
)

MONEY = (
    *("meter", "lines", "days", "spans", "done", "owners", "unseen", "spent", "left", "committed", "cost", "message"),
    "runs.json",  # when the job ended, and how long it took
    *(
        "to_step",
        "toStep",
        "from_step",
        "fromStep",
        "step",
        "progress.json",
        "checkpoint",
        "progress",
        "metrics",
        "steps",
    ),
)
"""When a job is parked for money depends on when its cost was looked at, and with that all that it had done by then."""

EVIDENCE = (
    *("head_node", "head_pod", "image", "evidence", "parked_before", "lineage"),
    *("cls", "class", "failures", "crashes", "restores"),
)
"""A pod whose end nobody told is believed to live until the driver's silence, or the sweep, says otherwise: another class."""


@cache
def cluster() -> World:
    """Nodes, claims, and a Dataset that has been scanned; made once, forked by every run."""
    world = bare()
    actors.put(world, DATASET, "flights", spec=DATASET_SPEC)
    Run(KINDS, world, (actors.JobController(), actors.Kubelet())).settle()
    assert kstatus.compute(world.find(Ref(DATASET, NS, "flights"))).verdict is Verdict.CURRENT
    return world


def bare() -> World:
    world = World()
    actors.nodes(world, "n1", "n2")
    for name in ("data", "runs"):
        actors.claim(world, name)
    actors.disk(world, actors.files())
    return world


def begin(world: World, **spec: Any) -> World:
    """The world with a TrainingJob; keywords replace fields of its spec."""
    actors.put(world, TRAINING_JOB, JOB.name, spec={**SPEC, **spec})
    return world


def priced(budget: Mapping[str, Any] | None, **spec: Any) -> World:
    """A cluster in which a second costs a fortune, with a budget or without, and the job in it."""
    world = cluster().fork()
    prices = [{"resource": resource, "amount": "900", "capacityType": "OnDemand"} for resource in ("CPU", "Memory")]
    actors.put(world, PROVIDER, "dear", spec={"currency": "EUR", "prices": prices})
    if budget is not None:
        actors.put(world, COST_BUDGET, BUDGET.name, spec={"currency": "EUR", **budget})
    return begin(world, **spec)


def more_money(world: World) -> None:
    world.patch(BUDGET, {"spec": {"amount": "900000000"}})


def scenario(
    name: str,
    scripts: Mapping[int, Script] | None = None,
    verdict: Verdict = Verdict.CURRENT,
    *,
    made: int = 1,
    attempts: int | None = None,
    setup: Any = None,
    spec: Mapping[str, Any] | None = None,
    money: bool = False,
    **more: Any,
) -> Scenario:
    """`made`: ModelVersions at the end; `attempts`: how many the ledger has at the end of every run."""

    def check(world: World) -> None:
        (no_orphans if verdict is Verdict.NOT_FOUND else nothing_runs)(world)
        versions(world, made)
        count = ledger_of(world.find(RUN)).get("count", 0)
        assert attempts is None or count == attempts, f"{count} attempts, not {attempts}"

    return Scenario(
        name,
        KINDS,
        setup or (lambda _: begin(cluster().fork(), **(spec or {}))),
        {JOB: verdict},
        actors=lambda: (KubeRay(scripts), actors.JobController(), actors.Kubelet()),
        invariants=training_invariants.invariants,
        loose=(*LOOSE, *MONEY) if money else LOOSE,
        evidence=EVIDENCE,
        check=check,
        **more,
    )


def step_is(least: int) -> When:
    def when(world: World) -> bool:
        progress = (((world.find(JOB) or {}).get("status") or {}).get("progress")) or {}
        return int(progress.get("step") or 0) >= least

    return when


def reason_is(reason: str) -> When:
    """Ready says so, about the newest spec."""

    def when(world: World) -> bool:
        job = world.find(JOB)
        if job is None or job["status"].get("observedGeneration") != job["metadata"]["generation"]:
            return False
        return any(c["type"] == "Ready" and c["reason"] == reason for c in job["status"].get("conditions", ()))

    return when


def running(world: World) -> bool:
    return any((job.get("status") or {}).get("jobDeploymentStatus") == "Running" for job in world.list(RAY_JOB))


def change(**spec: Any) -> Any:
    return lambda world: world.patch(JOB, {"spec": spec})


def delete(world: World) -> None:
    world.delete(JOB)


def do(at: float, act: Any) -> Beat:
    return Beat(at, act)


def trained(*more: Beat) -> Script:
    """Ten steps and a checkpoint, and then …"""
    return (*UP, Beat(5, lambda s: s.train(10)), *more)


def failing(cls: str, message: str, *, after_steps: bool = True) -> Script:
    before = trained() if after_steps else UP
    return (*before, do(7, lambda s: s.fail(cls, message)), do(8, lambda s: s.over("FAILED", message="exit code 1")))


def not_restored(stage: Stage) -> None:
    saved = stage.progress["checkpoint"]
    stage.say(
        state="Restoring", restore={"name": saved["name"], "step": saved["step"], "ok": False, "error": "truncated"}
    )
    stage.fail("RestoreFailed", f"{saved['name']} cannot be read: truncated")


WORKER_LOST: Script = trained(
    do(6, lambda s: s.lose_pod(s.worker(0))),
    do(7, lambda s: s.restarted("WorkerLost", back=0, resumed=False)),
    do(11, lambda s: s.restarted("WorkerLost")),
    do(14, Stage.succeed),
    do(15, lambda s: s.over("SUCCEEDED")),
)
HEAD_LOST: Script = trained(do(6, lambda s: s.lose_pod(s.head)))
OOM: Script = trained(
    do(6, lambda s: s.oom(s.worker(0))),
    do(7, lambda s: s.fail("Framework", "ray.exceptions.OutOfMemoryError: worker killed")),
    do(8, lambda s: s.over("FAILED", message="OutOfMemoryError")),
)
PULL: Script = (Beat(1, Stage.submit), Beat(2, Stage.pods_cannot_pull))
PULL_FIXED: Script = (*PULL, *(Beat(beat.at + 60, beat.do) for beat in GOES_WELL[1:]))
AT_ONCE = {"class": "NodeLost", "retries": 20, "backoff": "0s"}
"""Nothing but the wait for the last pods stands between two attempts."""
ENDLESS: Script = (*UP, *(Beat(5 + 20 * n, lambda s: s.train(1)) for n in range(12)))
RESTORE_FAILS: Script = (*UP, do(4, not_restored), do(5, lambda s: s.over("FAILED", message="exit code 1")))
SILENT: Script = trained()
SLOW: Script = (*trained(), *(Beat(beat.at + 15, beat.do) for beat in GOES_WELL[4:]))

SCENARIOS = (
    scenario("succeeds", attempts=1),
    scenario(
        "user error before the first step",
        {1: failing("User", "KeyError", after_steps=False)},
        Verdict.FAILED,
        made=0,
        attempts=1,
    ),
    scenario("poison step", {n: failing("User", "ValueError: NaN") for n in range(1, 9)}, Verdict.FAILED, made=0),
    scenario("worker lost in the run", {1: WORKER_LOST}, attempts=1, spec={"workers": 2}),
    scenario("head lost", {1: HEAD_LOST}, attempts=2),
    scenario("head lost, no back-off", {1: HEAD_LOST}, attempts=2, spec={"failurePolicy": {"rules": [AT_ONCE]}}),
    scenario("out of memory once", {1: OOM}, attempts=2),
    scenario("image comes late", {1: PULL_FIXED}, attempts=1),
    scenario("image never comes", {1: PULL}, Verdict.FAILED, made=0, attempts=1),
    scenario(
        "parked and thawed",
        {1: SLOW},
        racing=True,
        steps=(Step(step_is(10), change(suspend=True)), Step(reason_is("Parked"), change(suspend=False), wait=20.0)),
    ),
    scenario(
        "dataset comes late",
        setup=lambda _: begin(bare()),
        attempts=1,
        steps=(
            Step(lambda world: True, lambda world: actors.put(world, DATASET, "flights", spec=DATASET_SPEC), wait=90.0),
        ),
    ),
    scenario("deleted in mid-run", {1: SLOW}, Verdict.NOT_FOUND, made=0, steps=(Step(running, delete, wait=1.0),)),
    scenario(
        "deleted in mid-run and made anew",
        {1: SLOW},
        attempts=1,
        steps=(Step(running, delete, wait=1.0), Step(lambda world: world.find(JOB) is None, begin)),
    ),
    scenario(
        "changed before its start",
        spec={"suspend": True},
        attempts=1,
        steps=(
            Step(reason_is("Parked"), change(workers=2, parameters={"lr": "0.1"})),
            Step(reason_is("Parked"), change(suspend=False), wait=5.0),
        ),
    ),
    scenario(
        "storage not writable",
        {n: failing("StorageNotWritable", "EACCES") for n in (1, 2)},
        Verdict.FAILED,
        made=0,
        attempts=2,
    ),
    scenario("checkpoint quarantined", {1: HEAD_LOST, 2: RESTORE_FAILS, 3: RESTORE_FAILS}, attempts=4),
    scenario("time limit", {1: ENDLESS}, Verdict.FAILED, made=0, spec={"timeLimit": "1m"}, attempts=1),
    scenario(
        "claim comes late",
        spec={"storage": {"pvc": {"claimName": "later"}}},
        attempts=1,
        steps=(Step(reason_is("StorageMissing"), lambda world: actors.claim(world, "later"), wait=20.0),),
    ),
    scenario("silent driver", {1: SILENT}, attempts=2),
    scenario(
        "parked by a spent budget and thawed by more money",
        {1: ENDLESS},
        setup=lambda _: priced({"amount": "5", "thresholds": [{"percent": 100, "action": "Park"}], "interval": "30s"}),
        racing=True,
        money=True,
        steps=(Step(reason_is("BudgetExhausted"), more_money, wait=40.0),),
    ),
    scenario(
        "parked by its own maxCost and thawed by a higher one",
        {1: ENDLESS},
        setup=lambda _: priced(None, maxCost={"amount": "5", "currency": "EUR"}),
        racing=True,
        money=True,
        steps=(Step(reason_is("MaxCost"), change(maxCost={"amount": "900000", "currency": "EUR"}), wait=40.0),),
    ),
    scenario(
        "ended by its own maxCost",
        {1: ENDLESS},
        Verdict.FAILED,
        made=0,
        attempts=1,
        setup=lambda _: priced(None, maxCost={"amount": "5", "currency": "EUR", "action": "Fail"}),
        money=True,
    ),
    scenario(
        "its RayJob deleted by somebody",
        {1: SLOW},
        racing=True,
        steps=(Step(step_is(10), lambda world: world.delete(Ref(RAY_JOB, NS, "job-a1"))),),
    ),
)
