"""A DriftMonitor as other kinds see it: whether what a Model is asked has moved, since when, at what cost, or whether a bug.

Read through the published API. Never raises: a status that was not written for the newest spec says nothing, and what nobody has
looked at has not drifted as far as anyone knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Any

from gyre.adapters.datasets import readiness
from gyre.adapters.pods import moment


@dataclass(frozen=True, slots=True)
class DriftView:
    name: str
    model: str
    """The Model it is about: spec.modelRef.name."""
    known: bool
    """The newest window was judged under the newest spec; else the rest is what was known last."""
    drifted: bool
    since: datetime | None
    impact: float | None
    """By how much the metric is worse, 0 to 1; None while that is not known."""
    metric: str
    data_bug: str
    """Its reason, or empty."""
    quality_lost: bool
    worst: tuple[tuple[str, float, float, float], ...]
    """(feature, statistic, threshold, effect), the most suspect first."""
    window: tuple[datetime | None, datetime | None]
    report: str

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> DriftView:
        metadata, spec, status = (obj.get(part) or {} for part in ("metadata", "spec", "status"))
        ready, _, _ = readiness(metadata, status)
        true = {entry.get("type") for entry in status.get("conditions") or () if entry.get("status") == "True"}
        impact, window = status.get("impact") or {}, status.get("window") or {}
        bug = status.get("dataBug") or {}
        return cls(
            name=str(metadata.get("name", "")),
            model=str((spec.get("modelRef") or {}).get("name", "")),
            known=ready and isinstance(status.get("drifted"), bool),
            drifted=status.get("drifted") is True,
            since=moment(status.get("since")),
            impact=_number(impact.get("estimate")),
            metric=str(impact.get("metric", "")),
            data_bug=str(bug.get("reason", "")) if "DataBug" in true else "",
            quality_lost="QualityLost" in true,
            worst=tuple(_finding(one) for one in status.get("worst") or () if isinstance(one, Mapping)),
            window=(moment(window.get("from")), moment(window.get("to"))),
            report=str((status.get("report") or {}).get("uri", "")),
        )


def _finding(one: Mapping[str, Any]) -> tuple[str, float, float, float]:
    statistic, threshold, effect = (_number(one.get(key)) or 0.0 for key in ("statistic", "threshold", "effect"))
    return str(one.get("feature", "")), statistic, threshold, effect


def _number(text: Any) -> float | None:
    try:
        value = float(text)
    except (TypeError, ValueError):
        return None
    return value if isfinite(value) else None
