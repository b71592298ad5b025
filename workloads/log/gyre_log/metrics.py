"""What a collector counts of itself (docs/prediction-log.md, "Metrics")."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge


class Metrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self.events = Counter(
            "gyre_collector_events", "Events and labels, by what became of them", ("result",), registry=registry
        )
        self.refused = Counter(
            "gyre_collector_refused", "Events and labels refused, by why", ("why",), registry=registry
        )
        self.stored = Counter("gyre_collector_stored", "What lies in Parquet", ("what",), registry=registry)
        self.failures = Counter("gyre_collector_store_failures", "Attempts to store that failed", registry=registry)
        self.lag = Gauge("gyre_collector_lag_seconds", "Age of the oldest that waits to be stored", registry=registry)
        self.waiting = Gauge("gyre_collector_journal_bytes", "Bytes that wait to be stored", registry=registry)
        for result in ("received", "duplicate", "unsampled", "refused"):
            self.events.labels(result)
        for what in ("requests", "rows", "labels"):
            self.stored.labels(what)
