"""A TrainingJob and money: what it costs, when it is parked for want of it, when it goes on."""

from __future__ import annotations

import json
from typing import Any

from tests import make
from tests.unit.trainingjob.bench import Bench, names

from gyre.api import gvks
from gyre.api.kind import Outcome

FORTUNE = "3600"
"""A core-second or GiB-second for one euro."""


def provider(name: str = "onprem", currency: str = "EUR", **spec: Any) -> make.Object:
    prices = [{"resource": resource, "amount": FORTUNE, "capacityType": "OnDemand"} for resource in ("CPU", "Memory")]
    return {
        "apiVersion": "gyre.dev/v1alpha1",
        "kind": "Provider",
        "metadata": make.metadata(name, uid=f"uid-{name}", namespace=""),
        "spec": {"currency": currency, "prices": prices, **spec},
    }


def budget(action: str = "Park", *, generation: int = 1, **scope: Any) -> make.Object:
    return {
        "apiVersion": "gyre.dev/v1alpha1",
        "kind": "CostBudget",
        "metadata": {**make.metadata("team-a", uid="uid-budget", namespace=""), "generation": generation},
        "spec": {"amount": "100", "currency": "EUR", "scope": scope},
        "status": {"observedGeneration": 1, "action": action, "spent": "101.20", "amount": "100.00", "left": "-1.20"},
    }


def running(bench: Bench, *, seconds: float = 0) -> None:
    """Every pod started so many seconds ago, with one core and one GiB in one container."""
    started = make.second(make.datetime.fromtimestamp(bench.now.timestamp() - seconds, tz=make.UTC))
    for pod in bench.all(gvks.POD):
        asked = [{"name": "x", "resources": {"requests": {"cpu": "1", "memory": "1Gi"}}}]
        status = {**pod["status"], "containerStatuses": [{"name": "x", "state": {"running": {"startedAt": started}}}]}
        bench.put({**pod, "spec": {**pod["spec"], "containers": asked}, "status": status})


def test_a_spent_budget_parks_after_a_checkpoint_says_which_and_more_money_thaws():
    bench = Bench().started()
    bench.put(budget())
    decision = bench.settle()
    assert json.loads(bench.run_map()["data"]["command.json"])["park"] == {"id": "park-1"}
    assert names(bench, gvks.RAY_JOB), "not before the checkpoint"
    bench.says("Parked", step=110, checkpoint=make.checkpoint(110, bench.now))
    bench.settle()
    bench.gone()
    decision = bench.settle()
    assert (decision.outcome, decision.reason) == (Outcome.WAITING, "BudgetExhausted")
    assert decision.message.startswith(
        "CostBudget 'team-a' is exhausted: spent 101.20 of 100.00 EUR; raise its spec.amount"
    )
    bench.put(budget("None"))
    bench.settle()
    assert names(bench, gvks.RAY_JOB) == ["RayJob/flights-a2"]


def test_a_job_that_has_not_started_waits_for_money():
    bench = Bench(make.training_job(), make.dataset(), make.claim(), budget())
    assert bench.settle().reason == "BudgetExhausted"
    assert names(bench, gvks.RAY_JOB) == []


def test_neither_a_budget_that_only_denies_nor_one_for_others_nor_one_of_old_parks():
    for harmless in (
        budget("Deny"),
        budget(namespaces=["other"]),
        budget(labels={"gyre.dev/team": "b"}),
        budget(generation=2),
    ):
        bench = Bench(make.training_job(), make.dataset(), make.claim(), harmless)
        assert bench.settle().reason == "Starting", harmless


def test_it_costs_what_its_pods_cost_and_nothing_is_said_without_prices():
    bench = Bench().started()
    running(bench, seconds=10)
    bench.settle()
    assert "cost" not in bench.status
    bench.put(provider())
    bench.settle()
    assert bench.status["cost"] == {"spent": "60.00", "currency": "EUR"}  # three pods, two euros a second each
    before = bench.writes
    bench.settle()
    assert bench.writes == before


def test_a_part_without_a_price_makes_the_cost_unknown_and_never_less():
    bench = Bench().started()
    bench.put(provider(nodeSelector={"pool": "priced"}))
    running(bench, seconds=10)
    bench.settle()
    assert bench.status["cost"] == {"atLeast": "0.00", "currency": "EUR"}


def test_two_currencies_and_no_word_which_is_no_cost_at_all():
    bench = Bench().started()
    bench.put(provider())
    bench.put(provider("aws", "USD"))
    running(bench, seconds=10)
    bench.settle()
    assert "cost" not in bench.status


def test_max_cost_parks_and_a_higher_one_lets_it_go_on():
    limit = {"amount": "100", "currency": "EUR"}
    bench = Bench(make.training_job(maxCost=limit), make.dataset(), make.claim(), make.node(), provider()).started()
    running(bench, seconds=10)
    bench.settle()
    assert bench.decision is not None
    assert bench.reason == "Running"
    assert bench.decision.after is not None
    assert bench.decision.after <= 61
    bench.wait(60)
    bench.says(step=200)
    assert bench.settle().reason == "Parking"
    bench.says("Parked", step=210, checkpoint=make.checkpoint(210, bench.now))
    bench.settle()
    bench.gone()
    decision = bench.settle()
    assert decision.reason == "MaxCost"
    assert decision.message == "cost 420.00 EUR, spec.maxCost allows 100; raise spec.maxCost.amount to go on"
    bench.edit(maxCost={**limit, "amount": "5000"})
    bench.settle()
    assert names(bench, gvks.RAY_JOB) == ["RayJob/flights-a2"]


def test_max_cost_with_fail_ends_the_job():
    limit = {"amount": "10", "currency": "EUR", "action": "Fail"}
    bench = Bench(make.training_job(maxCost=limit), make.dataset(), make.claim(), make.node(), provider()).started()
    running(bench, seconds=10)
    decision = bench.settle()
    assert (decision.outcome, decision.reason) == (Outcome.FAILED, "MaxCost")
    assert bench.status["attempts"][0]["result"] == "Failed"


def test_account_labels_reach_every_pod():
    job = make.training_job()
    job["metadata"]["labels"] = {"gyre.dev/team": "a", "gyre.dev/project": "delays", "unrelated": "x"}
    bench = Bench(job, make.dataset(), make.claim())
    bench.settle()
    (made,) = bench.all(gvks.RAY_JOB)
    cluster = made["spec"]["rayClusterSpec"]
    for template in (cluster["headGroupSpec"]["template"], cluster["workerGroupSpecs"][0]["template"]):
        labels = template["metadata"]["labels"]
        assert (labels["gyre.dev/team"], labels["gyre.dev/project"]) == ("a", "delays")
        assert "unrelated" not in labels


def test_a_provider_that_goes_away_makes_the_cost_unknown_and_one_that_comes_back_bills_all_of_it():
    bench = Bench().started()
    bench.put(provider())
    running(bench, seconds=10)
    bench.settle()
    bench.drop(gvks.PROVIDER, "onprem")
    bench.wait(600)
    bench.says(step=200)
    bench.settle()
    bench.wait(600)
    bench.says(step=300)
    bench.settle()
    bench.put(provider())
    bench.settle()
    assert bench.status["cost"] == {"spent": "7260.00", "currency": "EUR"}


def test_a_limit_in_another_currency_than_the_job_is_metered_in_is_not_compared():
    bench = Bench().started()
    bench.put(provider())
    running(bench, seconds=10)
    bench.settle()
    bench.edit(maxCost={"amount": "1", "currency": "JPY"})
    assert bench.settle().reason == "Running"


TOOK = {"namespace": make.NAMESPACE, "model": "flights", "runs": 5, "p50": "1m", "p90": "2m"}
EACH_SECOND = 2 * (1 + 2) + 0.25 + 2.5
"""Euros: two workers with a core and two GiB, and the head."""


def knowing(*history: make.Object, **scope: Any) -> make.Object:
    """A CostBudget that has seen runs."""
    made = budget("None", **scope)
    return {**made, "status": {**made["status"], "history": list(history)}}


def made(*others: make.Object, **spec: Any) -> make.Object:
    bench = Bench(make.training_job(**spec), make.dataset(), make.claim(), make.node(), *others)
    bench.settle()
    expected: make.Object = bench.status["cost"]["expected"]
    assert bench.status["cost"].get("spent") is None, "nothing has run yet"
    return expected


def test_a_job_is_expected_to_cost_what_runs_of_its_model_took():
    assert made(provider(), knowing(TOOK)) == {
        "basis": "History",
        "why": "5 runs of model flights succeeded",
        "p50": f"{60 * EACH_SECOND:.2f}",
        "p90": f"{120 * EACH_SECOND:.2f}",
        "currency": "EUR",
    }


def test_without_history_its_limits_are_a_bound_the_nearer_one_counts():
    late = make.second(make.at(1 + 90))
    found = made(provider(), knowing({**TOOK, "model": "other"}), timeLimit="1h", finishBy=late)
    assert (found["basis"], found["most"]) == ("Limit", f"{90 * EACH_SECOND:.2f}")
    assert "p50" not in found
    assert "p90" not in found


def test_without_either_nobody_can_say_and_it_says_so():
    found = made(provider(), knowing(TOOK, namespaces=["other"]))
    assert found["basis"] == "Unknown"
    assert found["why"].endswith("neither spec.timeLimit nor spec.finishBy is set")
    assert not {"p50", "p90", "most"} & set(found)


def test_a_device_without_a_price_makes_it_unknown_whatever_is_known_of_the_time():
    found = made(provider(), knowing(TOOK), resources={"gpu": 1}, timeLimit="1h")
    assert (found["basis"], found["why"]) == ("Unknown", "no Provider that may price it has a price of Accelerator")


def test_what_was_expected_stays_whatever_others_do_later():
    bench = Bench(make.training_job(), make.dataset(), make.claim(), make.node(), provider(), knowing(TOOK))
    bench.settle()
    before = bench.status["cost"]["expected"]
    bench.put(knowing({**TOOK, "runs": 6, "p50": "10m", "p90": "1h40m"}))
    bench.started()
    running(bench, seconds=10)
    bench.settle()
    assert bench.status["cost"] == {"spent": "60.00", "currency": "EUR", "expected": before}
