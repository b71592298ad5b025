"""Durations as Kubernetes users write them: `1h30m`, and days, which Go's own grammar lacks.

Promises   `parse_duration(format_duration(d)) == d` for every whole number of milliseconds that can be written;
           what `PATTERN` accepts is what `parse_duration` accepts.
Never      a sign, a fraction, a space, a unit twice or out of order: `1h30m`, not `90.0m`, `-5s` or `30m1h`.

The grammar is that of Gateway API's GEP-2257 (at most five digits a unit) plus `d` for 24 hours. In a CRD it goes with
`format: duration`, whose reader in the API server (kube-openapi `pkg/validation/strfmt/duration.go`, v1.35) knows `d`
too, so CEL compares such fields as durations. CEL's own `duration('…')` literal does not know `d`.
"""

from __future__ import annotations

import re
from datetime import timedelta

UNITS = (
    ("d", timedelta(days=1)),
    ("h", timedelta(hours=1)),
    ("m", timedelta(minutes=1)),
    ("s", timedelta(seconds=1)),
    ("ms", timedelta(milliseconds=1)),
)

PATTERN = "^" + "".join(f"([0-9]{{1,5}}{unit})?" for unit, _ in UNITS) + "$"

LONGEST = timedelta(days=99999)
"""The longest duration that is written; well inside the 292 years of Go's int64 nanoseconds."""

_GRAMMAR = re.compile(PATTERN.replace("$", r"\Z"))


def parse_duration(text: str) -> timedelta:
    """`1d12h` → 36 hours. Raises ValueError for anything outside the grammar."""
    match = _GRAMMAR.match(text) if text else None
    if match is None:
        raise ValueError(f"{text!r} is not a duration: write it like 1h30m, units d, h, m, s, ms, largest first")
    parts = zip(match.groups(), UNITS, strict=True)
    return sum((int(part.removesuffix(name)) * unit for part, (name, unit) in parts if part), timedelta())


def format_duration(value: timedelta) -> str:
    """The shortest text, largest unit first; zero is `0s`. Less than a millisecond is dropped; negative raises."""
    if not timedelta() <= value <= LONGEST:
        raise ValueError(f"{value} cannot be written as a duration: 0s to {LONGEST.days}d")
    parts = []
    for name, unit in UNITS:
        count, value = divmod(value, unit)
        if count:
            parts.append(f"{count}{name}")
    return "".join(parts) or "0s"
