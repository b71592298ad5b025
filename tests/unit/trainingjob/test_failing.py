"""How attempts fail, are counted, and are tried again or not: stories over a little world."""

from __future__ import annotations

import json

import pytest
from tests import make
from tests.unit.trainingjob.bench import CKPT, RUNNERS, Bench, names

from gyre.api import gvks
from gyre.api.kind import Outcome


def test_a_lost_head_is_written_down_cleared_away_and_resumed_from_the_last_checkpoint() -> None:
    bench = Bench().started()
    bench.says(step=100, checkpoint=CKPT)
    bench.settle()
    bench.drop(gvks.POD, bench.head)
    assert bench.settle().reason == "Clearing"
    assert bench.status["attempts"][0]["class"] == "NodeLost"
    assert bench.status["attempts"][0]["toStep"] == 100
    assert names(bench, gvks.RAY_JOB) == ["RayJob/flights-a1"], "nothing new while the old one goes"
    bench.gone()
    assert bench.settle().reason == "BackingOff"
    bench.wait(6)
    decision = bench.settle()
    assert decision.reason == "Starting"
    assert "from the checkpoint at step 80" in "".join(note.message for note in bench.notes)
    assert names(bench, gvks.RAY_JOB) == ["RayJob/flights-a2"]


def test_an_attempt_that_has_not_stepped_yet_stands_where_it_begins() -> None:
    bench = Bench().started()
    bench.says(step=100, checkpoint=CKPT)
    bench.settle()
    bench.drop(gvks.POD, bench.head)
    bench.settle()
    bench.gone()
    bench.settle()
    bench.wait(6)
    bench.settle()
    bench.pods_up()
    bench.wait(10)
    bench.says("Starting")
    bench.settle()
    assert (bench.status["attempt"], bench.status["progress"]["step"]) == (2, 80), (
        "not 0: nothing was lost but its time"
    )
    bench.drop(gvks.POD, bench.head)
    bench.settle()
    assert (bench.status["attempts"][1]["fromStep"], bench.status["attempts"][1]["toStep"]) == (80, 80)


@pytest.mark.parametrize("crash", range(3))
def test_killed_while_closing_no_attempt_record_is_lost_and_none_is_counted_twice(crash: int) -> None:
    bench = Bench().started()
    bench.drop(gvks.POD, bench.head)
    bench.step(crash_after=crash)
    bench.settle()
    bench.gone()
    bench.settle()
    assert bench.ledger()["failures"] == {"NodeLost": 1}
    assert len(bench.ledger()["attempts"]) == 1


def test_a_syntax_error_is_the_users_and_is_not_retried() -> None:
    bench = Bench().started()
    traceback = '  File "/gyre/code/train.py", line 3\n    def f(:\n          ^\nSyntaxError: invalid syntax'
    bench.says("Failed", step=0, failure={"class": "User", "message": traceback, "step": 0})
    decision = bench.settle()
    assert (decision.outcome, decision.reason) == (Outcome.FAILED, "NotRetried")
    assert "SyntaxError: invalid syntax" in decision.message
    assert bench.status["attempts"][0]["class"] == "User"
    bench.gone()
    bench.settle()
    assert not names(bench, *RUNNERS), "credentials vanish with the run"


def test_the_same_step_crashing_three_times_is_a_poisoned_step() -> None:
    bench = Bench().started()
    for _ in range(3):
        bench.says("Failed", step=1240, failure={"class": "User", "message": "ValueError: nan", "step": 1240})
        decision = bench.settle()
        bench.gone()
        if decision.outcome is Outcome.FAILED:
            break
        bench.wait(60)
        bench.settle()
        bench.pods_up()
        bench.settle()
    assert (decision.outcome, decision.reason) == (Outcome.FAILED, "PoisonStep")
    assert "step 1240 crashed 3 times" in decision.message
    assert bench.attempt == 3


def test_losing_nodes_at_the_same_step_poisons_nothing() -> None:
    bench = Bench().started()
    for _ in range(4):
        bench.says(step=1240)
        bench.settle()
        bench.drop(gvks.POD, bench.head)
        bench.settle()
        bench.gone()
        bench.wait(700)
        bench.settle()
        bench.pods_up()
    assert bench.ledger()["failures"] == {"NodeLost": 4}
    assert bench.attempt == 5


def test_each_class_has_its_own_retries() -> None:
    rules = [{"class": "NodeLost", "retries": 0}]
    bench = Bench(
        make.training_job(failurePolicy={"rules": rules}), make.dataset(), make.claim(), make.node()
    ).started()
    bench.drop(gvks.POD, bench.head)
    decision = bench.settle()
    assert (decision.outcome, decision.reason) == (Outcome.FAILED, "RetriesSpent")
    assert "NodeLost came once, 0 retries allowed" in decision.message


def test_the_wait_before_a_retry_doubles() -> None:
    bench, waits = Bench().started(), []
    for _ in range(3):
        bench.drop(gvks.POD, bench.head)
        bench.settle()
        bench.gone()
        waits.append(round(bench.settle().after or 0))
        bench.wait(30)
        bench.settle()
        bench.pods_up()
        bench.says(step=5)
        bench.settle()  # the head has been seen: only then is it missed
    assert waits == [5, 10, 20]


def test_a_checkpoint_that_fails_to_restore_twice_is_quarantined() -> None:
    bench = Bench().started()
    restore = {"name": "checkpoint_80", "step": 80, "ok": False, "error": "hash differs"}
    for _ in range(2):
        failure = {"class": "RestoreFailed", "message": "checkpoint_80: hash differs", "step": 80}
        bench.says("Failed", step=80, checkpoint=CKPT, restore=restore, failure=failure)
        bench.settle()
        bench.gone()
        bench.wait(60)
        bench.settle()
        bench.pods_up()
    run = json.loads(bench.run_map()["data"]["run.json"])
    assert run["checkpoint"]["quarantined"] == ["checkpoint_80"]
    assert bench.status["checkpoint"]["quarantined"] == ["checkpoint_80"]
    assert bench.ledger()["attempts"][-1].get("from_step", 0) == 0


def test_a_silent_run_gets_the_benefit_of_the_doubt_and_is_then_a_hang() -> None:
    bench = Bench().started()
    bench.wait(121)
    assert bench.settle().reason != "AttemptFailed"
    assert bench.ledger()["suspicion"], "that the API server can be reached is proved by a write"
    bench.wait(20)
    bench.settle()
    assert "failures" not in bench.ledger()
    bench.wait(11)
    bench.settle()
    assert bench.ledger()["failures"] == {"Hang": 1}


def test_a_run_that_speaks_again_is_no_hang() -> None:
    bench = Bench().started()
    bench.wait(121)
    bench.settle()
    bench.says(step=130)
    bench.wait(60)
    assert bench.settle().reason == "Running"
    assert "failures" not in bench.ledger()


def test_a_deleted_ray_job_is_not_silently_made_again() -> None:
    bench = Bench().started()
    bench.drop(gvks.RAY_JOB, "flights-a1")
    bench.settle()
    assert bench.status["attempts"][0]["class"] == "Framework"
    assert "not by gyre" in bench.status["attempts"][0]["evidence"]


def test_the_time_limit_counts_over_all_attempts() -> None:
    job = make.training_job(timeLimit="100s")
    bench = Bench(job, make.dataset(), make.claim(), make.node()).started()
    bench.drop(gvks.POD, bench.head)
    bench.settle()
    bench.gone()
    bench.wait(10)
    bench.settle()
    bench.pods_up()
    bench.wait(60)
    bench.says(step=120)
    assert bench.settle().outcome is Outcome.PROGRESSING
    bench.wait(11)
    decision = bench.settle()
    assert (decision.outcome, decision.reason) == (Outcome.FAILED, "OutOfTime")
    assert "over 2 attempts" in decision.message
    assert bench.status["attempts"][1]["class"] == "Timeout"


def test_finish_by_holds_even_before_the_first_attempt() -> None:
    job = make.training_job(finishBy="2026-11-23T08:00:30Z")
    bench = Bench(job, make.dataset(ready=False), make.claim())
    assert bench.settle().outcome is Outcome.WAITING
    bench.wait(30)
    assert bench.settle().reason == "OutOfTime"
    assert bench.settle().outcome is Outcome.FAILED


def test_parked_time_does_not_count_for_the_time_limit() -> None:
    job = make.training_job(timeLimit="100s")
    bench = Bench(job, make.dataset(), make.claim(), make.node()).started()
    bench.edit(suspend=True)
    bench.settle()
    bench.says("Parked", step=100, checkpoint=CKPT)
    bench.settle()
    bench.gone()
    assert bench.settle().reason == "Parked"
    bench.wait(1000)
    bench.settle()
    bench.edit(suspend=False)
    assert bench.settle().reason == "Starting"
