"""The last word of a Job: what it found in a window, or why it could not say. Read with suspicion.

Never raises: a message that is no report is a Trouble of class Internal that quotes it; text is clipped, numbers are finite.
Which window it is about is not asked of the Job: its name says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final

from gyre.adapters.lastwords import Trouble, opened, unexpected
from gyre.api.terms import clip
from gyre.kinds.driftmonitor.reasons import Reason
from gyre.kinds.driftmonitor.told import MAX_WORST

IMAGE: Final = "spec.image"
"""Where the reader of a message finds the image."""
DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
CLASSES: Final = frozenset(
    {
        "ReferenceTooSmall",
        "ReferenceChanged",
        "UnknownFeature",
        "NoLog",
        "Masked",
        "NotFound",
        "Unreadable",
        "NotWritable",
        "Internal",
    }
)
"""The classes of workloads/drift; others of a newer workload count as Internal."""
STATES: Final = frozenset({"Judged", "NoTraffic", "TooFewRows", "NothingComparable"})
WHY_UNKNOWN: Final = frozenset({Reason.NO_LABELS, Reason.NO_BASELINE, Reason.NOT_CALIBRATED, Reason.NOT_BINARY})


@dataclass(frozen=True, slots=True)
class Moved:
    """One feature."""

    feature: str = ""
    statistic: float = 0.0
    threshold: float = 0.0
    effect: float = 0.0


@dataclass(frozen=True, slots=True)
class Bug:
    reason: str
    feature: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Cost:
    """The impact; where `estimate` is None, `reason` and `message` say why."""

    metric: str = ""
    estimate: float | None = None
    before: float | None = None
    now: float | None = None
    basis: str = ""
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Labels:
    """`lost`: None before there were labels enough to know what is usual."""

    rows: int = 0
    errors: int | None = None
    evidence: float = 0.0
    threshold: float = 0.0
    lost: bool | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """All labels that were counted since a first window. `book`: which count it is; another one begins at nought."""

    book: str = ""
    seen: int = 0
    wrong: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """What a Job found in a window."""

    state: str
    rows: int = 0
    judged: int = 0
    drifted: bool | None = None
    worst: tuple[Moved, ...] = ()
    bug: Bug | None = None
    cost: Cost | None = None
    labels: Labels = Labels()
    counted: Counted | None = None
    """None where nothing can be: answers that are no probabilities."""
    uri: str = ""
    digest: str = ""


def read(message: str) -> Report | Trouble:
    """The report in a termination message."""
    content = opened(message, CLASSES, image=IMAGE)
    if isinstance(content, Trouble):
        return content
    window, state = _object(content, "window"), content.get("state")
    if state not in STATES:
        return unexpected(message, image=IMAGE)
    drifted = content.get("drifted")
    written = _object(content, "report")
    digest = _text(written, "digest", 71)
    return Report(
        state=str(state),
        rows=_count(window, "rows"),
        judged=_count(window, "judged"),
        drifted=drifted if isinstance(drifted, bool) and state == "Judged" else None,
        worst=_worst(content.get("worst")),
        bug=_bug(_object(content, "dataBug")),
        cost=_cost(_object(content, "impact")),
        labels=_labels(_object(content, "labels"), _object(content, "quality")),
        counted=_counted(_object(content, "labels")),
        uri=_text(written, "uri", 1024) if DIGEST.fullmatch(digest) else "",
        digest=digest if DIGEST.fullmatch(digest) else "",
    )


def _worst(value: Any) -> tuple[Moved, ...]:
    entries = [entry for entry in (value if isinstance(value, list) else []) if isinstance(entry, dict)]
    found = []
    for entry in entries[:MAX_WORST]:
        numbers = [_number(entry, key) for key in ("statistic", "threshold", "effect")]
        statistic, threshold, effect = (0.0 if number is None else number for number in numbers)
        found.append(Moved(_text(entry, "feature", 128), statistic, threshold, effect))
    return tuple(found)


def _bug(data: Mapping[str, Any]) -> Bug | None:
    if not data:
        return None
    return Bug(_text(data, "reason", 63) or "DataBug", _text(data, "feature", 128), _text(data, "message", 300))


def _cost(data: Mapping[str, Any]) -> Cost | None:
    if not data:
        return None
    metric, estimate = _text(data, "metric", 63), _number(data, "estimate")
    if estimate is None:
        reason = _text(data, "reason", 63)
        why = reason if reason in WHY_UNKNOWN else Reason.NO_LABELS.value
        return Cost(metric, reason=why, message=_text(data, "message", 300))
    estimate = min(1.0, max(0.0, estimate))
    return Cost(metric, estimate, _number(data, "before"), _number(data, "now"), _text(data, "basis", 63))


def _labels(labels: Mapping[str, Any], quality: Mapping[str, Any]) -> Labels:
    lost = quality.get("lost")
    return Labels(
        rows=_count(labels, "rows"),
        errors=_count(labels, "errors") if "errors" in labels else None,
        evidence=_number(quality, "evidence") or 0.0,
        threshold=_number(quality, "threshold") or 0.0,
        lost=lost if isinstance(lost, bool) else None,
    )


def _counted(data: Mapping[str, Any]) -> Counted | None:
    """Without all three, or with more wrong than seen, there is none: nobody is right because of a slip."""
    book, seen, wrong = _text(data, "book", 63), _count(data, "seen"), _count(data, "wrong")
    whole = bool(book) and (data.get("seen"), data.get("wrong")) == (seen, wrong) and wrong <= seen
    return Counted(book, seen, wrong) if whole else None


def _object(data: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = data.get(key)
    return value if isinstance(value, dict) else {}


def _text(data: Mapping[str, Any], key: str, limit: int) -> str:
    value = data.get(key)
    return clip(value, limit) if isinstance(value, str) else ""


def _number(data: Mapping[str, Any], key: str) -> float | None:
    value = data.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e15:
        return None
    return round(float(value), 6) if isfinite(value) else None


def _count(data: Mapping[str, Any], key: str) -> int:
    value = data.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else 0
