"""What a prepare or scan Job says: the termination message of docs/run-contract.md, section "Data".

Never raises: a message that is no report is a Trouble of class Internal that quotes it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from gyre.adapters.lastwords import Trouble, opened, unexpected

IMAGE: Final = "its image"
"""Where the reader of a message finds the image."""
DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
CLASSES: Final = frozenset({"NotFound", "Unreadable", "NotWritable", "Empty", "Internal"})
"""The classes of the contract; others of a newer workload count as Internal."""
MAX_COLUMNS: Final = 256


@dataclass(frozen=True, slots=True)
class Report:
    """What a scan found."""

    digest: str
    files: int | None = None
    rows: int | None = None
    bytes: int | None = None
    schema: Mapping[str, str] = field(default_factory=dict)


def read(message: str) -> Report | Trouble:
    """The report in a termination message."""
    content = opened(message, CLASSES, image=IMAGE)
    if isinstance(content, Trouble):
        return content
    digest = content.get("digest")
    if not isinstance(digest, str) or not DIGEST.fullmatch(digest):
        return unexpected(message, image=IMAGE)
    return Report(
        digest=digest,
        files=_count(content.get("files")),
        rows=_count(content.get("rows")),
        bytes=_count(content.get("bytes")),
        schema=_schema(content.get("schema")),
    )


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63 else None


def _schema(value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping):
        return {}
    columns = list(value.items())[:MAX_COLUMNS]
    return {str(name)[:128]: str(kind)[:63] for name, kind in columns}
