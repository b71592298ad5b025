"""The sweep over the toy kind."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.sweep.modes import MODES, try_all
from tests.sweep.scenarios import Scenario
from tests.sweep.widget_scenarios import SCENARIOS


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_a_widget_ends_as_without_faults(
    scenario: Scenario, mode: str, counted: Callable[[str, str, int], None]
) -> None:
    counted("widget", mode, try_all(scenario, mode))
