"""The last word of a container: one JSON on its termination log, which the kubelet keeps in the pod's status.

Promises   at most 4096 bytes, whatever is said; the same text on stdout.
Never      fails because the log cannot be written.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, Final

LIMIT: Final = 4096  # bytes the kubelet keeps of a termination message
LOG: Final = "/dev/termination-log"
MESSAGE_LIMIT: Final = 500  # characters


def tell(message: dict[str, Any], code: int) -> int:
    """Write the termination message and return `code`; a schema too long for it is left out."""
    text = json.dumps(message, separators=(",", ":"))
    if len(text.encode()) > LIMIT:
        text = json.dumps({key: value for key, value in message.items() if key != "schema"}, separators=(",", ":"))
    place = Path(os.environ.get("GYRE_TERMINATION_LOG", LOG))
    try:
        place.write_text(text, encoding="utf-8")
    except OSError as error:
        sys.stderr.write(f"{place} cannot be written: {error}\n")
    sys.stdout.write(text + "\n")
    return code


def tell_error(kind: str, message: str) -> int:
    """`{"version": 1, "error": {"class": …, "message": …}}`; returns 1."""
    return tell({"version": 1, "error": {"class": kind, "message": message[:MESSAGE_LIMIT]}}, 1)
