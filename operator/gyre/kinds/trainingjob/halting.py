"""Why a job is to be parked, or stay so: suspended by hand, a CostBudget that covers it is spent, or it has cost enough. Pure.

A budget parks only while its own status says so about its newest spec: a budget of which nothing is known stops nobody.
"""

from __future__ import annotations

from dataclasses import dataclass

from gyre.kinds.trainingjob.costs import spent
from gyre.kinds.trainingjob.model import TrainingJob
from gyre.kinds.trainingjob.observe import Observed
from gyre.kinds.trainingjob.parts import OnMaxCost
from gyre.kinds.trainingjob.reasons import Reason


@dataclass(frozen=True, slots=True)
class Halt:
    """Why nothing shall run, and what to do so that it runs again."""

    parking: Reason
    parked: Reason
    why: str
    fix: str

    def __str__(self) -> str:
        return f"{self.why}; {self.fix}"


def halted(job: TrainingJob, seen: Observed) -> Halt | None:
    """The first reason, or None when the job may run."""
    if job.spec.suspend:
        return Halt(Reason.PARKING, Reason.PARKED, "suspended", "set spec.suspend to false to go on")
    for budget in seen.budgets:
        said = f"spent {budget.spent} of {budget.amount} {budget.currency}" if budget.spent else "spent"
        fix = "raise its spec.amount, or set its spec.approval and the annotation gyre.dev/approved-by"
        why = f"CostBudget {budget.name!r} is exhausted: {said}"
        return Halt(Reason.BUDGET_EXHAUSTED, Reason.BUDGET_EXHAUSTED, why, fix)
    limit = job.spec.max_cost
    if limit is not None and limit.action is OnMaxCost.PARK and over_cost(job, seen):
        return Halt(Reason.MAX_COST, Reason.MAX_COST, cost_said(job, seen), "raise spec.maxCost.amount to go on")
    return None


def over_cost(job: TrainingJob, seen: Observed) -> bool:
    """Whether what is known of its cost has reached spec.maxCost: what has no price is left out, and can only add to it."""
    limit = job.spec.max_cost
    ledger = seen.ledger
    if limit is None or ledger is None or ledger.currency != limit.currency:
        return False
    return spent(ledger) >= limit.amount


def cost_said(job: TrainingJob, seen: Observed) -> str:
    limit, ledger = job.spec.max_cost, seen.ledger
    if limit is None or ledger is None:
        return ""
    return f"cost {spent(ledger):f} {limit.currency}, spec.maxCost allows {limit.amount:f}"
