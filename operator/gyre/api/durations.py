"""Durations as Kubernetes users write them: `1h30m`, and days, which Go's own grammar lacks.

Promises   `parse_duration(format_duration(d)) == d` for every whole number of milliseconds up to `LONGEST`;
           what `PATTERN` accepts is what `parse_duration` accepts.
Never      a sign, a fraction, a space: `90m`, not `1.5h`, `-5s` or `1 h`.

The grammar is Gateway API's GEP-2257 (at most four numbers of at most five digits) with, before it, `d` for 24 hours.
In a CRD it goes with `format: duration`, whose reader in the API server (kube-openapi
`pkg/validation/strfmt/duration.go`, v1.35) knows `d` too, so CEL compares such fields as durations: `self.low < self.high`.
CEL's own literal does not know `d`: write `duration('24h')`.
"""

from __future__ import annotations

import re
from datetime import timedelta

UNITS = {
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}

PATTERN = r"^([0-9]{1,4}d)?([0-9]{1,5}(h|m|s|ms)){0,4}$"
"""Goes with a minimum length of two. Its longest duration stays far below the 292 years of Go's int64 nanoseconds."""

LONGEST = timedelta(days=9999)
"""The longest duration that is written."""

_PART = re.compile(r"([0-9]+)(ms|[dhms])")


def parse_duration(text: str) -> timedelta:
    """`1d12h` → 36 hours. Raises ValueError for anything outside the grammar."""
    if not text or text.endswith("\n") or not re.match(PATTERN, text):
        raise ValueError(f"{text!r} is not a duration: write it like 1h30m; units d, h, m, s, ms; no sign, no fraction")
    return sum((int(count) * UNITS[unit] for count, unit in _PART.findall(text)), timedelta())


def format_duration(value: timedelta) -> str:
    """The largest unit first; zero is `0s`. Less than a millisecond is dropped; negative or too long raises ValueError."""
    if not timedelta() <= value <= LONGEST:
        raise ValueError(f"{value} cannot be written as a duration: from 0s to {LONGEST.days}d")
    text = ""
    for name, unit in UNITS.items():
        count, value = divmod(value, unit)
        if count:
            text += f"{count}{name}"
    return text or "0s"
