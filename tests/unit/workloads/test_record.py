"""What the operator is told about a run, from what happened in it."""

import json
import math

from hypothesis import given
from hypothesis import strategies as st

from gyre_train.contract import RunSpec, encoded
from gyre_train.record import Record

RUN = {
    "version": 1,
    "uid": "u",
    "job": "ns/j",
    "attempt": 1,
    "entrypoint": {"tabular": {}},
    "workers": {"count": 2},
    "storage": {"path": "/s", "uri": "pvc://c"},
    "objective": {"metric": "auc", "goal": "Maximize"},
}


def a_record() -> Record:
    return Record(RunSpec.parse(RUN), {"pod": "head", "uid": "u"}, 0)


def a_running_record() -> Record:
    record = a_record()
    record.fresh(4_000)
    record.stepped(1, 0, 100, {"loss": 0.9}, 5_000)
    return record


def test_a_killed_worker_costs_the_steps_since_its_checkpoint_and_says_how_long_it_took():
    record = a_running_record()
    record.saved(50, 1.0, 15_000)
    record.committed("checkpoint_a", 50, size=10, digest="sha256:a", verified=True, at=15_500)
    record.stepped(70, 0, 100, {}, 19_000)
    record.lost("WorkerLost", "Connection reset by peer", 20_000)
    assert record.progress(21_000)["state"] == "Recovering"
    record.restoring("checkpoint_a", 50, 28_000)
    record.restored("checkpoint_a", 50, 0.5, 29_000)
    record.stepped(51, 0, 100, {}, 30_000)
    progress = record.progress(32_000)
    (restart,) = progress["restarts"]
    assert (restart["fromStep"], restart["toStep"], restart["secondsLost"]) == (70, 50, 10.0)
    assert progress["ledger"] == {
        "starting": 5.0,
        "productive": 11.0,
        "checkpointSave": 1.0,
        "checkpointRestore": 0.5,
        "wasted": 5.0,
        "recovering": 9.5,
    }
    assert (progress["state"], progress["step"], progress["restartCount"]) == ("Running", 51, 1)
    assert progress["checkpoint"]["blockedSeconds"] == 1.0


def test_losses_before_the_first_new_step_are_one_restart():
    record = a_running_record()
    record.lost("WorkerLost", "a", 6_000)
    record.lost("WorkerLost", "b", 7_000)
    assert record.progress(8_000)["restartCount"] == 1


def test_only_the_last_ten_restarts_are_told_but_all_are_counted():
    record = a_running_record()
    for number in range(14):
        record.lost("WorkerLost", str(number), 6_000 + 10 * number)
        record.fresh(6_003 + 10 * number)
        record.stepped(1, 0, 100, {}, 6_005 + 10 * number)
    progress = record.progress(9_000)
    assert (progress["restartCount"], len(progress["restarts"])) == (14, 10)
    assert progress["restarts"][-1]["message"] == "13"


def test_a_failed_restore_is_told_with_its_checkpoint():
    record = a_record()
    record.restoring("checkpoint_a", 50, 1_000)
    record.restore_failed("checkpoint_a", "state.pt is not what the manifest says", 2_000)
    record.failed("RestoreFailed", "x", 2_000)
    progress = record.progress(2_000)
    assert progress["restore"] == {
        "name": "checkpoint_a",
        "step": 50,
        "ok": False,
        "error": "state.pt is not what the manifest says",
    }
    assert progress["failure"]["class"] == "RestoreFailed"


def test_best_follows_the_objective_and_any_loss():
    record = a_running_record()
    for auc, loss in ((0.6, 0.5), (0.7, 0.4), (0.65, 0.45)):
        record.stepped(2, 0, 100, {"auc": auc, "loss": loss, "lr": 0.1}, 6_000)
    assert record.progress(7_000)["metrics"] == {
        "latest": {"loss": 0.45, "auc": 0.65, "lr": 0.1},
        "best": {"loss": 0.4, "auc": 0.7},
    }


def test_an_older_checkpoint_that_was_read_back_later_does_not_replace_a_newer_one():
    record = a_running_record()
    record.committed("new", 60, size=1, digest="d", verified=True, at=6_000)
    record.committed("old", 50, size=1, digest="d", verified=True, at=6_100)
    assert record.progress(7_000)["checkpoint"]["name"] == "new"


def test_the_pace_is_that_of_the_last_ten_seconds():
    record = a_running_record()
    record.stepped(1_000, 0, 9_999, {}, 20_000)
    record.stepped(1_500, 0, 9_999, {}, 30_000)
    assert record.progress(30_000)["stepsPerSecond"] == 50.0


values = st.one_of(st.floats(), st.integers(), st.text(max_size=3), st.none(), st.booleans(), st.just(10**400))


@given(st.dictionaries(st.text(max_size=5), values, max_size=5))
def test_whatever_a_script_reports_progress_stays_json(metrics):
    record = a_running_record()
    record.stepped(2, 0, None, metrics, 6_000)
    latest = json.loads(encoded(record.progress(7_000)))["metrics"]["latest"]
    assert all(math.isfinite(value) for value in latest.values())


events = st.sampled_from(["step", "saved", "lost", "restored", "fresh", "committed", "restoring"])


@given(st.lists(st.tuples(events, st.integers(0, 100), st.integers(0, 3_000)), max_size=60))
def test_the_ledger_sums_to_the_heartbeat_after_any_story(story):
    record, now = a_record(), 0
    for kind, step, later in story:
        now += later
        match kind:
            case "step":
                record.stepped(step, 0, 100, {}, now)
            case "saved":
                record.saved(step, later / 1000, now)
            case "lost":
                record.lost("WorkerLost", "", now)
            case "restored":
                record.restored("c", step, later / 1000, now)
            case "fresh":
                record.fresh(now)
            case "restoring":
                record.restoring("c", step, now)
            case "committed":
                record.committed("c", step, size=1, digest="d", verified=True, at=now)
        assert round(sum(record.progress(now)["ledger"].values()) * 1000) == now
