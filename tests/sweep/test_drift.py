"""The sweep over DriftMonitors."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.sweep.drift_scenarios import SCENARIOS
from tests.sweep.modes import MODES, try_all
from tests.sweep.scenarios import Scenario


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_a_drift_monitor_ends_as_without_faults(
    scenario: Scenario, mode: str, counted: Callable[[str, str, int], None]
) -> None:
    counted("driftmonitor", mode, try_all(scenario, mode))
