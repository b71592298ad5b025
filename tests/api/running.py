"""The operator as users run it: `gyre run` in a process of its own, under its ServiceAccount's token and generated role.

Promises   never the administrator's credentials; everything it logs is kept, so that a test can say what must not be in it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests
from prometheus_client.parser import text_string_to_metric_families
from tests.api.apiserver import REPOSITORY, Process, free_port, until
from tests.api.cluster import Cluster

from gyre.api.effects import Ref
from gyre.api.gvks import LEASE

NAMESPACE = "gyre-system"
LEASE_REF = Ref(LEASE, NAMESPACE, "gyre-operator")


class Operator:
    """One replica. `argv` is what to run instead of `gyre run`, for benchmarks of something else."""

    def __init__(
        self, name: str, kubeconfig: Path, folder: Path, *, argv: tuple[str, ...] = ("-m", "gyre", "run")
    ) -> None:
        self.metrics_port = free_port()
        self._process, self._kubeconfig, self._argv = Process(name, folder), kubeconfig, argv

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.running

    def start(self) -> Operator:
        options = ["--namespace", NAMESPACE, "--metrics-port", str(self.metrics_port), "--probe-port", "0"]
        env = {**os.environ, "KUBECONFIG": str(self._kubeconfig), "PYTHONPATH": str(REPOSITORY / "operator")}
        env.pop("KUBERNETES_SERVICE_HOST", None)
        self._process.start([sys.executable, *self._argv, *options, "--log-format", "json"], env=env, cwd=REPOSITORY)
        return self

    def stop(self) -> int | None:
        """As the kubelet does it: SIGTERM, and wait."""
        return self._process.end()

    def kill(self) -> None:
        """As a lost node does it."""
        self._process.end(signal.SIGKILL)

    def leads(self) -> bool:
        return self.metric("gyre_leader") == 1.0

    def wait_until_leader(self, seconds: float = 60.0) -> Operator:
        def ask() -> bool:
            if not self.running:
                raise AssertionError(f"the operator ended:\n{self._process.tail(40)}")
            return self.leads()

        until("the operator leads", ask, seconds=seconds)
        return self

    # ── what it says of itself ───────────────────────────────────────────────────────────────────────────────────────

    def metrics(self) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        """Every sample by name and sorted labels; empty while there is no answer."""
        try:
            text = requests.get(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=10).text
        except requests.ConnectionError:
            return {}
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the samples of this name that have these labels."""
        wanted = labels.items()
        return sum(
            value for (found, has), value in self.metrics().items() if found == name and wanted <= dict(has).items()
        )

    def writes(self) -> dict[str, int]:
        """Requests that wrote, by `Kind verb`."""
        return {
            f"{dict(labels)['kind']} {dict(labels)['verb']}": int(value)
            for (name, labels), value in sorted(self.metrics().items())
            if name == "gyre_writes_total"
        }

    def resident_mib(self) -> float:
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def log(self) -> Iterator[dict[str, Any]]:
        """Every line it wrote since the test run began; what is not JSON comes as `{"raw": …}`."""
        for line in self._process.log.read_text(errors="replace").splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                yield {"raw": line}

    def tail(self, lines: int = 30) -> str:
        return self._process.tail(lines)


def forget_leader(cluster: Cluster) -> None:
    """What 15 seconds of waiting would do after a kill: nobody holds the lease. Only for a replica known to be dead."""
    if cluster.get(LEASE_REF) is not None:
        cluster.delete(LEASE_REF)
