"""How a TrainingJob ends well, and what is left of it: stories over a little world."""

from __future__ import annotations

from typing import Any

import pytest
from tests import make
from tests.unit.trainingjob.bench import CKPT, RUNNERS, Bench, names

from gyre.api import gvks
from gyre.api.kind import Outcome


def succeeded(bench: Bench, **measured: Any) -> Bench:
    """`measured`: more of what the program says of its evaluation."""
    evaluation = {**make.EVALUATION, **measured}
    bench.says("Succeeded", step=5000, artifact=make.artifact(), evaluation=evaluation, checkpoint=CKPT)
    bench.ray_job(jobStatus="SUCCEEDED", jobDeploymentStatus="Complete")
    return bench


def test_a_success_leaves_one_version_and_nothing_that_runs() -> None:
    bench = succeeded(Bench().started())
    bench.settle()
    bench.gone()
    decision = bench.settle()
    assert (decision.outcome, decision.reason) == (Outcome.SETTLED, "Succeeded")
    assert names(bench, gvks.MODEL_VERSION) == ["ModelVersion/flights-ffffffff"]
    assert not names(bench, *RUNNERS)
    assert bench.status["modelVersion"] == "flights-ffffffff"
    assert bench.condition("Succeeded")["status"] == "True"
    assert "ownerReferences" not in bench.all(gvks.MODEL_VERSION)[0]["metadata"], "it outlives the job"


@pytest.mark.parametrize("crash", range(4))
def test_killed_anywhere_in_the_end_there_is_one_version(crash: int) -> None:
    bench = succeeded(Bench().started())
    bench.step(crash_after=crash)
    bench.step(crash_after=crash)
    bench.settle()
    assert len(bench.all(gvks.MODEL_VERSION)) == 1
    assert bench.ledger()["final"]["published"] is True


def test_a_version_that_was_deleted_after_the_end_stays_deleted() -> None:
    bench = succeeded(Bench().started())
    bench.settle()
    bench.drop(gvks.MODEL_VERSION, "flights-ffffffff")
    bench.settle()
    assert not bench.all(gvks.MODEL_VERSION)


def test_complete_alone_is_no_success() -> None:
    bench = Bench().started()
    bench.ray_job(jobStatus="STOPPED", jobDeploymentStatus="Complete")
    bench.settle()
    assert bench.status["attempts"][0]["result"] == "Failed"
    assert not bench.all(gvks.MODEL_VERSION)


def test_a_model_reported_just_before_the_head_was_lost_is_a_success() -> None:
    bench = Bench().started()
    bench.says("Succeeded", step=5000, artifact=make.artifact())
    bench.drop(gvks.POD, bench.head)
    bench.settle()
    assert bench.all(gvks.MODEL_VERSION)


def test_a_success_waits_for_the_drivers_last_word() -> None:
    bench = Bench().started()
    bench.ray_job(jobStatus="SUCCEEDED", jobDeploymentStatus="Complete", rayJobInfo={"endTime": make.second(bench.now)})
    decision = bench.settle()
    assert decision.reason == "Running"
    assert decision.after is not None
    assert decision.after <= 30.1
    bench.wait(31)
    bench.settle()
    assert bench.status["attempts"][0]["class"] == "Framework"


def test_a_finished_job_goes_when_its_time_is_up_and_its_version_stays() -> None:
    job = make.training_job(ttl={"afterFinished": "1h"})
    bench = succeeded(Bench(job, make.dataset(), make.claim(), make.node()).started())
    bench.settle()
    bench.gone()
    assert bench.settle().after == pytest.approx(3600, abs=1)
    bench.wait(3601)
    decision = bench.look()
    assert [str(effect.ref) for effect in decision.effects if hasattr(effect, "ref")] == ["TrainingJob team-a/flights"]


def test_the_pods_of_a_failed_job_can_be_kept_for_a_look() -> None:
    job = make.training_job(ttl={"pods": "10m"})
    bench = Bench(job, make.dataset(), make.claim(), make.node()).started()
    bench.says("Failed", failure={"class": "User", "message": "SyntaxError", "step": 0})
    assert bench.settle().after == pytest.approx(600, abs=1)
    assert names(bench, *RUNNERS) == ["RayJob/flights-a1"], "the token is gone, the pods are not"
    bench.wait(601)
    bench.settle()
    bench.gone()
    assert not names(bench, gvks.RAY_JOB)
