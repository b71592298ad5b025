"""An empty sweep cannot pass: how many runs each kind and mode must at least be worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from tests.sweep import (
    cost_scenarios,
    dataset_scenarios,
    level_scenarios,
    model_scenarios,
    serving_scenarios,
    training_scenarios,
    widget_scenarios,
)
from tests.sweep.modes import MODES, ORDERS
from tests.sweep.scenarios import Scenario

LEAST: Mapping[str, tuple[Sequence[Scenario], Mapping[str, int]]] = {
    "widget": (widget_scenarios.SCENARIOS, {"crash": 50, "lost": 10, "stale": 10}),
    "dataset": (dataset_scenarios.SCENARIOS, {"crash": 150, "lost": 120, "stale": 120}),
    "trainingjob": (training_scenarios.SCENARIOS, {"crash": 800, "lost": 500, "stale": 500}),
    "model": (model_scenarios.MODELS, {"crash": 35, "lost": 4, "stale": 4}),
    "inferenceservice": (serving_scenarios.SCENARIOS, {"crash": 400, "lost": 300, "stale": 300}),
    "costbudget": (cost_scenarios.BUDGETS, {"crash": 60, "lost": 40, "stale": 40}),
    "provider": (cost_scenarios.PROVIDERS, {"crash": 10, "lost": 4, "stale": 4}),
    "level": (level_scenarios.LEVELS, {"crash": 500, "lost": 4, "stale": 4}),
    "retraining": (level_scenarios.RETRAININGS, {"crash": 180, "lost": 60, "stale": 60}),
    "modelversion": (model_scenarios.VERSIONS, {"crash": 80, "lost": 20, "stale": 20}),
}


@pytest.mark.parametrize("kind", LEAST)
def test_the_sweep_of_a_kind_is_not_empty(kind: str) -> None:
    scenarios, least = LEAST[kind]
    assert len(scenarios) >= 6
    assert len({scenario.name for scenario in scenarios}) == len(scenarios)
    runs = {mode: sum(1 for scenario in scenarios for _ in faults(scenario)) for mode, faults in MODES.items()}
    assert runs["orders"] == len(ORDERS) * len(scenarios)
    assert all(runs[mode] >= count for mode, count in least.items()), runs
