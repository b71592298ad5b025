"""What people and programs read of a TrainingJob."""

from __future__ import annotations

import json

import pytest
from tests import make
from tests.unit.trainingjob.bench import Bench

from gyre.api import kstatus
from gyre.api.conditions import Condition
from gyre.kinds.trainingjob.model import TrainingJob, fixed_fields
from gyre.kinds.trainingjob.status import CONDITIONS


def test_every_known_condition_is_there_after_the_first_look() -> None:
    bench = Bench(make.training_job())
    bench.settle()
    found = {entry["type"] for entry in bench.status["conditions"]}
    assert {"Ready", "Succeeded", *(row.type for row in CONDITIONS)} <= found


def test_the_numbers_of_a_running_job() -> None:
    bench = Bench().started()
    bench.wait(5)
    bench.says(step=1000, checkpoint=make.checkpoint(900, make.at(20)))
    bench.settle()
    progress, saved = bench.status["progress"], bench.status["checkpoint"]
    assert (progress["step"], progress["percent"], progress["estimatedFinish"]) == (1000, 20, "2026-11-23T08:07:06Z")
    assert (saved["step"], saved["verified"], saved["time"]) == (900, "True", "2026-11-23T08:00:20Z")
    assert bench.condition("CheckpointFresh")["status"] == "True"
    goodput = bench.status["goodput"]
    assert sum(goodput["milliseconds"].values()) == goodput["wallMilliseconds"] == 26_000


def test_a_checkpoint_is_stale_by_the_drivers_clock_and_not_by_ours() -> None:
    bench = Bench().started()
    bench.wait(200)
    bench.says(step=1000, checkpoint=make.checkpoint(90, make.at(20)))
    bench.settle()
    assert bench.condition("CheckpointFresh")["status"] == "False"
    before = json.dumps(bench.status)
    bench.wait(60)
    bench.step()
    assert json.dumps(bench.status) == before, "time alone writes nothing"


def test_the_advised_interval_is_dalys_once_there_were_failures() -> None:
    bench = Bench().started()
    bench.says(step=100, checkpoint=make.checkpoint(80, make.at(18)))
    bench.settle()
    assert "advised" not in bench.status["checkpoint"]
    bench.says("Failed", step=100, checkpoint=make.checkpoint(80, make.at(18)), failure={"class": "Framework"})
    bench.settle()
    assert bench.status["checkpoint"]["advised"] == "2s", "10 s of work between failures, 0.2 s to save"


def test_metrics_are_those_that_the_job_names() -> None:
    bench = Bench(make.training_job(metrics=["loss"]), make.dataset(), make.claim(), make.node()).started()
    bench.says(step=1, metrics={"latest": {"loss": 0.1, "noise": 3}, "best": {"loss": 1e-9}})
    bench.settle()
    assert bench.status["metrics"] == {"latest": {"loss": "0.1"}, "best": {"loss": "0.000000001"}}


def test_a_status_stays_below_16_kib_whatever_was_written_into_it() -> None:
    bench = Bench().started()
    long = "x" * 50_000
    for number in range(12):
        restarts = [
            {"at": f"2026-11-23T08:{number:02}:{n:02}Z", "cause": "WorkerLost", "message": long, "fromStep": n}
            for n in range(10)
        ]
        failure = {"class": "Framework", "message": long, "step": number + 1}
        metrics = {"latest": {f"metric-{n}" * 5: 1.0 / 3 for n in range(100)}, "best": {}}
        bench.says("Failed", step=number + 1, restarts=restarts, failure=failure, metrics=metrics)
        bench.settle()
        bench.gone()
        bench.wait(700)
        bench.settle()
        if bench.ledger().get("final"):
            break
        bench.pods_up()
    assert len(json.dumps(bench.status).encode()) < 16 * 1024


@pytest.mark.parametrize(
    "said",
    [
        {"state": "Dancing\n", "checkpoint": {**make.checkpoint(1, make.at(1)), "uri": "not a uri", "name": "c" * 999}},
        {"step": -5, "stepsPerSecond": float("inf"), "totalSteps": "many"},
        {"epoch": 1e400, "metrics": {"latest": {"loss": float("nan")}}},
        {"restarts": [3, {"at": 7}], "failure": "none", "restore": [], "ledger": {"productive": -7}},
    ],
)
def test_nonsense_from_the_driver_is_survived(said: make.Object) -> None:
    bench = Bench().started()
    bench.says(**said)
    bench.settle()
    assert bench.status["conditions"]


STORIES = {
    "data missing": (lambda b: b.objects.clear() or (b.put(make.training_job()) and b.wait(100)), "Failed"),
    "starting": (lambda b: None, "InProgress"),
    "running": (lambda b: b.started(), "InProgress"),
    "parked": (lambda b: b.edit(suspend=True), "InProgress"),
}


@pytest.mark.parametrize("story", STORIES)
def test_kstatus_reads_every_state_right(story: str) -> None:
    play, verdict = STORIES[story]
    bench = Bench()
    play(bench)
    bench.settle()
    assert kstatus.compute(bench.job).verdict.value == verdict


def test_a_status_that_was_written_is_read_back_as_it_was() -> None:
    bench = Bench().started()
    again = TrainingJob.parse(bench.job)
    assert again.status.to_dict() == bench.status
    assert all(isinstance(entry, Condition) for entry in again.status.conditions)


def test_what_a_run_is_cannot_be_changed_once_it_has_started() -> None:
    mutable = {"suspend", "timeLimit", "finishBy", "failurePolicy", "ttl", "checkpoint", "maxCost"}
    every = {field.alias for field in type(TrainingJob.parse(make.training_job()).spec).model_fields.values()}
    assert set(fixed_fields()) == every - mutable
