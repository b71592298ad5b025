"""Where a result comes from."""

from __future__ import annotations

import json
from pathlib import Path

from gyre_train.contract import RunSpec
from gyre_train.lineage import lineage

EXAMPLE = json.loads((Path(__file__).parents[3] / "docs" / "run-contract.example.json").read_text())


def spec(**changes):
    return RunSpec.parse({**EXAMPLE["run.json"], **changes})


def test_the_settings_of_the_ready_made_loop_are_parameters_of_the_run():
    tabular = {"target": {"column": "late"}, "epochs": 3, "hidden": [64, 32], "learningRate": "0.002", "features": []}
    found = lineage(spec(entrypoint={"tabular": tabular}, parameters={"epochs": "5"}))["parameters"]
    assert found == {"epochs": "5", "hidden": "64,32", "learningRate": "0.002"}
