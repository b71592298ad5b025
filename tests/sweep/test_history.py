"""The end depends on the spec, not on the way to it: each object reaches its last spec by a detour, and is then compared
with one that had that spec from the beginning.

What is history by design is left out of the comparison: generations, and how often a Job ran.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from tests.sweep import actors
from tests.sweep import dataset_scenarios as ds
from tests.sweep import model_scenarios as md
from tests.sweep import serving_scenarios as sv
from tests.sweep import training_scenarios as tj
from tests.sweep import widget_scenarios as wd
from tests.sweep.scenarios import Scenario, Step, difference, normal
from tests.sweep.scheduler import Faults
from tests.sweep.toys import widget_ref
from tests.sweep.world import World

from gyre.api import kstatus
from gyre.api.effects import Ref
from gyre.api.kstatus import Verdict

HISTORY = ("generation", "observedGeneration", "runs", "parked_before", "totals", "made")
ORDERS = (Faults(), Faults(slow_reader=True), Faults(impatient_world=True))


@dataclass(frozen=True)
class Detour:
    kind: str
    name: str
    fresh: Scenario
    detour: Scenario
    settings: tuple[Faults, ...] = ORDERS

    def __str__(self) -> str:
        return f"{self.kind}: {self.name}"


def settled(ref: Ref) -> Callable[[World], bool]:
    """It was looked at, and it is in no motion: well, or said to be stalled, or parked."""

    def when(world: World) -> bool:
        verdict = kstatus.compute(world.find(ref)).verdict
        parked = ref == tj.JOB and tj.reason_is("Parked")(world)
        return parked or verdict in (Verdict.CURRENT, Verdict.FAILED)

    return when


def patch(ref: Ref, spec: Mapping[str, Any]) -> Callable[[World], Any]:
    return lambda world: world.patch(ref, {"spec": dict(spec)})


def dataset(name: str, first: Mapping[str, Any], then: Mapping[str, Any], final: dict[str, Any], **more: Any) -> Detour:
    found, claims = more.get("found"), more.get("claims", ("data",))
    mend = ds.both(ds.found(actors.files()), patch(ds.DS, then))
    start = ds.begin({**final, **first}, found, claims=claims)
    fresh = ds.scenario("fresh", ds.begin(final, claims=claims))
    return Detour("dataset", name, fresh, ds.scenario(name, start, steps=(Step(settled(ds.DS), mend, wait=5.0),)))


def training(name: str, first: Mapping[str, Any], *then: Mapping[str, Any], **final: Any) -> Detour:
    steps = [Step(settled(tj.JOB), patch(tj.JOB, spec), wait=2.0) for spec in then]
    return Detour("trainingjob", name, tj.scenario("fresh", spec=final), tj.scenario(name, spec=first, steps=steps))


def in_the_run(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Detour:
    fresh = tj.scenario("fresh", {1: tj.SLOW}, spec=after)
    step = Step(tj.step_is(10), patch(tj.JOB, after))
    return Detour("trainingjob", name, fresh, tj.scenario(name, {1: tj.SLOW}, spec=before, steps=(step,)))


def model(name: str, first: Mapping[str, Any], then: Mapping[str, Any], **final: Any) -> Detour:
    """Compared with its version, whose headline follows the Model's objective."""
    versions = (md.version(md.V1, auc="0.7", f1="0.5"), md.version(md.V2, auc="0.8", f1="0.4"))
    fresh = md.scenario("fresh", md.every(md.model(**final), *versions), {md.M: md.CURRENT})
    start = md.every(md.model(**first), *versions)
    steps = (Step(settled(md.M), patch(md.M, then), wait=2.0),)
    return Detour("model", name, fresh, md.scenario(name, start, {md.M: md.CURRENT}, steps=steps))


def version(name: str, *steps: Step) -> Detour:
    start = md.every(md.model(), md.version())
    fresh = md.scenario("fresh", start, {md.V1: md.CURRENT})
    return Detour("modelversion", name, fresh, md.scenario(name, start, {md.V1: md.CURRENT}, steps=steps))


def service(name: str, first: Mapping[str, Any], *then: Mapping[str, Any], **final: Any) -> Detour:
    """Both ways end with one version that has all traffic; how it came to it is in the history."""
    fresh = sv.scenario("fresh", start=lambda: sv.begin(sv.bare().fork(), **final), loose=SERVED)
    steps = [Step(settled(sv.GIS), patch(sv.GIS, spec), wait=2.0) for spec in then]
    start = {**final, **first}
    detour = sv.scenario(name, start=lambda: sv.begin(sv.bare().fork(), **start), steps=steps, loose=SERVED)
    return Detour("inferenceservice", name, fresh, detour)


SERVED = ("history", "event", "by", "uid")
PVC: dict[str, Any] = ds.PVC
WRONG_CLAIM = {"source": {"pvc": {"claimName": "typo", "path": "flights"}}}
WRONG_PATH = {"source": {"pvc": {"claimName": "data", "path": "typo"}}}
RIGHT_PLACE = {"source": {"pvc": {"claimName": "data", "path": "flights"}}}
SMALL, LARGE = {"source": {"volume": {"size": "5Gi"}}}, {"source": {"volume": {"size": "8Gi"}}}
AUC, F1 = ({"metric": metric, "goal": "Maximize"} for metric in ("auc", "f1"))
READY = md.is_(md.V1, Verdict.CURRENT)

DETOURS = (
    Detour(
        "widget",
        "a field that came and went, and parts too many",
        wd.scenario("fresh", wd.exists(parts=2)),
        wd.scenario(
            "detour",
            wd.exists(parts=4, colour="red"),
            steps=(Step(wd.made, wd.change(parts=2, colour=None), wait=1.0),),
        ),
    ),
    dataset("a claim that does not exist", WRONG_CLAIM, RIGHT_PLACE, PVC),
    dataset("a folder that does not exist", WRONG_PATH, RIGHT_PLACE, PVC, found=ds.NOT_FOUND),
    dataset("more room", SMALL, LARGE, {**ds.VOLUME, **LARGE}, claims=()),
    dataset("fewer versions shown", {"keepVersions": 3}, {"keepVersions": 10}, PVC | {"keepVersions": 10}),
    dataset("an image that cannot be pulled", {"scan": {"image": "typo:1"}}, {"scan": None}, PVC, found="stuck"),
    training(
        "changed while suspended",
        {"suspend": True, "workers": 3, "parameters": {"lr": "9"}, "env": [{"name": "A", "value": "1"}]},
        {"workers": 1, "parameters": None, "env": None},
        {"suspend": False},
        suspend=False,
    ),
    training(
        "a Dataset misspelt",
        {"datasets": [{"name": "train", "ref": {"name": "typo"}}]},
        {"datasets": [{"name": "train", "ref": {"name": "flights"}}]},
    ),
    training(
        "a claim misspelt",
        {"storage": {"pvc": {"claimName": "typo", "path": "flights"}}},
        {"storage": {"pvc": {"claimName": "runs", "path": "flights"}}},
    ),
    in_the_run("another time limit", {"timeLimit": "1h"}, {"timeLimit": "2h"}),
    in_the_run(
        "another checkpoint policy", {"checkpoint": {"every": "10s"}}, {"checkpoint": {"every": "20s", "keep": 5}}
    ),
    model(
        "an objective that nobody reports", {"objective": {**AUC, "metric": "typo"}}, {"objective": AUC}, objective=AUC
    ),
    model("another objective", {"objective": F1}, {"objective": AUC}, objective=AUC),
    model("an objective that is taken back", {"objective": F1, "owner": "x"}, {"objective": None, "owner": None}),
    service(
        "a version that does not exist",
        {"modelRef": {"name": "delays", "track": "Version", "version": "typo"}},
        {"modelRef": sv.asked("a")},
    ),
    service(
        "a Gateway misspelt",
        {"gateway": {"name": "typo", "namespace": "gyre-gateway"}},
        {"gateway": {"name": "gyre", "namespace": "gyre-gateway"}},
        gateway={"name": "gyre", "namespace": "gyre-gateway"},
    ),
    service(
        "more resources",
        {"resources": {"memory": "1Gi"}},
        {"resources": {"memory": "2Gi"}},
        resources={"memory": "2Gi"},
    ),
    service(
        "there and back",
        {"keepWarm": "0s"},
        {"modelRef": sv.asked("b")},
        {"modelRef": sv.asked("a")},
        keepWarm="0s",
    ),
    version(
        "labels that came and went",
        Step(READY, lambda world: world.patch(md.V1, {"metadata": {"labels": {"a": "b"}}}), wait=1.0),
        Step(READY, lambda world: world.patch(md.V1, {"metadata": {"labels": None}}), wait=1.0),
    ),
    version(
        "a model whose objective changed and changed back",
        Step(READY, patch(md.M, {"objective": F1}), wait=1.0),
        Step(md.is_(md.M, Verdict.FAILED), patch(md.M, {"objective": None}), wait=1.0),
    ),
    version(
        "used for a while",
        Step(READY, md.heir(), wait=1.0),
        Step(lambda world: bool(md.users(world)), lambda world: world.delete(md.HEIR), wait=1.0),
    ),
)


@pytest.mark.parametrize("detour", DETOURS, ids=str)
def test_the_way_to_a_spec_leaves_no_trace(detour: Detour, counted: Callable[[str, str, int], None]) -> None:
    loose = (*detour.fresh.loose, *HISTORY)
    fresh = detour.fresh.run()
    right = normal(fresh.world, loose)
    for faults in detour.settings:
        run = detour.detour.run(faults)
        now = normal(run.world, loose)
        assert now == right, f"{detour} leaves a trace:\n" + difference(right, now)
    detour.detour.judge(run)
    counted(detour.kind, "history", len(detour.settings))


def test_every_kind_takes_detours() -> None:
    assert {detour.kind for detour in DETOURS} == {
        *("widget", "dataset", "trainingjob", "model", "modelversion", "inferenceservice")
    }
    assert widget_ref() in wd.SCENARIOS[0].expect
