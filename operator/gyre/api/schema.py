"""CustomResourceDefinitions from models: `crd(Model)` is the manifest, `crd_yaml(kind)` the file in `crds/`.

Promises   the same model gives the same bytes; every keyword of pydantic's JSON schema is either translated to what a
           structural schema allows or refused with the path of the field: nothing is lost in silence.
Never      guesses: recursion, unions without a discriminator and untyped values raise `Untranslatable`.

Translations (apiextensions v1, kubernetes 1.35):
    $ref                     inlined; the field's description wins over the class's, CEL rules add up
    X | None                 X, and not required
    title, default null      dropped; in a status every default is dropped, except that of the status itself
    const                    enum of one
    exclusiveMinimum: n      minimum: n + 1 (integers only)
    union by discriminator   one flat object; CEL says which fields belong to which member
    integer                  format int32 or int64, by its bounds

Authors import `Schema`, `Status` and `Resource` from here.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any, Final

import yaml

from gyre.api.markers import EXACT, PRESENCE, Json, Rule, cel_name
from gyre.api.model import Schema
from gyre.api.resource import Metadata, Resource, Status, Unreadable

__all__ = [
    "Metadata",
    "Resource",
    "Schema",
    "Status",
    "Unreadable",
    "Untranslatable",
    "crd",
    "crd_yaml",
    "open_api",
    "render",
]

RULES: Final = "x-kubernetes-validations"
GLOSSARY: Final = "x-gyre-glossary"

KEPT: Final = (
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
"""Keywords that reach the CRD, in the order in which they are written."""

RULE_PARTS: Final = ("rule", "message", "messageExpression", "fieldPath", "reason", "optionalOldSelf")

DROPPED: Final = frozenset({"title", "$defs", GLOSSARY, PRESENCE})
"""Keywords that mean nothing to the API server, or were translated before."""

NEVER_LOOKED_AT: Final = {"observedGeneration": -1}
"""A fresh object's status: kstatus reads it as InProgress from birth (fluxcd/source-controller does the same)."""


class Untranslatable(ValueError):
    """The model says something that a structural schema cannot; the message names the field."""


def crd(model: type[Resource[Any, Any]]) -> Json:
    """The CustomResourceDefinition of a kind."""
    definition = model.definition
    gvk = definition.gvk
    names = {
        "kind": gvk.kind,
        "listKind": f"{gvk.kind}List",
        "plural": gvk.plural,
        "singular": gvk.kind.lower(),
        "shortNames": list(definition.short),
        "categories": list(definition.categories),
    }
    subresources: Json = {"status": {}}
    if definition.scale:
        subresources["scale"] = definition.scale.as_dict()
    version: Json = {
        "name": gvk.version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _root(model)},
        "subresources": subresources,
        "additionalPrinterColumns": [column.as_dict() for column in definition.columns],
    }
    if definition.selectable:
        version["selectableFields"] = [{"jsonPath": path} for path in definition.selectable]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{gvk.plural}.{gvk.group}"},
        "spec": {
            "group": gvk.group,
            "names": {key: value for key, value in names.items() if value},
            "scope": "Namespaced" if gvk.namespaced else "Cluster",
            "versions": [version],
        },
    }


def crd_yaml(kind: Any) -> str:
    """The file in `crds/` for a `Kind` or a model."""
    return render(crd(getattr(kind, "model", kind)))


def render(manifest: Mapping[str, Any]) -> str:
    """One YAML document: keys in the order of the manifest, the same bytes every time."""
    text: str = yaml.dump(
        dict(manifest), Dumper=_Plain, sort_keys=False, width=110, allow_unicode=True, default_flow_style=False
    )
    return text


class _Plain(yaml.SafeDumper):
    """Writes values that occur twice twice: anchors would make a CRD unreadable."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def open_api(model: type[Schema]) -> Json:
    """The structural schema of one model, without the root's apiVersion, kind and metadata."""
    source = model.model_json_schema(by_alias=True, mode="validation")
    return _Translation(source.get("$defs", {})).node(source, model.__name__, ())


def _root(model: type[Resource[Any, Any]]) -> Json:
    fields = model.model_fields
    spec, status = (_typed(fields[part].annotation) for part in ("spec", "status"))
    name_fits = Rule(
        f"self.metadata.name.size() <= {model.definition.max_name}",
        f"metadata.name must be at most {model.definition.max_name} characters long, so that the names of children fit",
    )
    class_rules = [entry for marker in model.class_rules for entry in marker.keywords()[RULES]]
    return {
        "description": _paragraph(inspect.getdoc(model) or ""),
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"description": "Group and version of this representation.", "type": "string"},
            "kind": {"description": "The kind of resource that this object is.", "type": "string"},
            "metadata": {"type": "object"},
            "spec": open_api(spec),
            "status": {**_without_defaults(open_api(status)), "default": NEVER_LOOKED_AT},
        },
        RULES: [name_fits.as_dict(), *class_rules],
    }


def _typed(annotation: Any) -> type[Schema]:
    if not (isinstance(annotation, type) and issubclass(annotation, Schema)):
        raise Untranslatable(f"spec and status must be Schema classes, not {annotation!r}")
    return annotation


class _Translation:
    """One walk over a JSON schema with its definitions."""

    def __init__(self, definitions: Mapping[str, Json]) -> None:
        self.definitions = definitions

    def node(self, source: Json, path: str, inside: tuple[str, ...]) -> Json:
        """The structural schema of a node; `inside` are the definitions that it is part of."""
        source, inside = self._inlined(source, path, inside)
        if "discriminator" in source:
            source, inside = self._flattened(source, path, inside)
        result: Json = {}
        for keyword, value in source.items():
            if keyword in DROPPED:
                continue
            translate = getattr(self, "_rules" if keyword == RULES else f"_{keyword}", None)
            if translate is not None:
                result |= translate(value, path, inside)
            elif keyword in KEPT:
                result[keyword] = value
            else:
                raise Untranslatable(f"{path}: {keyword} has no place in a structural schema")
        _describe(result, source.get(GLOSSARY))
        if result.get("type") == "integer":
            result["format"] = _integer_format(result, path)
        if not ({"type", "x-kubernetes-int-or-string"} & result.keys()):
            raise Untranslatable(f"{path}: give it a type; unions need a discriminator, free objects PreserveUnknown()")
        result[RULES] = [*result.get(RULES, ()), *self._presence_rules(source, path, inside)]
        return {keyword: result[keyword] for keyword in KEPT if result.get(keyword) not in (None, [])}

    def _inlined(self, source: Json, path: str, inside: tuple[str, ...]) -> tuple[Json, tuple[str, ...]]:
        """`$ref` and `X | None` replaced by what they stand for, below what the field says itself."""
        while True:
            if "$ref" in source:
                name = source["$ref"].rpartition("/")[2]
                if name in inside:
                    raise Untranslatable(f"{path}: {name} contains itself; a structural schema cannot")
                inside = (*inside, name)
                source = _over(self.definitions[name], source, without="$ref")
            elif "anyOf" in source and {"type": "null"} in source["anyOf"]:
                choices = [choice for choice in source["anyOf"] if choice != {"type": "null"}]
                if len(choices) != 1:
                    raise Untranslatable(f"{path}: a union needs a discriminator")
                source = _over(choices[0], source, without="anyOf")
            else:
                return source, inside

    def _flattened(self, source: Json, path: str, inside: tuple[str, ...]) -> tuple[Json, tuple[str, ...]]:
        """A union by discriminator as one object: all fields, and rules for which of them go with which member."""
        key = source["discriminator"]["propertyName"]
        members: dict[str, Json] = {}
        for choice in source["oneOf"]:
            member, within = self._inlined(choice, path, inside)
            inside = tuple(dict.fromkeys((*inside, *within)))
            tag = member["properties"][key]
            for word in [tag["const"]] if "const" in tag else tag["enum"]:
                members[word] = member
        flat = _flat_object(key, members, path)
        return _over(flat, {k: v for k, v in source.items() if k != "discriminator"}, without="oneOf"), inside

    def _const(self, value: Any, path: str, inside: tuple[str, ...]) -> Json:
        return {"enum": [value]}

    def _exclusiveMinimum(self, value: Any, path: str, inside: tuple[str, ...]) -> Json:
        return {"minimum": _whole(value, path) + 1}

    def _exclusiveMaximum(self, value: Any, path: str, inside: tuple[str, ...]) -> Json:
        return {"maximum": _whole(value, path) - 1}

    def _properties(self, value: Json, path: str, inside: tuple[str, ...]) -> Json:
        return {"properties": {name: self.node(field, f"{path}.{name}", inside) for name, field in value.items()}}

    def _items(self, value: Json, path: str, inside: tuple[str, ...]) -> Json:
        return {"items": self.node(value, f"{path}[]", inside)}

    def _additionalProperties(self, value: Any, path: str, inside: tuple[str, ...]) -> Json:
        if value is True:  # dict[str, Any], which only PreserveUnknown makes sense of
            return {}
        return {"additionalProperties": self.node(value, f"{path}{{}}", inside)}

    def _propertyNames(self, value: Json, path: str, inside: tuple[str, ...]) -> Json:
        raise Untranslatable(f"{path}: constraints on keys of a map need a Rule: self.all(key, …)")

    def _anyOf(self, value: Any, path: str, inside: tuple[str, ...]) -> Json:
        if value != [{"type": "integer"}, {"type": "string"}]:
            raise Untranslatable(f"{path}: a union needs a discriminator")
        return {"anyOf": value}

    def _rules(self, value: list[Json], path: str, inside: tuple[str, ...]) -> Json:
        """pydantic sorts keys; a reader wants the rule first."""
        return {RULES: [{part: rule[part] for part in RULE_PARTS if part in rule} for rule in value]}

    def _description(self, value: str, path: str, inside: tuple[str, ...]) -> Json:
        return {"description": _paragraph(value)}

    def _default(self, value: Any, path: str, inside: tuple[str, ...]) -> Json:
        """Empty lists and maps are left out (absent means the same); `{}` stays on an object, whose fields fill it."""
        return {} if value in (None, []) else {"default": value}

    def _presence_rules(self, source: Json, path: str, inside: tuple[str, ...]) -> Iterator[Json]:
        """Presence of fields is the object's to check: a field's own rule does not run when the field comes or goes."""
        for name, field in source.get("properties", {}).items():
            hint = self._inlined(field, path, inside)[0].get(PRESENCE)
            if hint and name not in source.get("required", ()) and field.get("default") is None:
                template, message = hint
                place = {"old": f"oldSelf.{cel_name(name)}", "new": f"self.{cel_name(name)}"}
                yield Rule(template.format(**place), message, field_path=f".{name}").as_dict()


def _over(below: Json, above: Json, *, without: str) -> Json:
    """`above` wins, keyword by keyword; CEL rules add up."""
    merged = {**below, **{keyword: value for keyword, value in above.items() if keyword != without}}
    if rules := [*below.get(RULES, ()), *above.get(RULES, ())]:
        merged[RULES] = rules
    return merged


def _flat_object(key: str, members: Mapping[str, Json], path: str) -> Json:
    """One object for a union. A default of a field that some members lack stays in the model: it is not universal."""
    owners: dict[str, list[str]] = {}
    fields: dict[str, Json] = {}
    for word, member in members.items():
        for name, field in member["properties"].items():
            if name == key:
                continue
            if name in fields and _bare(fields[name]) != _bare(field):
                raise Untranslatable(f"{path}.{name}: members of the union disagree about it; give it two names")
            fields.setdefault(name, field)
            owners.setdefault(name, []).append(word)
    everywhere = {name for name, words in owners.items() if len(words) == len(members)}
    for name in fields.keys() - everywhere:
        fields[name] = {keyword: value for keyword, value in fields[name].items() if keyword != "default"}
    always = [name for name in everywhere if all(name in member.get("required", ()) for member in members.values())]
    meanings = (f"{word}: {_paragraph(member.get('description', ''))}" for word, member in members.items())
    tag = {"type": "string", "enum": list(members), "description": " ".join(meanings)}
    return {
        "type": "object",
        "properties": {key: tag, **fields},
        "required": [key, *(name for name in fields if name in always)],
        RULES: [rule.as_dict() for rule in _membership(key, members, owners)] + _guarded(key, members),
    }


def _membership(key: str, members: Mapping[str, Json], owners: Mapping[str, list[str]]) -> Iterator[Rule]:
    for name, words in owners.items():
        has, needed = f"has(self.{cel_name(name)})", [w for w in words if name in members[w].get("required", ())]
        if len(words) < len(members):
            yield Rule(f"!{has} || {_is(key, words)}", f"only with {key} {' or '.join(words)}", f".{name}")
        if needed and len(needed) < len(members):
            yield Rule(f"{has} || !({_is(key, needed)})", f"{name} is required with {key} {' or '.join(needed)}")


def _guarded(key: str, members: Mapping[str, Json]) -> list[Json]:
    """A member's own rules, asked only where the object is that member and has the fields that it requires."""
    return [
        {**rule, "rule": f"{_is_not(key, word, member)} || ({rule['rule']})"}
        for word, member in members.items()
        for rule in member.get(RULES, ())
    ]


def _is_not(key: str, word: str, member: Json) -> str:
    missing = [f"!has(self.{cel_name(name)})" for name in member.get("required", ()) if name != key]
    return " || ".join([f"self.{cel_name(key)} != '{word}'", *missing])


def _is(key: str, words: list[str]) -> str:
    this = f"self.{cel_name(key)}"
    return f"{this} == '{words[0]}'" if len(words) == 1 else f"{this} in [{', '.join(repr(w) for w in words)}]"


def _bare(field: Json) -> Json:
    return {keyword: value for keyword, value in field.items() if keyword not in ("description", "default", "title")}


def _describe(result: Json, glossary: Mapping[str, str] | None) -> None:
    """Words of a Term with their meanings, after what the field says."""
    if glossary:
        words = "; ".join(f"{word}: {meaning}" for word, meaning in glossary.items())
        result["description"] = " ".join(filter(None, (result.get("description"), f"{words}.")))


def _integer_format(schema: Json, path: str) -> str:
    if any(abs(schema.get(bound, 0)) > EXACT for bound in ("minimum", "maximum")):
        raise Untranslatable(f"{path}: a bound beyond ±(2^53 - 1) is not exact in the API server")
    small = schema.get("minimum", -(2**63)) >= -(2**31) and schema.get("maximum", 2**63) < 2**31
    return "int32" if small else "int64"


def _whole(value: Any, path: str) -> int:
    if int(value) != value:
        raise Untranslatable(f"{path}: an exclusive bound is for integers")
    return int(value)


def _paragraph(text: str) -> str:
    """The first paragraph, on one line."""
    return " ".join(text.strip().split("\n\n")[0].split())


def _without_defaults(schema: Json) -> Json:
    """A default in a status would be a claim that nobody made."""

    def strip(node: Json) -> Json:
        kept = {keyword: value for keyword, value in node.items() if keyword != "default"}
        if "properties" in kept:
            kept["properties"] = {name: strip(field) for name, field in kept["properties"].items()}
        for keyword in ("items", "additionalProperties"):
            if keyword in kept:
                kept[keyword] = strip(kept[keyword])
        return kept

    return strip(schema)
