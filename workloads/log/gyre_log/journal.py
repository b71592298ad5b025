"""The write-ahead journal: what was acknowledged and does not lie in Parquet yet, in segments that are only appended to.

Promises   `append` returns after fsync; what it has returned for is found again after any crash; a line that was torn by one is
           cut off, for nobody was told that it is there; only one process has the folder.
Never      forgets a segment before it is told to (`forget`), or tells one's content differently the second time it is read.

    seg-00000007.wal     sealed: waits to be stored
    seg-00000008.wal     active; its first line says what of 7 was carried over and whose keys were seen of late

Its bounds are the caller's business. A line is eight hexadecimal digits of CRC-32, a space, and JSON.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import orjson

SEGMENT: Final = re.compile(r"seg-(\d{8})\.wal")
COUNTS: Final = "counts.json"


class Journal:
    def __init__(self, folder: Path) -> None:
        """Raises OSError: BlockingIOError while another process has it."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o660)
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self.lock)
            raise
        for left in folder.glob("*.tmp"):
            left.unlink()
        found = self.segments()
        self.active = found[-1] if found else self.number_after_the_last()
        if found:
            self.cut(self.active)
        else:
            self.begin(self.active, {"carried": [], "seen": []})
        self.file = os.open(self.path(self.active), os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self.size = os.fstat(self.file).st_size
        self.empty = next(lines(self.path(self.active)))[1]

    def close(self) -> None:
        os.close(self.file)
        os.close(self.lock)

    # ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def append(self, records: Iterable[bytes]) -> int:
        """Durable when it returns, in the segment that it names. Raises OSError; then nothing of it is there."""
        content = b"".join(map(line, records))
        if os.fstat(self.file).st_size != self.size:  # what a failure before this one has left
            os.ftruncate(self.file, self.size)
        try:
            view = memoryview(content)
            while view:
                view = view[os.write(self.file, view) :]
            os.fsync(self.file)
        except OSError:
            with contextlib.suppress(OSError):  # tried again before the next line
                os.ftruncate(self.file, self.size)
            raise
        self.size += len(content)
        return self.active

    def seal(self, header: Any) -> int:
        """Begin the next segment; the number of the one that is sealed by that. Raises OSError; then nothing has changed."""
        sealed = self.active
        self.begin(sealed + 1, header)
        opened = os.open(self.path(sealed + 1), os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        os.close(self.file)
        self.file, self.active, self.size = opened, sealed + 1, os.fstat(opened).st_size
        self.empty = self.size
        return sealed

    def begin(self, number: int, header: Any) -> None:
        """A segment is there with its header or not at all."""
        write_durably(self.path(number), line(orjson.dumps(header)))

    def forget(self, number: int, counts: Any) -> None:
        """The segment is stored. `counts` replace those kept, in the same breath: a crash in between is put right at start."""
        write_durably(self.folder / COUNTS, orjson.dumps({**counts, "segment": number}))
        self.path(number).unlink(missing_ok=True)
        sync(self.folder)

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def segments(self) -> list[int]:
        """Oldest first; those that were stored before a crash could remove them are removed now."""
        stored = self.counts().get("segment", 0)
        found = []
        for path in sorted(self.folder.iterdir()):
            if match := SEGMENT.fullmatch(path.name):
                if int(match[1]) <= stored:
                    path.unlink()
                else:
                    found.append(int(match[1]))
        return found

    def sealed(self) -> list[int]:
        return [number for number in self.segments() if number < self.active]

    def read(self, number: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """(its header, its records)."""
        header, *records = [orjson.loads(text) for text, _ in lines(self.path(number))]
        return header, records

    def header(self, number: int) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(next(lines(self.path(number)))[0])
        return found

    def counts(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = orjson.loads((self.folder / COUNTS).read_bytes())
        except FileNotFoundError:
            return {}
        return found

    @property
    def bytes(self) -> int:
        """Of all segments."""
        return sum(path.stat().st_size for path in self.folder.glob("seg-*.wal"))

    @property
    def grown(self) -> int:
        """Bytes of records in the active segment."""
        return self.size - self.empty

    def number_after_the_last(self) -> int:
        return int(self.counts().get("segment", 0)) + 1

    def cut(self, number: int) -> None:
        """Take a torn end away, so that what is appended is read again."""
        whole = 0
        for _, end in lines(self.path(number)):
            whole = end
        with self.path(number).open("r+b") as file:
            file.truncate(whole)
            os.fsync(file.fileno())

    def path(self, number: int) -> Path:
        return self.folder / f"seg-{number:08d}.wal"


def line(record: bytes) -> bytes:
    return b"%08x %s\n" % (zlib.crc32(record), record)


def lines(path: Path) -> Iterator[tuple[bytes, int]]:
    """(record, where it ends) up to the first line that is torn."""
    end = 0
    with path.open("rb") as file:
        for text in file:
            record = text[9:-1]
            if not text.endswith(b"\n") or text[:9] != b"%08x " % zlib.crc32(record):
                return
            end += len(text)
            yield record, end


def write_durably(path: Path, content: bytes) -> None:
    """Whole or not at all, also after a power cut."""
    aside = path.with_name(path.name + ".tmp")
    with aside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    aside.rename(path)
    sync(path.parent)


def sync(folder: Path) -> None:
    """What is in a folder is durable, too. Some network file systems cannot say so; they do it by themselves."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            os.fsync(opened)
    finally:
        os.close(opened)
