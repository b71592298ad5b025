"""Checkpoints are trusted after they were compared, and Ray's list of them is made sound before Ray reads it."""

import json
from pathlib import Path

import pytest
from pyarrow import fs

from gyre_train.checkpoint import MANIFEST, SNAPSHOT, check_local, latest, prepare, verify, write_manifest
from gyre_train.faults import RestoreFailed

LOCAL = fs.LocalFileSystem()


def a_checkpoint(run: Path, name: str, step: int) -> Path:
    folder = run / name
    folder.mkdir(parents=True)
    (folder / "state.pt").write_bytes(b"weights %d" % step)
    write_manifest(folder, step)
    return folder


def a_snapshot(run: Path, *names: str) -> dict:
    results = [
        {"version": 0, "checkpoint_dir_name": name, "metrics": {"step": 10 * number}}
        for number, name in enumerate(names)
    ]
    snapshot = {
        "ray_version": "2.60.0",
        "checkpoint_results": results,
        "checkpoint_report_indices": list(range(len(names))),
        "latest_checkpoint_result": results[-1] if results else None,
        "pending_training_results": [],
        "pending_validation_specs": [],
        "current_report_index": len(names),
        "validated_checkpoint_dir_names": list(names[:1]),
        "timed_out_validation_checkpoint_dir_names": [],
        "failed_validation_checkpoint_dir_names": [],
    }
    run.mkdir(exist_ok=True)
    (run / SNAPSHOT).write_text(json.dumps(snapshot))
    return snapshot


def test_a_whole_checkpoint_gives_its_step_and_is_verified_in_storage(tmp_path):
    folder = a_checkpoint(tmp_path, "checkpoint_a", 40)
    assert check_local(folder, "checkpoint_a") == 40
    found = verify(LOCAL, str(folder))
    assert (found.ok, found.step, found.files) == (True, 40, 2)
    assert found.size == sum(file.stat().st_size for file in folder.iterdir())


@pytest.mark.parametrize("damage", ["changed", "cut off", "missing", "no manifest", "broken manifest"])
def test_a_damaged_checkpoint_does_not_restore(tmp_path, damage):
    folder = a_checkpoint(tmp_path, "checkpoint_a", 40)
    match damage:
        case "changed":
            (folder / "state.pt").write_bytes(b"weights 41")
        case "cut off":
            (folder / "state.pt").write_bytes(b"wei")
        case "missing":
            (folder / "state.pt").unlink()
        case "no manifest":
            (folder / MANIFEST).unlink()
        case "broken manifest":
            (folder / MANIFEST).write_text('{"step"')
    with pytest.raises(RestoreFailed, match="checkpoint_a"):
        check_local(folder, "checkpoint_a")
    if damage != "broken manifest":
        assert not verify(LOCAL, str(folder)).ok


def test_a_quarantined_checkpoint_leaves_the_list_but_not_the_storage(tmp_path):
    names = ("checkpoint_a", "checkpoint_b", "checkpoint_c")
    for number, name in enumerate(names):
        a_checkpoint(tmp_path, name, number)
    a_snapshot(tmp_path, *names)
    assert prepare(LOCAL, str(tmp_path), ["checkpoint_c", "checkpoint_never"], "2.60.0") == ["checkpoint_c"]
    assert latest(LOCAL, str(tmp_path)) == "checkpoint_b"
    snapshot = json.loads((tmp_path / SNAPSHOT).read_text())
    assert (snapshot["checkpoint_report_indices"], snapshot["current_report_index"]) == ([0, 1], 3)
    assert (tmp_path / "checkpoint_c").is_dir()


def test_when_all_are_quarantined_the_run_starts_anew(tmp_path):
    a_checkpoint(tmp_path, "checkpoint_a", 1)
    a_snapshot(tmp_path, "checkpoint_a")
    prepare(LOCAL, str(tmp_path), ["checkpoint_a"], "2.60.0")
    assert latest(LOCAL, str(tmp_path)) is None


def test_a_list_that_was_cut_off_is_written_anew_from_whole_checkpoints(tmp_path):
    a_checkpoint(tmp_path, "checkpoint_b", 20)
    a_checkpoint(tmp_path, "checkpoint_a", 10)
    (a_checkpoint(tmp_path, "checkpoint_c", 30) / "state.pt").write_bytes(b"half")
    a_checkpoint(tmp_path, "checkpoint_q", 40)
    (tmp_path / SNAPSHOT).write_text('{"ray_version": "2.60.0", "checkpoint_res')
    prepare(LOCAL, str(tmp_path), ["checkpoint_q"], "2.60.0")
    snapshot = json.loads((tmp_path / SNAPSHOT).read_text())
    assert [result["checkpoint_dir_name"] for result in snapshot["checkpoint_results"]] == [
        "checkpoint_a",
        "checkpoint_b",
    ]
    assert latest(LOCAL, str(tmp_path)) == "checkpoint_b"


def test_a_folder_that_is_gone_leaves_the_list(tmp_path):
    a_checkpoint(tmp_path, "checkpoint_a", 10)
    a_snapshot(tmp_path, "checkpoint_a", "checkpoint_gone")
    prepare(LOCAL, str(tmp_path), [], "2.60.0")
    assert latest(LOCAL, str(tmp_path)) == "checkpoint_a"


def test_a_sound_list_and_a_first_start_are_left_alone(tmp_path):
    assert prepare(LOCAL, str(tmp_path), ["x"], "2.60.0") == []
    assert not (tmp_path / SNAPSHOT).exists()
    a_checkpoint(tmp_path, "checkpoint_a", 10)
    a_snapshot(tmp_path, "checkpoint_a")
    before = (tmp_path / SNAPSHOT).stat().st_mtime_ns
    prepare(LOCAL, str(tmp_path), [], "2.60.0")
    assert (tmp_path / SNAPSHOT).stat().st_mtime_ns == before
