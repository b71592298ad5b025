"""What a Job is asked for: one JSON in GYRE_DRIFT_PLAN, written by the operator (kinds/driftmonitor/desired.py).

Promises   what is missing or malformed is named; nothing is guessed.
Never      holds a credential: those come as AWS_*, GYRE_REFERENCE_* and GYRE_REPORT_*.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gyre.stats.bins import FeatureType
from gyre_drift.faults import DriftError

VARIABLE = "GYRE_DRIFT_PLAN"


@dataclass(frozen=True, slots=True)
class Place:
    """A folder, or `s3://bucket/prefix` with how to reach it. `uri`: as people and other programs know it."""

    path: str
    uri: str = ""
    endpoint: str | None = None
    region: str | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """From the first moment to the one that is not in it any more, UTC."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class DatasetReference:
    name: str
    version: int
    digest: str
    place: Place


@dataclass(frozen=True, slots=True)
class Plan:
    """`windows`: in how many of them one false alarm may come. `baseline`: the metrics of the version that serves."""

    monitor: str
    service: str
    log: Place
    window: Span
    reference: DatasetReference | Span
    windows: int
    min_effect: float
    report: Place | None = None
    features: Mapping[str, FeatureType] = field(default_factory=dict)
    metric: str = ""
    baseline: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, text: str) -> Plan:
        """Raises DriftError."""
        try:
            data = json.loads(text)
            return cls(
                monitor=data["monitor"],
                service=data["service"],
                log=_place(data["log"]),
                window=_span(data["window"]),
                reference=_reference(data["reference"]),
                windows=int(data["windows"]),
                min_effect=float(data["minEffect"]),
                report=_place(data["report"]) if data.get("report") else None,
                features={entry["name"]: FeatureType(entry["type"]) for entry in data.get("features", ())},
                metric=str(data.get("metric", "")),
                baseline={name: float(value) for name, value in data.get("baseline", {}).items()},
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DriftError("Internal", f"{VARIABLE} cannot be read: {type(error).__name__}: {error}") from error


def _place(data: Mapping[str, Any]) -> Place:
    return Place(data["path"], data.get("uri", ""), data.get("endpoint"), data.get("region"))


def _span(data: Mapping[str, Any]) -> Span:
    start, end = (datetime.fromisoformat(data[key]) for key in ("from", "to"))
    if start.tzinfo is None or end.tzinfo is None or start >= end:
        raise ValueError(f"from {start} to {end} is no span of time")
    return Span(start, end)


def _reference(data: Mapping[str, Any]) -> DatasetReference | Span:
    if "dataset" not in data:
        return _span(data["window"])
    found = data["dataset"]
    return DatasetReference(found["name"], int(found["version"]), found["digest"], _place(found["place"]))
