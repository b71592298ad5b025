"""Storage as a pyarrow file system and a path on it, for folders and S3-compatible stores alike."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode, urlsplit

from gyre_train.contract import S3, Storage


def open_storage(path: str, s3: S3 | None = None, **more: Any) -> tuple[Any, str]:
    """(pyarrow file system, path on it) of a folder or `s3://bucket/prefix`; pyarrow takes credentials from AWS_*.

    `more`: further options of pyarrow's S3FileSystem.
    """
    from pyarrow import fs

    if not path.startswith("s3://"):
        return fs.LocalFileSystem(), path
    place = s3 or S3()
    options: dict[str, Any] = dict(more)
    if place.region:
        options["region"] = place.region
    if place.endpoint:
        url = urlsplit(place.endpoint if "//" in place.endpoint else f"//{place.endpoint}")
        options |= {"endpoint_override": url.netloc, "scheme": url.scheme or "https"}
    return fs.S3FileSystem(**options), path.removeprefix("s3://")


def with_endpoint(storage: Storage) -> str:
    """The path of `storage` as one URI that pyarrow opens without further options (arrow, S3Options::FromUri)."""
    place = storage.s3
    if not storage.path.startswith("s3://") or place is None:
        return storage.path
    query: dict[str, str] = {"region": place.region} if place.region else {}
    if place.endpoint:
        url = urlsplit(place.endpoint if "//" in place.endpoint else f"//{place.endpoint}")
        query |= {"endpoint_override": url.netloc, "scheme": url.scheme or "https"}
    return f"{storage.path}?{urlencode(query)}" if query else storage.path


def check_writable(files: Any, folder: str) -> None:
    """Write, read back and delete a small file in `folder`. Raises OSError."""
    probe = f"{folder}/.gyre-writable"
    files.create_dir(folder, recursive=True)
    with files.open_output_stream(probe) as stream:
        stream.write(b"gyre")
    with files.open_input_stream(probe) as stream:
        if stream.read() != b"gyre":
            raise OSError(f"{folder}: what was written is not what is read back")
    files.delete_file(probe)


def read_bytes(files: Any, path: str) -> bytes:
    """Raises FileNotFoundError."""
    with files.open_input_stream(path) as stream:
        content: bytes = stream.read()
    return content


def write_bytes(files: Any, path: str, content: bytes) -> None:
    with files.open_output_stream(path) as stream:
        stream.write(content)
