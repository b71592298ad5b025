"""The place of the log: a folder or a bucket. Parts appear whole or not at all; hours that are over go.

Promises   a part is there when `put` returns, durably; putting it again changes nothing.
Never      removes anything but whole folders named `hour=…` of its own service.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import fs

from gyre_log.journal import write_durably
from gyre_log.layout import over
from gyre_train.contract import S3
from gyre_train.storage import check_writable, open_storage


class Store:
    def __init__(self, root: str, s3: S3 | None) -> None:
        self.files: Any
        # Else AWS' client sends each object in chunks with a checksum behind it, which many other stores do not know.
        os.environ.setdefault("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
        # Delayed: what is small is one PUT, and no upload in parts is begun for it.
        self.files, self.root = open_storage(root, s3, allow_delayed_open=True)
        self.local = isinstance(self.files, fs.LocalFileSystem)

    def check(self, service: str) -> None:
        """Raises OSError when nothing can be written there."""
        folder = f"{self.root}/service={service}"
        if self.local:
            check_writable(self.files, folder)
        else:  # it stays: what deletes an object by Arrow writes its folder in its place
            self.put(f"service={service}/.gyre-writable", pa.py_buffer(b"gyre"))

    def put(self, path: str, content: pa.Buffer) -> None:
        """Raises OSError. Aside and renamed in a folder; in a bucket one object, which appears when its upload is complete."""
        full = f"{self.root}/{path}"
        if self.local:
            place = Path(full)
            made = not place.parent.exists()
            place.parent.mkdir(parents=True, exist_ok=True)
            write_durably(place, content)
            if made:
                sync_up(place.parent, Path(self.root))
            return
        stream = self.files.open_output_stream(full, buffer_size=0)
        stream.write(content)  # not a `with`: after a failure that would complete what is not whole
        stream.close()

    def remove_hours(self, service: str, days: int, now: datetime) -> int:
        """Hours that are over; how many folders. Raises OSError."""
        removed = 0
        for folder in self.folders(f"{self.root}/service={service}"):
            name = folder.base_name
            if name != "labels" and not name.startswith("version="):
                continue
            for hour in self.folders(folder.path):
                if over(hour.base_name, days, now):
                    self.files.delete_dir(hour.path)
                    removed += 1
        return removed

    def folders(self, path: str) -> list[Any]:
        selector = fs.FileSelector(path, allow_not_found=True)
        return [info for info in self.files.get_file_info(selector) if info.type == fs.FileType.Directory]


def sync_up(folder: Path, root: Path) -> None:
    """New folders are durable when the folders above them are."""
    while True:
        opened = os.open(folder, os.O_RDONLY)
        os.fsync(opened)
        os.close(opened)
        if folder == root or folder == folder.parent:
            return
        folder = folder.parent
