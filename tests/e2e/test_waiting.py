"""What is missing from outside is named, and its coming is enough: nobody has to touch the job."""

from __future__ import annotations

import pytest
from tests.e2e import manifests
from tests.e2e.cluster import Object, condition
from tests.e2e.conftest import run_shell
from tests.e2e.place import START_SECONDS, Place, attempts, stopped

from gyre.api import gvks

pytestmark = pytest.mark.e2e


def says(place: Place, job: str, reason: str, *words: str, seconds: float = 60) -> None:
    def said(job: Object) -> bool:
        return str(condition(job, "Ready")["reason"]) == reason

    message = condition(place.job_until(job, f"says {reason}", said, seconds=seconds), "Ready")["message"]
    for word in words:
        assert word in message, message


def test_a_job_waits_for_its_dataset_and_starts_by_itself_when_it_is_there(seeded: Place) -> None:
    job = manifests.training_job("early", steps=20, data="later")
    seeded.apply(manifests.script("steady"), job)
    says(seeded, "early", "DatasetMissing", "later")
    assert not seeded.every(gvks.RAY_JOB)
    seeded.apply(manifests.dataset("later"))
    assert len(attempts(seeded.job_succeeds("early"))) == 1


def test_what_is_missing_is_named_before_anything_runs(place: Place) -> None:
    place.apply(
        manifests.script("steady"),
        manifests.claim(),
        manifests.training_job("unclaimed", storage={"pvc": {"claimName": "nowhere"}}),
        manifests.training_job("uncoded", code="no-such-code"),
    )
    run_shell(place, "seed", "mkdir -p /work/data && seq 1 9 > /work/data/numbers.csv")
    place.apply(manifests.dataset())
    place.until(gvks.DATASET, manifests.DATA, "Ready", seconds=120)
    says(place, "unclaimed", "StorageMissing", "nowhere")
    says(place, "uncoded", "CodeMissing", "no-such-code")
    place.apply(manifests.training_job("unqueued", queue="no-such-queue"))
    says(place, "unqueued", "UnknownQueue", "no-such-queue")
    place.apply(manifests.training_job("giant", resources={"cpu": "1000", "memory": "1Gi"}))
    says(place, "giant", "RequestsTooLarge", "1000")
    assert all(place.warnings(job) for job in ("unclaimed", "uncoded", "unqueued", "giant"))


def test_storage_that_cannot_be_written_is_said_so(seeded: Place) -> None:
    """The folder belongs to somebody else: pods run as 65532, and so did the pod that took the right away."""
    run_shell(seeded, "lock", "mkdir -p /work/locked && chmod 0500 /work/locked")
    policy = {"rules": [{"class": "StorageNotWritable", "retries": 0}]}
    storage = {"pvc": {"claimName": manifests.CLAIM, "path": "locked"}}
    seeded.apply(
        manifests.script("steady"), manifests.training_job("locked-out", storage=storage, failurePolicy=policy)
    )

    job = seeded.job_until("locked-out", "failed", stopped, seconds=START_SECONDS, may_fail=True)
    assert [one["class"] for one in attempts(job)] == ["StorageNotWritable"]
    assert "65532" in condition(job, "Succeeded")["message"], "the message names the fix"
