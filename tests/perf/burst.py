"""A thousand TrainingJobs at once, until every RayJob exists and every status is written.

The jobs are created while no replica leads; then the lease is let go, and a replica with a warm cache finds them all. Its time
runs from the lease to its last write, by the API server's own clock. The yardstick then sends the very same requests, taken
from the audit log with names, bodies and order, for a thousand fresh jobs of another namespace.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from tests.api.apiserver import until
from tests.perf.bare import Request
from tests.perf.bench import Bench, quiet

from gyre.api import gvks


@dataclass(frozen=True, slots=True)
class Round:
    jobs: int
    seconds: float
    bare_seconds: float
    writes: dict[str, int]
    cpu_seconds: float
    resident_mib: float

    @property
    def ratio(self) -> float:
        return self.bare_seconds / self.seconds

    def as_dict(self) -> dict[str, Any]:
        rates = {"jobs_per_second": self.jobs / self.seconds, "bare_jobs_per_second": self.jobs / self.bare_seconds}
        return {**asdict(self), **rates, "ratio": self.ratio}


def measure(bench: Bench, count: int) -> Round:
    """One round: gyre, then the same writes bare."""
    preparer = bench.operator().wait_until_leader()
    ours, theirs = bench.team("burst"), bench.team("bare")
    quiet(preparer)
    preparer.stop()
    bench.hold_lease()
    operator = bench.operator()
    until("the replica is up", operator.metrics)
    bench.send(bench.jobs(ours.namespace, count))
    objects = ("gyre_objects", (("kind", "TrainingJob"),))
    until("its cache is filled", lambda: objects in operator.metrics())
    quiet(operator)
    offset, cpu = bench.audit_offset(), operator.cpu_seconds()
    bench.free_lease()
    until(
        "every RayJob exists",
        lambda: len(bench.cluster.list(gvks.RAY_JOB, ours.namespace)) == count,
        seconds=600,
        every=1,
    )
    quiet(operator)
    assert all(
        job["status"]["observedGeneration"] == 1 for job in bench.cluster.list(gvks.TRAINING_JOB, ours.namespace)
    )
    written = [entry for entry in bench.written(offset) if entry["objectRef"].get("namespace") == ours.namespace]
    seconds = (moment(written[-1]["stageTimestamp"]) - _led(bench, offset)).total_seconds()
    cpu, resident = operator.cpu_seconds() - cpu, operator.resident_mib()
    operator.stop()
    bench.send(bench.jobs(theirs.namespace, count))
    chains = replay(
        written, ours.namespace, theirs.namespace, _uids(bench, ours.namespace), _uids(bench, theirs.namespace)
    )
    bare = bench.send(chains, user=False)
    counted = Counter(f"{e['objectRef']['resource']} {e['verb']}{_part(e)}" for e in written)
    return Round(count, seconds, bare, dict(sorted(counted.items())), cpu, resident)


def replay(
    written: list[dict[str, Any]], here: str, there: str, old: dict[str, str], new: dict[str, str]
) -> list[list[Request]]:
    """gyre's requests, in its order for each job, about jobs of the same names in another namespace."""
    chains: dict[str, list[Request]] = defaultdict(list)
    names = {uid: name for name, uid in old.items()}
    for entry in written:
        body = json.loads(json.dumps(entry.get("requestObject") or {}))
        job = _job_of(entry, body, names)
        metadata = body.get("metadata", {})
        metadata.pop("resourceVersion", None)
        if metadata.get("uid") not in old.values():
            metadata.pop("uid", None)
        text = (
            json.dumps(body)
            .replace(old[job], new[job])
            .replace(f'"{here}"', f'"{there}"')
            .replace(f"{here}/", f"{there}/")
        )
        path = entry["requestURI"].replace(f"/namespaces/{here}/", f"/namespaces/{there}/")
        chains[job].append(Request(METHODS[entry["verb"]], path, text.encode(), TYPES[entry["verb"]]))
    return list(chains.values())


METHODS = {"create": "POST", "patch": "PATCH", "update": "PUT", "delete": "DELETE"}
TYPES = defaultdict(lambda: "application/json", patch="application/apply-patch+yaml")


def _job_of(entry: dict[str, Any], body: dict[str, Any], names: dict[str, str]) -> str:
    metadata = body.get("metadata", {})
    uids = [metadata.get("uid"), (body.get("involvedObject") or {}).get("uid")]
    uids += [owner["uid"] for owner in metadata.get("ownerReferences") or ()]
    return next(names[uid] for uid in uids if uid in names)


def _uids(bench: Bench, namespace: str) -> dict[str, str]:
    return {o["metadata"]["name"]: o["metadata"]["uid"] for o in bench.cluster.list(gvks.TRAINING_JOB, namespace)}


def _led(bench: Bench, offset: int) -> datetime:
    """When the replica got the lease."""
    leases = (e for e in bench.server.audited(offset) if e["objectRef"]["resource"] == "leases")
    return next(moment(e["stageTimestamp"]) for e in leases if e["verb"] in ("create", "update"))


def _part(entry: dict[str, Any]) -> str:
    return f" {entry['objectRef']['subresource']}" if entry["objectRef"].get("subresource") else ""


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
