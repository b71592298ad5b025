"""Parking, and losing workers inside an attempt: stories over a little world."""

from __future__ import annotations

import json

from tests import make
from tests.unit.trainingjob.bench import CKPT, Bench, names

from gyre.api import gvks
from gyre.api.kind import Outcome


def test_suspend_asks_for_a_checkpoint_first_then_parks_and_thaws() -> None:
    bench = Bench().started()
    bench.edit(suspend=True)
    assert bench.settle().reason == "Parking"
    assert json.loads(bench.run_map()["data"]["command.json"])["park"] == {"id": "park-1"}
    assert names(bench, gvks.RAY_JOB), "not before the checkpoint"
    bench.says("Parked", step=110, checkpoint=make.checkpoint(110, bench.now))
    bench.settle()
    bench.gone()
    decision = bench.settle()
    assert (decision.outcome, decision.reason) == (Outcome.WAITING, "Parked")
    assert bench.status["attempts"][0]["result"] == "Parked"
    bench.wait(500)
    bench.edit(suspend=False)
    bench.settle()
    assert names(bench, gvks.RAY_JOB) == ["RayJob/flights-a2"]
    assert bench.ledger()["totals"]["parked"] == 500_000
    assert bench.ledger().get("failures", {}) == {}
    assert json.loads(bench.run_map()["data"]["command.json"])["park"] is None


def test_a_run_that_cannot_save_is_parked_after_a_stated_wait() -> None:
    bench = Bench().started()
    bench.says(step=100, checkpoint=CKPT)
    bench.edit(suspend=True)
    bench.settle()
    bench.wait(60)
    bench.says(step=200, checkpoint=CKPT)
    bench.wait(60)
    bench.settle()
    assert bench.status["attempts"][0]["result"] == "Parked"
    assert "step 80" in bench.status["attempts"][0]["evidence"]


def test_a_job_created_suspended_runs_nothing_and_counts_its_time_as_parked() -> None:
    bench = Bench(make.training_job(suspend=True), make.dataset(), make.claim())
    assert bench.settle().reason == "Parked"
    bench.wait(100)
    bench.edit(suspend=False)
    bench.settle()
    assert bench.ledger()["totals"] == {"parked": 100_000, "queued": 1000}


def test_suspend_taken_back_in_time_lets_the_run_go_on() -> None:
    bench = Bench().started()
    bench.edit(suspend=True)
    bench.settle()
    bench.edit(suspend=False)
    assert bench.settle().reason == "Running"
    assert json.loads(bench.run_map()["data"]["command.json"])["park"] is None


LOST = {
    "at": "2026-11-23T08:00:30Z",
    "cause": "WorkerLost",
    "message": "node died",
    "fromStep": 100,
    "toStep": None,
    "resumedAt": None,
    "secondsLost": None,
}


def test_a_worker_lost_inside_an_attempt_is_counted_told_and_shown() -> None:
    bench = Bench().started()
    bench.wait(15)
    bench.says("Recovering", step=100, restarts=[LOST], restartCount=1)
    assert bench.settle().reason == "Recovering"
    back = {**LOST, "toStep": 80, "resumedAt": "2026-11-23T08:00:50Z", "secondsLost": 20.5}
    bench.wait(15)
    bench.says(step=90, restarts=[back], restartCount=1)
    bench.settle()
    assert [reason for reason in bench.told() if reason in ("WorkerLost", "Recovered")] == ["WorkerLost", "Recovered"]
    shown = bench.status["restarts"][0]
    assert (shown["class"], shown["fromStep"], shown["toStep"], shown["secondsLost"]) == ("NodeLost", 100, 80, 20)
    assert bench.status["failures"] == {"NodeLost": 1}


def test_a_run_that_measures_its_model_says_so_and_not_that_it_trains() -> None:
    bench = Bench().started()
    bench.wait(15)
    bench.says("Evaluating", step=100, totalSteps=100)
    decision = bench.settle()
    assert (decision.reason, bench.status["progress"]["state"]) == ("Evaluating", "Evaluating")
    assert "estimatedFinish" not in bench.status["progress"]


def test_a_worker_that_ran_out_of_memory_is_told_from_its_pod() -> None:
    bench = Bench().started()
    killed = make.container("ray-worker", died_before=make.oom_killed(make.at(28)), restarts=1)
    bench.put(make.pod("flights-a1-worker-0", containers=[killed]))
    bench.wait(15)
    bench.says("Recovering", step=100, restarts=[LOST], restartCount=1)
    bench.settle()
    assert bench.status["restarts"][0]["class"] == "OutOfMemory"


def test_workers_that_crash_three_times_at_one_step_poison_it_inside_the_attempt() -> None:
    bench = Bench().started()
    crashes = [{**LOST, "at": f"2026-11-23T08:00:3{n}Z", "cause": "User", "message": "boom"} for n in range(3)]
    bench.wait(15)
    bench.says("Recovering", step=100, restarts=crashes, restartCount=3)
    decision = bench.settle()
    assert (decision.outcome, decision.reason) == (Outcome.FAILED, "PoisonStep")


def test_a_taint_on_a_workers_node_is_passed_on_with_a_deadline() -> None:
    bench = Bench().started()
    bench.put(make.pod("flights-a1-worker-0", on="spot-1"))
    bench.put(make.node("spot-1", taints=("aws-node-termination-handler/spot-itn",)))
    bench.settle()
    drain = json.loads(bench.run_map()["data"]["command.json"])["drain"]
    assert drain["pods"] == ["flights-a1-worker-0"]
    assert drain["deadline"] == make.stamp(make.at(21 + 120))
    assert "PreemptionNotice" in bench.told()


def test_a_head_that_goes_after_a_notice_was_reclaimed_even_when_all_evidence_is_gone() -> None:
    bench = Bench().started()
    bench.put(make.node("node-1", taints=("cloud.google.com/impending-node-termination",)))
    bench.settle()
    bench.drop(gvks.NODE, "node-1")
    bench.drop(gvks.POD, bench.head)
    bench.settle()
    assert bench.status["attempts"][0]["class"] == "SpotReclaim"
