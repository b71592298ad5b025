"""What a user copies must be what the operator reads."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import yaml

from gyre.kinds.trainingjob.model import TrainingJob, TrainingJobSpec

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("trainingjob-*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_read_and_no_field_of_it_is_unknown(path: Path) -> None:
    jobs = [obj for obj in yaml.safe_load_all(path.read_text()) if obj["kind"] == "TrainingJob"]
    assert jobs
    for obj in jobs:
        TrainingJob.parse(obj)
        known(obj["spec"], TrainingJobSpec)


def known(given: object, schema: object) -> None:
    """Fields are ignored when unknown, so a typing error in an example would go unnoticed."""
    fields = getattr(schema, "model_fields", None)
    if not isinstance(given, dict) or fields is None:
        return
    aliases = {field.alias: field for field in fields.values()}
    for key, value in given.items():
        assert key in aliases, f"{key} is no field of {schema}"
        for inner in inside(aliases[key].annotation):
            for item in value if isinstance(value, list) else [value]:
                known(item, inner)


def inside(annotation: object) -> list[object]:
    arguments = getattr(annotation, "__args__", ())
    found = [annotation] if hasattr(annotation, "model_fields") else []
    return found + [inner for argument in arguments for inner in inside(argument)]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_script_in_an_example_is_python(path: Path) -> None:
    for obj in yaml.safe_load_all(path.read_text()):
        for name, text in (obj.get("data") or {}).items():
            if name.endswith(".py"):
                ast.parse(text)
