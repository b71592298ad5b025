"""The promise of gyre in one run: real flights, two workers, one killed in mid-training, a better model than guessing."""

from __future__ import annotations

import json
import time
from datetime import datetime

import pytest
from tests.e2e.cluster import REPOSITORY, Object, is_true
from tests.e2e.figures import Figures
from tests.e2e.place import Place, attempts, checkpoint_step, restarts, step

from gyre.api import gvks

JOB = "flights"
EXAMPLES = ("pvc-runs", "dataset-flights", "trainingjob-flights")


@pytest.mark.e2e
@pytest.mark.smoke
def test_a_job_whose_worker_was_killed_ends_with_a_model_better_than_its_baseline(
    place: Place, figures: Figures
) -> None:
    began = time.monotonic()
    for example in EXAMPLES:
        place.kubectl("apply", "-f", str(REPOSITORY / "examples" / f"{example}.yaml"))
    place.until(gvks.DATASET, JOB, "Ready", seconds=180)
    figures.add("flights: apply to Dataset ready", time.monotonic() - began, "s")

    place.job_trains(JOB)
    figures.add("flights: apply to first step", time.monotonic() - began, "s")
    job = place.job_has_checkpoint(JOB)
    saved, rate = checkpoint_step(job), float(job["status"]["progress"]["stepsPerSecond"])
    wall = time.time()
    place.kill(place.pods(JOB, "worker")[0])

    place.job_until(JOB, "has recovered", lambda job: restarts(job) and resumed_after(place, wall), seconds=180)
    figures.add("worker killed: to the first new step", resumed_after(place, wall) or 0.0, "s", "≤ 30")
    job = place.job_succeeds(JOB)
    figures.add("flights: apply to Succeeded, a worker killed on the way", time.monotonic() - began, "s")

    (lost,) = restarts(job)
    interval = rate * float(job["spec"]["checkpoint"]["every"].removesuffix("s"))
    figures.add("worker killed: steps lost", lost["fromStep"] - lost["toStep"], "step", f"≤ {interval:.0f}")
    # A kubelet that has the time for a SIGTERM makes an eviction of it.
    assert lost["class"] in ("NodeLost", "Evicted"), lost
    assert lost["toStep"] >= saved
    assert lost["fromStep"] - lost["toStep"] <= 1.25 * interval + rate, "more than a checkpoint interval was lost"
    assert [one["result"] for one in attempts(job)] == ["Succeeded"]
    assert step(job) == job["status"]["progress"]["totalSteps"]
    time_is_accounted_for(job, figures)
    the_model_is_better_than_its_baseline(place, job["status"]["modelVersion"], figures)


def resumed_after(place: Place, wall: float) -> float | None:
    """Seconds from a moment to the first step after it, by the driver's own clock, which is this machine's."""
    config = place.find(gvks.CONFIG_MAP, f"{JOB}-run")
    assert config is not None
    for one in json.loads(config["data"]["progress.json"])["restarts"]:
        if one["resumedAt"] and (resumed := datetime.fromisoformat(one["resumedAt"]).timestamp()) > wall:
            return resumed - wall
    return None


def time_is_accounted_for(job: Object, figures: Figures) -> None:
    goodput = job["status"]["goodput"]
    assert sum(goodput["milliseconds"].values()) == goodput["wallMilliseconds"]
    figures.add("flights: goodput with a worker killed", float(goodput["ratio"].removesuffix("%")), "%")


def the_model_is_better_than_its_baseline(place: Place, version: str, figures: Figures) -> None:
    found = place.until(gvks.MODEL_VERSION, version, "Ready", seconds=60)
    evaluation, baseline = found["spec"]["evaluation"], found["spec"]["evaluation"]["baseline"]
    auc, other = float(evaluation["metrics"]["auc"]), float(baseline["metrics"]["auc"])
    figures.add("flights: held-out AUC", auc, "", f"> {other:.3f} ({baseline['name']})")
    assert auc > other
    assert evaluation["rows"] > 1000
    lineage = found["spec"]["lineage"]
    assert lineage["datasets"][0]["digest"].startswith("sha256:")
    assert lineage["run"]["name"] == JOB
    model = place.until(gvks.MODEL, found["spec"]["modelRef"]["name"], "Ready", seconds=60)
    assert version in json.dumps(model["status"]), "the Model does not know its version"
    assert is_true(found, "Ready")
