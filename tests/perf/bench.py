"""The stage of every benchmark: a real API server with gyre installed, the operator under its own token, namespaces of jobs.

Nothing here measures; it brings the world about in which a measurement means something.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests import make
from tests.api.actors import FOUND, Team
from tests.api.apiserver import ApiServer, binaries, until
from tests.api.cluster import Cluster
from tests.api.install import OPERATOR, install, operator_kubeconfig
from tests.api.running import LEASE_REF, NAMESPACE, Operator, forget_leader
from tests.perf.bare import Bare, Request

from gyre.api import gvks
from gyre.api.effects import Gvk, Ref
from gyre.kube.paths import collection

CONNECTIONS = 16
USER = f"system:serviceaccount:{NAMESPACE}:{OPERATOR}"
HELD = {"holderIdentity": "benchmark", "leaseDurationSeconds": 86400, "renewTime": "2026-01-01T00:00:00.000000Z"}


class Bench:
    """One API server for all benchmarks of a run."""

    def __init__(self, server: ApiServer) -> None:
        self.server, self.cluster = server, Cluster(server)
        install(self.cluster)
        self.kubeconfig = operator_kubeconfig(self.cluster)
        self._token = self.cluster.token(NAMESPACE, OPERATOR)
        self._count = itertools.count(1)
        self.operators: list[Operator] = []

    # ── the operator ─────────────────────────────────────────────────────────────────────────────────────────────────

    def operator(self) -> Operator:
        """A replica that is starting; it waits for the lease if `hold_lease` took it."""
        replica = Operator(f"operator-{next(self._count)}", self.kubeconfig, self.server.folder)
        self.operators.append(replica)
        return replica.start()

    def hold_lease(self) -> None:
        """Nobody may lead until `forget_leader`: a replica starts, fills its cache, and waits."""
        spec = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "spec": HELD}
        self.cluster.apply(LEASE_REF, {**spec, "metadata": {"name": LEASE_REF.name, "namespace": NAMESPACE}})

    def free_lease(self) -> None:
        forget_leader(self.cluster)

    # ── the world ────────────────────────────────────────────────────────────────────────────────────────────────────

    def team(self, name: str) -> Team:
        """A namespace with storage and a Dataset that is ready; needs an operator that leads."""
        team = Team(self.cluster, self.cluster.namespace(f"{name}-{next(self._count)}"))
        team.dataset()
        team.claim("runs")
        return team

    def send(self, requests: list[list[Request]], *, user: bool = True) -> float:
        """Chains of requests over 16 connections, each chain in order; returns the seconds. As the user or as gyre."""
        token = "admin" if user else self._token
        return asyncio.run(Bare(self.server, token).send(requests, connections=CONNECTIONS))

    def jobs(self, namespace: str, count: int) -> list[list[Request]]:
        """TrainingJobs as a user would create them."""
        return [[post(gvks.TRAINING_JOB, namespace, f"job-{n}", make.training_job()["spec"])] for n in range(count)]

    def audit_offset(self) -> int:
        return self.server.audit_log.stat().st_size if self.server.audit_log.exists() else 0

    def written(self, offset: int) -> list[dict[str, Any]]:
        """What gyre wrote since then, oldest first, but for its Lease."""
        return [
            entry
            for entry in self.server.audited(offset)
            if entry["user"]["username"] == USER
            and entry["verb"] in ("create", "update", "patch", "delete")
            and entry["objectRef"]["resource"] != "leases"
        ]


def post(gvk: Gvk, namespace: str, name: str, spec: dict[str, Any], **metadata: Any) -> Request:
    body = {
        "apiVersion": gvk.api_version,
        "kind": gvk.kind,
        "metadata": {"name": name, "namespace": namespace, **metadata},
        "spec": spec,
    }
    return Request("POST", collection(gvk, namespace), json.dumps(body).encode(), "application/json")


@contextmanager
def stage(folder: Path) -> Iterator[Bench]:
    server = ApiServer(folder, binaries())
    server.start()
    try:
        bench = Bench(server)
        try:
            yield bench
        finally:
            for operator in bench.operators:
                operator.stop()
    finally:
        server.destroy()


def quiet(operator: Operator, *, seconds: float = 600.0) -> None:
    """Until the operator has nothing queued and wrote nothing for a second."""
    seen = [(-1.0, -1.0)]

    def ask() -> bool:
        before, now = seen[0], (operator.metric("gyre_queue_depth"), float(sum(operator.writes().values())))
        seen[0] = now
        return now == before and now[0] == 0

    until("the operator is quiet", ask, seconds=seconds, every=1.0)


__all__ = ["CONNECTIONS", "FOUND", "Bench", "Ref", "post", "quiet", "stage"]
