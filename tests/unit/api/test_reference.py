"""The reference page says what the API server enforces."""

from __future__ import annotations

import pytest
from tests.unit.api.sample import Sample

from gyre.api.conditions import Row
from gyre.api.reference import page
from gyre.api.terms import Reason

PAGE = page(Sample).splitlines()

LINES = [
    "# Sample",
    "A sample of everything.",
    "`gyre.dev/v1alpha1`, namespaced, `kubectl get samples` or `smp`",
    "| `dataset` | object | **required** | The Dataset to use. |",
    "| `enforcement` | `Audit` \\| `Enforce` | `Audit` | Whether to act. "
    "Audit: only reports what it would do; Enforce: does it. |",
    "| `timeout` | duration | `1h` | How long it may take. |",
    "| `finishBy` | time |  | When it is too late. |",
    "| `memory` | quantity or number | `2Gi` | Memory of one worker. |",
    "| `stubborn` | object | `{limit: 9}` | On failure of the other kind. |",
    "| `zones` | list of string, ≤ 63, ≤ 8 |  | Zones to run in. |",
    "| `env[].name` | string, ≤ 63 | **required** | Its name. |",
    "| `labels` | map to string, ≤ 63, ≤ 64 |  | Labels of everything that is made. |",
    "| `high` | integer 1 … 99 | `5` | The upper end. |",
    "- `spec`: make low at most high (`self.low <= self.high`)",
    "- choose another name (`self.metadata.name != 'forbidden'`)",
    "- Dataset: `.spec.dataset.name`",
]


@pytest.mark.parametrize("line", LINES)
def test_the_page_has_the_line(line: str):
    assert line in PAGE


def test_rows_of_a_table_have_as_many_cells_as_its_head():
    rows = [line.replace("\\|", "") for line in PAGE if line.startswith("|")]
    assert {row.count("|") for row in rows} == {5}


def test_conditions_and_reasons_are_explained_where_they_are_given():
    class Why(Reason):
        DONE = "Done", "nothing is left to do"

    page_with = page(Sample, conditions=(Row[Sample]("Pinned", lambda s: None, "no data was chosen yet"),), reasons=Why)
    assert "- `Pinned`: Unknown: no data was chosen yet." in page_with
    assert "- `Stalled`: only while True: " in page_with
    assert page_with.endswith("## Reasons\n\n- `Done`: nothing is left to do\n")
    assert "## Conditions" not in page(Sample)
