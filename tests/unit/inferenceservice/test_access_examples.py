"""The examples of access, experiments and the log are read by the operator, and no field of them is unknown."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from tests.unit.trainingjob.test_examples import known

from gyre.kinds.inferenceservice.model import InferenceService, InferenceServiceSpec

EXAMPLES = Path(__file__).parents[3] / "examples"
MINE = ("apikey", "jwt", "mtls", "ab", "shadow", "log")


@pytest.mark.parametrize("name", MINE)
def test_an_example_is_read_and_no_field_of_it_is_unknown(name: str):
    objects = list(yaml.safe_load_all((EXAMPLES / f"inferenceservice-{name}.yaml").read_text()))
    services = [obj for obj in objects if obj["kind"] == "InferenceService"]
    assert services
    for obj in services:
        InferenceService.parse(obj)
        known(obj["spec"], InferenceServiceSpec)
