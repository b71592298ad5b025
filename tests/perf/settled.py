"""Five thousand settled objects: what gyre writes in five minutes of nothing, its memory, and its restart.

The objects: TrainingJobs, and Models and ModelVersions up to the number; the five children of each job come on top.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from tests import make
from tests.api.apiserver import until
from tests.perf.bench import Bench, post, quiet

from gyre.api import gvks
from gyre.kinds import KINDS


@dataclass(frozen=True, slots=True)
class Settled:
    objects: int
    watched: int
    window_seconds: float
    writes: dict[str, int]
    resident_mib: float
    peak_mib: float
    cpu_percent: float
    restart_seconds: float
    restarted_mib: float
    writes_of_restart: dict[str, int]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def jobs(bench: Bench, count: int) -> str:
    """Start so many TrainingJobs under an operator that goes on running, and let them settle; returns their namespace."""
    operator = bench.operator().wait_until_leader()
    team = bench.team("settled")
    bench.send(bench.jobs(team.namespace, count))
    until(
        "every RayJob exists",
        lambda: len(bench.cluster.list(gvks.RAY_JOB, team.namespace)) == count,
        seconds=600,
        every=1,
    )
    quiet(operator)
    return team.namespace


def measure(bench: Bench, objects: int, *, window: float) -> Settled:
    operator = bench.operators[-1]
    _fill_up(bench, objects)
    count = _count(bench)
    quiet(operator)
    offset, cpu, started = bench.audit_offset(), operator.cpu_seconds(), time.monotonic()
    resident = operator.resident_mib()
    peak = resident
    while time.monotonic() < started + window:
        time.sleep(1.0)
        peak = max(peak, operator.resident_mib())
    writes, cpu = _written(bench, offset), operator.cpu_seconds() - cpu
    watched = int(operator.metric("gyre_objects"))
    offset = bench.audit_offset()
    assert operator.stop() == 0, operator.tail()
    began = time.monotonic()
    again = bench.operator()

    def reconciled() -> bool:
        return again.metric("gyre_reconciles_total") >= count and again.metric("gyre_queue_depth") == 0

    until("every object was looked at again", reconciled, seconds=300, every=0.1)
    took = time.monotonic() - began
    quiet(again)
    return Settled(
        objects=count,
        watched=watched,
        window_seconds=window,
        writes=writes,
        resident_mib=resident,
        peak_mib=peak,
        cpu_percent=100 * cpu / window,
        restart_seconds=took,
        restarted_mib=again.resident_mib(),
        writes_of_restart=_written(bench, offset),
    )


def _fill_up(bench: Bench, objects: int) -> None:
    """Models with one version each."""
    namespace = bench.cluster.namespace("models")
    pairs = max(0, objects - _count(bench)) // 2
    version = {**make.model_version()["spec"]}
    chains = [
        [
            post(gvks.MODEL, namespace, f"model-{n}", {}),
            post(gvks.MODEL_VERSION, namespace, f"model-{n}-1", {**version, "modelRef": {"name": f"model-{n}"}}),
        ]
        for n in range(pairs)
    ]
    bench.send(chains)


def _count(bench: Bench) -> int:
    return sum(len(bench.cluster.list(kind.gvk)) for kind in KINDS)


def _written(bench: Bench, offset: int) -> dict[str, int]:
    return dict(Counter(f"{entry['objectRef']['resource']} {entry['verb']}" for entry in bench.written(offset)))
