"""A TrainingJob from creation to success on a real API server, with KubeRay and the driver played by the test."""

from __future__ import annotations

from tests.api.actors import Team, attempts
from tests.api.cluster import Cluster, holds
from tests.api.running import Operator

from gyre.api import gvks
from gyre.api.kstatus import Verdict, compute


def test_a_run_goes_from_in_progress_to_current(cluster: Cluster, team: Team, operator: Operator):
    team.dataset()
    team.claim("runs")
    team.training_job("flights")
    job = cluster.wait(team.job("flights"), "was looked at", lambda o: o["status"].get("conditions"))
    assert compute(job).verdict is Verdict.IN_PROGRESS
    team.run_succeeds("flights")
    done = cluster.wait(team.job("flights"), "succeeded", holds("Succeeded"))
    assert compute(done).verdict is Verdict.CURRENT
    assert len(attempts(cluster, team.namespace, "flights")) == 1
    version = cluster.wait(team.ref(gvks.MODEL_VERSION, "flights-ffffffff"), "is ready", holds("Ready"))
    assert compute(version).verdict is Verdict.CURRENT
