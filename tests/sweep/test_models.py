"""The sweep over Models and ModelVersions."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.sweep.model_scenarios import MODELS, VERSIONS
from tests.sweep.modes import MODES, try_all
from tests.sweep.scenarios import Scenario


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scenario", MODELS, ids=str)
def test_a_model_ends_as_without_faults(
    scenario: Scenario, mode: str, counted: Callable[[str, str, int], None]
) -> None:
    counted("model", mode, try_all(scenario, mode))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scenario", VERSIONS, ids=str)
def test_a_version_ends_as_without_faults(
    scenario: Scenario, mode: str, counted: Callable[[str, str, int], None]
) -> None:
    counted("modelversion", mode, try_all(scenario, mode))
