"""Files in a folder or a bucket: read, and written whole or not at all.

Promises   a reader never sees half a file: aside and renamed in a folder, one PUT in a bucket.
Never      prints a credential or deletes what it did not write.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from gyre_drift.faults import DriftError
from gyre_drift.plan import Place

Keys = tuple[str, str]
AWS_KEYS: Keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
REPORT_KEYS: Keys = ("GYRE_REPORT_ACCESS_KEY_ID", "GYRE_REPORT_SECRET_ACCESS_KEY")
REFERENCE_KEYS: Keys = ("GYRE_REFERENCE_ACCESS_KEY_ID", "GYRE_REFERENCE_SECRET_ACCESS_KEY")


@dataclass(frozen=True, slots=True)
class Store:
    """`files`: a pyarrow file system. `folder`: a path on it."""

    files: Any
    folder: str
    uri: str

    @classmethod
    def open(cls, place: Place, keys: Keys = AWS_KEYS) -> Store:
        """Raises DriftError."""
        from pyarrow import fs

        if not place.path.startswith("s3://"):
            folder = place.path.rstrip("/") or "/"
            return cls(fs.LocalFileSystem(), folder, place.uri or folder)
        # Small files in one PUT, and no upload that is left open.
        options: dict[str, Any] = {"allow_delayed_open": True}
        options |= {"region": place.region} if place.region else {}
        if place.endpoint:
            url = urlsplit(place.endpoint if "//" in place.endpoint else f"//{place.endpoint}")
            options |= {"endpoint_override": url.netloc, "scheme": url.scheme or "https"}
        given = [os.environ.get(key, "") for key in keys]
        if all(given):
            options |= dict(zip(("access_key", "secret_key"), given, strict=True))
        try:
            files = fs.S3FileSystem(**options)
        except OSError as error:
            raise DriftError("Unreadable", f"{place.path}: {error}; check endpoint and credentials") from error
        return cls(files, place.path.removeprefix("s3://").rstrip("/"), place.uri or place.path)

    def below(self, path: str) -> Store:
        return Store(self.files, f"{self.folder}/{path}", f"{self.uri}/{path}")

    def names(self, suffix: str = "") -> list[str]:
        """Paths below the folder, sorted; none when it is not there. Hidden files do not count. Raises DriftError."""
        from pyarrow import fs

        try:
            found = self.files.get_file_info(fs.FileSelector(self.folder, recursive=True, allow_not_found=True))
        except OSError as error:
            raise DriftError(
                "Unreadable", f"{self.uri} cannot be listed: {error}; check address and credentials"
            ) from error
        paths = (info.path.removeprefix(self.folder.rstrip("/") + "/") for info in found if info.is_file and info.size)
        return sorted(
            path for path in paths if path.endswith(suffix) and not any(part[0] in "._" for part in path.split("/"))
        )

    def exists(self) -> bool:
        from pyarrow import fs

        try:
            return self.files.get_file_info(self.folder).type is not fs.FileType.NotFound
        except OSError as error:
            raise DriftError("Unreadable", f"{self.uri}: {error}; check address and credentials") from error

    def read(self, name: str) -> bytes | None:
        """None when there is no such file. Raises DriftError."""
        try:
            with self.files.open_input_stream(f"{self.folder}/{name}") as stream:
                return bytes(stream.read())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise DriftError("Unreadable", f"{self.uri}/{name}: {error}") from error

    def read_json(self, name: str) -> Any:
        """None when there is no such file, or when it is not JSON: whatever wrote it did not finish, or was not us."""
        content = self.read(name)
        try:
            return json.loads(content) if content is not None else None
        except ValueError:
            return None

    def write(self, name: str, content: bytes) -> None:
        """Raises DriftError."""
        path = f"{self.folder}/{name}"
        folder, _, file = path.rpartition("/")
        try:
            if self.files.type_name == "local":
                self.files.create_dir(folder, recursive=True)  # a bucket has no folders to make
                aside = f"{folder}/.{file}.{os.getpid()}"
                with self.files.open_output_stream(aside) as stream:
                    stream.write(content)
                self.files.move(aside, path)
            else:
                with self.files.open_output_stream(path) as stream:
                    stream.write(content)
        except OSError as error:
            raise DriftError(
                "NotWritable", f"{self.uri}/{name}: {error}; check permissions, space and credentials"
            ) from error

    def write_json(self, name: str, content: Mapping[str, Any]) -> bytes:
        """What was written."""
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
        self.write(name, text)
        return text
