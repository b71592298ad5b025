"""`python -m tests.perf [cluster | cost | statistics | drift]`: gyre against its API server, as ratios and limits; the judge and
drift against their promises by simulation; the ledger against sampling. build/perf.json and tables. Exit status 1 when a promise
is broken.

Figures of one run on one machine; the ratio is taken within a round, gyre and yardstick one after the other. Nothing else
should run on the machine: the API server, etcd and gyre share its cores. The simulations need no API server.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from tests.api.apiserver import REPOSITORY
from tests.perf import burst, cost, cost_anomalies, cost_usage, drift_tables, latency, settled, statistics_tables
from tests.perf.bench import Bench, stage

OUT = REPOSITORY / "build" / "perf.json"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.perf", description=__doc__)
    parser.add_argument("what", nargs="?", default="all", choices=("all", "cluster", "cost", "statistics", "drift"))
    parser.add_argument("--jobs", type=int, default=1000, help="TrainingJobs of a burst")
    parser.add_argument("--rounds", type=int, default=3, help="bursts; the median counts")
    parser.add_argument("--objects", type=int, default=5000, help="settled objects")
    parser.add_argument("--window", type=float, default=300.0, help="seconds of nothing")
    parser.add_argument("--quick", action="store_true", help="one small round, 30 s windows: for development")
    options = parser.parse_args()
    if options.quick:
        options.jobs, options.rounds, options.objects, options.window = min(options.jobs, 300), 1, 1500, 30.0
    console, broken = Console(width=None if sys.stdout.isatty() else 130), []
    wrong: list[str] = []
    if options.what in ("all", "statistics"):
        runs = statistics_tables.QUICK_RUNS if options.quick else statistics_tables.RUNS
        result, broken = statistics_tables.main(runs=runs, console=console)
        written({"statistics": result})
    if options.what in ("all", "drift"):
        result, more = drift_tables.main(quick=options.quick, console=console)
        broken = [*broken, *more]
        written({"drift": result})
    if options.what in ("all", "cost"):
        result, wrong = cost.main(console)
        used, inexact = cost_usage.main(console)
        wrong += inexact
        written({"cost": {**result, "usage": used, "anomalies": cost_anomalies.main(console)}})
        for problem in wrong:
            console.print(f"[red]broken:[/] the ledger is not exact: {problem}")
    if options.what in ("all", "cluster"):
        result = cluster(options, console)
        written(result)
        console.print(table(result))
    for one in broken:
        console.print(f"[red]broken:[/] {one.what}: {one.happened} of {one.runs}, promised {one.promised:.0%}")
    sys.exit(1 if broken or wrong else 0)


def written(result: dict[str, Any]) -> None:
    """Into build/perf.json, beside what other benchmarks have left there."""
    OUT.parent.mkdir(exist_ok=True)
    known = json.loads(OUT.read_text()) if OUT.exists() else {}
    OUT.write_text(json.dumps({**known, **result}, indent=1))


def cluster(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    rounds = [one_burst(options.jobs, number, console) for number in range(1, options.rounds + 1)]
    with world() as bench:
        idle = bench.operator().wait_until_leader()
        idle_mib = idle.resident_mib()
        idle.stop()
        namespace = settled.jobs(bench, options.jobs)
        answers = latency.measure(bench, namespace, rate=50, seconds=min(60.0, options.window))
        console.print(f"latency: p50 {answers.p50 * 1000:.0f} ms, p99 {answers.p99 * 1000:.0f} ms")
        rest = settled.measure(bench, options.objects, window=options.window)
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version(), "load": os.getloadavg()[0]},
        "burst": {"ratio": statistics.median(r.ratio for r in rounds), "rounds": [r.as_dict() for r in rounds]},
        "latency": answers.as_dict(),
        "idle_mib": idle_mib,
        "settled": rest.as_dict(),
    }


def one_burst(jobs: int, number: int, console: Console) -> burst.Round:
    """In a world of its own: a replica that takes the lease looks at everything there is, which is `settled`'s to measure."""
    with world() as bench:
        told = burst.measure(bench, jobs)
    console.print(
        f"burst {number}: {told.jobs / told.seconds:.0f} jobs/s, bare {told.jobs / told.bare_seconds:.0f}, "
        f"ratio {told.ratio:.2f}, {told.cpu_seconds:.1f} s of CPU"
    )
    return told


@contextmanager
def world() -> Iterator[Bench]:
    """A new API server with gyre installed."""
    with tempfile.TemporaryDirectory(prefix="gyre-perf-") as folder, stage(Path(folder) / "server") as bench:
        yield bench


def table(result: dict[str, Any]) -> Table:
    made, rounds = Table(title="gyre on a real API server"), result["burst"]["rounds"]
    for column in ("what", "measured", "goal"):
        made.add_column(column)
    middle = sorted(rounds, key=lambda r: r["ratio"])[len(rounds) // 2]
    answers, rest = result["latency"], result["settled"]
    writes = sum(middle["writes"].values()) / middle["jobs"]
    rows = (
        (f"{middle['jobs']} jobs at once", f"{middle['jobs_per_second']:.0f} jobs/s, {writes:.1f} writes a job", ""),
        (
            "… of the bare client",
            f"{result['burst']['ratio']:.2f} of {middle['bare_jobs_per_second']:.0f} jobs/s",
            "≥ 0.5",
        ),
        ("… CPU of gyre", f"{1000 * middle['cpu_seconds'] / middle['jobs']:.1f} ms a job", ""),
        (
            f"change → write at {answers['per_second']:.0f}/s",
            f"p50 {1000 * answers['p50']:.0f} ms, p99 {1000 * answers['p99']:.0f} ms",
            "",
        ),
        (
            f"writes in {rest['window_seconds']:.0f} s, {rest['objects']} objects",
            str(sum(rest["writes"].values())),
            "0",
        ),
        (
            f"memory, {rest['objects']} objects ({rest['watched']} watched)",
            f"{rest['restarted_mib']:.0f} MiB fresh, {rest['peak_mib']:.0f} MiB after all the above",
            "≤ 200",
        ),
        ("memory, idle", f"{result['idle_mib']:.0f} MiB", ""),
        ("restart until all are looked at", f"{rest['restart_seconds']:.1f} s", "≤ 15 s"),
        ("writes of the restart", str(sum(rest["writes_of_restart"].values())), "0"),
    )
    for row in rows:
        made.add_row(*row)
    return made


if __name__ == "__main__":
    main()
