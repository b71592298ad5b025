"""What a predictor counts of itself. Names and labels are read by the judge of a rollout (docs/serve-contract.md)."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

STEP: Final = 1.25
EDGES: Final = tuple(float(f"{0.0001 * STEP**power:.4g}") for power in range(53))
"""0.1 ms to 11 s, each a quarter more than the one before: a quantile's edge is never further off than that."""


class Metrics:
    def __init__(self, registry: CollectorRegistry, model: str, version: str) -> None:
        labels = ("model", "model_version")
        requests = Counter(
            "gyre_inference_requests", "Requests to predict or infer, by status", (*labels, "code"), registry=registry
        )
        seconds = Histogram(
            "gyre_inference_seconds",
            "From the last byte of the request to the last of the answer",
            labels,
            buckets=EDGES,
            registry=registry,
        )
        self.requests, self.labels = requests, (model, version)
        self.seconds = seconds.labels(*self.labels)
        requests.labels(*self.labels, "200")  # a counter that starts at 0 loses nothing before its first scrape

    def answered(self, code: int, seconds: float) -> None:
        self.requests.labels(*self.labels, str(code)).inc()
        self.seconds.observe(seconds)
