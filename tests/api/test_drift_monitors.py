"""What a user can get wrong in a DriftMonitor, and what the API server answers: the field and what to do, before it runs."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.api.cluster import Cluster, Refused

from gyre.api.effects import Ref
from gyre.api.gvks import DRIFT_MONITOR

EXAMPLE = Path(__file__).parents[2] / "examples" / "driftmonitor-flights.yaml"
GOOD: dict[str, Any] = {
    "serviceRef": {"name": "flights"},
    "modelRef": {"name": "late"},
    "reference": {"dataset": {"name": "flights"}},
    "window": "1h",
    "expectedTimeBetweenFalseAlarms": "30d",
}
SPAN = {"from": "2026-11-01T00:00:00Z", "to": "2026-11-08T00:00:00Z"}

# what is wrong → (the changed part of a good spec; None removes), field, words of the answer
REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "a window longer than the time between false alarms": (
        {"window": "31d"},
        "spec.expectedTimeBetweenFalseAlarms",
        "shorten window, or lengthen expectedTimeBetweenFalseAlarms",
    ),
    "more windows than a threshold is calibrated for": (
        {"window": "30s", "expectedTimeBetweenFalseAlarms": "365d"},
        "spec.expectedTimeBetweenFalseAlarms",
        "10000 windows at the most",
    ),
    "a window of a second": ({"window": "1s"}, "spec.window", "must be from 30s to 90d"),
    "no reference": ({"reference": {}}, "spec.reference", "set exactly one of dataset and window"),
    "two references": (
        {"reference": {"dataset": {"name": "flights"}, "window": SPAN}},
        "spec.reference",
        "set exactly one of dataset and window",
    ),
    "a reference that ends before it begins": (
        {"reference": {"window": {"from": SPAN["to"], "to": SPAN["from"]}}},
        "spec.reference.window.to",
        "let the window end after it begins",
    ),
    "an effect above one": ({"minEffect": "1.5"}, "spec.minEffect", "should match"),
    "an effect as a number": ({"minEffect": 0.05}, "spec.minEffect", "must be of type string"),
    "a feature twice": (
        {"features": [{"name": "hour", "type": "Numeric"}, {"name": "hour", "type": "Categorical"}]},
        "spec.features[1]",
        "Duplicate value",
    ),
    "a feature of an unknown type": (
        {"features": [{"name": "hour", "type": "Text"}]},
        "spec.features[0].type",
        "Unsupported value",
    ),
    "a report that nobody can store": ({"report": {"uri": "https://x/y"}}, "spec.report.uri", "should match"),
    "a report that climbs": ({"report": {"uri": "pvc://reports/../x"}}, "spec.report.uri", "leave out `..`"),
    "no service": ({"serviceRef": None}, "spec.serviceRef", "Required value"),
    "a field that does not exist": ({"windows": "1h"}, "", 'unknown field "spec.windows"'),
}


def monitor(change: dict[str, Any], name: str = "flights") -> dict[str, Any]:
    spec = {**copy.deepcopy(GOOD), **change}
    return {
        "apiVersion": "gyre.dev/v1alpha1",
        "kind": "DriftMonitor",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {key: value for key, value in spec.items() if value is not None},
    }


@pytest.mark.parametrize("wrong", REFUSED)
def test_a_drift_monitor_is_refused_with_the_field_and_what_to_do(cluster: Cluster, wrong: str):
    change, field, words = REFUSED[wrong]
    with pytest.raises(Refused) as refused:
        cluster.create(DRIFT_MONITOR, monitor(change))
    assert refused.value.code in (400, 422)
    said = refused.value.causes or [("", refused.value.message)]
    assert any(at == field and words in message for at, message in said), said


def test_the_example_is_accepted_as_it_is(cluster: Cluster):
    (example,) = yaml.safe_load_all(EXAMPLE.read_text())
    example["metadata"] = {"name": "example", "namespace": "default"}
    made = cluster.create(DRIFT_MONITOR, example)
    assert made["spec"]["minEffect"] == "0.05"
    cluster.delete(Ref(DRIFT_MONITOR, "default", "example"))


def test_what_is_left_out_is_filled_in(cluster: Cluster):
    spec = {key: GOOD[key] for key in ("serviceRef", "modelRef", "reference")}
    made = cluster.create(DRIFT_MONITOR, {**monitor({}, "defaults"), "spec": spec})
    given = {key: made["spec"][key] for key in ("window", "lateness", "expectedTimeBetweenFalseAlarms", "minEffect")}
    assert given == {"window": "1d", "lateness": "2m", "expectedTimeBetweenFalseAlarms": "90d", "minEffect": "0.05"}
    cluster.delete(Ref(DRIFT_MONITOR, "default", "defaults"))
