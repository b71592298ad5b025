"""Budgets on a real API server: what is refused of them, and what they refuse, with the operator stopped."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.api.apiserver import until
from tests.api.budgeting import CPU, MINE, MONEY, PRICED, body, refused, says, stamp
from tests.api.cluster import Cluster, Refused
from tests.api.conftest import Replicas
from tests.api.running import NAMESPACE as SYSTEM

from gyre.api.effects import Ref
from gyre.api.gvks import CONFIG_MAP, COST_BUDGET, NODE, POD, PROVIDER

NEW_YEAR = "2027-01-01T00:00:00Z"

# what is wrong → (kind, spec, field, words of the answer)
REFUSED: dict[str, tuple[Any, dict[str, Any], str, str]] = {
    "two prices at once": (
        PROVIDER,
        {**PRICED, "prices": [CPU, {**CPU, "amount": "2"}]},
        "spec.prices",
        "overlap in time",
    ),
    "the same price twice": (PROVIDER, {**PRICED, "prices": [CPU, CPU]}, "spec.prices", "overlap in time"),
    "prices that overlap by a while": (
        PROVIDER,
        {**PRICED, "prices": [{**CPU, "until": NEW_YEAR}, {**CPU, "from": "2026-12-31T23:59:59Z"}]},
        "spec.prices",
        "end one (until) where the next begins (from)",
    ),
    "a price that ends before it begins": (
        PROVIDER,
        {**PRICED, "prices": [{**CPU, "from": NEW_YEAR, "until": "2026-01-01T00:00:00Z"}]},
        "spec.prices[0].until",
        "must be later than from",
    ),
    "no prices": (PROVIDER, {**PRICED, "prices": []}, "spec.prices", "should have at least 1"),
    "two currencies": (PROVIDER, {**PRICED, "currency": "EUR,USD"}, "spec.currency", "3"),
    "a price in words": (
        PROVIDER,
        {**PRICED, "prices": [{**CPU, "amount": "cheap"}]},
        "spec.prices[0].amount",
        "should match",
    ),
    "a negative price": (
        PROVIDER,
        {**PRICED, "prices": [{**CPU, "amount": "-1"}]},
        "spec.prices[0].amount",
        "should match",
    ),
    "a core with a device's name": (
        PROVIDER,
        {**PRICED, "prices": [{**CPU, "accelerator": "A100"}]},
        "spec.prices[0].accelerator",
        "set resource to Accelerator",
    ),
    "spot storage": (
        PROVIDER,
        {**PRICED, "prices": [{"resource": "Storage", "amount": "1", "capacityType": "Spot"}]},
        "spec.prices[0].capacityType",
        "not had as Spot",
    ),
    "no money": (COST_BUDGET, {**MONEY, "amount": "0"}, "spec.amount", "must be more than zero"),
    "money as a word": (COST_BUDGET, {**MONEY, "amount": "much"}, "spec.amount", "should match"),
    "an unknown time zone": (COST_BUDGET, {**MONEY, "timeZone": "Mars/Olympus"}, "spec.timeZone", ""),
    "a label that reaches no child": (
        COST_BUDGET,
        {**MONEY, "scope": {"labels": {"app": "x"}}},
        "spec.scope.labels",
        "gyre.dev/team",
    ),
    "unallocated time of a namespace": (
        COST_BUDGET,
        {**MONEY, "scope": {"namespaces": ["ml"], "unallocated": "Enabled"}},
        "spec.scope.unallocated",
        "belongs to no namespace or team",
    ),
    "a threshold twice": (
        COST_BUDGET,
        {**MONEY, "thresholds": [{"percent": 80, "action": "Warn"}, {"percent": 80, "action": "Deny"}]},
        "spec.thresholds[1]",
        "Duplicate value",
    ),
    "an unknown action": (
        COST_BUDGET,
        {**MONEY, "thresholds": [{"percent": 80, "action": "Cry"}]},
        "spec.thresholds[0].action",
        "Unsupported value",
    ),
    "a look each second": (COST_BUDGET, {**MONEY, "interval": "1s"}, "spec.interval", "must be from 30s to 1h"),
}


@pytest.mark.parametrize("wrong", REFUSED)
def test_it_is_refused_with_the_field_and_what_to_do(cluster: Cluster, wrong: str):
    gvk, spec, field, words = REFUSED[wrong]
    with pytest.raises(Refused) as refused:
        cluster.create(gvk, body(gvk, "wrong", spec))
    assert refused.value.code in (400, 422)
    assert any(at == field and words in message for at, message in refused.value.causes), refused.value.causes


@pytest.mark.parametrize(
    ("field", "value"), [("currency", "USD"), ("timeZone", "UTC"), ("scope", {"namespaces": ["x"]})]
)
def test_what_the_books_are_kept_by_cannot_change(cluster: Cluster, budget: Ref, field: str, value: Any):
    with pytest.raises(Refused) as refused:
        cluster.patch(budget, {"spec": {field: value}})
    assert "cannot be changed after creation" in refused.value.message


def test_a_spent_budget_refuses_new_jobs_with_the_operator_stopped_and_says_what_to_do(
    cluster: Cluster, namespace: str, budget: Ref
):
    ends = datetime.now(UTC) + timedelta(days=3)
    says(cluster, budget, action="Deny", spent="101.20", amount="100.00", period={"to": stamp(ends)})
    said = until("the policy refuses", lambda: refused(cluster, namespace, MINE), seconds=120)
    assert f"CostBudget {budget.name} is exhausted: spent 101.20 of 100.00 EUR" in said
    assert "Raise spec.amount, or set spec.approval and the annotation gyre.dev/approved-by on it" in said
    assert f"or wait for the next period ({stamp(ends)})" in said
    assert refused(cluster, namespace, {}) == ""
    assert refused(cluster, namespace, {"gyre.dev/team": "b"}) == ""
    assert refused(cluster, "default", MINE) == ""


@pytest.mark.parametrize("action", ["Park", "Approve"])
def test_so_do_a_budget_that_parks_and_one_that_asks_for_approval(
    cluster: Cluster, namespace: str, budget: Ref, action: str
):
    says(cluster, budget, action=action, atLeast="7.00")
    said = until("the policy refuses", lambda: refused(cluster, namespace, MINE), seconds=120)
    assert "spent at least 7.00 of 100 EUR" in said
    assert ("needs an approval" in said) == (action == "Approve")


def test_a_budget_whose_period_has_ended_since_refuses_nobody(cluster: Cluster, namespace: str, budget: Ref):
    over = stamp(datetime.now(UTC) - timedelta(minutes=1))
    says(cluster, budget, action="Deny", spent="101.20", period={"to": stamp(datetime.now(UTC) + timedelta(days=1))})
    until("the policy refuses", lambda: refused(cluster, namespace, MINE), seconds=120)
    says(cluster, budget, period={"to": over})
    until("the policy refuses nobody", lambda: refused(cluster, namespace, MINE) == "")


def test_what_is_left_is_said_before_a_job_is_made(cluster: Cluster, namespace: str, budget: Ref):
    forecast = {"p50": "80.00", "p90": "120.00"}
    says(cluster, budget, action="None", left="62.50", amount="100.00", forecast=forecast)

    def warned() -> str:
        assert refused(cluster, namespace, MINE) == ""
        return cluster.warned

    said = until("the policy warns", warned)
    assert (
        f"CostBudget {budget.name}: 62.50 of 100.00 EUR is left; forecast of the period P50 80.00, P90 120.00" in said
    )


def test_from_a_pod_to_a_refusal_with_the_operator_stopped(cluster: Cluster, namespace: str, replicas: Replicas):
    """The whole way: a price, a pod that ran two hours, the books, the status; then no operator, and still a refusal."""
    replicas.one()
    node, name = f"node-{namespace}", f"flights-{namespace}"
    cluster.create(
        NODE, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": node, "labels": {"pool": namespace}}}
    )
    cluster.create(PROVIDER, body(PROVIDER, name, {**PRICED, "nodeSelector": {"pool": namespace}}))
    budget = Ref(COST_BUDGET, "", name)
    cluster.create(
        COST_BUDGET,
        body(
            COST_BUDGET,
            name,
            {"amount": "3", "currency": "EUR", "period": "Once", "scope": {"namespaces": [namespace]}},
        ),
    )
    labels = {"app.kubernetes.io/managed-by": "gyre", "gyre.dev/trainingjob": "flights"}
    container = {"name": "x", "image": "x", "resources": {"requests": {"cpu": "1"}}}
    cluster.request("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "default"}})
    cluster.create(
        POD,
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "p", "namespace": namespace, "labels": labels},
            "spec": {"nodeName": node, "containers": [container], "automountServiceAccountToken": False},
        },
    )
    now = datetime.now(UTC).replace(microsecond=0)
    times = {"startedAt": stamp(now - timedelta(hours=2)), "finishedAt": stamp(now)}
    ended = {"name": "x", "image": "x", "imageID": "", "ready": False, "restartCount": 0}
    ended["state"] = {"terminated": {**times, "exitCode": 0}}
    cluster.patch(
        Ref(POD, namespace, "p"), {"status": {"phase": "Succeeded", "containerStatuses": [ended]}}, subresource="status"
    )
    try:
        seen = cluster.wait(budget, "has counted", lambda obj: obj["status"].get("spent") == "3.00")
        assert seen["status"]["action"] == "Deny"
        assert cluster.get(Ref(CONFIG_MAP, SYSTEM, f"{name}-ledger")) is not None
        replicas.none()
        said = until("the policy refuses", lambda: refused(cluster, namespace, {}))
        assert f"CostBudget {name} is exhausted: spent 3.00 of 3.00 EUR" in said
    finally:
        for ref in (budget, Ref(PROVIDER, "", name), Ref(NODE, "", node)):
            cluster.delete(ref)
        cluster.delete(Ref(POD, namespace, "p"), gracePeriodSeconds=0)
