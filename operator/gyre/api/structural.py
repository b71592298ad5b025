"""From pydantic's JSON schema to a structural schema, the only kind that a CustomResourceDefinition takes.

Promises   every keyword is translated, kept, or known to mean nothing to the API server; anything else is refused with
           the path of the field: nothing is lost in silence.
Never      guesses: recursion, unions without a discriminator and untyped values raise `Untranslatable`.

    $ref                     inlined; the field's description wins over the class's, CEL rules add up
    X | None                 X, and not required
    title, default null, []  dropped
    const                    enum of one
    exclusiveMinimum: n      minimum: n + 1 (integers only)
    union by discriminator   one flat object, see unions.py
    integer                  format int32 or int64, by its bounds
    Immutable, optional      a rule on the parent as well: a field's own rule does not run when the field goes away

Source: apiextensions-apiserver `pkg/apiserver/schema/{structural,validation}.go`, v1.35.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from gyre.api.markers import EXACT, PRESENCE, RULES, Json, Rule, cel_name, first_paragraph
from gyre.api.model import Schema
from gyre.api.terms import GLOSSARY
from gyre.api.unions import Disagreement, flat

NULL: Final = {"type": "null"}
INT_OR_STRING: Final = [{"type": "integer"}, {"type": "string"}]


class Untranslatable(ValueError):
    """The model says something that a structural schema cannot; the message names the field and what to do."""


def structural(model: type[Schema]) -> Json:
    """The structural schema of one model."""
    source = model.model_json_schema(by_alias=True, mode="validation")
    return _Walk(source.get("$defs", {})).node(source, model.__name__, ())


class _Walk:
    """One walk over a JSON schema with its definitions. `inside` are the definitions that a node is part of."""

    def __init__(self, definitions: Mapping[str, Json]) -> None:
        self.definitions = definitions

    def node(self, source: Json, path: str, inside: tuple[str, ...]) -> Json:
        source, inside = self.resolved(source, path, inside)
        result: Json = {}
        for keyword, value in source.items():
            if keyword not in KEYWORDS:
                raise Untranslatable(f"{path}: {keyword} has no place in a structural schema")
            result |= KEYWORDS[keyword](value, path)
        if "properties" in source:
            fields = source["properties"].items()
            result["properties"] = {name: self.node(field, f"{path}.{name}", inside) for name, field in fields}
        for keyword, mark in (("items", "[]"), ("additionalProperties", "{}")):
            if isinstance(source.get(keyword), dict):
                result[keyword] = self.node(source[keyword], path + mark, inside)
        result[RULES] = [*result.get(RULES, ()), *self.presence_rules(source, path, inside)]
        _finish(result, source, path)
        return {keyword: result[keyword] for keyword in WRITTEN if result.get(keyword) not in (None, [])}

    def resolved(self, source: Json, path: str, inside: tuple[str, ...]) -> tuple[Json, tuple[str, ...]]:
        """`$ref`, `X | None` and unions replaced by what they stand for, below what the field says itself."""
        while True:
            if "$ref" in source:
                name = source["$ref"].rpartition("/")[2]
                if name in inside:
                    raise Untranslatable(f"{path}: {name} contains itself; a structural schema cannot")
                source, inside = _over(self.definitions[name], source, "$ref"), (*inside, name)
            elif NULL in source.get("anyOf", ()):
                choices = [choice for choice in source["anyOf"] if choice != NULL]
                source = _over(choices[0] if len(choices) == 1 else {"anyOf": choices}, source, "anyOf")
            elif "discriminator" in source:
                source, inside = self.united(source, path, inside)
            else:
                return source, inside

    def united(self, source: Json, path: str, inside: tuple[str, ...]) -> tuple[Json, tuple[str, ...]]:
        key = source["discriminator"]["propertyName"]
        members: dict[str, Json] = {}
        within = inside
        for choice in source["oneOf"]:
            member, deeper = self.resolved(choice, path, inside)
            within = (*within, *deeper[len(inside) :])
            tag = member["properties"][key]
            members |= dict.fromkeys([tag["const"]] if "const" in tag else tag["enum"], member)
        try:
            return _over(flat(key, members), source, "oneOf", "discriminator"), within
        except Disagreement as problem:
            raise Untranslatable(f"{path}.{problem}") from problem

    def presence_rules(self, source: Json, path: str, inside: tuple[str, ...]) -> Iterator[Json]:
        """Of fields that may be absent: required ones, and those with a default, always are there."""
        for name, field in source.get("properties", {}).items():
            hint = self.resolved(field, path, inside)[0].get(PRESENCE)
            if hint and name not in source.get("required", ()) and field.get("default") is None:
                template, message = hint
                place = {"old": f"oldSelf.{cel_name(name)}", "new": f"self.{cel_name(name)}"}
                yield Rule(template.format(**place), message, field_path=f".{name}").as_dict()


def _over(below: Json, above: Json, *without: str) -> Json:
    """`above` wins, keyword by keyword; CEL rules add up."""
    merged = {**below, **{keyword: value for keyword, value in above.items() if keyword not in without}}
    if rules := [*below.get(RULES, ()), *above.get(RULES, ())]:
        merged[RULES] = rules
    return merged


def _finish(result: Json, source: Json, path: str) -> None:
    """What depends on several keywords at once."""
    if glossary := source.get(GLOSSARY):
        words = "; ".join(f"{word}: {meaning}" for word, meaning in glossary.items())
        result["description"] = " ".join(filter(None, (result.get("description"), f"{words}.")))
    if result.get("type") == "integer":
        if any(abs(result.get(bound, 0)) > EXACT for bound in ("minimum", "maximum")):
            raise Untranslatable(f"{path}: a bound beyond ±(2^53 - 1) is not exact in the API server")
        small = result.get("minimum", -EXACT) >= -(2**31) and result.get("maximum", EXACT) < 2**31
        result["format"] = "int32" if small else "int64"
    if "type" not in result and not result.get("x-kubernetes-int-or-string"):
        raise Untranslatable(f"{path}: give it a type; unions need a discriminator, free objects PreserveUnknown()")


# One keyword at a time ----------------------------------------------------------------------------------------------

Translate = Callable[[Any, str], Json]


def _kept(keyword: str) -> Translate:
    return lambda value, path: {keyword: value}


def _dropped(value: Any, path: str) -> Json:
    return {}


def _default(value: Any, path: str) -> Json:
    """Absent means empty. `{}` stays: on an object it lets the API server fill in the fields' own defaults."""
    return {} if value in (None, []) else {"default": value}


def _description(value: str, path: str) -> Json:
    return {"description": first_paragraph(value)}


def _any_of(value: Any, path: str) -> Json:
    if value != INT_OR_STRING:
        raise Untranslatable(f"{path}: a union needs a discriminator")
    return {"anyOf": value}


def _exclusive(keyword: str, step: int) -> Translate:
    def translate(value: Any, path: str) -> Json:
        if int(value) != value:
            raise Untranslatable(f"{path}: an exclusive bound is for integers")
        return {keyword: int(value) + step}

    return translate


def _rules(value: list[Json], path: str) -> Json:
    """pydantic sorts keys; a reader wants the rule first."""
    return {RULES: [{part: rule[part] for part in RULE_PARTS if part in rule} for rule in value]}


RULE_PARTS: Final = ("rule", "message", "messageExpression", "fieldPath", "reason", "optionalOldSelf")

WRITTEN: Final = (
    "description",
    "type",
    "anyOf",
    "format",
    "enum",
    "default",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "multipleOf",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "required",
    "properties",
    "additionalProperties",
    "items",
    "x-kubernetes-int-or-string",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type",
    RULES,
)
"""Keywords of the result, in the order in which they are written."""

KEYWORDS: Final[dict[str, Translate]] = {
    **{keyword: _kept(keyword) for keyword in WRITTEN},
    **dict.fromkeys(("title", "$defs", GLOSSARY, PRESENCE), _dropped),
    **dict.fromkeys(("properties", "additionalProperties", "items"), _dropped),  # the walk goes down these itself
    "anyOf": _any_of,
    "const": lambda value, path: {"enum": [value]},
    "default": _default,
    "description": _description,
    "exclusiveMaximum": _exclusive("maximum", -1),
    "exclusiveMinimum": _exclusive("minimum", +1),
    RULES: _rules,
}
"""What becomes of each keyword of a source; one that is not here has no place in a structural schema."""
