"""The operator is killed, the API server goes away, replicas change: what was begun goes on, and nothing happens twice."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterable
from typing import Any

from tests.api.actors import Team, attempts
from tests.api.apiserver import ApiServer, until
from tests.api.cluster import Cluster, holds
from tests.api.conftest import Replicas
from tests.api.running import LEASE_REF, Operator, forget_leader

from gyre.api import gvks
from gyre.kube.paths import collection

KILLS = 20
AT_ONCE = {"rules": [{"class": "NodeLost", "retries": 5, "backoff": "0s"}]}


class MadeRayJobs:
    """How often each RayJob of a namespace came to be, by name, from a list and a watch: a deleted one counts too.

    Not from the audit log: a create whose client was killed meanwhile is written down as 504 there, done or not.
    """

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._uids: dict[str, set[str]] = {}
        found = cluster.request("GET", collection(gvks.RAY_JOB, namespace))
        self._came(found["items"])
        self._events = cluster.watch(gvks.RAY_JOB, namespace, since=found["metadata"]["resourceVersion"])
        threading.Thread(target=lambda: self._came(event["object"] for event in self._events), daemon=True).start()

    def _came(self, objects: Iterable[dict[str, Any]]) -> None:
        for obj in objects:
            self._uids.setdefault(obj["metadata"]["name"], set()).add(obj["metadata"]["uid"])

    def counted(self) -> dict[str, int]:
        return {name: len(uids) for name, uids in self._uids.items()}


def test_twenty_kills_at_random_points_neither_lose_nor_double_an_attempt(
    cluster: Cluster, team: Team, replicas: Replicas
):
    replicas.one()
    team.claim("runs")
    team.dataset()
    made = MadeRayJobs(cluster, team.namespace)
    chance, enough, told = random.Random(20261123), threading.Event(), list[str]()
    failures: list[BaseException] = []

    def stories() -> None:
        """One job after the other, each with a lost head, until there were kills enough."""
        try:
            while not enough.is_set():
                name = f"job-{len(told)}"
                team.training_job(name, failurePolicy=AT_ONCE)
                told.append(name)
                team.kuberay_starts(f"{name}-a1")
                team.driver_says(name, 1, step=100)
                team.head_is_lost(f"{name}-a1")
                team.cleared(f"{name}-a1")
                team.run_succeeds(name, attempt=2)
        except BaseException as problem:
            failures.append(problem)

    teller = threading.Thread(target=stories)
    teller.start()
    for _ in range(KILLS):
        operator = replicas.one()
        time.sleep(chance.uniform(0.0, 0.5))  # the random point
        operator.kill()
    enough.set()
    replicas.one()
    teller.join(timeout=240)
    assert not failures, failures
    assert not teller.is_alive()
    for name in told:
        cluster.wait(team.job(name), "succeeded", holds("Succeeded"))
        remembered = attempts(cluster, team.namespace, name)
        assert [(attempt["number"], attempt.get("cls")) for attempt in remembered] == [(1, "NodeLost"), (2, None)]
    meant = {f"{name}-a{n}": 1 for name in told for n in (1, 2)}
    until("the watch has told all", lambda: made.counted().keys() >= meant.keys())
    assert made.counted() == meant


def test_the_operator_carries_on_when_the_api_server_was_away(
    server: ApiServer, cluster: Cluster, team: Team, replicas: Replicas
):
    operator = replicas.one()
    team.claim("runs")
    team.dataset()
    team.training_job("flights")
    team.kuberay_starts("flights-a1")
    team.driver_says("flights", 1, step=100)
    cluster.wait(team.job("flights"), "runs", lambda o: (o["status"].get("progress") or {}).get("step") == 100)
    server.stop_apiserver()
    server.start()
    made = MadeRayJobs(cluster, team.namespace)  # the one that is there, and whatever comes
    team.driver_says("flights", 1, step=200)
    cluster.wait(team.job("flights"), "goes on", lambda o: (o["status"].get("progress") or {}).get("step") == 200)
    assert operator.running, operator.tail()
    team.run_succeeds("flights")
    cluster.wait(team.job("flights"), "succeeded", holds("Succeeded"))
    assert [attempt["number"] for attempt in attempts(cluster, team.namespace, "flights")] == [1]
    assert made.counted() == {"flights-a1": 1}


def test_what_was_deleted_while_the_operator_was_down_is_noticed(cluster: Cluster, team: Team, replicas: Replicas):
    """No watch tells of it: only the comparison with a list does."""
    operator = replicas.one()
    team.claim("runs")
    team.dataset()
    team.training_job("flights")
    team.run_succeeds("flights")
    version = team.ref(gvks.MODEL_VERSION, "flights-ffffffff")
    cluster.wait(version, "is ready", holds("Ready"))
    team.training_job("next", warmStart={"modelVersion": {"name": "flights-ffffffff"}})
    cluster.wait(version, "is in use", lambda obj: obj["status"].get("inUseBy"))
    team.ray_job("next-a1")
    operator.stop()
    cluster.delete(team.job("next"))
    cluster.wait_gone(team.job("next"))
    team.collect_garbage()
    replicas.one()
    cluster.wait(version, "is free", lambda obj: not obj["status"].get("inUseBy"))
    assert cluster.get(team.ref(gvks.RAY_JOB, "next-a1")) is None


def test_a_deletion_while_the_api_server_was_away_is_noticed(
    server: ApiServer, cluster: Cluster, team: Team, replicas: Replicas
):
    """Kopf's stream starts again behind it and never tells: the sweep must."""
    replicas.one()
    team.claim("runs")
    team.dataset()
    team.training_job("flights")
    team.ray_job("flights-a1")
    job = cluster.wait(team.job("flights"), "starts", lambda obj: obj["status"].get("startTime"))
    server.stop_apiserver()
    server.start()
    cluster.delete(team.job("flights"))
    team.collect_garbage()
    team.training_job("flights")  # a namesake: everything of the first must be forgotten
    team.run_succeeds("flights")
    done = cluster.wait(team.job("flights"), "succeeded", holds("Succeeded"))
    assert done["metadata"]["uid"] != job["metadata"]["uid"]


def test_a_stopped_operator_gives_the_lease_back(cluster: Cluster, replicas: Replicas):
    operator = replicas.one()
    assert operator.stop() == 0, operator.tail()
    lease: dict[str, Any] = cluster.get(LEASE_REF) or {}
    assert lease["spec"]["holderIdentity"] == ""


def test_only_the_leader_writes_and_another_takes_over(cluster: Cluster, team: Team, replicas: Replicas):
    leader = replicas.one()
    standby = replicas.another()
    until("the standby has its cache", lambda: standby.metric("gyre_objects", kind="TrainingJob") or standby.metrics())
    team.claim("runs")
    team.dataset()
    team.training_job("flights")
    team.kuberay_starts("flights-a1")
    team.driver_says("flights", 1, step=100)
    cluster.wait(team.job("flights"), "runs", lambda o: (o["status"].get("progress") or {}).get("step") == 100)
    assert sum(leader.writes().values()) > 5
    assert standby.writes() == {}
    leader.kill()
    standby.wait_until_leader(seconds=60)
    team.run_succeeds("flights")
    cluster.wait(team.job("flights"), "succeeded", holds("Succeeded"))
    assert sum(standby.writes().values()) > 0


def test_a_replica_that_loses_the_lease_ends(cluster: Cluster, replicas: Replicas):
    operator: Operator = replicas.one()
    live = cluster.get(LEASE_REF) or {}
    usurped = {**live, "spec": {**live["spec"], "holderIdentity": "usurper", "leaseDurationSeconds": 3600}}
    cluster.request("PUT", f"/apis/coordination.k8s.io/v1/namespaces/gyre-system/leases/{LEASE_REF.name}", usurped)
    until("the operator ends", lambda: not operator.running)
    assert operator.stop() == 1
    forget_leader(cluster)
