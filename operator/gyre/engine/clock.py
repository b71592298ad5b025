"""Time as an argument. Everything that needs it is handed a clock; only this module asks the machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeAlias

Now: TypeAlias = Callable[[], datetime]
"""Wall-clock time, aware, UTC: for what is written down."""

Monotonic: TypeAlias = Callable[[], float]
"""Seconds that never jump: for leases, back-off and durations."""


def utc_now() -> datetime:
    return datetime.now(UTC)


monotonic: Monotonic = time.monotonic
