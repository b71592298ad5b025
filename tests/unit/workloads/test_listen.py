"""What workers and controller post becomes the record of the run."""

import threading

import pytest
from pyarrow import fs

from gyre_train.checkpoint import write_manifest
from gyre_train.contract import Command, RunSpec
from gyre_train.listen import Listener
from gyre_train.record import Record

RUN = {
    "version": 1,
    "uid": "u",
    "job": "ns/j",
    "attempt": 1,
    "entrypoint": {"script": {"path": "/gyre/code/train.py"}},
    "workers": {"count": 2},
    "storage": {"path": "/s", "uri": "pvc://c"},
}


@pytest.fixture
def run():
    record, news = Record(RunSpec.parse(RUN), {"pod": "head", "uid": "u"}, 0), []
    listener = Listener(record, threading.Lock(), lambda: news.append(1), lambda: news.append("parked"))
    listener._files = fs.LocalFileSystem()  # what `start` is given, without the actor
    yield listener, record, news
    listener.stop()


def a_step(step, at):
    return {"kind": "step", "step": step, "epoch": 0, "total": 100, "metrics": {"loss": 0.5}, "at": at}


def test_a_killed_and_resumed_run_reads_as_one_story(run, tmp_path):
    listener, record, news = run
    folder = tmp_path / "checkpoint_a"
    folder.mkdir()
    (folder / "state.pt").write_bytes(b"weights")
    write_manifest(folder, 50)
    listener.apply(
        [
            {"kind": "fresh", "total": 100, "at": 1_000},
            a_step(1, 2_000),
            a_step(50, 7_000),
            {"kind": "saved", "step": 50, "seconds": 0.5, "at": 7_500},
            {"kind": "reported", "checkpoint": str(folder), "metrics": {"step": 50}, "at": 8_000},
            a_step(70, 9_000),
            {"kind": "lost", "cause": "WorkerLost", "message": "gone", "at": 10_000},
            {"kind": "restoring", "name": "checkpoint_a", "step": 50, "at": 14_000},
            {"kind": "restored", "name": "checkpoint_a", "step": 50, "seconds": 0.1, "at": 14_500},
            a_step(51, 15_000),
        ]
    )
    listener._reader.submit(lambda: None).result()
    progress = record.progress(16_000)
    assert progress["checkpoint"]["verified"]
    assert (progress["checkpoint"]["step"], progress["checkpoint"]["blockedSeconds"]) == (50, 0.5)
    assert (progress["restarts"][0]["fromStep"], progress["restarts"][0]["toStep"], progress["step"]) == (70, 50, 51)
    assert progress["ledger"]["wasted"] == 2.5
    assert len(news) >= 5


def test_a_script_of_plain_ray_train_is_seen_through_its_reports(run, tmp_path):
    listener, record, _ = run
    folder = tmp_path / "checkpoint_p"
    folder.mkdir()
    (folder / "model.bin").write_bytes(b"no manifest")
    listener.apply(
        [
            {"kind": "reported", "checkpoint": str(folder), "metrics": {"step": 4, "loss": 0.3}, "at": 3_000},
            {"kind": "reported", "checkpoint": None, "metrics": {"training_iteration": 6}, "at": 5_000},
        ]
    )
    listener._reader.submit(lambda: None).result()
    listener.apply(
        [
            {"kind": "lost", "cause": "WorkerLost", "message": "gone", "at": 6_000},
            {"kind": "reported", "checkpoint": None, "metrics": {"step": 5}, "at": 9_000},
        ]
    )
    progress = record.progress(9_000)
    assert (progress["step"], progress["metrics"]["latest"]) == (5, {"loss": 0.3})
    assert (progress["checkpoint"]["name"], progress["checkpoint"]["verified"]) == ("checkpoint_p", False)
    assert (progress["restarts"][0]["fromStep"], progress["restarts"][0]["toStep"]) == (6, 4)
    assert progress["ledger"] == {
        "starting": 3.0,
        "productive": 0.0,
        "checkpointSave": 0.0,
        "checkpointRestore": 0.0,
        "wasted": 3.0,
        "recovering": 3.0,
    }


def test_a_park_is_left_to_running_workers_and_done_at_once_where_there_are_none(run):
    listener, record, news = run
    listener.obey(Command(park="p1"))
    record.stepped(1, 0, 100, {}, 1_000)
    listener.park_if_idle()
    assert "parked" not in news
    record.lost("WorkerLost", "gone", 2_000)
    listener.park_if_idle()
    assert news[-1] == "parked"


def test_a_checkpoint_that_is_gone_when_it_is_read_back_is_not_told(run, tmp_path):
    listener, record, _ = run
    listener.apply([{"kind": "reported", "checkpoint": str(tmp_path / "gone"), "metrics": {"step": 4}, "at": 3_000}])
    listener._reader.submit(lambda: None).result()
    assert record.progress(4_000)["checkpoint"] is None


def test_steps_are_news_only_when_the_state_changes(run):
    listener, _, news = run
    listener.apply([a_step(1, 1_000)])
    assert news == [1]
    listener.apply([a_step(2, 1_100), a_step(3, 1_200)])
    assert news == [1]
