"""What a Dataset does next, told as stories: no cluster, no clock."""

from __future__ import annotations

import pytest
from tests.unit.dataset.worlds import FLIGHTS, PREPARE, S3, VOLUME, Story, a_dataset, digest

from gyre.adapters.datasets import DatasetView
from gyre.api import gvks
from gyre.api.effects import NoteType, Ref
from gyre.api.kind import Outcome
from gyre.api.kstatus import Verdict, compute


def test_a_new_dataset_is_scanned_and_becomes_version_1():
    story = Story()
    assert story.look().reason == "Scanning"
    story.finds("a")
    decision = story.look()
    assert decision.outcome is Outcome.SETTLED
    assert decision.message == "version 1, 1000 rows, sha256:aaaaaaaaaaaa"
    assert story.status["current"] == {
        "version": 1,
        "digest": digest("a"),
        "shortDigest": "aaaaaaaaaaaa",
        "files": 5,
        "rows": 1000,
        "bytes": 4096,
        "size": "4Ki",
        "time": "2026-11-23T08:00:00Z",
    }


def test_the_result_is_in_the_ledger_before_the_job_is_deleted():
    story = Story()
    story.look()
    story.finds()
    seen: list[str] = []
    carry_out = story.cluster.carry_out
    story.cluster.carry_out = lambda effects: seen.extend(type(e).__name__ for e in effects) or carry_out(effects)
    story.look()
    assert seen[:2] == ["Apply", "Delete"]
    assert story.jobs == []


def test_a_changed_file_is_a_new_version_and_an_event():
    story = Story(a_dataset(scan={"every": "1h"})).has_version("a")
    story.look(3600)
    story.finds("b", rows=1001)
    story.look()
    assert story.versions == [1, 2]
    assert story.cluster.notes[-1].reason == "NewVersion"
    assert "version 2, 1001 rows" in story.cluster.notes[-1].message
    assert "was version 1, 1000 rows" in story.cluster.notes[-1].message


def test_the_same_data_again_are_no_new_version_and_no_event():
    story = Story(a_dataset(scan={"every": "1h"})).has_version("a")
    told = len(story.cluster.notes)
    story.look(3600)
    story.finds("a")
    story.look()
    assert story.versions == [1]
    assert len(story.cluster.notes) == told
    assert story.status["lastScan"] == "2026-11-23T09:00:00Z"


def test_data_that_go_back_are_a_new_version_that_says_so():
    story = Story().has_version("a")
    for number, letter in enumerate("ba"):
        story.ask(str(number))
        story.has_version(letter)
    assert story.versions == [1, 2, 3]
    assert story.status["current"]["sameAs"] == 1
    assert "the same data as version 1" in story.cluster.notes[-1].message


def test_a_routine_scan_leaves_the_dataset_ready():
    story = Story(a_dataset(scan={"every": "1h"})).has_version("a")
    assert story.look(3600).outcome is Outcome.SETTLED
    assert len(story.jobs) == 1
    assert story.condition("Scanning")["status"] == "True"
    assert DatasetView.of(story.cluster.objects[FLIGHTS]).ready


def test_an_asked_for_scan_makes_the_dataset_unready_until_it_is_done():
    story = Story().has_version("a")
    story.ask("now")
    assert story.look().outcome is Outcome.PROGRESSING
    assert not DatasetView.of(story.cluster.objects[FLIGHTS]).ready
    story.finds("a")
    story.look()
    assert DatasetView.of(story.cluster.objects[FLIGHTS]).ready


def test_a_settled_dataset_without_an_interval_sets_no_timer_and_writes_nothing():
    story = Story().has_version()
    decision = story.look(86400)
    assert decision.after is None
    assert not story.cluster.carry_out(decision.effects)


def test_the_next_scan_is_announced():
    story = Story(a_dataset(scan={"every": "1h"})).has_version()
    assert story.look(600).after == 3000
    assert story.status["nextScan"] == "2026-11-23T09:00:00Z"


def test_prepare_runs_before_the_first_scan_and_the_scan_after_it():
    story = Story(a_dataset(VOLUME, prepare=PREPARE))
    assert story.look().reason == "Preparing"
    assert story.job["metadata"]["labels"]["gyre.dev/role"] == "prepare"
    story.ends('{"version": 1}')
    story.look()
    story.pods_go()
    story.look()
    assert story.job["metadata"]["labels"]["gyre.dev/role"] == "scan"
    assert story.versions == []


def test_prepare_does_not_run_again_unless_its_spec_changes():
    story = Story(a_dataset(VOLUME, prepare=PREPARE))
    story.look()
    story.ends("done")
    story.look()
    story.pods_go()
    story.has_version("a")
    story.ask("again")
    story.look()
    assert story.job["metadata"]["labels"]["gyre.dev/role"] == "scan"
    story.has_version("a")
    story.edit(prepare={"args": ["flights", "--months", "1-6"]})
    story.look()
    assert story.job["metadata"]["labels"]["gyre.dev/role"] == "prepare"


def test_more_memory_for_prepare_does_not_prepare_again():
    story = Story(a_dataset(VOLUME, prepare=PREPARE))
    story.look()
    story.ends("done")
    story.has_version()
    story.edit(prepare={**PREPARE, "resources": {"memory": "4Gi"}})
    story.look()
    assert [job["metadata"]["labels"]["gyre.dev/role"] for job in story.jobs] == ["scan"]


def test_a_volume_that_grows_is_not_scanned_again():
    story = Story(a_dataset(VOLUME)).has_version()
    story.edit(source={"volume": {"size": "10Gi"}})
    assert story.look().outcome is Outcome.SETTLED
    claim = story.cluster.objects[Ref(gvks.PERSISTENT_VOLUME_CLAIM, "ml", "flights-data")]
    assert claim["spec"]["resources"]["requests"]["storage"] == "10Gi"


def test_a_missing_claim_is_stalled_with_the_fix_and_asked_for_again():
    story = Story(claim=False)
    decision = story.look()
    assert (decision.outcome, decision.reason) == (Outcome.STALLED, "ClaimMissing")
    assert decision.message == (
        "PersistentVolumeClaim 'shared' does not exist in this namespace: create it or fix spec.source.pvc.claimName"
    )
    assert decision.after == 60
    assert story.jobs == []


@pytest.mark.parametrize("cause", ["NotFound", "Unreadable", "NotWritable", "Empty", "Internal"])
def test_a_failing_scan_is_stalled_with_the_words_of_the_workload(cause: str):
    story = Story()
    story.look()
    story.fails(cause, "look here")
    decision = story.look()
    assert (decision.outcome, decision.reason) == (Outcome.STALLED, cause)
    assert "scan failed: look here. Next try at 08:01 UTC" in decision.message
    assert [(note.reason, note.type) for note in story.cluster.notes] == [("ScanFailed", NoteType.WARNING)]
    assert compute(story.cluster.objects[FLIGHTS]).verdict is Verdict.FAILED


def test_failures_are_tried_again_ever_more_rarely_and_never_hot():
    story, waits = Story(), []
    story.look()
    for _ in range(9):
        story.fails()
        story.look()
        story.pods_go()
        waits.append(story.look().after)
        assert story.jobs == []
        story.look(waits[-1])
        assert len(story.jobs) == 1
    assert waits == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    assert story.status["failures"] == 9


def test_a_changed_spec_is_tried_at_once_after_a_failure():
    story = Story()
    story.look()
    story.fails()
    story.look()
    story.pods_go()
    story.edit(source={"pvc": {"claimName": "shared", "path": "other"}})
    assert story.look().reason == "Scanning"
    assert "/gyre/data/other" in story.job["spec"]["template"]["spec"]["containers"][0]["args"]


def test_a_failed_rescan_keeps_the_last_version_but_is_not_ready():
    story = Story(a_dataset(scan={"every": "1h"})).has_version("a")
    story.look(3600)
    story.fails("Unreadable", "part-0.parquet: truncated")
    story.look()
    view = DatasetView.of(story.cluster.objects[FLIGHTS])
    assert (view.ready, view.version, view.digest) == (False, 1, digest("a"))


def test_an_older_job_goes_with_its_pods_before_a_new_one_starts():
    story = Story()
    story.look()
    first = story.job["metadata"]["name"]
    story.pod({"running": {}})
    story.edit(source={"pvc": {"claimName": "shared", "path": "other"}})
    assert story.look().reason == "Replacing"
    assert story.jobs == []
    story.pods_go()
    story.look()
    assert story.job["metadata"]["name"] != first


def test_a_recorded_job_that_a_crash_left_behind_is_deleted():
    story = Story()
    story.look()
    story.finds("a")
    left = story.job
    story.look()
    story.cluster.put(gvks.JOB, left)
    assert story.look().outcome is Outcome.SETTLED
    assert story.jobs == []
    assert story.versions == [1]


def test_an_image_that_cannot_be_had_is_stalled_while_the_job_keeps_trying():
    story = Story()
    story.look()
    story.pod({"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}, phase="Pending")
    decision = story.look()
    assert (decision.outcome, decision.reason) == (Outcome.STALLED, "ImagePull")
    assert "fix spec.scan.image" in decision.message
    assert len(story.jobs) == 1


def test_a_missing_secret_shows_on_the_pod_and_is_named():
    story = Story(a_dataset(S3))
    story.look()
    waiting = {"reason": "CreateContainerConfigError", "message": 'secret "lake-keys" not found'}
    story.pod({"waiting": waiting}, phase="Pending")
    decision = story.look()
    assert decision.reason == "CannotStart"
    assert 'secret "lake-keys" not found' in decision.message


def test_a_pod_without_a_place_is_waited_for_and_then_stalled():
    story = Story()
    story.look()
    nowhere = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}
    story.pod(phase="Pending", conditions=[{**nowhere, "lastTransitionTime": story.stamp}])
    decision = story.look(30)
    assert (decision.outcome, decision.after) == (Outcome.WAITING, 90)
    decision = story.look(90)
    assert (decision.outcome, decision.reason) == (Outcome.STALLED, "Unschedulable")
    assert "0/3 nodes" in decision.message


def test_a_scan_killed_for_memory_names_the_field_to_raise():
    story = Story()
    story.look()
    story.ends("", code=137, reason="OOMKilled")
    decision = story.look()
    assert decision.reason == "OutOfMemory"
    assert "raise spec.scan.resources.memory, now 1Gi" in decision.message


def test_a_job_past_its_deadline_names_the_field_to_raise():
    story = Story()
    story.look()
    story.job_ends("Failed", "DeadlineExceeded")
    decision = story.look()
    assert decision.reason == "Timeout"
    assert "longer than 1h, waiting for a node and the image included: raise spec.scan.timeout" in decision.message


def test_a_pod_that_is_not_seen_yet_is_waited_for_a_moment():
    story = Story()
    story.look()
    story.job_ends("Complete")
    assert story.look(1).outcome is Outcome.PROGRESSING
    assert story.look(61).reason == "Internal"


def test_a_report_that_the_watch_has_missed_is_fetched():
    story = Story()
    story.look()
    story.pod({"running": {}})
    pod = Ref(gvks.POD, "ml", f"{story.job['metadata']['name']}-x")
    before = story.cluster.objects[pod]
    story.finds("a")
    ended = story.cluster.objects[pod]
    story.cluster.objects[pod] = before
    story.cluster.live[pod] = {**ended, "metadata": {**ended["metadata"], "uid": before["metadata"]["uid"]}}
    story.look()
    assert story.versions == [1]


def test_a_message_that_is_no_report_is_quoted():
    story = Story()
    story.look()
    story.ends("Traceback: boom", code=1)
    assert "'Traceback: boom'" in story.look().message


def test_a_ledger_that_was_spoilt_by_hand_is_never_overwritten():
    story = Story().has_version()
    ref = Ref(gvks.CONFIG_MAP, "ml", "flights-versions")
    story.cluster.put(gvks.CONFIG_MAP, {**story.cluster.objects[ref], "data": {"ledger.json": "{}"}})
    decision = story.look()
    assert (decision.outcome, decision.reason) == (Outcome.STALLED, "LedgerUnreadable")
    assert story.cluster.objects[ref]["data"] == {"ledger.json": "{}"}


def test_a_lost_status_changes_nothing_that_is_decided():
    story = Story().has_version()
    before = story.status
    story.cluster.objects[FLIGHTS]["status"] = {}
    decision = story.look()
    assert decision.outcome is Outcome.SETTLED
    assert {k: v for k, v in story.status.items() if k != "conditions"} == {
        k: v for k, v in before.items() if k != "conditions"
    }


def test_keep_versions_bounds_what_the_status_shows():
    story = Story(a_dataset(keepVersions=2)).has_version("a")
    for number, letter in enumerate("bcd"):
        story.ask(str(number))
        story.has_version(letter)
    assert [version["version"] for version in story.status["versions"]] == [4, 3]
    assert story.versions == [1, 2, 3, 4]
