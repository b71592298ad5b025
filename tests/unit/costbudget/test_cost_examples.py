"""What a user copies must be what the operator reads, and no field of it unknown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.trainingjob.test_examples import known

from gyre.kinds.costbudget.model import CostBudget, CostBudgetSpec
from gyre.kinds.provider.model import Provider, ProviderSpec

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.mark.parametrize(
    ("name", "model", "spec"),
    [("costbudget-team", CostBudget, CostBudgetSpec), ("provider-onprem", Provider, ProviderSpec)],
)
def test_an_example_is_read_and_no_field_of_it_is_unknown(name: str, model: Any, spec: Any):
    obj = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())
    model.parse(obj)
    known(obj["spec"], spec)
