"""A kind's reference page, in Markdown, from its CRD: every field, its type, default, bounds and rules.

Promises   what the page says is what the API server enforces, for both come from one schema.
Never      tells a story: those are written by hand, beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from gyre.api.conditions import Row
from gyre.api.lint import Field, fields
from gyre.api.markers import RULES, Json
from gyre.api.outcomes import MEANINGS
from gyre.api.resource import Resource
from gyre.api.schema import crd
from gyre.api.terms import Term

HEAD: Final = ("| field | type | default | meaning |", "|---|---|---|---|")

FORMATS: Final = {"date-time": "time", "duration": "duration", "int-or-string": "quantity or number"}


def page(
    model: type[Resource[Any, Any]],
    *,
    conditions: Sequence[Row[Any]] = (),
    reasons: type[Term] | None = None,
) -> str:
    """The page as text, ending in a newline; with the kind's table of conditions and its reasons, if given."""
    spec = crd(model)["spec"]
    version = spec["versions"][0]
    root = version["schema"]["openAPIV3Schema"]
    names = spec["names"]
    lines = [
        f"# {names['kind']}",
        "",
        root["description"],
        "",
        f"`{spec['group']}/{version['name']}`, {spec['scope'].lower()}, `kubectl get {names['plural']}`"
        + "".join(f" or `{short}`" for short in names.get("shortNames", ())),
        "",
    ]
    for part in ("spec", "status"):
        lines += [f"## {part}", "", *_table(part, root["properties"][part]), ""]
    lines += ["## Rules", "", "Checked by the API server, besides types and bounds:", "", *_rules(root), ""]
    lines += ["## Columns", "", *(f"- {column['name']}: `{column['jsonPath']}`" for column in _columns(version)), ""]
    told = {**MEANINGS, **{row.type: f"Unknown: {row.absent}." for row in conditions}}
    lines += _glossary("Conditions", told if conditions else {}) + _glossary(
        "Reasons", reasons.glossary() if reasons else {}
    )
    return "\n".join(lines)


def _glossary(title: str, meanings: Mapping[str, str]) -> list[str]:
    return (
        [f"## {title}", "", *(f"- `{word}`: {_cell(meaning)}" for word, meaning in meanings.items()), ""]
        if meanings
        else []
    )


def _table(part: str, schema: Json) -> Iterator[str]:
    yield from HEAD
    required = set(_required(part, schema))
    for field in fields(Field(part, part, schema)):
        if not field.name or field.path == part:
            continue
        default = f"`{_yaml(field.schema['default'])}`" if "default" in field.schema else ""
        must = "**required**" if field.path in required else default
        path = field.path.removeprefix(f"{part}.")
        yield f"| `{path}` | {_type(field)} | {must} | {_cell(field.schema.get('description', ''))} |"


def _required(path: str, schema: Json) -> Iterator[str]:
    for field in fields(Field(path, "", schema)):
        yield from (f"{field.path}.{name}" for name in field.schema.get("required", ()))


def _type(field: Field) -> str:
    schema = field.schema
    if "enum" in schema:
        return " \\| ".join(f"`{word}`" for word in schema["enum"])
    if field.type == "array":
        return f"list of {_type(Field('', '', schema['items']))}, ≤ {schema.get('maxItems', '∞')}"
    if "additionalProperties" in schema:
        return f"map to {_type(Field('', '', schema['additionalProperties']))}, ≤ {schema.get('maxProperties', '∞')}"
    if field.type == "integer":
        return f"integer {schema.get('minimum', '')} … {schema.get('maximum', '')}"
    plain = FORMATS.get(schema.get("format", field.type), field.type)
    return f"{plain}, ≤ {schema['maxLength']}" if plain == "string" and "maxLength" in schema else plain


def _rules(root: Json) -> Iterator[str]:
    for field in fields(Field("", "", root)):
        for rule in field.schema.get(RULES, ()):
            place = f"`{field.path.lstrip('.')}`: " if field.path else ""
            yield f"- {place}{rule['message']} (`{rule['rule']}`)"


def _columns(version: Json) -> list[Json]:
    columns: list[Json] = version["additionalPrinterColumns"]
    return columns


def _yaml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_yaml(item)}" for key, item in value.items()) + "}"
    return '""' if value == "" else str(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
