"""What a DriftMonitor does next, told as stories: no cluster, no clock."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.driftmonitor.worlds import (
    DATASET,
    FLIGHTS,
    HOUR,
    LEDGER,
    SERVICE,
    Story,
    a_dataset,
    a_monitor,
    a_service,
)

from gyre.adapters.drift import DriftView
from gyre.api import gvks
from gyre.api.effects import Ref
from gyre.api.kind import Outcome
from gyre.api.kstatus import Verdict, compute


def started() -> Story:
    story = Story()
    story.look()
    return story


def test_the_newest_window_that_has_ended_is_judged_first():
    story = started()
    assert story.plan["window"] == {"from": "2026-11-23T07:00:00Z", "to": "2026-11-23T08:00:00Z"}
    story.judged()
    assert story.windows == ["2026-11-23T07:00:00Z"]
    assert story.jobs == []


def test_a_window_waits_for_late_predictions():
    story = Story(a_monitor(lateness="15m"))
    story.look()
    assert story.plan["window"]["to"] == "2026-11-23T07:00:00Z"  # the one that ended at 8:00 is due at 8:15
    story.judged()
    decision = story.look()
    assert (decision.reason, decision.after) == ("Watching", 5 * 60)


def test_every_window_is_judged_once_and_in_order():
    story = started().judged()
    for _ in range(3):
        story.look(HOUR)
        story.judged()
    assert story.windows == [f"2026-11-23T{hour:02d}:00:00Z" for hour in (7, 8, 9, 10)]
    assert story.status["windowsSeen"] == 4


def test_after_hours_of_being_down_the_missing_windows_are_caught_up_with_one_at_a_time():
    story = started().judged()
    story.look(4 * HOUR)
    for _ in range(4):
        assert len(story.jobs) == 1
        story.judged()
    assert story.jobs == []
    assert story.windows == [f"2026-11-23T{hour:02d}:00:00Z" for hour in (7, 8, 9, 10, 11)]


def test_after_weeks_of_being_down_only_the_newest_are_caught_up_with_and_the_rest_is_counted():
    story = started().judged()
    story.look(14 * 24 * HOUR)
    assert story.status["windowsSkipped"] == 14 * 24 - 24
    assert "WindowSkipped" in story.notes
    story.judged()
    assert story.ledger["skipped"] == 14 * 24 - 24


def test_a_job_that_takes_longer_than_a_window_is_not_replaced_by_the_next():
    story = started()
    name = story.job["metadata"]["name"]
    story.pod()
    story.look(5 * HOUR)
    assert story.job["metadata"]["name"] == name
    story.look(40 * HOUR)
    assert story.job["metadata"]["name"] == name
    story.judged()
    assert story.windows == ["2026-11-23T07:00:00Z"]


def test_the_report_is_in_the_ledger_before_the_job_is_deleted():
    story = started()
    story.finds()
    seen: list[str] = []
    carry_out = story.cluster.carry_out
    story.cluster.carry_out = lambda effects: seen.extend(type(e).__name__ for e in effects) or carry_out(effects)
    story.look()
    assert seen[:2] == ["Apply", "Delete"]


def test_drift_is_told_with_its_feature_and_over_when_it_is_over():
    story = started().judged()
    assert story.says("Drifted") == ("False", "AsReference")
    story.look(HOUR)
    story.judged(True)
    assert story.says("Drifted") == ("True", "DriftFound")
    assert "carrier has moved" in story.condition("Drifted")["message"]
    assert (story.status["drifted"], story.status["since"]) == (True, "2026-11-23T08:00:00Z")
    story.look(HOUR)
    story.judged(True)
    assert story.status["since"] == "2026-11-23T08:00:00Z"
    story.look(HOUR)
    story.judged()
    assert story.status["drifted"] is False
    assert "since" not in story.status
    assert [reason for reason in story.notes if reason.startswith("Drift")] == ["DriftFound", "DriftOver"]


def test_what_is_significant_but_small_is_said_to_be_immaterial():
    story = started()
    worst = [{"feature": "hour", "statistic": 9.0, "threshold": 3.3, "effect": 0.01}]
    story.judged(False, worst=worst)
    assert story.says("Drifted") == ("False", "Immaterial")


def test_a_window_without_traffic_is_unknown_and_ends_no_drift():
    story = started().judged(True)
    story.look(HOUR)
    story.judged(None)
    assert story.says("Drifted") == ("Unknown", "NoTraffic")
    assert "drifted" not in story.status
    story.look(HOUR)
    story.judged(True)
    assert story.status["since"] == "2026-11-23T07:00:00Z"
    assert story.notes.count("DriftFound") == 1


def test_a_data_bug_is_told_once_and_gone_when_it_is_mended():
    bug = {"reason": "UnitChange", "feature": "distance", "message": "×1.609 (miles → kilometres)"}
    story = started().judged(True, dataBug=bug)
    story.look(HOUR)
    story.judged(True, dataBug=bug)
    assert story.says("DataBug") == ("True", "DataBugFound")
    assert story.status["dataBug"] == bug
    assert story.notes.count("DataBugFound") == 1
    assert story.status["history"][0]["verdict"] == "DataBug"
    story.look(HOUR)
    story.judged()
    assert story.says("DataBug") == ("False", "NoDataBug")
    assert "dataBug" not in story.status


def test_the_impact_is_unknown_with_the_reason_until_it_is_known():
    story = started().judged()
    assert story.says("ImpactKnown") == ("Unknown", "NoLabels")
    assert "impact" not in story.status
    story.look(HOUR)
    impact = {"metric": "auc", "estimate": 0.031, "before": 0.7231, "now": 0.6921, "basis": "Labels"}
    story.judged(True, impact=impact)
    assert story.says("ImpactKnown") == ("True", "Measured")
    assert story.status["impact"] == {
        "metric": "auc",
        "estimate": "0.031",
        "before": "0.7231",
        "now": "0.6921",
        "basis": "Labels",
    }


def test_lost_quality_has_a_condition_and_an_event_of_its_own():
    story = started().judged()
    assert story.says("QualityLost")[0] == "Unknown"
    story.look(HOUR)
    story.judged(quality={"evidence": 7.1, "threshold": 6.58, "lost": True}, labels={"rows": 900, "errors": 300})
    assert story.says("QualityLost") == ("True", "QualityLostFound")
    assert "QualityLostFound" in story.notes
    assert story.status["quality"] == {"labels": 900, "errors": 300, "evidence": "7.1", "threshold": "6.58"}


@pytest.mark.parametrize(
    ("lack", "reason", "fix"),
    [
        (lambda s: s.lose(SERVICE), "NoService", "create it or fix spec.serviceRef.name"),
        (lambda s: s.change(SERVICE, a_service(None)), "NoLog", "set its spec.log.uri"),
        (lambda s: s.change(SERVICE, a_service("ftp://x")), "NoLog", "set its spec.log.uri"),
        (lambda s: s.change(SERVICE, a_service(model="other")), "OtherModel", "fix spec.modelRef.name"),
        (lambda s: s.lose(Ref(gvks.MODEL, "ml", "late")), "ModelMissing", "create it"),
        (lambda s: s.lose(DATASET), "DatasetMissing", "create it"),
        (
            lambda s: s.edit(reference={"dataset": {"name": "flights-2013", "version": 2}}),
            "DatasetChanged",
            "restore its files",
        ),
    ],
)
def test_what_is_lacking_is_said_with_the_fix_and_nothing_is_known(lack: Any, reason: str, fix: str):
    story = Story()
    lack(story)
    decision = story.look()
    assert (decision.outcome, decision.reason) == (Outcome.STALLED, reason)
    assert fix in decision.message
    assert story.jobs == []
    assert story.says("Drifted")[0] == "Unknown"
    assert "drifted" not in story.status


def test_a_dataset_that_is_not_scanned_is_waited_for():
    story = Story()
    story.change(DATASET, a_dataset(ready="False"))
    assert story.look().outcome is Outcome.WAITING
    story.change(DATASET, a_dataset())
    story.look()
    assert len(story.jobs) == 1


def test_what_was_known_is_not_known_any_more_without_a_log():
    story = started().judged()
    story.change(SERVICE, a_service(None))
    story.look()
    assert story.says("Drifted")[0] == "Unknown"
    assert story.status["windowsSeen"] == 1


def test_a_new_version_of_the_reference_has_the_newest_window_judged_anew():
    story = started().judged(True)
    story.change(DATASET, a_dataset("b", 4))
    story.look()
    assert story.plan["reference"]["dataset"]["version"] == 4
    assert story.plan["window"]["from"] == "2026-11-23T07:00:00Z"
    assert story.says("Drifted")[0] == "Unknown"
    story.judged()
    assert story.status["windowsSeen"] == 1
    assert story.status["drifted"] is False


def test_another_look_can_be_asked_for():
    story = started().judged()
    story.ask("now")
    story.look()
    assert len(story.jobs) == 1


def test_a_change_of_the_spec_replaces_the_job_that_runs():
    story = started()
    first = story.job["metadata"]["name"]
    story.edit(minEffect="0.1")
    story.look()
    assert story.job["metadata"]["name"] != first
    assert story.plan["minEffect"] == "0.1"


def test_more_memory_does_not_judge_anew():
    story = started().judged()
    story.edit(resources={"memory": "2Gi"})
    story.look()
    assert story.jobs == []


def test_a_reference_that_is_too_small_stalls_and_is_never_skipped():
    story = started()
    for _ in range(8):
        story.failed("ReferenceTooSmall", "the reference has 1500 rows: 500 rows are missing")
        assert story.says("Stalled") == ("True", "ReferenceTooSmall")
        story.look(2 * HOUR)
    assert "500 rows are missing" in story.status["conditions"][0]["message"] or len(story.jobs) == 1
    assert "windowsSkipped" not in story.status


def test_a_failure_is_tried_again_ever_more_rarely():
    story = started()
    waits = []
    for _ in range(3):
        story.failed()
        waits.append(story.look().after)
        story.look(waits[-1])
    assert waits == [60, 120, 240]


def test_one_window_that_cannot_be_judged_does_not_hold_up_the_others():
    story = started()
    for _ in range(5):
        story.failed("Unreadable", "part-x is not whole")
        story.look(HOUR)
    assert story.status["windowsSkipped"] == 1
    assert "WindowSkipped" in story.notes
    assert story.plan["window"]["from"] == "2026-11-23T08:00:00Z"
    story.judged()
    assert "failures" not in story.status


def test_a_failing_window_is_not_given_up_while_there_is_no_newer_one():
    story = Story(a_monitor(window="7d", expectedTimeBetweenFalseAlarms="365d"))
    story.look()
    for _ in range(8):
        story.failed()
        story.look(HOUR)
    assert "windowsSkipped" not in story.status


@pytest.mark.parametrize(
    ("message", "reason"),
    [("", "Internal"), ("panic", "Internal"), ('{"version": 1}', "Internal"), ('{"version": 2}', "Internal")],
)
def test_a_job_that_gives_no_report_is_quoted(message: str, reason: str):
    story = started()
    story.ends(message)
    story.look()
    story.pods_go()
    decision = story.look()
    assert (decision.outcome, decision.reason) == (Outcome.STALLED, reason)


def test_a_job_that_ran_out_of_memory_names_the_field():
    story = started()
    story.ends("", code=137, reason="OOMKilled")
    story.look()
    story.pods_go()
    assert "raise spec.resources.memory, now 1Gi" in story.look().message


def test_a_job_that_took_too_long_names_the_field():
    story = started()
    story.job_ends("Failed", "DeadlineExceeded")
    story.look()
    assert "raise spec.timeout" in story.look().message


def test_a_job_whose_pod_is_gone_is_run_again():
    story = started()
    story.job_ends("Complete")
    assert story.look().reason == "Judging"
    story.look(61)
    assert story.ledger["failure"]["cause"] == "Internal"


@pytest.mark.parametrize(
    ("fault", "reason"), [("ImagePullBackOff", "ImagePull"), ("CreateContainerConfigError", "CannotStart")]
)
def test_a_pod_that_cannot_start_says_why(fault: str, reason: str):
    story = started()
    story.pod({"waiting": {"reason": fault, "message": "no"}}, phase="Pending")
    decision = story.look()
    assert (decision.outcome, decision.reason) == (Outcome.STALLED, reason)


def test_a_running_job_leaves_what_is_known_as_it_is():
    story = started().judged(True)
    story.look(HOUR)
    assert len(story.jobs) == 1
    assert compute(story.cluster.objects[FLIGHTS]).verdict is Verdict.CURRENT
    assert story.status["drifted"] is True


def test_a_ledger_that_somebody_edited_is_not_taken_for_an_empty_one():
    story = started().judged()
    obj = story.cluster.objects[LEDGER]
    story.cluster.put(gvks.CONFIG_MAP, {**obj, "data": {"ledger.json": "{}"}})
    decision = story.look(HOUR)
    assert decision.reason == "LedgerUnreadable"
    assert story.jobs == []


def test_a_clock_that_was_set_back_judges_nothing_twice():
    story = started().judged()
    decision = story.look(-5 * HOUR)
    assert decision.reason == "Watching"
    assert story.jobs == []
    assert 0 < (decision.after or 0) <= HOUR + 120


def test_a_settled_monitor_writes_nothing():
    story = started().judged()
    version = story.cluster.version
    story.look(60)
    story.look(60)
    assert story.cluster.version == version


def test_other_kinds_see_the_drift_through_a_view():
    impact = {"metric": "auc", "estimate": 0.031, "before": 0.72, "now": 0.69, "basis": "Labels"}
    story = started().judged(True, impact=impact)
    view = DriftView.of(story.cluster.objects[FLIGHTS])
    assert (view.name, view.model, view.known, view.drifted, view.impact, view.data_bug) == (
        "flights",
        "late",
        True,
        True,
        0.031,
        "",
    )
    assert view.worst == (("carrier", 5.4, 3.3, 0.08),)
    assert str(view.since) == "2026-11-23 07:00:00+00:00"


@pytest.mark.parametrize(
    "obj", [{}, {"status": {"worst": [1], "impact": {"estimate": "x"}, "window": None}}, {"status": None}]
)
def test_what_is_malformed_has_not_drifted_as_far_as_anyone_knows(obj: Any):
    view = DriftView.of(obj)
    assert (view.known, view.drifted, view.impact, view.data_bug) == (False, False, None, "")
