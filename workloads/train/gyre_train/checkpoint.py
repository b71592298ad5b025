"""Checkpoints that can be told good from bad, and Ray's list of them.

Promises   a checkpoint of ours carries `gyre-manifest.json`: its step and the SHA-256 and size of every file; it is trusted
           only after they were compared. A quarantined checkpoint is gone from Ray's list before Ray reads it.
Never      deletes a checkpoint: a quarantined one stays in storage as evidence.

Ray keeps its list in <run>/checkpoint_manager_snapshot.json, a private format: ray 2.60.0,
train/v2/_internal/execution/checkpoint/checkpoint_manager.py (_CheckpointManagerState).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gyre_data.digest import CHUNK, File, root
from gyre_train.faults import RestoreFailed
from gyre_train.storage import read_bytes, write_bytes

MANIFEST: Final = "gyre-manifest.json"
SNAPSHOT: Final = "checkpoint_manager_snapshot.json"


@dataclass(frozen=True, slots=True)
class Verified:
    """What reading a checkpoint back gave. `step` is None without a manifest of ours; `size` in bytes."""

    step: int | None
    digest: str
    size: int
    files: int
    ok: bool


def write_manifest(folder: Path, step: int) -> None:
    """Seal a local folder: every file in it, hashed, and the step it holds."""
    files = {
        path.relative_to(folder).as_posix(): {"sha256": sha256(path), "size": path.stat().st_size}
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }
    (folder / MANIFEST).write_text(json.dumps({"version": 1, "step": step, "files": files}, sort_keys=True, indent=1))


def sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def check_local(folder: Path, name: str) -> int:
    """The step of a checkpoint in a local folder whose every file is as its manifest says. Raises RestoreFailed."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        for path, wanted in manifest["files"].items():
            if sha256(folder / path) != wanted["sha256"]:
                raise RestoreFailed(
                    name, f"{path} is not what the manifest says: it was changed or cut off after it was written"
                )
        return int(manifest["step"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RestoreFailed(name, f"{type(error).__name__}: {error}") from error


def claimed_step(folder: Path) -> int:
    """The step that a local checkpoint says it holds, unchecked; 0 where it says none."""
    try:
        return int(json.loads((folder / MANIFEST).read_text())["step"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def verify(files: Any, folder: str) -> Verified:
    """Read a checkpoint back from storage and compare it with its manifest; the digest is the Merkle root of its files.

    Raises OSError when it cannot be read, ValueError when there is no file.
    """
    from pyarrow import fs

    found: list[File] = []
    for info in files.get_file_info(fs.FileSelector(folder, recursive=True)):
        if info.is_file:
            total = hashlib.sha256()
            with files.open_input_stream(info.path) as stream:
                while chunk := stream.read(CHUNK):
                    total.update(chunk)
            found.append(File(info.path.removeprefix(folder.rstrip("/") + "/"), total.digest(), info.size))
    step, wanted = None, None
    if any(file.path == MANIFEST for file in found):
        manifest = json.loads(read_bytes(files, f"{folder}/{MANIFEST}"))
        step, wanted = int(manifest["step"]), manifest["files"]
    present = {file.path: {"sha256": file.sha256.hex(), "size": file.size} for file in found if file.path != MANIFEST}
    return Verified(
        step, root(found), sum(file.size for file in found), len(found), wanted is not None and wanted == present
    )


def without(snapshot: Mapping[str, Any], quarantined: Collection[str]) -> dict[str, Any]:
    """Ray's list without some checkpoints; the newest of the others is the one to resume from. Pure.

    Raises KeyError when the snapshot is not of the known shape.
    """
    kept = [
        (result, index)
        for result, index in zip(snapshot["checkpoint_results"], snapshot["checkpoint_report_indices"], strict=True)
        if result["checkpoint_dir_name"] not in quarantined
    ]
    latest = snapshot["latest_checkpoint_result"]
    if latest is not None and latest["checkpoint_dir_name"] in quarantined:
        latest = max(kept, key=lambda pair: pair[1])[0] if kept else None
    lists = (
        "validated_checkpoint_dir_names",
        "timed_out_validation_checkpoint_dir_names",
        "failed_validation_checkpoint_dir_names",
    )
    pending = [
        (result, spec)
        for result, spec in zip(snapshot["pending_training_results"], snapshot["pending_validation_specs"], strict=True)
        if result["checkpoint_dir_name"] not in quarantined
    ]
    return {
        **snapshot,
        "checkpoint_results": [result for result, _ in kept],
        "checkpoint_report_indices": [index for _, index in kept],
        "latest_checkpoint_result": latest,
        "pending_training_results": [result for result, _ in pending],
        "pending_validation_specs": [spec for _, spec in pending],
        **{name: [item for item in snapshot[name] if item not in quarantined] for name in lists},
    }


def prepare(files: Any, run_folder: str, quarantined: Collection[str], ray_version: str) -> list[str]:
    """Make Ray's list one that Ray can start from; the names of quarantined checkpoints that were on it.

    Ray writes the list in place and refuses to start on one that was cut off or that names a missing folder
    (checkpoint_manager.py, `_write_state_to_storage`, `_assert_checkpoints_exist`): a head that died at the wrong moment
    would make the run unresumable. Such a list is written anew from the checkpoints that are whole.
    """
    try:
        snapshot = json.loads(read_bytes(files, f"{run_folder}/{SNAPSHOT}"))
        listed = [result["checkpoint_dir_name"] for result in snapshot["checkpoint_results"]]
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError):
        snapshot = rebuilt(whole(files, run_folder), ray_version)
        listed = []
    unusable = {name for name in listed if name in quarantined or not exists(files, f"{run_folder}/{name}")} | set(
        quarantined
    )
    wanted = without(snapshot, unusable)
    if wanted != snapshot or not listed:
        write_bytes(files, f"{run_folder}/{SNAPSHOT}", json.dumps(wanted).encode())
    return [name for name in listed if name in quarantined]


def rebuilt(checkpoints: Sequence[tuple[str, int]], ray_version: str) -> dict[str, Any]:
    """Ray's list over (name, step), oldest first. Pure."""
    results = [{"version": 0, "checkpoint_dir_name": name, "metrics": {"step": step}} for name, step in checkpoints]
    empty = (
        "pending_training_results",
        "pending_validation_specs",
        "validated_checkpoint_dir_names",
        "timed_out_validation_checkpoint_dir_names",
        "failed_validation_checkpoint_dir_names",
    )
    return {
        "ray_version": ray_version,
        "checkpoint_results": results,
        "checkpoint_report_indices": list(range(len(results))),
        "latest_checkpoint_result": results[-1] if results else None,
        "current_report_index": len(results),
        **{name: [] for name in empty},
    }


def whole(files: Any, run_folder: str) -> list[tuple[str, int]]:
    """(name, step) of the checkpoints in storage that are as their manifests say, by step."""
    from pyarrow import fs

    found = []
    for info in files.get_file_info(fs.FileSelector(run_folder, allow_not_found=True)):
        if info.base_name.startswith("checkpoint_") and not info.is_file:
            try:
                verified = verify(files, info.path)
            except (OSError, ValueError, KeyError):
                continue
            if verified.ok and verified.step is not None:
                found.append((info.base_name, verified.step))
    return sorted(found, key=lambda pair: (pair[1], pair[0]))


def exists(files: Any, path: str) -> bool:
    from pyarrow import fs

    return bool(files.get_file_info(path).type != fs.FileType.NotFound)


def latest(files: Any, run_folder: str) -> str | None:
    """The name of the checkpoint that Ray would resume from, or None."""
    try:
        snapshot = json.loads(read_bytes(files, f"{run_folder}/{SNAPSHOT}"))
    except FileNotFoundError:
        return None
    result = snapshot["latest_checkpoint_result"]
    return str(result["checkpoint_dir_name"]) if result else None
