"""What pydantic cannot say and a CustomResourceDefinition must: markers for `Annotated[...]` and class keywords.

Promises   a marker only adds to the generated schema; the few that also bound values (`MaxLength`, `MaxItems`,
           `MaxProperties`, `Between`, `Pattern`) are pydantic's own constraints under Kubernetes' names.
Never      evaluates CEL, reads a cluster, or changes what `Resource.parse` accepts.

Source of the extensions: kubernetes apiextensions-apiserver `pkg/apis/apiextensions/v1/types_jsonschema.go`, v1.35.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, TypeAlias

from annotated_types import Interval, MaxLen, MinLen
from pydantic import GetJsonSchemaHandler, StringConstraints

from gyre.api.durations import format_duration, parse_duration

Json: TypeAlias = dict[str, Any]

MaxLength = MaxItems = MaxProperties = MaxLen
MinLength = MinItems = MinLen

EXACT = 2**53 - 1
"""The largest bound of an integer: the API server reads bounds as float64, and 2^63 - 1 as a bound refuses every value."""

RULES = "x-kubernetes-validations"

PRESENCE = "x-gyre-presence"
"""Private hint on a field's schema: the rule on presence that only its parent can check. Hoisted by `structural`."""

RuleReason: TypeAlias = Literal["FieldValueInvalid", "FieldValueForbidden", "FieldValueRequired", "FieldValueDuplicate"]


def Between(low: int, high: int) -> Interval:
    """An integer from `low` to `high`, both included."""
    return Interval(ge=low, le=high)


def Pattern(regex: str) -> StringConstraints:
    """A regular expression in RE2 syntax, anchored by the author with `^` and `$`."""
    return StringConstraints(pattern=regex)


class Extension:
    """A marker that adds keywords to the schema of the type it annotates."""

    __slots__ = ()

    def keywords(self) -> Json:
        raise NotImplementedError

    def __get_pydantic_json_schema__(self, source: Any, handler: GetJsonSchemaHandler) -> Json:
        schema = dict(handler(source))
        for keyword, value in self.keywords().items():
            if keyword == RULES:
                value = [*schema.get(keyword, ()), *value]
            schema[keyword] = value
        return schema


@dataclass(frozen=True, slots=True)
class Rule(Extension):
    """A CEL validation rule: on a field (`self` is the field) or, as a class keyword, on the whole object.

    `message` says what to do, not what is wrong. `field_path` (`.spec.workers`) points below `self`. A rule that uses
    `oldSelf` runs on updates only, unless `optional_old_self`.
    """

    rule: str
    message: str
    field_path: str = ""
    reason: RuleReason | None = None
    message_expression: str = ""
    optional_old_self: bool = False

    def as_dict(self) -> Json:
        entries = {
            "rule": self.rule,
            "message": self.message,
            "messageExpression": self.message_expression,
            "fieldPath": self.field_path,
            "reason": self.reason,
            "optionalOldSelf": self.optional_old_self,
        }
        return {key: value for key, value in entries.items() if value}

    def keywords(self) -> Json:
        return {RULES: [self.as_dict()]}


@dataclass(frozen=True, slots=True)
class Immutable(Extension):
    """The value stays as it was created; an optional field cannot be added or removed later either."""

    message: str = "cannot be changed after creation: create a new object instead"

    def keywords(self) -> Json:
        rule = Rule("self == oldSelf", self.message)
        return {**rule.keywords(), PRESENCE: ("has({old}) == has({new})", self.message)}


@dataclass(frozen=True, slots=True)
class ImmutableOnceSet(Extension):
    """May be set later than creation; from then on it can be neither changed nor removed."""

    message: str = "cannot be changed or removed once set: create a new object instead"

    def keywords(self) -> Json:
        rule = Rule("self == oldSelf", self.message)
        return {**rule.keywords(), PRESENCE: ("!has({old}) || has({new})", self.message)}


@dataclass(frozen=True, slots=True)
class ListType(Extension):
    """How server-side apply merges a list: `map` by the values of `keys`, `set` by value, `atomic` as one."""

    type: Literal["map", "set", "atomic"]
    keys: tuple[str, ...] = ()

    def keywords(self) -> Json:
        if (self.type == "map") != bool(self.keys):
            raise ValueError(f"ListType({self.type!r}, keys={self.keys!r}): keys belong to map lists, and only to them")
        keys = {"x-kubernetes-list-map-keys": list(self.keys)} if self.keys else {}
        return {"x-kubernetes-list-type": self.type, **keys}


@dataclass(frozen=True, slots=True)
class MapType(Extension):
    """How server-side apply merges an object: `granular` (the default) by key, `atomic` as one."""

    type: Literal["granular", "atomic"]

    def keywords(self) -> Json:
        return {"x-kubernetes-map-type": self.type}


@dataclass(frozen=True, slots=True)
class Span(Extension):
    """Bounds of a Duration, written as durations: `Span("10s", "30d")`, both included."""

    low: str
    high: str

    def keywords(self) -> Json:
        low, high = (cel_duration(parse_duration(end)) for end in (self.low, self.high))
        texts = [format_duration(parse_duration(end)) for end in (self.low, self.high)]
        return Rule(f"self >= {low} && self <= {high}", f"must be from {texts[0]} to {texts[1]}").keywords()


@dataclass(frozen=True, slots=True)
class PreserveUnknown(Extension):
    """Foreign fields below this object are kept as they are, unvalidated. Needs a reviewed exception in `lint`."""

    def keywords(self) -> Json:
        return {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of `kubectl get`. `priority` 1 shows it with `-o wide` only; type `date` shows an age."""

    name: str
    json_path: str
    type: Literal["string", "integer", "number", "boolean", "date"] = "string"
    priority: int = 0
    description: str = ""

    def as_dict(self) -> Json:
        entries = {
            "name": self.name,
            "type": self.type,
            "jsonPath": self.json_path,
            "priority": self.priority,
            "description": self.description,
        }
        return {key: value for key, value in entries.items() if value}


def condition_column(
    name: str, condition: str, *, show: Literal["status", "reason", "message"] = "status", priority: int = 0
) -> Column:
    """A column with the status, reason or message of one condition."""
    return Column(name, f'.status.conditions[?(@.type=="{condition}")].{show}', priority=priority)


READY = condition_column("Ready", "Ready")
REASON = condition_column("Reason", "Ready", show="reason")
AGE = Column("Age", ".metadata.creationTimestamp", type="date")


@dataclass(frozen=True, slots=True)
class Scale:
    """Paths of the `scale` subresource, for `kubectl scale` and HorizontalPodAutoscalers."""

    spec_replicas: str = ".spec.replicas"
    status_replicas: str = ".status.replicas"
    label_selector: str = ""

    def as_dict(self) -> Json:
        selector = {"labelSelectorPath": self.label_selector} if self.label_selector else {}
        return {"specReplicasPath": self.spec_replicas, "statusReplicasPath": self.status_replicas, **selector}


def exactly_one_of(*fields: str) -> Rule:
    """Of these fields, named as in YAML, one and only one is set."""
    return Rule(f"{_present(fields)}.exists_one(x, x)", f"set exactly one of {_and(fields)}")


def at_most_one_of(*fields: str) -> Rule:
    """Of these fields, named as in YAML, no two are set."""
    return Rule(f"{_present(fields)}.filter(x, x).size() <= 1", f"set at most one of {_and(fields)}")


def at_least_one_of(*fields: str) -> Rule:
    """Of these fields, named as in YAML, one or more is set."""
    return Rule(f"{_present(fields)}.exists(x, x)", f"set at least one of {_and(fields)}")


def cel_name(field: str) -> str:
    """A field's name as CEL spells it: reserved words and foreign characters are escaped (KEP-2876)."""
    for character, escape in (("__", "__underscores__"), (".", "__dot__"), ("-", "__dash__"), ("/", "__slash__")):
        field = field.replace(character, escape)
    return f"__{field}__" if field in CEL_RESERVED else field


def cel_duration(value: timedelta) -> str:
    """A duration literal; CEL's `duration()` knows Go's units only, so not days."""
    return (
        f"duration('{value // timedelta(milliseconds=1)}ms')"
        if value.microseconds
        else (f"duration('{value // timedelta(seconds=1)}s')")
    )


CEL_RESERVED = frozenset(
    re.findall(
        r"\w+",
        "true false null in as break const continue else for function if import let loop package namespace return",
    )
)


def _present(fields: Sequence[str]) -> str:
    return f"[{', '.join(f'has(self.{cel_name(field)})' for field in fields)}]"


def _and(fields: Sequence[str]) -> str:
    return f"{', '.join(fields[:-1])} and {fields[-1]}"


def first_paragraph(text: str) -> str:
    """On one line: what a docstring says before it goes into detail."""
    return " ".join(text.strip().split("\n\n")[0].split())
