"""A budget spent while a job trains: a checkpoint, nothing running, a refusal for the next; and on again with more money."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from fractions import Fraction

import pytest
from tests.e2e import manifests, money
from tests.e2e.cluster import Object, condition
from tests.e2e.diagnosis import OPERATOR_NAMESPACE, OPERATOR_SELECTOR
from tests.e2e.figures import Figures
from tests.e2e.place import Place, attempts, checkpoint_step, step
from tests.e2e.test_recovery import tallied

from gyre.api import gvks

pytestmark = pytest.mark.e2e
STEPS = 1200
"""At 0.1 s each: longer than the budget needs to be spent and the job to be parked."""
SECONDS_LEFT = 20
"""Of training, by the amount of the budget that it is given."""
PLENTY = "1000000"
REFUSAL = ("trainingjobs-budget.gyre.dev", "is exhausted: spent ", f" {money.CURRENCY}", "Raise spec.amount")


@pytest.fixture
def priced(seeded: Place) -> Iterator[Place]:
    """What runs has a price; Provider and CostBudget have no namespace that they go with, and are called like ours."""
    seeded.cluster.apply(money.provider(seeded.name))
    yield seeded
    for kind in ("costbudgets.gyre.dev", "providers.gyre.dev"):
        seeded.cluster.kubectl("delete", kind, seeded.name, "--ignore-not-found", "--wait=false")


def test_a_budget_spent_in_mid_training_parks_denies_and_lets_go_on_from_the_checkpoint(
    priced: Place, figures: Figures
) -> None:
    with money.watching(priced) as seen:
        priced.apply(manifests.script("steady"), job("dear"))
        priced.job_trains("dear", beyond=30)
        now = datetime.now(UTC)
        so_far = money.cost_of(seen(), "dear", now)
        amount = so_far + SECONDS_LEFT * money.rate_now(seen(), "dear")
        priced.cluster.apply(money.budget(priced.name, priced.name, money.shown(amount)))
        given = time.monotonic()

        parked = priced.job_until("dear", "is parked", lambda job: is_parked(priced, job), seconds=240)
        figures.add("budget for 20 s more: to parked, nothing running", time.monotonic() - given, "s", "≤ 30 + 36")
        saved = is_parked_behind_its_checkpoint(priced, parked)
        is_told(priced, parked)

        is_refused(priced, "next")
        with no_operator(priced):
            is_refused(priced, "next")

        raised = time.monotonic()
        priced.patch(gvks.COST_BUDGET, priced.name, {"spec": {"amount": PLENTY}})
        priced.job_trains("dear", beyond=saved)
        figures.add("budget raised: to the first new step", time.monotonic() - raised, "s")
        done = priced.job_succeeds("dear")
        first, second = attempts(done)
        figures.add("budget: steps done twice", first["toStep"] - second["fromStep"], "step", "0")
        assert (first["result"], first["toStep"], second["fromStep"]) == ("Parked", saved, saved)
        assert tallied(done) == manifests.sum_of_steps(STEPS), "steps were lost or counted twice"

        priced.cluster.until("its pods are gone", lambda: not priced.every(gvks.POD), seconds=120)
        cost = priced.cluster.until("the books are closed", lambda: ended(seen()), seconds=30)
        in_the_books(priced, money.shown(cost))
        told = priced.job("dear")["status"]["cost"]["spent"]
        figures.add("cost of the job by its status", float(told), money.CURRENCY)
        figures.add("cost by prices × pod times, reckoned by the test", float(money.shown(cost)), money.CURRENCY)
    priced.apply(job("next", suspend=True))  # nobody refuses it any more


def job(name: str, **spec: object) -> Object:
    """Metered in the currency of our prices, whatever other Providers there are."""
    limit = {"amount": PLENTY, "currency": money.CURRENCY}
    return manifests.training_job(name, steps=STEPS, checkpoint_every="10m", maxCost=limit, **spec)


# ── parked ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def is_parked(place: Place, job: Object) -> bool:
    result = attempts(job)[0].get("result") if attempts(job) else None
    halted = condition(job, "Ready")["reason"] == "BudgetExhausted"
    return result == "Parked" and halted and not place.every(gvks.RAY_JOB)


def is_parked_behind_its_checkpoint(place: Place, job: Object) -> int:
    """The step, which is the last one done. No checkpoint by time was due."""
    saved = checkpoint_step(job)
    assert 30 <= saved < STEPS
    assert step(job) == saved, "the checkpoint is the last step that was done"
    place.cluster.until("its pods are gone", lambda: not place.pods("dear"), seconds=120)
    assert condition(job, "Stalled")["status"] != "True"
    return saved


def is_told(place: Place, job: Object) -> None:
    """On the job and on the budget, in condition and Event: which budget, and what to do."""
    message = condition(job, "Ready")["message"]
    assert f"CostBudget '{place.name}' is exhausted: spent " in message, message
    assert "raise its spec.amount" in message, message
    of_job = [one["message"] for one in events(place, place.name, "dear") if one["reason"] == "BudgetExhausted"]
    assert any(place.name in said and "raise its spec.amount" in said for said in of_job), of_job
    budget = place.cluster.get(gvks.COST_BUDGET, "", place.name)
    assert budget["status"]["action"] == "Park"
    assert condition(budget, "Exhausted")["status"] == "True"
    assert "raise spec.amount" in condition(budget, "Ready")["message"], condition(budget, "Ready")
    warned = [one for one in events(place, "default", place.name) if one["reason"] == "Parking"]
    assert [one["type"] for one in warned] == ["Warning"], "told once"


def events(place: Place, namespace: str, name: str) -> list[Object]:
    found = place.cluster.every(gvks.EVENT, namespace)
    return [one for one in found if one["involvedObject"]["name"] == name]


# ── refused ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def is_refused(place: Place, name: str) -> None:
    """By the API server, when somebody applies it."""
    with pytest.raises(AssertionError) as refused:
        place.apply(job(name))
    said = str(refused.value)
    assert all(words in said for words in (*REFUSAL, f"CostBudget {place.name} ")), said
    assert place.find(gvks.TRAINING_JOB, name) is None


@contextmanager
def no_operator(place: Place) -> Iterator[None]:
    """None of its replicas runs until the block ends."""
    where, deployment = ("--namespace", OPERATOR_NAMESPACE), "deployment/gyre-operator"
    replicas = place.cluster.kubectl(*where, "get", deployment, "--output=jsonpath={.spec.replicas}")
    place.cluster.kubectl(*where, "scale", deployment, "--replicas=0")
    try:
        place.cluster.until(
            "no operator runs",
            lambda: not place.cluster.every(gvks.POD, OPERATOR_NAMESPACE, OPERATOR_SELECTOR),
            seconds=120,
        )
        yield
    finally:
        place.cluster.kubectl(*where, "scale", deployment, f"--replicas={replicas}")
        place.cluster.kubectl(*where, "rollout", "status", deployment, "--timeout=150s")


# ── the books ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def ended(pods: list[Object]) -> Fraction | None:
    """What all of it cost, once the watch has told of every end."""
    try:
        return money.cost_of(pods, "dear")
    except money.Unended:
        return None


def in_the_books(place: Place, expected: str) -> None:
    """Job and budget come to it by themselves: the last ends are entered as soon as they are known."""

    def of_job() -> str:
        return str(place.job("dear")["status"]["cost"].get("spent"))

    def of_budget() -> Object:
        return dict(place.cluster.get(gvks.COST_BUDGET, "", place.name)["status"])

    def row() -> str | None:
        return next((one["cost"] for one in of_budget()["owners"] if one["name"] == "dear"), None)

    place.cluster.until(f"the job's cost is {expected}", lambda: of_job() == expected, seconds=90, seen=of_job)
    place.cluster.until(f"the budget's row of it is {expected}", lambda: row() == expected, seconds=90, seen=of_budget)
    assert not of_budget().get("unseen"), "the end of a run was missed"
