"""The digest of a folder of data: a SHA-256 Merkle tree over its files.

Promises   the same files under the same relative paths give the same root on every file system, machine and order of
           listing; any changed, added, removed or renamed byte or file gives another.
Never      reads a file twice or holds one in memory; counts files and folders whose name begins with `.` or `_`
           (Hadoop's and Spark's rule for what is not data).

Pure but for `of_folder`, which reads through a file system object with pyarrow's interface. Shape of the tree: RFC 6962 §2.1
(domain-separated leaves and nodes, an odd last node is promoted, never doubled).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

CHUNK: Final = 1 << 20  # bytes a read


class Readable(Protocol):
    """The two calls of `pyarrow.fs.FileSystem` that a digest needs."""

    def get_file_info(self, selector: Any) -> Any: ...

    def open_input_stream(self, path: str) -> Any: ...


@dataclass(frozen=True, slots=True, order=True)
class File:
    """One file: POSIX path relative to the folder, SHA-256 of its content (32 bytes), size in bytes."""

    path: str
    sha256: bytes
    size: int


def root(files: Iterable[File]) -> str:
    """`sha256:<hex>` of the tree over `files`, by path. Raises ValueError without files or for a path given twice."""
    ordered = sorted(files, key=lambda file: file.path.encode())
    if not ordered:
        raise ValueError("no file to take a digest of")
    if len({file.path for file in ordered}) != len(ordered):
        raise ValueError("a path is given twice")
    level = [leaf(file) for file in ordered]
    while len(level) > 1:
        level = list(parents(level))
    return "sha256:" + level[0].hex()


def leaf(file: File) -> bytes:
    return hashlib.sha256(b"\x00" + file.path.encode() + b"\x00" + file.sha256 + file.size.to_bytes(8, "big")).digest()


def parents(level: Sequence[bytes]) -> Iterator[bytes]:
    for left, right in zip(level[::2], level[1::2], strict=False):
        yield hashlib.sha256(b"\x01" + left + right).digest()
    if len(level) % 2:
        yield level[-1]


def is_data(path: str) -> bool:
    """Whether a relative path counts: no part of it begins with `.` or `_`."""
    return not any(part.startswith((".", "_")) for part in path.split("/"))


def of_folder(files: Readable, folder: str, selector: Any) -> list[File]:
    """Every data file below `folder`, hashed. `selector` is a recursive `pyarrow.fs.FileSelector` of that folder.

    Raises what the file system raises (FileNotFoundError, PermissionError, OSError).
    """
    return [hashed(files, info.path, relative) for info, relative in data_files(files, folder, selector)]


def data_files(files: Readable, folder: str, selector: Any) -> list[tuple[Any, str]]:
    """File infos and relative paths of the data files below `folder`, by path; empty ones too."""
    prefix = folder.rstrip("/") + "/"
    found = [(info, info.path.removeprefix(prefix)) for info in files.get_file_info(selector) if info.is_file]
    return sorted(((info, path) for info, path in found if is_data(path)), key=lambda pair: pair[1].encode())


def hashed(files: Readable, path: str, relative: str) -> File:
    total, size = hashlib.sha256(), 0
    with files.open_input_stream(path) as stream:
        while chunk := stream.read(CHUNK):
            total.update(chunk)
            size += len(chunk)
    return File(relative, total.digest(), size)
