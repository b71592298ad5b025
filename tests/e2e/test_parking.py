"""A suspended job costs nothing and loses nothing."""

from __future__ import annotations

import time

import pytest
from tests.e2e import manifests
from tests.e2e.cluster import Object, condition
from tests.e2e.figures import Figures
from tests.e2e.place import Place, attempts, checkpoint_step, step
from tests.e2e.test_recovery import tallied

from gyre.api import gvks

pytestmark = pytest.mark.e2e
STEPS = 600


def test_a_parked_job_has_no_pods_and_goes_on_where_it_stopped(seeded: Place, figures: Figures) -> None:
    job = manifests.training_job("parked", steps=STEPS, checkpoint_every="10m")
    seeded.apply(manifests.script("steady"), job)
    seeded.job_trains("parked", beyond=30)
    seeded.patch(gvks.TRAINING_JOB, "parked", {"spec": {"suspend": True}})
    asked = time.monotonic()

    def is_parked(job: Object) -> bool:
        return condition(job, "Ready")["reason"] == "Parked" and not seeded.every(gvks.RAY_JOB)

    job = seeded.job_until("parked", "is parked", is_parked, seconds=120)
    figures.add("suspend: to parked, nothing running", time.monotonic() - asked, "s")
    seeded.cluster.until("its pods are gone", lambda: not seeded.pods("parked"), seconds=60)
    stopped = checkpoint_step(job)
    assert stopped >= 30
    assert step(job) == stopped, "the checkpoint is the last step that was done"
    parked = time.monotonic()
    assert condition(job, "Stalled")["status"] != "True"
    seeded.cluster.until("some parked time", lambda: time.monotonic() > parked + 5, seconds=10)

    seeded.patch(gvks.TRAINING_JOB, "parked", {"spec": {"suspend": False}})
    thawed = time.monotonic()
    seeded.job_trains("parked", beyond=stopped)
    figures.add("thaw: to the first new step", time.monotonic() - thawed, "s")
    job = seeded.job_succeeds("parked")
    first, second = attempts(job)
    assert (first["result"], first["toStep"], second["fromStep"]) == ("Parked", stopped, stopped)
    assert job["status"]["goodput"]["milliseconds"]["parked"] >= 5000
    assert tallied(job) == manifests.sum_of_steps(STEPS)
