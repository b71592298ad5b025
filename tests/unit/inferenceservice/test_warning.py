"""The policy behind the warning at admission. What it says: tests/api/test_expected_traffic.py, on a real API server."""

from __future__ import annotations

import re
from typing import Any

from gyre.kinds.inferenceservice.warning import policies


def parts() -> tuple[dict[str, Any], dict[str, Any]]:
    policy, binding = policies()
    return dict(policy["spec"]), dict(binding["spec"])


def test_it_warns_and_can_refuse_nothing():
    policy, binding = parts()
    assert binding["validationActions"] == ["Warn"]
    assert policy["failurePolicy"] == "Ignore"


def test_it_is_about_services_that_say_what_traffic_they_expect():
    policy, _ = parts()
    (condition,) = policy["matchConditions"]
    assert "has(object.spec.rollout.expectedTraffic)" in condition["expression"]
    (rule,) = policy["matchConstraints"]["resourceRules"]
    assert (rule["apiGroups"], rule["resources"]) == (["gyre.dev"], ["inferenceservices"])


def test_each_variable_is_told_before_it_is_used_and_used_after_it_is_told():
    policy, _ = parts()
    used = re.compile(r"variables\.(\w+)")
    known: set[str] = set()
    for variable in policy["variables"]:
        assert set(used.findall(variable["expression"])) <= known
        assert variable["name"] not in known
        known.add(variable["name"])
    (validation,) = policy["validations"]
    last = [validation["expression"], validation["messageExpression"], *(v["expression"] for v in policy["variables"])]
    assert {name for text in last for name in used.findall(text)} == known
