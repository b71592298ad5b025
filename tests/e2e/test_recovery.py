"""What is lost when something dies: never more than the work since the last checkpoint, and never the truth about it."""

from __future__ import annotations

import time

import pytest
from tests.e2e import manifests
from tests.e2e.cluster import Object
from tests.e2e.conftest import run_shell
from tests.e2e.diagnosis import OPERATOR_NAMESPACE, OPERATOR_SELECTOR
from tests.e2e.figures import Figures
from tests.e2e.place import Place, attempts, checkpoint_step, restarts, step

from gyre.api import gvks

pytestmark = pytest.mark.e2e
STEPS = 300
"""At 0.1 s each: long enough to be hit in the middle, short enough to wait for."""
SPOIL_THE_NEWEST = """python3 -c '
import json, pathlib
newest = json.load(open("checkpoint_manager_snapshot.json"))["latest_checkpoint_result"]["checkpoint_dir_name"]
for file in pathlib.Path(newest).glob("*.pt"):
    file.write_bytes(b"spoilt" + file.read_bytes()[6:])
print(newest)
'"""


def tallied(job: Object) -> float:
    return float(job["status"]["metrics"]["latest"]["tally"])


def test_a_killed_head_is_a_new_attempt_that_resumes_from_the_checkpoint(seeded: Place, figures: Figures) -> None:
    seeded.apply(manifests.script("steady"), manifests.training_job("headless", steps=STEPS))
    saved = checkpoint_step(seeded.job_has_checkpoint("headless"))
    killed = seeded.kill(seeded.head("headless"))

    most = 0

    def second_trains(job: Object) -> bool:
        nonlocal most
        most = max(most, len(seeded.ray_jobs("headless")))
        return len(attempts(job)) == 2 and step(job) > attempts(job)[1]["fromStep"] and alive(job)

    def alive(job: Object) -> bool:
        return str(job["status"]["progress"].get("state")) == "Running"

    job = seeded.job_until("headless", "trains in attempt 2", second_trains, seconds=240)
    figures.add("head killed: to the first new step", time.monotonic() - killed, "s")
    first, second = attempts(job)
    assert (first["result"], first["class"]) == ("Failed", "NodeLost")
    assert second["fromStep"] >= saved
    # A checkpoint may be newer than the last word of a head that died.
    lost = max(0, first["toStep"] - second["fromStep"])
    figures.add("head killed: steps lost", lost, "step", "≤ 50 (5 s)")
    assert most == 1, "two RayJobs of one TrainingJob at the same time"

    job = seeded.job_succeeds("headless")
    assert len(attempts(job)) == 2
    assert tallied(job) == manifests.sum_of_steps(STEPS), "steps were lost or counted twice"


def test_killing_the_operator_again_and_again_does_not_touch_the_run(seeded: Place, figures: Figures) -> None:
    seeded.apply(manifests.script("steady"), manifests.training_job("calm", steps=4 * STEPS))
    seeded.job_trains("calm")
    (before,) = seeded.ray_jobs("calm")
    for _ in range(3):
        at = step(seeded.job("calm"))
        killed = kill_operator(seeded)
        seeded.job_trains("calm", beyond=at, seconds=120)
        figures.add("operator killed: to the next step in status", time.monotonic() - killed, "s")
    job = seeded.job_succeeds("calm")
    assert len(attempts(job)) == 1
    assert not restarts(job)
    assert [one["metadata"]["uid"] for one in seeded.ray_jobs("calm")] in ([before["metadata"]["uid"]], [])
    assert tallied(job) == manifests.sum_of_steps(4 * STEPS)


def kill_operator(place: Place) -> float:
    """Every replica at once, as kill -9 would: a second one would only hide what a fresh start has to get right."""
    where = ("--namespace", OPERATOR_NAMESPACE)
    force = ("--grace-period=0", "--force", "--wait=false")
    place.cluster.kubectl(*where, "delete", "pods", f"--selector={OPERATOR_SELECTOR}", *force)
    return time.monotonic()


def test_a_checkpoint_that_does_not_restore_is_quarantined_and_the_one_before_is_used(seeded: Place) -> None:
    seeded.apply(manifests.script("steady"), manifests.training_job("spoilt", steps=STEPS, checkpoint_every="4s"))
    first = checkpoint_step(seeded.job_has_checkpoint("spoilt"))
    job = seeded.job_has_checkpoint("spoilt", after=first)
    seeded.kill(seeded.head("spoilt"))
    # Nobody writes any more, and attempt 2 needs seconds to read: what is spoilt now is the newest there will be.
    uid = job["metadata"]["uid"]
    newest = run_shell(seeded, "spoil", f"cd /work/runs/{uid} && {SPOIL_THE_NEWEST}").strip()
    job = seeded.job_succeeds("spoilt", seconds=420)
    assert job["status"]["checkpoint"]["quarantined"] == [newest]
    failed = [one for one in attempts(job) if one.get("class") == "RestoreFailed"]
    assert len(failed) == 2, "a checkpoint is given up after it failed twice"
    assert attempts(job)[-1]["fromStep"] > 0
    assert tallied(job) == manifests.sum_of_steps(STEPS)


def test_a_notice_of_preemption_gives_a_checkpoint_at_once(seeded: Place, figures: Figures) -> None:
    """The only node gets the taint of a spot interruption: nobody moves, but nothing that was done so far can be lost."""
    bears_all = [{"operator": "Exists"}]
    job = manifests.training_job("noticed", steps=2 * STEPS, checkpoint_every="10m", tolerations=bears_all)
    seeded.apply(manifests.script("steady"), job)
    seeded.job_trains("noticed", beyond=20)
    node = seeded.head("noticed")["spec"]["nodeName"]
    taint = "aws-node-termination-handler/spot-itn"
    at = step(seeded.job("noticed"))
    seeded.cluster.kubectl("taint", "node", node, f"{taint}=e2e:PreferNoSchedule", "--overwrite")
    noticed = time.monotonic()
    try:
        job = seeded.job_until("noticed", "has a checkpoint", lambda job: checkpoint_step(job) >= at, seconds=30)
        figures.add("preemption notice: to the checkpoint in status", time.monotonic() - noticed, "s", "≤ 10")
        assert checkpoint_step(job) < 2 * STEPS, "that is the one at the end of the run, which the notice did not bring"
        # As a drain does it: a SIGTERM and time to leave.
        seeded.kubectl("delete", "pod", seeded.pods("noticed", "worker")[0]["metadata"]["name"], "--wait=false")
        seeded.job_until("noticed", "lost a worker", restarts, seconds=120)
    finally:
        seeded.cluster.kubectl("taint", "node", node, f"{taint}:PreferNoSchedule-")
    job = seeded.job_succeeds("noticed")
    (lost,) = restarts(job)
    figures.add("drained with notice: steps lost", lost["fromStep"] - lost["toStep"], "step", "≤ 10 (1 s)")
    assert lost["class"] == "SpotReclaim"
    assert lost["fromStep"] - lost["toStep"] <= 10
    assert tallied(job) == manifests.sum_of_steps(2 * STEPS)
    assert any(event["reason"] == "PreemptionNotice" for event in seeded.every(gvks.EVENT))
