"""The sweep over CostBudgets and Providers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.sweep.cost_scenarios import BUDGETS, PROVIDERS
from tests.sweep.modes import MODES, try_all
from tests.sweep.scenarios import Scenario


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scenario", BUDGETS, ids=str)
def test_the_books_of_a_budget_end_as_without_faults(
    scenario: Scenario, mode: str, counted: Callable[[str, str, int], None]
) -> None:
    counted("costbudget", mode, try_all(scenario, mode))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scenario", PROVIDERS, ids=str)
def test_a_provider_ends_as_without_faults(
    scenario: Scenario, mode: str, counted: Callable[[str, str, int], None]
) -> None:
    counted("provider", mode, try_all(scenario, mode))
