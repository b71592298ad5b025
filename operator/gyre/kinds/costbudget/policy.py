"""What the API server enforces of budgets: two ValidatingAdmissionPolicies with every CostBudget as their parameter. Pure.

`…-budget` refuses a new TrainingJob while the status of a CostBudget that covers it says Deny, Park or Approve. It works while
the operator is down, since it reads what was last written; a budget whose period has ended since then refuses nobody.
Both fail open: an API server that has just been given the CRDs does not know the kind of their parameter for up to half a
minute, and would refuse every TrainingJob till then; a job that slips through is parked by the operator.
`…-budget-left` only warns: it says before a job is made what is left, what the forecast is, and what the job itself will cost.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gyre.adapters.admission import ADMISSION, binding, of_install
from gyre.adapters.budgets import DENYING
from gyre.api import gvks
from gyre.api.effects import Manifest
from gyre.kinds.costbudget import foreseen

DENIES: Final = f"{gvks.TRAINING_JOB.plural}-budget.{gvks.TRAINING_JOB.group}"
WARNS: Final = f"{gvks.TRAINING_JOB.plural}-budget-left.{gvks.TRAINING_JOB.group}"

NAMESPACE: Final = """
    !has(params.spec.scope) || !has(params.spec.scope.namespaces) || params.spec.scope.namespaces.size() == 0
    || request.namespace in params.spec.scope.namespaces
"""
LABELS: Final = """
    !has(params.spec.scope) || !has(params.spec.scope.labels) || params.spec.scope.labels.all(key,
        has(object.metadata.labels) && key in object.metadata.labels
        && object.metadata.labels[key] == params.spec.scope.labels[key])
"""
CURRENT: Final = """
    has(params.status) && has(params.status.action) && (!has(params.status.period) || !has(params.status.period.to)
        || !has(object.metadata.creationTimestamp)
        || timestamp(object.metadata.creationTimestamp) < timestamp(params.status.period.to))
"""
SPENT: Final = """
    has(params.status.spent) ? params.status.spent
        : (has(params.status.atLeast) ? 'at least ' + params.status.atLeast : 'an unknown amount')
"""
REFUSAL: Final = """
    'CostBudget ' + params.metadata.name + (params.status.action == 'Approve' ? ' needs an approval: ' : ' is exhausted: ')
    + 'spent ' + variables.spent + ' of ' + variables.amount + ' ' + params.spec.currency
    + '. Raise spec.amount, or set spec.approval and the annotation gyre.dev/approved-by on it'
    + (has(params.status.period) && has(params.status.period.to)
        ? ', or wait for the next period (' + string(params.status.period.to) + ')' : '')
"""
NOTICE: Final = """
    'CostBudget ' + params.metadata.name + ': '
    + (has(params.status.left) ? params.status.left + ' of ' : 'nobody knows how much, for want of prices, of ')
    + variables.amount + ' ' + params.spec.currency + ' is left'
    + (has(params.status.forecast)
        ? '; forecast of the period P50 ' + params.status.forecast.p50 + ', P90 ' + params.status.forecast.p90 : '')
"""
SAID: Final = f"{NOTICE} + ({foreseen.JOB}) + ({foreseen.TOO_MUCH})"


def policies() -> tuple[Manifest, ...]:
    denying = ", ".join(f"'{action}'" for action in sorted(DENYING))
    refused = f"variables.covered && variables.current && params.status.action in [{denying}]"
    return (
        _policy(DENIES, "Ignore", f"!({refused})", REFUSAL, "a CostBudget that covers it is exhausted"),
        _binding(DENIES, "Deny"),
        _policy(
            *(WARNS, "Ignore", "!(variables.covered && variables.current)", SAID),
            "a CostBudget covers it",
            tuple(foreseen.variables()),
        ),
        _binding(WARNS, "Warn"),
    )


def _variables() -> Iterator[tuple[str, str]]:
    yield "covered", f"({NAMESPACE}) && ({LABELS})"
    yield "current", CURRENT
    yield "spent", SPENT
    yield "amount", "has(params.status.amount) ? params.status.amount : string(params.spec.amount)"


def _policy(
    name: str, failure: str, expression: str, said: str, otherwise: str, more: tuple[tuple[str, str], ...] = ()
) -> Manifest:
    job, budget = gvks.TRAINING_JOB, gvks.COST_BUDGET
    rule = {
        "apiGroups": [job.group],
        "apiVersions": [job.version],
        "operations": ["CREATE"],
        "resources": [job.plural],
    }
    return {
        "apiVersion": ADMISSION,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": of_install(name),
        "spec": {
            "failurePolicy": failure,
            "paramKind": {"apiVersion": budget.api_version, "kind": budget.kind},
            "matchConstraints": {"resourceRules": [rule]},
            "variables": [{"name": key, "expression": " ".join(text.split())} for key, text in (*_variables(), *more)],
            "validations": [
                {
                    "expression": expression,
                    "messageExpression": " ".join(said.split()),
                    "message": otherwise,
                    "reason": "Forbidden",
                }
            ],
        },
    }


def _binding(name: str, action: str) -> Manifest:
    """Every CostBudget is a parameter; without any there is nothing to refuse."""
    return binding(name, action, paramRef={"selector": {}, "parameterNotFoundAction": "Allow"})
