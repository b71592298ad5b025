"""A TrainingJob from creation to its end on a real API server, with KubeRay and the driver played by the test."""

from __future__ import annotations

import threading
from typing import Any

from tests.api.actors import Team, attempts
from tests.api.apiserver import until
from tests.api.cluster import Cluster, Refused, condition, holds
from tests.api.running import Operator

from gyre.api import gvks
from gyre.api.effects import Ref
from gyre.api.kstatus import Verdict, compute
from gyre.kube.paths import single

AT_ONCE = {"rules": [{"class": "NodeLost", "retries": 5, "backoff": "0s"}]}


def verdict(cluster: Cluster, team: Team, name: str = "flights") -> Verdict:
    return compute(cluster.get(team.job(name))).verdict


def reason(text: str) -> Any:
    """For `wait`: Ready has this reason for the newest generation."""

    def ask(obj: dict[str, Any]) -> bool:
        found = condition(obj, "Ready")
        return found.get("reason") == text and found.get("observedGeneration") == obj["metadata"]["generation"]

    return ask


def test_a_run_is_in_progress_at_each_step_and_current_at_the_end(cluster: Cluster, team: Team, operator: Operator):
    fresh = team.training_job("flights", failurePolicy=AT_ONCE)
    assert compute(fresh).verdict is Verdict.IN_PROGRESS
    cluster.wait(team.job("flights"), "waits for its Dataset", reason("DatasetMissing"))
    assert verdict(cluster, team) is Verdict.IN_PROGRESS
    team.claim("runs")
    team.dataset()
    cluster.wait(team.job("flights"), "starts", reason("Starting"))
    assert verdict(cluster, team) is Verdict.IN_PROGRESS
    team.kuberay_starts("flights-a1")
    team.driver_says("flights", 1, step=100)
    cluster.wait(team.job("flights"), "runs", reason("Running"))
    assert verdict(cluster, team) is Verdict.IN_PROGRESS
    team.head_is_lost("flights-a1")
    team.cleared("flights-a1")
    team.run_succeeds("flights", attempt=2)
    cluster.wait(team.job("flights"), "succeeded", holds("Succeeded"))
    assert verdict(cluster, team) is Verdict.CURRENT
    remembered = attempts(cluster, team.namespace, "flights")
    assert [attempt["number"] for attempt in remembered] == [1, 2]
    assert [attempt.get("cls") for attempt in remembered] == ["NodeLost", None]
    for gvk, name in ((gvks.MODEL_VERSION, "flights-ffffffff"), (gvks.MODEL, "flights"), (gvks.DATASET, "flights")):
        obj = cluster.wait(team.ref(gvk, name), "is ready", holds("Ready"))
        assert compute(obj).verdict is Verdict.CURRENT


def test_a_users_error_is_failed_at_once_and_for_good(cluster: Cluster, team: Team, operator: Operator):
    team.claim("runs")
    team.dataset()
    team.training_job("flights")
    team.kuberay_starts("flights-a1")
    failure = {"class": "User", "message": 'File "train.py", line 3\nNameError: colunm', "step": 0}
    team.driver_says("flights", 1, state="Failed", failure=failure)
    job = cluster.wait(team.job("flights"), "failed", holds("Succeeded", "False"))
    job = cluster.wait(team.job("flights"), "is stalled", holds("Stalled"))
    assert compute(job).verdict is Verdict.FAILED
    assert "NameError: colunm" in condition(job, "Ready")["message"]

    def told() -> list[str]:
        """Types of the Events that say so; the status is written first, the Event after it."""
        events = cluster.list(gvks.EVENT, team.namespace)
        return [e["type"] for e in events if e["involvedObject"]["name"] == "flights" and "colunm" in e["message"]]

    assert until("the error is told", told) == ["Warning"]


def test_every_write_is_signed_by_its_kind(cluster: Cluster, team: Team, operator: Operator):
    team.claim("runs")
    team.dataset()
    team.training_job("flights")
    team.run_succeeds("flights")
    job = cluster.wait(team.job("flights"), "succeeded", holds("Succeeded"))
    version = cluster.wait(team.ref(gvks.MODEL_VERSION, "flights-ffffffff"), "is ready", holds("Ready"))
    ledger = cluster.get(team.ref(gvks.CONFIG_MAP, "flights-run")) or {}
    dataset = cluster.get(team.ref(gvks.DATASET, "flights")) or {}
    assert _managers(job, "status") == {"gyre-trainingjob-status"}
    assert _managers(version, "status") == {"gyre-modelversion-status"}
    assert _managers(version, "") == {"gyre-trainingjob", "gyre-modelversion"}
    assert _managers(dataset, "status") == {"gyre-dataset-status"}
    assert "gyre-trainingjob" in _managers(ledger, "")


def _managers(obj: dict[str, Any], subresource: str) -> set[str]:
    fields = obj["metadata"]["managedFields"]
    found = {entry["manager"] for entry in fields if entry.get("subresource", "") == subresource}
    return {manager for manager in found if manager.startswith("gyre")}


def test_operator_and_driver_share_a_config_map_without_losing_a_word(cluster: Cluster, team: Team, operator: Operator):
    team.claim("runs")
    team.dataset()
    team.training_job("flights")
    team.kuberay_starts("flights-a1")
    team.driver_says("flights", 1, step=0)

    def drive() -> None:
        for step in range(1, 60):
            team.driver_says("flights", 1, step=step)

    driver = threading.Thread(target=drive)
    driver.start()
    while driver.is_alive():  # each change makes the operator write its part of the same object
        for suspend in (True, False):
            cluster.patch(team.job("flights"), {"spec": {"suspend": suspend}})
    driver.join()
    cluster.wait(
        team.job("flights"), "shows the last step", lambda o: (o["status"].get("progress") or {}).get("step") == 59
    )
    data = (cluster.get(team.ref(gvks.CONFIG_MAP, "flights-run")) or {})["data"]
    assert set(data) == {"run.json", "command.json", "progress.json", "attempts.json", "pins.json"}
    assert len(attempts(cluster, team.namespace, "flights")) == 1


def test_a_model_in_use_stays_until_its_user_is_done(cluster: Cluster, team: Team, operator: Operator):
    team.claim("runs")
    team.dataset()
    team.training_job("flights")
    team.run_succeeds("flights")
    version = team.ref(gvks.MODEL_VERSION, "flights-ffffffff")
    cluster.wait(version, "is ready", holds("Ready"))
    team.training_job("next", warmStart={"modelVersion": {"name": "flights-ffffffff"}})
    cluster.wait(version, "is in use", lambda obj: obj["status"].get("inUseBy"))
    cluster.wait(team.ref(gvks.MODEL, "flights"), "is in use", lambda obj: obj["status"].get("inUse"))
    for ref in (version, team.ref(gvks.MODEL, "flights")):
        refusal = _refusal(cluster, ref)
        assert "is in use by TrainingJob/next" in refusal
        assert "delete or repoint it first" in refusal
    cluster.delete(team.job("next"))
    cluster.wait(version, "is free", lambda obj: not obj["status"].get("inUseBy"))
    cluster.delete(version)
    cluster.wait_gone(version)


def test_a_champion_stays_while_an_attempt_is_measured_against_it(cluster: Cluster, team: Team, operator: Operator):
    team.claim("runs")
    team.dataset()
    team.training_job("flights")
    team.run_succeeds("flights")
    champion = team.ref(gvks.MODEL_VERSION, "flights-ffffffff")
    cluster.wait(champion, "is ready", holds("Ready"))
    cluster.wait(team.ref(gvks.MODEL, "flights"), "is there", lambda _: True)
    team.training_job("again", model={"name": "flights"})
    cluster.wait(champion, "is in use", lambda obj: obj["status"].get("inUseBy"))
    assert "is in use by TrainingJob/again" in _refusal(cluster, champion)
    told = cluster.get(team.ref(gvks.CONFIG_MAP, "again-run")) or {}
    assert '"champion":{"digest":"sha256:ffff' in told["data"]["run.json"]
    team.run_succeeds("again")
    team.cleared("again-a1")
    cluster.wait(champion, "is free", lambda obj: not obj["status"].get("inUseBy"))


def _refusal(cluster: Cluster, ref: Ref) -> str:
    def ask() -> str:
        try:
            cluster.request("DELETE", single(ref) + "?dryRun=All")
        except Refused as refused:
            return refused.message
        return ""

    return str(until(f"deleting {ref} is refused", ask))
