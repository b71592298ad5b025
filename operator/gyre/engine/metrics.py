"""What the operator says of itself to Prometheus. One place, so that dashboards can be checked against it."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

RECONCILES = Counter("gyre_reconciles", "Reconciles by kind and by what came of them.", ["kind", "outcome"])
RECONCILE_SECONDS = Histogram("gyre_reconcile_seconds", "Duration of a reconcile.", ["kind"], buckets=_SECONDS)
QUEUE_DEPTH = Gauge("gyre_queue_depth", "Keys that wait for a worker.")
QUEUE_DELAYED = Gauge("gyre_queue_delayed", "Keys that wait for their time.")
QUEUE_SECONDS = Histogram("gyre_queue_wait_seconds", "How long a key waited for a worker.", buckets=_SECONDS)
WRITES = Counter("gyre_writes", "Requests that write, by the kind written and verb.", ["kind", "verb"])
ERRORS = Counter("gyre_errors", "Reconciles that did not end well, by class of error.", ["kind", "error"])
OBJECTS = Gauge("gyre_objects", "Objects in the cache.", ["kind"])
LEADER = Gauge("gyre_leader", "1 while this replica holds the lease.")
SWEEP_FOUND = Counter("gyre_sweep_found", "Objects whose change no event had told us.", ["kind", "change"])
CONDITIONS = Gauge(
    "gyre_conditions",
    "Objects by what is true of them, told by the replica that holds the lease.",
    ["kind", "object_namespace", "type", "status", "reason"],
)
