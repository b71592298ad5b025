"""DriftMonitors: judged, caught up, drifted, failing, mended, deleted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.sweep import actors
from tests.sweep.actors import NS, controller, digest
from tests.sweep.scenarios import Scenario, Step, When
from tests.sweep.world import World

from gyre.api import kstatus
from gyre.api.effects import Ref
from gyre.api.gvks import CONFIG_MAP, DATASET, DRIFT_MONITOR, INFERENCE_SERVICE, JOB, MODEL, POD
from gyre.api.kind import Object
from gyre.api.kstatus import Verdict
from gyre.kinds import KINDS
from gyre.kinds.driftmonitor.ledger import Ledger, to_data
from gyre.kinds.driftmonitor.model import DriftMonitor
from gyre.kinds.driftmonitor.plan import EPOCH, REQUESTED_AT, step

DM = Ref(DRIFT_MONITOR, NS, "watch")
LEDGER = Ref(CONFIG_MAP, NS, "watch-windows")
SERVICE = Ref(INFERENCE_SERVICE, NS, "flights")
KIND = tuple(kind for kind in KINDS if kind.gvk in (DRIFT_MONITOR, DATASET, MODEL))
"""Without that of the service: what it lacks in this world is no matter of the monitor's."""

SPEC = {
    "serviceRef": {"name": "flights"},
    "modelRef": {"name": "late"},
    "reference": {"window": {"from": "2020-01-01T00:00:00Z", "to": "2020-01-08T00:00:00Z"}},
    "window": "30d",  # so that no second one ends while a run lasts
    "expectedTimeBetweenFalseAlarms": "3650d",
}


def found(drifted: bool = False, **more: Any) -> dict[str, Any]:
    worst = {"feature": "carrier", "statistic": 5.4 if drifted else 1.2, "threshold": 3.3, "effect": 0.08}
    return {
        "version": 1,
        "state": "Judged",
        "window": {"rows": 3600, "judged": 1311},
        "drifted": drifted,
        "worst": [worst],
        "report": {"uri": "pvc://logs/r.html", "digest": digest("e")},
        **more,
    }


LABELS, WRONG = 10, 3
"""That come in each window."""


class Judge(actors.JobController):
    """As workloads/drift counts labels (docs/drift-contract.md): a book beside the log, of which each Job tells the sums."""

    def said(self, world: World, job: Object, found: Any) -> Any:
        if "error" in found:
            return found
        window = job["metadata"]["name"].rsplit("-", 1)[0]
        book = {*json.loads(world.get(actors.DISK)["data"].get("book", "[]")), window}
        world.patch(actors.DISK, {"data": {"book": json.dumps(sorted(book))}})
        sums = {"seen": LABELS * len(book), "wrong": WRONG * len(book)}
        return {**found, "labels": {"rows": LABELS, "errors": WRONG, "book": "b", **sums}}


BUG = found(True, dataBug={"reason": "UnitChange", "feature": "distance", "message": "×1.609 (miles → kilometres)"})
TOO_SMALL = actors.trouble("ReferenceTooSmall", "the reference has 1500 rows: 500 rows are missing")


def begin(report: Mapping[str, Any], *, uri: str | None = "pvc://logs/p", behind: int = 0, service: bool = True) -> Any:
    """`behind`: so many windows have ended since the ledger that is there already was written."""

    def setup(world: World) -> None:
        actors.disk(world, report)
        actors.put(world, MODEL, "late", spec={"objective": {"metric": "auc", "goal": "Maximize"}})
        if service:
            serve(uri)(world)
        create(world)
        if behind:
            down(world, behind)

    return setup


def serve(uri: str | None) -> Any:
    def act(world: World) -> None:
        log = {"log": {"uri": uri}} if uri else {}
        actors.put(world, INFERENCE_SERVICE, SERVICE.name, spec={"modelRef": {"name": "late"}, **log})

    return act


def create(world: World) -> None:
    actors.put(world, DRIFT_MONITOR, DM.name, spec=SPEC)


def down(world: World, behind: int) -> None:
    """As an operator left it that was stopped so many windows ago."""
    live = world.get(DM)
    dm = DriftMonitor.parse(live)
    width = dm.spec.window
    newest = EPOCH + ((world.now - dm.spec.lateness - EPOCH) // width) * width
    asked = step(dm, None, "pvc://logs/p", Ledger(), world.now).trigger
    ledger = Ledger(trigger=asked, done=f"{newest - behind * width:%Y-%m-%dT%H:%M:%SZ}")
    labels = {"app.kubernetes.io/managed-by": "gyre", "gyre.dev/drift-monitor": DM.name}
    metadata = {"name": LEDGER.name, "namespace": NS, "labels": labels, "ownerReferences": [controller(live)]}
    world.create(LEDGER, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": to_data(ledger)})


def is_(verdict: Verdict, ref: Ref = DM) -> When:
    return lambda world: kstatus.compute(world.find(ref)).verdict is verdict


def runs(world: World) -> bool:
    return bool(world.list(POD))


def gone(*refs: Ref) -> When:
    return lambda world: all(world.find(ref) is None for ref in refs)


def finds(report: Any) -> Any:
    return lambda world: actors.disk(world, report)


def ask_again(world: World) -> None:
    world.patch(DM, {"metadata": {"annotations": {REQUESTED_AT: "now"}}})


def change(**spec: Any) -> Any:
    return lambda world: world.patch(DM, {"spec": spec})


def both(*acts: Any) -> Any:
    return lambda world: [act(world) for act in acts]


def one_judge_at_a_time(world: World) -> None:
    """Two Jobs never judge at once."""
    jobs = [obj for obj in world.list(JOB) if not (obj.get("status") or {}).get("conditions")]
    names = [job["metadata"]["name"] for job in jobs if not job["metadata"].get("deletionTimestamp")]
    assert len(names) <= 1, f"two Jobs at once: {names}"


class LabelsOnce:
    """What labels have confirmed only grows, and never beyond what came."""

    def __init__(self) -> None:
        self.last = ("", 0, 0)

    def __call__(self, world: World) -> None:
        live, disk = world.find(DM), world.find(actors.DISK)
        told = ((live or {}).get("status") or {}).get("labels")
        if live is None or disk is None or told is None:
            return
        came = len(json.loads(disk["data"].get("book", "[]")))
        now = (live["metadata"]["uid"], told["seen"], told["wrong"])
        assert now[1] <= LABELS * came, f"{now[1]} labels counted, {LABELS * came} came"
        assert now[0] != self.last[0] or now >= self.last, f"{self.last} became {now}"
        self.last = now


class WindowsInOrder:
    """A window is counted once, whatever happens."""

    def __init__(self) -> None:
        self.last = ("", 0)

    def __call__(self, world: World) -> None:
        live, held = world.find(DM), world.find(LEDGER)
        if live is None or held is None or held["metadata"].get("deletionTimestamp"):
            return
        ledger = json.loads(held["data"]["ledger.json"])
        ends = [entry["end"] for entry in ledger.get("entries", ())]
        assert ends == sorted(set(ends)), f"windows out of order: {ends}"
        seen, uid = ledger.get("seen", 0), held["metadata"]["uid"]
        assert seen == len(ends) or seen > 60, f"{seen} windows counted, {len(ends)} there"
        assert uid != self.last[0] or seen >= self.last[1], f"{self.last[1]} windows became {seen}"
        self.last = (uid, seen)


def nothing_left(world: World) -> None:
    left = [str(ref) for ref in world.objects if ref.gvk in (JOB, POD)]
    assert not left, f"left behind: {left}"


def no_orphans(world: World) -> None:
    nothing_left(world)
    assert world.find(LEDGER) is None, "its ledger stayed"


def judged(windows: int, *, drifted: bool = False) -> Any:
    def check(world: World) -> None:
        nothing_left(world)
        status = world.get(DM)["status"]
        assert status["windowsSeen"] == windows, f"{status['windowsSeen']} windows, not {windows}"
        assert status["drifted"] is drifted
        assert status["labels"] == {"seen": LABELS * windows, "wrong": WRONG * windows}, status["labels"]

    return check


def scenario(name: str, setup: Any, verdict: Verdict = Verdict.CURRENT, **more: Any) -> Scenario:
    return Scenario(
        name,
        KIND,
        setup,
        {DM: verdict},
        actors=lambda: (Judge(), actors.Kubelet()),
        loose=LOOSE,
        invariants=lambda: (one_judge_at_a_time, WindowsInOrder(), LabelsOnce()),
        **{"check": nothing_left, **more},
    )


LOOSE = ("runs", "failures")
"""A pod whose end no event told is taken for lost after a minute, before the sweep finds it: one more Job."""

CURRENT, FAILED = is_(Verdict.CURRENT), is_(Verdict.FAILED)

SCENARIOS = (
    scenario("one window, as the reference", begin(found()), check=judged(1)),
    scenario("one window, drifted", begin(found(True)), check=judged(1, drifted=True)),
    scenario("a data bug", begin(BUG), check=judged(1, drifted=True)),
    scenario("five windows behind, caught up with one after the other", begin(found(), behind=5), check=judged(5)),
    scenario("a year behind, of which the newest are caught up with", begin(found(), behind=27), check=judged(24)),
    scenario(
        "asked for another look, which finds something else",
        begin(found()),
        steps=(Step(CURRENT, both(finds(found(True)), ask_again), wait=5.0),),
        check=judged(1, drifted=True),
    ),
    scenario(
        "the reference is too small, and then it is not",
        begin(TOO_SMALL),
        steps=(Step(FAILED, finds(found()), wait=5.0),),
        check=judged(1),
    ),
    scenario(
        "the spec changes while a Job runs",
        begin(found()),
        steps=(Step(runs, change(minEffect="0.1")),),
        check=judged(1),
    ),
    scenario(
        "the service comes late",
        begin(found(), service=False),
        steps=(Step(FAILED, serve("pvc://logs/p"), wait=30.0),),
        check=judged(1),
    ),
    scenario("no log", begin(found(), uri=None), Verdict.FAILED),
    scenario("an image that cannot be pulled", begin("stuck"), Verdict.FAILED, check=lambda world: None),  # type: ignore[arg-type]
    scenario(
        "deleted in mid-judgement",
        begin(found()),
        Verdict.NOT_FOUND,
        steps=(Step(runs, lambda world: world.delete(DM)),),
        check=no_orphans,
    ),
    scenario(
        "deleted and made anew",
        begin(found()),
        steps=(Step(CURRENT, lambda world: world.delete(DM), wait=1.0), Step(gone(DM), create)),
        check=judged(1),
    ),
)
