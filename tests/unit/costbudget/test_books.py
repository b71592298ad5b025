"""What the books of a CostBudget say, and when they are written."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.costbudget.worlds import LEDGER, TEN, Town, node, pod, provider, truth

from gyre.api import gvks
from gyre.api.kind import Outcome
from gyre.cost.text import from_text


def test_what_ran_is_spent_to_the_cent():
    _, status = Town(pod("a", TEN, "2026-11-02 11:30")).at("2026-11-02 12:00")
    assert (status["spent"], status["left"], status["currency"], status["action"]) == ("3.00", "97.00", "EUR", "None")
    assert status["owners"] == [{"namespace": "ml", "kind": "TrainingJob", "name": "flights", "cost": "3.00"}]


def test_a_running_pod_is_billed_each_interval_and_not_in_between():
    town = Town(pod("a"))
    town.at("2026-11-02 10:30")
    first = town.version
    decision, status = town.at("2026-11-02 10:33")
    assert (town.version, status["spent"], decision.after) == (first, "1.00", 120.0)
    assert town.at("2026-11-02 10:35")[1]["spent"] == "1.17"


def test_an_end_is_entered_at_once_whatever_the_interval():
    town = Town(pod("a"))
    town.at("2026-11-02 10:30")
    town.put(gvks.POD, pod("a", TEN, "2026-11-02 10:31"))
    assert town.at("2026-11-02 10:31")[1]["spent"] == "1.03"


def test_a_settled_budget_writes_nothing():
    town = Town(pod("a", TEN, "2026-11-02 11:30"))
    _, status = town.at("2026-11-02 12:00")
    before = town.version
    for when in ("2026-11-02 12:05", "2026-11-04 00:00", "2026-11-29 00:00"):
        assert town.at(when)[1] == status
    assert town.version == before


def test_only_what_is_in_scope_is_paid_for():
    pods = (
        pod("a", TEN, "2026-11-02 11:00", **{"gyre.dev/team": "a"}),
        pod("b", TEN, "2026-11-02 11:00", job="taxis", **{"gyre.dev/team": "b"}),
        pod("c", TEN, "2026-11-02 11:00", namespace="other", **{"gyre.dev/team": "a"}),
    )
    town = Town(*pods, scope={"namespaces": ["ml"], "labels": {"gyre.dev/team": "a"}})
    _, status = town.at("2026-11-02 12:00")
    assert status["spent"] == "2.00"
    assert [row["team"] for row in status["owners"]] == ["a"]


def test_without_a_price_the_cost_is_unknown_and_the_message_says_what_to_do():
    town = Town(pod("a", TEN, "2026-11-02 11:00"), providers=())
    decision, status = town.at("2026-11-02 12:00")
    assert (decision.outcome, decision.reason) == (Outcome.STALLED, "PricesMissing")
    assert "TrainingJob ml/flights on node n1" in decision.message
    assert "create a Provider in EUR that chooses that node" in decision.message
    assert "spent" not in status
    assert (status["atLeast"], truth(status)["Priced"], truth(status)["Exhausted"]) == ("0.00", "Unknown", "Unknown")


def test_a_provider_that_comes_later_prices_what_ran_before_it():
    town = Town(pod("a", TEN, "2026-11-02 11:00"), providers=())
    town.at("2026-11-02 12:00")
    town.gone("a")
    town.put(gvks.PROVIDER, provider())
    decision, status = town.at("2026-11-02 13:00")
    assert (decision.reason, status["spent"]) == ("Within", "2.00")


def test_prices_in_another_currency_are_said_to_be_so():
    decision, status = Town(pod("a"), providers=(provider("aws", "USD"),)).at("2026-11-02 12:00")
    assert decision.reason == "CurrencyMixed"
    assert "aws (USD); add a Provider in it" in decision.message
    assert "spent" not in status


def test_a_node_that_two_providers_claim_has_no_price():
    decision, _ = Town(pod("a"), providers=(provider(), provider("other"))).at("2026-11-02 12:00")
    assert decision.reason == "PricesMissing"


def test_a_pod_that_vanished_is_closed_at_the_last_look_and_flagged():
    town = Town(pod("a"))
    town.at("2026-11-02 10:30")
    town.gone("a")
    _, status = town.at("2026-11-02 11:00")
    assert (status["spent"], status["unseen"]) == ("1.00", 1)
    assert town.at("2026-11-03 11:00")[1]["spent"] == "1.00"


def test_a_new_month_begins_with_nothing_spent_at_midnight_of_the_time_zone():
    town = Town(pod("a", "2026-10-31 22:00", "2026-11-01 01:00"), timeZone="Europe/Berlin")
    _, status = town.at("2026-10-31 22:59")
    assert (status["period"], status["spent"]) == (
        {"from": "2026-09-30T22:00:00Z", "to": "2026-10-31T23:00:00Z"},
        "1.97",
    )
    _, status = town.at("2026-11-01 02:00")
    assert (status["spent"], status["period"]["from"]) == ("4.00", "2026-10-31T23:00:00Z")


def test_once_has_no_end_and_counts_all_that_was():
    town = Town(pod("a", "2026-10-31 22:00", "2026-11-01 01:00"), period="Once")
    _, status = town.at("2026-12-05 02:00")
    assert status["spent"] == "6.00"
    assert status["period"] == {}


def test_node_time_that_nobody_asked_for_is_a_row_and_rows_sum_to_what_nodes_cost():
    town = Town(pod("a", TEN, "2026-11-02 11:00"), scope={"unallocated": "Enabled"})
    _, status = town.at("2026-11-02 12:00")
    assert status["spent"] == "48.00"  # 8 cores and 32 GiB for two hours
    assert {row["name"]: row["cost"] for row in status["owners"]} == {"unallocated": "46.00", "flights": "2.00"}


def test_committed_is_what_running_jobs_will_still_cost_by_their_own_estimate():
    town = Town(pod("a"))
    job = {"metadata": {"name": "flights", "namespace": "ml"}, "spec": {}}
    town.put(gvks.TRAINING_JOB, {**job, "status": {"progress": {"estimatedFinish": "2026-11-02T13:00:00Z"}}})
    assert town.at("2026-11-02 10:30")[1]["committed"] == "5.00"
    town.put(gvks.TRAINING_JOB, job)
    assert "committed" not in town.at("2026-11-02 10:30")[1]


def test_a_forecast_needs_seven_whole_days_and_then_repeats_itself():
    town = Town(pod("a", "2026-11-02 00:00"))
    assert "forecast" not in town.at("2026-11-08 12:00")[1]
    _, status = town.at("2026-11-10 00:00")
    assert truth(status)["Forecast"] == "True"
    assert status["forecast"] == {"p50": "1392.00", "p90": "1392.00"}  # 48 EUR a day, and November has 21 left
    assert status["spent"] == "384.00"


def test_a_day_that_stands_out_is_told_with_its_suspect():
    usual = [pod(f"u{day}", f"2026-11-{day:02} 08:00", f"2026-11-{day:02} 10:00") for day in range(2, 20)]
    odd = pod("odd", "2026-11-20 08:00", "2026-11-20 20:00", job="sweep")
    _, status = Town(*usual, odd).at("2026-11-21 09:00")
    (found,) = status["anomalies"]
    assert (found["suspect"], found["since"], found["extra"]) == ("TrainingJob ml/sweep", "2026-11-20", "20.00")
    assert "is new" in found["change"]
    assert truth(status)["Anomalous"] == "True"
    _, quiet = Town(*usual).at("2026-11-20 09:00")
    assert "anomalies" not in quiet or quiet["anomalies"] == []


def test_a_ledger_that_cannot_be_read_is_never_begun_again():
    town = Town(pod("a"))
    town.at("2026-11-02 10:30")
    town.put(gvks.CONFIG_MAP, {**town.objects[LEDGER], "data": {"ledger.json": "{}"}})
    decision, _ = town.at("2026-11-02 10:40")
    assert (decision.outcome, decision.reason) == (Outcome.STALLED, "LedgerUnreadable")
    assert town.objects[LEDGER]["data"] == {"ledger.json": "{}"}


def test_an_unknown_time_zone_is_said():
    assert Town(timeZone="Mars/Olympus").at("2026-11-02 10:30")[0].reason == "UnknownTimeZone"


@given(
    st.lists(st.tuples(st.integers(0, 600), st.integers(0, 300)), max_size=8),
    st.lists(st.integers(0, 1200), max_size=6),
)
def test_rows_sum_to_what_is_spent_and_the_ledger_agrees_however_often_it_is_looked_at(
    runs: list[tuple[int, int]], looks: list[int]
):
    def clock(minutes: int) -> str:
        return f"2026-11-{2 + minutes // 1440:02} {minutes // 60 % 24:02}:{minutes % 60:02}"

    pods = [
        pod(f"p{n}", clock(start), clock(start + length), job=f"j{n % 3}") for n, (start, length) in enumerate(runs)
    ]
    town = Town(*pods)
    for minutes in sorted(looks):
        town.at(clock(1200 + minutes))
    _, status = town.at("2026-11-04 00:00")
    minutes = sum(length for _, length in runs)
    assert Decimal(status["spent"]) == (Decimal(2 * minutes) / 60).quantize(Decimal("0.01"))
    assert sum((Decimal(row["cost"]) for row in status.get("owners", ())), Decimal(0)) == Decimal(status["spent"])
    meter = from_text(town.objects[LEDGER]["data"]["ledger.json"])
    assert not meter.spans
    assert node()["metadata"]["name"] == "n1"
