"""Counters in Prometheus' text format: Envoy's by backend of a route, our predictor's by model version. Pure.

Promises   counts as they stand since each process began; lines of other things are not even parsed, so that a gateway with a
           thousand routes costs what one does.
Never      raises: what cannot be read is not there, and whoever needs it says so.

Source: prometheus/client_python `prometheus_client/parser.py`. Envoy's names: envoyproxy/envoy
`docs/root/configuration/upstream/cluster_manager/cluster_stats.rst`, v1.37; its histograms are in milliseconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

Bucket = tuple[float, int]
"""(upper edge in seconds, requests that took no longer)."""

BACKEND: Final = re.compile(r"(?P<rule>\d+)/backend/(?P<backend>\d+)$")


@dataclass(slots=True)
class _Growing:
    requests: int = 0
    errors: int = 0
    buckets: dict[float, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Traffic:
    """What one process counted of one backend or version, since it began."""

    requests: int = 0
    errors: int = 0
    """Answers of class 5xx."""
    latency: tuple[Bucket, ...] = ()
    """Cumulative, by rising edge; the last edge is infinity."""

    @property
    def timed(self) -> int:
        return self.latency[-1][1] if self.latency else 0

    def slower(self, edges: Iterable[float]) -> tuple[int, ...]:
        """Requests that took longer than each of these edges, which are edges of this histogram."""
        counted = dict(self.latency)
        return tuple(self.timed - counted.get(edge, self.timed) for edge in edges)


def of_route(text: str, prefix: str) -> dict[tuple[int, int], Traffic]:
    """By (rule, backend) of the route whose clusters begin with `prefix`."""
    found: dict[tuple[int, int], _Growing] = {}
    for sample in _samples(text, prefix):
        name = sample.labels.get("envoy_cluster_name", "")
        place = BACKEND.match(name.removeprefix(prefix)) if name.startswith(prefix) else None
        if place is None:
            continue
        growing = found.setdefault((int(place["rule"]), int(place["backend"])), _Growing())
        if sample.name == "envoy_cluster_upstream_rq_xx":
            growing.requests += int(sample.value)
            growing.errors += int(sample.value) if sample.labels.get("envoy_response_code_class") == "5" else 0
        elif sample.name == "envoy_cluster_upstream_rq_time_bucket":
            _add(growing, sample, unit=0.001)
    return {place: _whole(growing) for place, growing in found.items()}


def of_predictor(text: str) -> dict[str, Traffic]:
    """By model version."""
    found: dict[str, _Growing] = {}
    for sample in _samples(text, "gyre_inference_"):
        growing = found.setdefault(sample.labels.get("model_version", ""), _Growing())
        if sample.name == "gyre_inference_requests_total":
            growing.requests += int(sample.value)
            growing.errors += int(sample.value) if sample.labels.get("code", "").startswith("5") else 0
        elif sample.name == "gyre_inference_seconds_bucket":
            _add(growing, sample, unit=1.0)
    return {version: _whole(growing) for version, growing in found.items()}


def dropped_of(text: str) -> int | None:
    """Requests that a predictor could not tell its prediction log of; None where it does not say."""
    for sample in _samples(text, "gyre_log_events_total"):
        if sample.labels.get("result") == "dropped":
            return int(sample.value)
    return None


def _samples(text: str, needle: str) -> Iterator[Sample]:
    """Those that count something: finite and not negative."""
    lines = "\n".join(line for line in text.splitlines() if needle in line and not line.startswith("#"))
    try:
        for family in text_string_to_metric_families(lines + "\n"):
            yield from (sample for sample in family.samples if 0 <= sample.value < 2**53)
    except (ValueError, IndexError, KeyError):  # an answer that was cut off, or is no metrics at all
        return


def _add(growing: _Growing, sample: Sample, *, unit: float) -> None:
    try:
        edge = float(sample.labels["le"]) * unit
    except (KeyError, ValueError):
        return
    growing.buckets[edge] = growing.buckets.get(edge, 0) + int(sample.value)


def _whole(growing: _Growing) -> Traffic:
    return Traffic(growing.requests, growing.errors, tuple(sorted(growing.buckets.items())))
