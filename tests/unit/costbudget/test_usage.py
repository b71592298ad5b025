"""Usage beside allocation in the books of a budget, disks, and how long runs took."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.costbudget.worlds import LEDGER, TEN, Town, claim, pod, provider, stamp, trained, truth, with_disks

from gyre.api import gvks
from gyre.cost.text import from_text


def terminated(name: str, end: str) -> dict[str, Any]:
    ended = pod(name, TEN, end)
    return {**ended, "metadata": {**ended["metadata"], "deletionTimestamp": stamp(end)}}


# ── usage ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_used_is_told_beside_what_is_kept_free():
    town = Town(pod("a"))
    town.at("2026-11-02 10:00")
    town.told("a", "2026-11-02 10:10", cpu="300m", memory="1Gi")
    _, status = town.at("2026-11-02 10:10")
    assert (status["spent"], status["usage"]) == (
        "0.33",
        {"cost": "0.13", "covered": "0.33", "efficiency": 40, "sampled": 100},
    )
    (row,) = status["owners"]
    assert (row["cost"], row["usage"], row["sampled"]) == ("0.33", "0.13", 100)
    assert truth(status)["Metered"] == "True"


def test_where_nobody_tells_usage_is_unknown_and_not_zero():
    _, status = Town(pod("a")).at("2026-11-02 10:10")
    assert "usage" not in status
    assert "usage" not in status["owners"][0]
    (said,) = [c for c in status["conditions"] if c["type"] == "Metered"]
    assert said["status"] == "Unknown"
    assert "metrics.k8s.io" in said["message"]


def test_what_nobody_looked_at_is_not_covered():
    town = Town(pod("a"), pod("b", job="taxis"))
    town.at("2026-11-02 10:00")
    town.told("a", "2026-11-02 10:10", cpu="1", memory="2Gi")
    _, status = town.at("2026-11-02 10:10")
    assert (status["usage"]["efficiency"], status["usage"]["sampled"]) == (100, 50)
    assert {row["name"]: row.get("usage") for row in status["owners"]} == {"flights": "0.33", "taxis": None}


def test_what_was_told_before_the_container_began_is_about_another():
    town = Town(pod("a", "2026-11-02 10:05"))
    town.told("a", "2026-11-02 10:04", cpu="8", memory="8Gi")
    assert "usage" not in town.at("2026-11-02 10:10")[1]


def test_a_look_alone_writes_nothing_before_it_is_time():
    town = Town(pod("a"))
    town.at("2026-11-02 10:30")
    before = town.version
    town.told("a", "2026-11-02 10:31", cpu="1", memory="1Gi")
    written = town.version
    assert "usage" not in town.at("2026-11-02 10:31")[1]
    assert (written - before, town.version) == (1, written)
    assert town.at("2026-11-02 10:35")[1]["usage"]["sampled"] == 43, "a quarter of an hour of 35 minutes"


def test_nobody_is_asked_while_nothing_runs():
    town = Town(pod("a", TEN, "2026-11-02 11:00"))
    town.at("2026-11-02 12:00")
    assert town.asked == []


# ── what has gone between two looks ──────────────────────────────────────────────────────────────────────────────────


def test_a_pod_that_ended_and_went_between_two_looks_is_billed_to_its_own_end():
    town = Town(pod("a"))
    town.at("2026-11-02 10:30")
    town.gone("a")
    town.recalled.append((gvks.POD, terminated("a", "2026-11-02 10:31")))
    _, status = town.at("2026-11-02 10:31")
    assert (status["spent"], status.get("unseen")) == ("1.03", None)
    assert town.at("2026-11-02 12:00")[1]["spent"] == "1.03"


def test_a_pod_that_came_and_went_between_two_looks_is_billed():
    town = Town()
    town.at("2026-11-02 10:30")
    ghost = pod("ghost", "2026-11-02 10:31", "2026-11-02 10:32")
    town.recalled.append((gvks.POD, ghost))
    assert town.at("2026-11-02 10:35")[1]["spent"] == "0.03"


def test_one_that_went_before_there_were_books_is_not():
    town = Town()
    town.recalled.append((gvks.POD, pod("ghost", "2026-11-02 10:00", "2026-11-02 10:30")))
    assert town.at("2026-11-02 10:35")[1]["spent"] == "0.00"


# ── disks ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_claim_costs_from_its_creation_until_it_is_told_to_go():
    town = Town(providers=(with_disks(),))
    town.put(gvks.PERSISTENT_VOLUME_CLAIM, claim())
    _, status = town.at("2026-11-02 12:00")
    assert status["spent"] == "0.20"
    row = {"namespace": "ml", "kind": "PersistentVolumeClaim", "name": "data", "team": "a", "cost": "0.20"}
    assert status["owners"] == [row]
    assert "usage" not in status, "nobody samples disks"
    town.put(gvks.PERSISTENT_VOLUME_CLAIM, claim(deletionTimestamp=stamp("2026-11-02 13:00")))
    assert town.at("2026-11-02 14:00")[1]["spent"] == "0.30"
    del town.objects[next(ref for ref in town.objects if ref.gvk == gvks.PERSISTENT_VOLUME_CLAIM)]
    assert town.at("2026-11-02 15:00")[1]["spent"] == "0.30"


def test_a_claim_that_grows_costs_more_from_then_on():
    town = Town(providers=(with_disks(),))
    town.put(gvks.PERSISTENT_VOLUME_CLAIM, claim())
    town.at("2026-11-02 12:00")
    town.put(gvks.PERSISTENT_VOLUME_CLAIM, claim(gib=1460))
    town.at("2026-11-02 12:00")
    assert town.at("2026-11-02 13:00")[1]["spent"] == "0.40"


@pytest.mark.parametrize(
    "harmless",
    [claim(labels={}), {**claim(), "status": {"phase": "Pending"}}, {**claim(), "spec": {}}],
    ids=["on nobody's account", "not bound", "without a size"],
)
def test_a_claim_that_is_nobodys_or_no_disk_yet_costs_nothing(harmless: dict[str, Any]):
    town = Town(providers=(with_disks(),))
    town.put(gvks.PERSISTENT_VOLUME_CLAIM, harmless)
    _, status = town.at("2026-11-02 12:00")
    assert (status["spent"], truth(status)["Priced"]) == ("0.00", "True")


def test_where_no_provider_prices_storage_nobody_pays_by_the_claim():
    town = Town()
    town.put(gvks.PERSISTENT_VOLUME_CLAIM, claim())
    _, status = town.at("2026-11-02 12:00")
    assert (status["spent"], truth(status)["Priced"]) == ("0.00", "True")


def test_where_several_do_nobody_knows_whose_it_is_unless_its_node_says_so():
    providers = (with_disks(nodeSelector={"pool": "a"}), with_disks("other", nodeSelector={"pool": "b"}))
    town = Town(providers=providers)
    town.put(gvks.PERSISTENT_VOLUME_CLAIM, claim())
    decision, status = town.at("2026-11-02 12:00")
    assert decision.reason == "PricesMissing"
    assert "PersistentVolumeClaim ml/data: several Providers price storage" in decision.message
    assert "spent" not in status
    node = next(obj for ref, obj in town.objects.items() if ref.gvk == gvks.NODE)
    node["metadata"]["labels"]["pool"] = "b"
    town.put(gvks.PERSISTENT_VOLUME_CLAIM, claim(annotations={"volume.kubernetes.io/selected-node": "n1"}))
    assert town.at("2026-11-02 12:00")[1]["spent"] == "0.20"


# ── how long runs took ───────────────────────────────────────────────────────────────────────────────────────────────


def ran(town: Town, *seconds: int, **more: Any) -> None:
    for number, held in enumerate(seconds):
        town.put(gvks.TRAINING_JOB, trained(f"flights-{number}", held, f"2026-11-02 09:0{number}", **more))


def test_how_long_runs_of_a_model_took_is_told_from_three_on_and_outlives_the_jobs():
    town = Town()
    ran(town, 600, 1200)
    assert not town.at("2026-11-02 10:00")[1].get("history")
    ran(town, 600, 1200, 1800, queued=40_000, parked=50_000)
    _, status = town.at("2026-11-02 10:01")
    told = [{"namespace": "ml", "model": "flights", "runs": 3, "p50": "20m", "p90": "30m"}]
    assert status["history"] == told
    for ref in [ref for ref in town.objects if ref.gvk == gvks.TRAINING_JOB]:
        del town.objects[ref]
    assert town.at("2026-11-02 10:02")[1]["history"] == told


def test_only_runs_that_succeeded_and_are_in_scope_count():
    town = Town(scope={"namespaces": ["other"]})
    ran(town, 600, 1200, 1800)
    assert not town.at("2026-11-02 10:00")[1].get("history")
    failed = Town()
    for number in range(3):
        job = trained(f"j{number}", 600)
        job["status"]["conditions"] = [{"type": "Succeeded", "status": "False"}]
        failed.put(gvks.TRAINING_JOB, job)
    assert not failed.at("2026-11-02 10:00")[1].get("history")


def test_the_dearest_prices_are_told_for_those_who_reckon_before_a_job_is_made():
    town = Town(providers=(provider(), provider("dear", nodeSelector={"pool": "dear"})))
    town.objects[next(ref for ref in town.objects if ref.name == "dear")]["spec"]["prices"] = [
        {"resource": "CPU", "amount": "7.5"},
        {"resource": "Accelerator", "amount": "2.000000000001"},
    ]
    _, status = town.at("2026-11-02 10:00")
    assert status["rates"] == {"cpu": "7.5", "memory": "0.50", "accelerator": "2.000000000001"}
    assert "rates" not in Town(providers=()).at("2026-11-02 10:00")[1]


def test_a_ledger_of_an_older_operator_is_read_and_a_broken_history_is_not_taken_for_none():
    town = Town(pod("a"))
    town.at("2026-11-02 10:30")
    held = town.objects[LEDGER]
    del held["data"]["runs.json"]
    assert town.at("2026-11-02 10:35")[0].reason == "Within"
    town.put(gvks.CONFIG_MAP, {**town.objects[LEDGER], "data": {**held["data"], "runs.json": "[1]"}})
    decision, _ = town.at("2026-11-02 10:36")
    assert decision.reason == "LedgerUnreadable"
    assert from_text(town.objects[LEDGER]["data"]["ledger.json"]).spans
