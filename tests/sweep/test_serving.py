"""The sweep over InferenceServices."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.sweep.modes import MODES, try_all
from tests.sweep.scenarios import Scenario
from tests.sweep.serving_scenarios import SCENARIOS


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_a_service_ends_as_without_faults(
    scenario: Scenario, mode: str, counted: Callable[[str, str, int], None]
) -> None:
    counted("inferenceservice", mode, try_all(scenario, mode))
