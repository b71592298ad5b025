"""The sweep over ServiceLevelObjectives, and over Models that train anew."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.sweep.level_scenarios import LEVELS, RETRAININGS
from tests.sweep.modes import MODES, try_all
from tests.sweep.scenarios import Scenario


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scenario", LEVELS, ids=str)
def test_a_level_ends_as_without_faults(
    scenario: Scenario, mode: str, counted: Callable[[str, str, int], None]
) -> None:
    counted("level", mode, try_all(scenario, mode))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scenario", RETRAININGS, ids=str)
def test_a_retraining_ends_as_without_faults(
    scenario: Scenario, mode: str, counted: Callable[[str, str, int], None]
) -> None:
    counted("retraining", mode, try_all(scenario, mode))
