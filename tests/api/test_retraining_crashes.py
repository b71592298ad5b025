"""A Model that trains anew while its operator is killed (SIGKILL) again and again, in front of a real API server."""

from __future__ import annotations

import random
import threading
import time

from tests import make
from tests.api.actors import Team
from tests.api.cluster import Cluster
from tests.api.conftest import Replicas

from gyre.api import gvks
from gyre.kinds.model.policy import RETRAIN, RETRAIN_OF
from gyre.kube.paths import collection

KILLS, CALLS = 12, 4
TEMPLATE = make.training_job()["spec"]


def test_kills_during_retraining_never_yield_two_jobs_for_one_call(cluster: Cluster, team: Team, replicas: Replicas):
    """Each call is answered by one job, suspended so that it stays; it is ended by hand before the next call."""
    replicas.one()
    team.claim("runs")
    team.dataset()
    objective = {"metric": "auc", "goal": "Maximize"}
    retrain = {"template": {**TEMPLATE, "suspend": True}, "cooldown": "1m", "maxPerMonth": 60}
    team.create(gvks.MODEL, "late", spec={"objective": objective, "retrain": retrain})
    made: list[tuple[str, str]] = []
    found = cluster.request("GET", collection(gvks.TRAINING_JOB, team.namespace))
    events = cluster.watch(gvks.TRAINING_JOB, team.namespace, since=found["metadata"]["resourceVersion"])

    def listen() -> None:
        for event in events:
            if event["type"] == "ADDED":
                made.append((event["object"]["metadata"]["name"], event["object"]["metadata"]["uid"]))

    threading.Thread(target=listen, daemon=True).start()
    chance, model = random.Random(20261124), team.ref(gvks.MODEL, "late")
    for call in range(1, CALLS + 1):
        cluster.patch(model, {"metadata": {"annotations": {RETRAIN: f"call-{call}"}}})
        for _ in range(KILLS // CALLS):
            operator = replicas.one()
            time.sleep(chance.uniform(0.0, 0.6))  # the random point
            operator.kill()
        replicas.one()
        job = team.job(f"late-retrain-{call}")
        live = cluster.wait(job, "is made", lambda o: o["metadata"]["uid"])
        assert live["metadata"]["labels"][RETRAIN_OF] == "late"
        cluster.wait(model, "knows it", lambda o, n=call: o["status"]["retrain"]["lastJob"] == f"late-retrain-{n}")
        ledger = team.ref(gvks.CONFIG_MAP, "late-doings")
        cluster.wait(
            ledger, "has seen it made", lambda o: '"made":true' in o["data"]["doings.json"].rpartition('"at"')[2]
        )
        cluster.delete(job)
        cluster.wait(model, "knows its end", lambda o: o["status"]["retrain"]["lastOutcome"] == "Deleted")
    assert [name for name, _ in made] == [f"late-retrain-{n}" for n in range(1, CALLS + 1)]
    assert len({uid for _, uid in made}) == CALLS
