"""What a folder of data holds: digest, files, bytes, rows and schema, from a folder or an S3-compatible store.

Promises   the digest is over every data file's bytes (gyre_data.digest); rows and schema come from Parquet footers and CSV
           lines and are left out where neither is known, rather than guessed.
Never      changes anything; holds more of a file in memory than a chunk, but for Parquet footers.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq
from pyarrow import fs

from gyre_data.digest import CHUNK, File, data_files, hashed, root

ErrorClass = Literal["NotFound", "Unreadable", "NotWritable", "Empty", "Internal"]
SCHEMA_LIMIT: Final = 3000  # bytes of the schema in the termination message


class ScanError(Exception):
    """`kind`: a class of docs/run-contract.md; `message` names the fix."""

    def __init__(self, kind: ErrorClass, message: str) -> None:
        super().__init__(kind, message)
        self.kind, self.message = kind, message


def folder_of(path: str | None, uri: str | None, endpoint: str | None, region: str | None) -> tuple[Any, str]:
    """(file system, folder on it) of `--path`, `--s3` or either of them in `path`."""
    place = uri or path or ""
    if not place.startswith("s3://"):
        if uri:
            raise ScanError("NotFound", f"--s3 {uri!r} is not an s3:// URI")
        return fs.LocalFileSystem(), place.rstrip("/") or "/"
    options: dict[str, Any] = {"region": region} if region else {}
    if endpoint:
        url = urlsplit(endpoint if "//" in endpoint else f"//{endpoint}")
        options |= {"endpoint_override": url.netloc, "scheme": url.scheme or "https"}
    return fs.S3FileSystem(**options), place.removeprefix("s3://").rstrip("/")


def scan(files: Any, folder: str) -> dict[str, Any]:
    """The JSON of a finished scan without its version. Raises ScanError."""
    found = listed(files, folder)
    hashes: list[File] = []
    rows: int | None = 0
    schema: dict[str, str] | None = None
    for info, relative in found:
        try:
            hashes.append(hashed(files, info.path, relative))
            counted, columns = described(files, info.path, relative)
        except (OSError, pa.ArrowException) as error:
            raise ScanError("Unreadable", f"{relative}: {error}; check that it is whole and may be read") from error
        rows = None if rows is None or counted is None else rows + counted
        schema = schema or columns
    result: dict[str, Any] = {
        "digest": root(hashes),
        "files": len(hashes),
        "bytes": sum(file.size for file in hashes),
        "rows": rows,
        "manifest": manifest(hashes),
    }
    if schema and len(json.dumps(schema)) <= SCHEMA_LIMIT:
        result["schema"] = schema
    return result


def listed(files: Any, folder: str) -> list[tuple[Any, str]]:
    try:
        if files.get_file_info(folder).type != fs.FileType.Directory:
            raise ScanError(
                "NotFound", f"{folder} is not a folder: check the path of the source and that it is mounted"
            )
        found = data_files(files, folder, fs.FileSelector(folder, recursive=True))
    except OSError as error:
        raise ScanError("Unreadable", f"{folder} cannot be listed: {error}; check address and credentials") from error
    if not found:
        raise ScanError("Empty", f"{folder} has no data file (names that begin with . or _ do not count)")
    return found


def manifest(files: list[File]) -> str:
    """SHA-256 of the list of files as canonical JSON: path, hash and size, by path."""
    rows = [[file.path, file.sha256.hex(), file.size] for file in sorted(files, key=lambda file: file.path.encode())]
    return "sha256:" + hashlib.sha256(json.dumps(rows, separators=(",", ":")).encode()).hexdigest()


def described(files: Any, path: str, relative: str) -> tuple[int | None, dict[str, str] | None]:
    """(rows, schema) of one file; None for what its format does not tell."""
    if relative.endswith(".parquet"):
        with files.open_input_file(path) as source:
            footer = pq.ParquetFile(source)
            return footer.metadata.num_rows, {field.name: str(field.type) for field in footer.schema_arrow}
    if relative.endswith(".csv"):
        return csv_rows(files, path), csv_schema(files, path)
    return None, None


def csv_rows(files: Any, path: str) -> int:
    """Lines but the header; a last line without its end counts. A line break inside quotes is counted as a row."""
    lines, last = 0, b"\n"
    with files.open_input_stream(path) as stream:
        while chunk := stream.read(CHUNK):
            lines += chunk.count(b"\n")
            last = chunk[-1:]
    return max(0, lines + (last != b"\n") - 1)


def csv_schema(files: Any, path: str) -> dict[str, str]:
    with files.open_input_stream(path) as stream, csv.open_csv(stream) as reader:
        return {field.name: str(field.type) for field in reader.schema}
