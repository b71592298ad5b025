"""Data, jobs and models from beginning to end: what is pinned stays pinned, what is deleted is gone, what was made stays."""

from __future__ import annotations

import hashlib

import pytest
from tests.e2e import manifests
from tests.e2e.cluster import Object, condition
from tests.e2e.conftest import run_shell
from tests.e2e.place import START_SECONDS, Place, attempts, stopped

from gyre.api import gvks
from gyre.api.effects import Gvk

pytestmark = pytest.mark.e2e
CHILDREN = (
    gvks.RAY_JOB,
    gvks.RAY_CLUSTER,
    gvks.POD,
    gvks.SERVICE_ACCOUNT,
    gvks.ROLE,
    gvks.ROLE_BINDING,
    gvks.CONFIG_MAP,
)


def test_a_second_job_on_the_same_data_has_the_same_digest_and_a_version_of_its_own(seeded: Place) -> None:
    """And a script from a ConfigMap leaves its SHA-256 in the lineage."""
    seeded.apply(manifests.script("steady"), manifests.training_job("first", steps=20, model={"name": "tally"}))
    first = seeded.job_succeeds("first")
    second_spec: Object = {"model": {"name": "tally"}, "parameters": {"steps": "21", "stepSeconds": "0.1"}}
    seeded.apply(manifests.training_job("second", **second_spec))
    second = seeded.job_succeeds("second")
    assert first["status"]["datasets"][0]["digest"] == second["status"]["datasets"][0]["digest"]

    versions = {name: version(seeded, name) for name in (job["status"]["modelVersion"] for job in (first, second))}
    assert len(versions) == 2
    code = hashlib.sha256((manifests.SCRIPTS / "steady.py").read_bytes()).hexdigest()
    for found in versions.values():
        assert found["spec"]["lineage"]["code"]["sha256"].removeprefix("sha256:") == code
        assert found["spec"]["modelRef"]["name"] == "tally"
    uris = {found["spec"]["artifact"]["uri"] for found in versions.values()}
    assert {uri.split("/")[-2] for uri in uris} == {first["metadata"]["uid"], second["metadata"]["uid"]}
    listed = str(seeded.until(gvks.MODEL, "tally", "Ready", seconds=60)["status"])
    assert all(name in listed for name in versions)


def version(place: Place, name: str) -> Object:
    return place.until(gvks.MODEL_VERSION, name, "Ready", seconds=60)


def test_a_deleted_job_leaves_nothing_but_its_data_and_models(seeded: Place) -> None:
    seeded.apply(manifests.script("steady"), manifests.training_job("done", steps=20))
    made = seeded.job_succeeds("done")["status"]["modelVersion"]
    before = {gvk: names(seeded, gvk) for gvk in CHILDREN}
    seeded.apply(manifests.training_job("doomed", steps=1000))
    uid = seeded.job_has_checkpoint("doomed")["metadata"]["uid"]
    seeded.delete(gvks.TRAINING_JOB, "doomed")
    seeded.delete(gvks.TRAINING_JOB, "done")

    def left() -> dict[str, set[str]]:
        now = {gvk.kind: names(seeded, gvk) - before[gvk] for gvk in CHILDREN}
        return {kind: some for kind, some in now.items() if some}

    seeded.cluster.until("nothing is left of the deleted job", lambda: not left(), seconds=150, seen=left)
    leftovers = {gvk.kind: [n for n in names(seeded, gvk) if n.startswith(("done", "doomed"))] for gvk in CHILDREN}
    assert not any(leftovers.values()), leftovers
    version(seeded, made)
    assert "checkpoint_" in run_shell(seeded, "look", f"ls /work/runs/{uid}")


def names(place: Place, gvk: Gvk) -> set[str]:
    return {one["metadata"]["name"] for one in place.every(gvk)}


def test_changed_data_are_a_new_version_and_a_running_job_keeps_to_the_old_one_or_stops(seeded: Place) -> None:
    old = digest(seeded)
    seeded.apply(manifests.script("steady"), manifests.training_job("pinned", steps=600))
    seeded.job_has_checkpoint("pinned")
    run_shell(seeded, "change", "echo 1001 >> /work/data/numbers.csv")
    seeded.kubectl("annotate", f"datasets.gyre.dev/{manifests.DATA}", "gyre.dev/requested-at=now", "--overwrite")
    seeded.cluster.until("a second version", lambda: digest(seeded) != old, seconds=90)
    found = seeded.until(gvks.DATASET, manifests.DATA, "Ready", seconds=30)
    assert found["status"]["current"]["version"] == 2

    job = seeded.job("pinned")
    assert job["status"]["datasets"] == [{"name": "train", "dataset": manifests.DATA, "version": 1, "digest": old}]
    seeded.job_trains("pinned", beyond=int(job["status"]["progress"]["step"]), seconds=60)

    seeded.kill(seeded.head("pinned"))

    job = seeded.job_until("pinned", "stops", stopped, seconds=START_SECONDS, may_fail=True)
    assert [one["class"] for one in attempts(job)] == ["NodeLost", "DatasetChanged"]
    assert "new TrainingJob" in condition(job, "Succeeded")["message"], "the message names the fix"


def digest(place: Place) -> str:
    found = place.find(gvks.DATASET, manifests.DATA)
    assert found is not None
    return str(found["status"]["current"]["digest"])
