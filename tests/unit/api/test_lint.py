"""Each convention, broken once in an otherwise blameless CRD."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.api.sample import Sample

from gyre.api.lint import CRD_RULES, FIELD_RULES, Exemption, findings, lint, stale
from gyre.api.schema import crd

FREE = Exemption("Sample", "spec.podOverride", "no-free-objects", "shows the marker")
BLAMELESS = crd(Sample)
Break = Callable[[dict[str, Any], dict[str, Any], dict[str, Any]], Any]
"""Gets the version, the properties of the spec and those of the status."""


def put(**field: Any) -> dict[str, Any]:
    return {"description": "A field.", **field}


BREACHES: dict[str, tuple[str, str, Break]] = {
    "a field without a description": ("described", "spec.low", lambda v, spec, _: spec["low"].pop("description")),
    "a name with an underscore": ("camel-case", "spec.my_field", lambda v, spec, _: spec.update(my_field=spec["low"])),
    "a boolean": ("no-booleans", "spec.on", lambda v, spec, _: spec.update(on=put(type="boolean"))),
    "a float": ("no-floats", "spec.share", lambda v, spec, _: spec.update(share=put(type="number"))),
    "a phase": ("no-phase", "status.phase", lambda v, _, status: status.update(phase=put(type="string", maxLength=9))),
    "an endless string": ("bounded-text", "spec.text", lambda v, spec, _: spec.update(text=put(type="string"))),
    "an endless string in a list": (
        "bounded-text",
        "spec.args[]",
        lambda v, spec, _: spec["args"]["items"].pop("maxLength"),
    ),
    "an integer without bounds": ("bounded-number", "spec.n", lambda v, spec, _: spec.update(n=put(type="integer"))),
    "an endless list": ("bounded-list", "spec.args", lambda v, spec, _: spec["args"].pop("maxItems")),
    "an endless map": ("bounded-map", "spec.labels", lambda v, spec, _: spec["labels"].pop("maxProperties")),
    "a list that cannot be merged": (
        "typed-list",
        "spec.args",
        lambda v, spec, _: spec["args"].pop("x-kubernetes-list-type"),
    ),
    "a set of objects": (
        "typed-list",
        "spec.env",
        lambda v, spec, _: spec["env"].update({"x-kubernetes-list-type": "set"}),
    ),
    "a key that may be absent": ("typed-list", "spec.env", lambda v, spec, _: spec["env"]["items"].update(required=[])),
    "an object without fields": (
        "no-free-objects",
        "spec.thing",
        lambda v, spec, _: spec.update(thing=put(type="object")),
    ),
    "a free object": (
        "no-free-objects",
        "spec.retry",
        lambda v, spec, _: spec["retry"].update({"x-kubernetes-preserve-unknown-fields": True}),
    ),
    "seconds as a number": (
        "durations-as-strings",
        "spec.graceSeconds",
        lambda v, spec, _: spec.update(graceSeconds=spec["low"]),
    ),
    "memory as a number": (
        "quantities-as-strings",
        "spec.workerMemory",
        lambda v, spec, _: spec.update(workerMemory=spec["low"]),
    ),
    "a time as text": (
        "times-as-times",
        "spec.startTime",
        lambda v, spec, _: spec.update(startTime=put(type="string", maxLength=20)),
    ),
    "a default in a status": (
        "no-claims-in-status",
        "status.replicas",
        lambda v, _, status: status["replicas"].update(default=0),
    ),
    "no status subresource": ("status-is-a-subresource", "", lambda v, *_: v["subresources"].pop("status")),
    "a fresh object that looks finished": (
        "status-reports-conditions",
        "status",
        lambda v, *_: v["schema"]["openAPIV3Schema"]["properties"]["status"].pop("default"),
    ),
    "no observed generation": (
        "status-reports-conditions",
        "status",
        lambda v, _, status: status.pop("observedGeneration"),
    ),
    "no conditions": ("status-reports-conditions", "status.conditions", lambda v, _, status: status.pop("conditions")),
    "a column before Ready": ("columns", "", lambda v, *_: v["additionalPrinterColumns"].reverse()),
    "too many columns": (
        "columns",
        "",
        lambda v, *_: _widen(v["additionalPrinterColumns"]),
    ),
    "a column of nothing": (
        "paths-exist",
        "spec.gone",
        lambda v, *_: v["additionalPrinterColumns"].insert(
            2, {"name": "Gone", "jsonPath": ".spec.gone", "type": "string"}
        ),
    ),
    "a selector of nothing": (
        "paths-exist",
        "spec.gone",
        lambda v, *_: v["selectableFields"].append({"jsonPath": ".spec.gone"}),
    ),
    "too many selectable fields": (
        "paths-exist",
        "",
        lambda v, *_: v["selectableFields"].extend(v["selectableFields"] * 8),
    ),
    "a rule without a message": (
        "rules-say-what-to-do",
        "",
        lambda v, spec, _: spec["dataset"].update({"x-kubernetes-validations": [{"rule": "self == oldSelf"}]}),
    ),
    "a definition that is too large": (
        "fits-an-annotation",
        "",
        lambda v, spec, _: spec["low"].update(description="x" * 300_000),
    ),
}


def _widen(columns: list[dict[str, Any]]) -> None:
    columns[2:2] = [{"name": f"C{n}", "jsonPath": ".spec.low", "type": "string"} for n in range(6)]


def test_the_sample_is_blameless_but_for_its_free_object():
    assert [(f.path, f.rule) for f in findings(BLAMELESS)] == [("spec.podOverride", "no-free-objects")]
    assert lint(BLAMELESS, [FREE]) == []


@pytest.mark.parametrize("name", BREACHES)
def test_lint_finds(name: str):
    rule, path, breach = BREACHES[name]
    broken = copy.deepcopy(BLAMELESS)
    version = broken["spec"]["versions"][0]
    properties = version["schema"]["openAPIV3Schema"]["properties"]
    breach(version, properties["spec"]["properties"], properties["status"]["properties"])
    assert (path, rule) in {(finding.path, finding.rule) for finding in lint(broken, [FREE])}


def test_names_belong_to_the_category_and_are_short():
    broken = copy.deepcopy(BLAMELESS)
    broken["spec"]["names"] |= {"categories": ["ml"], "shortNames": ["a", "b", "c"]}
    assert [finding.rule for finding in lint(broken, [FREE])] == ["names", "names"]


def test_every_rule_is_broken_by_a_test():
    assert {*FIELD_RULES, *CRD_RULES, "rules-say-what-to-do"} == {rule for rule, *_ in BREACHES.values()} | {"names"}


def test_an_exemption_that_nothing_needs_is_stale():
    other = Exemption("Sample", "spec.gone", "no-booleans", "was needed once")
    assert stale([BLAMELESS], [FREE, other]) == [other]


def test_a_finding_reads_as_a_sentence():
    (finding,) = findings(BLAMELESS)
    assert str(finding) == "Sample spec.podOverride: free-form: type it, or have it reviewed [no-free-objects]"
