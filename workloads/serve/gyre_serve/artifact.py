"""The files of a version: read once, hashed, and only then looked at.

Promises   what is loaded are the very bytes that were verified: a file that changes in between changes nothing.
Never      gives out a byte before the Merkle root over all files is the expected one.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from gyre_data.digest import of_folder, root
from gyre_serve.faults import StartError
from gyre_serve.settings import Settings
from gyre_train.contract import S3
from gyre_train.storage import open_storage

DESCRIPTION: Final = "model.json"


@dataclass(frozen=True, slots=True)
class Artifact:
    description: Mapping[str, Any]  # model.json
    files: Mapping[str, bytes]  # by path relative to the artifact

    def file(self, name: str) -> bytes:
        """Raises StartError."""
        if name not in self.files:
            raise StartError("Unreadable", f"the artifact has no {name}, only {', '.join(sorted(self.files))}")
        return self.files[name]


@dataclass(frozen=True, slots=True)
class Once:
    """A pyarrow file system for `of_folder` that keeps what it reads."""

    files: Any
    kept: dict[str, bytes] = field(default_factory=dict)

    def get_file_info(self, selector: Any) -> Any:
        return self.files.get_file_info(selector)

    def open_input_stream(self, path: str) -> io.BytesIO:
        with self.files.open_input_stream(path) as stream:
            self.kept[path] = stream.read()
        return io.BytesIO(self.kept[path])


def fetch(settings: Settings) -> Artifact:
    """Raises StartError."""
    return verified(settings.artifact, settings.digest, settings.s3)


def verified(place: str, expected: str, s3: S3 | None) -> Artifact:
    """The files of a folder or `s3://bucket/prefix` whose digest is the expected one. Raises StartError."""
    from pyarrow import fs

    try:
        files, folder = open_storage(place, s3)
        once = Once(files)
        found = of_folder(once, folder, fs.FileSelector(folder, recursive=True))
    except FileNotFoundError as error:
        raise StartError(
            "NotFound", f"{place} does not exist ({error}): check the version's artifact.uri and its mount"
        ) from error
    except OSError as error:
        raise StartError(
            "Unreadable", f"{place} cannot be read: {error}; check permissions, address and credentials"
        ) from error
    if not found:
        raise StartError("NotFound", f"{place} has no file: check the version's artifact.uri and its mount")
    digest = root(found)
    if digest != expected:
        raise StartError(
            "DigestMismatch",
            f"{place} is {digest}, not {expected}: the files were changed after the version was "
            "registered. Restore them, or register what is there as a new ModelVersion",
        )
    return described({path.removeprefix(folder.rstrip("/") + "/"): content for path, content in once.kept.items()})


def described(files: Mapping[str, bytes]) -> Artifact:
    if DESCRIPTION not in files:
        raise StartError(
            "UnsupportedFlavour",
            f"the artifact has no {DESCRIPTION}, so it is not of the tabular loop: serve it with spec.runtime.container "
            "or spec.runtime.kserve",
        )
    try:
        description = json.loads(files[DESCRIPTION])
    except ValueError as error:
        raise StartError("Unreadable", f"{DESCRIPTION} is not JSON: {error}") from error
    if not isinstance(description, dict):
        raise StartError("Unreadable", f"{DESCRIPTION} is not a JSON object")
    return Artifact(description, files)
