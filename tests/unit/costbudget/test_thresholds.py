"""What a CostBudget does when money runs out, and when there is more."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.costbudget.worlds import BUDGET, TEN, Town, pod, truth

from gyre.adapters.budgets import BudgetView
from gyre.adapters.charges import owner_of
from gyre.api.kind import Outcome
from gyre.cost.estimate import Took
from gyre.kinds.costbudget.policy import policies
from gyre.kinds.dataset import desired as dataset
from gyre.kinds.dataset import plan
from gyre.kinds.dataset.ledger import Ledger
from gyre.kinds.dataset.model import Dataset
from gyre.kinds.inferenceservice import collecting, predictor
from gyre.kinds.inferenceservice.ledger import Version
from gyre.kinds.inferenceservice.model import InferenceService

MODEL = {"modelRef": {"name": "flights"}}
SIX = pod("a", TEN, "2026-11-02 13:00")
"""Six euros."""
NOON = "2026-11-02 14:00"


def thresholds(*pairs: tuple[int, str]) -> dict[str, Any]:
    return {"thresholds": [{"percent": percent, "action": action} for percent, action in pairs]}


def view(town: Town) -> BudgetView:
    return BudgetView.of(town.objects[BUDGET])


@pytest.mark.parametrize(
    ("amount", "action", "reason"),
    [("10", "None", "Within"), ("7", "Warn", "Warned"), ("6", "Deny", "Denying"), ("5.99", "Deny", "Denying")],
)
def test_by_default_it_warns_at_80_and_denies_at_100_percent(amount: str, action: str, reason: str):
    decision, status = Town(SIX, amount=amount).at(NOON)
    assert (status["action"], decision.reason) == (action, reason)
    assert truth(status)["Exhausted"] == str(action == "Deny")


def test_the_strongest_action_that_is_passed_counts():
    town = Town(SIX, amount="6", **thresholds((50, "Park"), (90, "Deny"), (100, "Warn")))
    decision, status = town.at(NOON)
    assert status["action"] == "Park"
    assert decision.outcome is Outcome.SETTLED
    assert decision.message.startswith("6.00 of 6 EUR spent; 50 % passed: new TrainingJobs are refused, running ones")
    assert (view(town).parks, view(town).denies, view(town).exhausted) == (True, True, True)


def test_a_threshold_is_told_once_as_an_event():
    town = Town(SIX, amount="6")
    town.at(NOON)
    town.at("2026-11-02 15:00")
    assert [note.message for note in town.notes] == ["100 % of 6 EUR passed: new TrainingJobs are refused"]


def test_raising_the_amount_ends_it():
    town = Town(SIX, amount="6", **thresholds((100, "Park")))
    town.at(NOON)
    town.change(amount="20")
    assert not view(town).parks, "a status about an older spec parks nobody"
    town.at("2026-11-02 14:01")
    assert (view(town).parks, str(view(town).left)) == (False, "14.00")


def test_the_next_period_ends_it():
    town = Town(SIX, amount="6", **thresholds((100, "Park")))
    decision, _ = town.at("2026-11-30 23:59")
    assert decision.after == 60.0
    _, status = town.at("2026-12-01 00:00")
    assert (status["action"], status["spent"]) == ("None", "0.00")


def test_an_approval_needs_a_name_gives_more_and_lapses():
    town = Town(SIX, amount="6", **thresholds((50, "RequireApproval"), (100, "Deny")))
    assert town.at(NOON)[1]["action"] == "Deny"
    more = {"amount": "4", "until": "2026-11-03T00:00:00Z"}
    town.change(approval=more)
    assert town.at(NOON)[1]["action"] == "Deny", "nobody answers for it"
    town.change({"gyre.dev/approved-by": "cfo"}, approval=more)
    decision, status = town.at(NOON)
    assert (status["action"], status["amount"], status["left"]) == ("None", "10.00", "4.00")
    assert decision.after == 10 * 3600
    assert town.at("2026-11-03 00:00")[1]["action"] == "Deny"


def test_approval_alone_answers_the_threshold_that_asks_for_it():
    town = Town(SIX, amount="10", **thresholds((50, "RequireApproval")))
    decision, status = town.at(NOON)
    assert (status["action"], decision.reason) == ("Approve", "ApprovalNeeded")
    assert "set spec.approval and the annotation gyre.dev/approved-by" in decision.message


def test_what_is_certainly_spent_counts_although_more_is_unknown():
    town = Town(SIX, pod("b", TEN, "2026-11-02 13:00", on="unpriced"), amount="6")
    town.objects[BUDGET]["spec"]["thresholds"] = [{"percent": 100, "action": "Deny"}]
    decision, status = town.at(NOON)
    assert (status["atLeast"], status["action"], decision.reason) == ("6.00", "Deny", "Denying")
    assert decision.message.startswith("at least 6.00 of 6 EUR spent")


def test_a_budget_of_which_nothing_is_known_neither_parks_nor_denies():
    empty = BudgetView.of({"metadata": {"name": "b", "generation": 1}, "spec": {}})
    assert (empty.parks, empty.denies, empty.exhausted, empty.left) == (False, False, False, None)


def test_how_long_runs_took_is_read_back_and_what_is_no_duration_is_no_history():
    told = [
        {"namespace": "ml", "model": "flights", "runs": 3, "p50": "20m", "p90": "1d12h"},
        {"namespace": "ml", "model": "taxis", "runs": 3, "p50": "soon", "p90": "2h"},
        {"namespace": "ml", "model": "trains", "p50": "1h", "p90": "2h"},
    ]
    found = BudgetView.of({"metadata": {"name": "b"}, "spec": {}, "status": {"history": told}})
    assert found.took == {"ml/flights": Took(3, 1200, 129_600)}


def test_the_policies_read_every_budget_and_refuse_nobody_where_there_is_none():
    deny, bound, warn, told = (dict(policy) for policy in policies())
    assert deny["spec"]["paramKind"] == {"apiVersion": "gyre.dev/v1alpha1", "kind": "CostBudget"}
    assert deny["spec"]["failurePolicy"] == "Ignore"
    assert bound["spec"]["paramRef"] == {"selector": {}, "parameterNotFoundAction": "Allow"}
    assert (bound["spec"]["validationActions"], told["spec"]["validationActions"]) == (["Deny"], ["Warn"])
    assert warn["spec"]["failurePolicy"] == "Ignore"


def test_account_labels_reach_the_children_of_every_kind():
    """Pods of KServe and collectors, Jobs of Datasets and DriftMonitors, jobs of a Model; Ray's: trainingjob/test_money.py."""
    labels = {"gyre.dev/project": "delays", "gyre.dev/team": "a", "gyre.dev/cost-center": "4711"}
    given = {**labels, "gyre.dev/inferenceservice": "somebody-else", "unrelated": "x"}
    metadata = {"name": "flights", "namespace": "ml", "uid": "u", "labels": given}
    gis = InferenceService.parse({"metadata": metadata, "spec": MODEL})
    version = Version("flights-1", "sha256:" + "a" * 64, "pvc://runs/a")
    stamped = predictor.labels_of(gis, version)
    assert labels.items() <= stamped.items()
    assert stamped["gyre.dev/inferenceservice"] == "flights", "labels of ours are not taken over from others"
    assert "unrelated" not in stamped
    ds = Dataset.parse({"metadata": metadata, "spec": {"source": {"pvc": {"claimName": "data", "path": "x"}}}})
    made = dataset.job(ds, plan.step(ds, Ledger()))
    assert labels.items() <= made["metadata"]["labels"].items()
    assert labels.items() <= made["spec"]["template"]["metadata"]["labels"].items()
    logged = {**MODEL, "log": {"uri": "pvc://log/predictions"}}
    _, collector = collecting.collector(InferenceService.parse({"metadata": metadata, "spec": logged}))
    stamped = collector["spec"]["template"]["metadata"]["labels"]
    assert labels.items() <= stamped.items()
    assert not labels.items() & collector["spec"]["selector"]["matchLabels"].items(), (
        "labels may change, a selector may not"
    )
    assert owner_of({"metadata": {"namespace": "ml", "labels": stamped}}).kind == "InferenceService"
