"""Each trap between pydantic's JSON schema and a structural schema, with the exact outcome."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field
from tests.unit.api.sample import SampleSpec

from gyre.api.fields import LocalRef, Name
from gyre.api.markers import Between, Immutable, ListType, MaxItems, MaxLength, Pattern, Rule
from gyre.api.model import Schema
from gyre.api.structural import Untranslatable, structural
from gyre.api.terms import Term

SPEC = structural(SampleSpec)["properties"]
NAME = {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "maxLength": 63}
NEVER = "cannot be changed after creation: create a new object instead"
NOT_AGAIN = "cannot be changed or removed once set: create a new object instead"


def test_a_reference_is_inlined_and_the_fields_description_wins():
    dataset = SPEC["dataset"]
    assert dataset["description"] == "The Dataset to use."
    assert dataset["properties"]["name"]["maxLength"] == 253
    assert dataset["required"] == ["name"]
    assert "$ref" not in str(SPEC)
    assert "title" not in str(SPEC)


def test_an_optional_field_is_its_type_and_not_required():
    assert SPEC["rows"] == {
        "description": "How many rows.",
        "type": "integer",
        "format": "int64",
        "minimum": 0,
        "maximum": 2**53 - 1,
    }
    assert structural(SampleSpec)["required"] == ["dataset", "store"]


def test_exclusive_bounds_of_integers_become_inclusive_ones():
    assert SPEC["high"] == {
        "description": "The upper end.",
        "type": "integer",
        "format": "int32",
        "default": 5,
        "minimum": 1,
        "maximum": 99,
    }


def test_an_enum_brings_the_meaning_of_its_words_into_the_description():
    assert SPEC["enforcement"] == {
        "description": "Whether to act. Audit: only reports what it would do; Enforce: does it.",
        "type": "string",
        "enum": ["Audit", "Enforce"],
        "default": "Audit",
    }


def test_a_duration_is_a_bounded_string_that_cel_can_compare():
    assert SPEC["timeout"] == {
        "description": "How long it may take.",
        "type": "string",
        "format": "duration",
        "default": "1h",
        "pattern": "^([0-9]{1,4}d)?([0-9]{1,5}(h|m|s|ms)){0,4}$",
        "minLength": 2,
        "x-kubernetes-validations": [
            {
                "rule": "self >= duration('10s') && self <= duration('2592000s')",
                "message": "must be from 10s to 30d",
            }
        ],
    }


def test_a_positive_duration_refuses_zero():
    assert SPEC["retry"]["properties"]["wait"]["x-kubernetes-validations"] == [
        {"rule": "self > duration('0s')", "message": "must be longer than zero"}
    ]


def test_a_quantity_is_an_integer_or_a_string():
    assert SPEC["memory"] == {
        "description": "Memory of one worker.",
        "anyOf": [{"type": "integer"}, {"type": "string"}],
        "default": "2Gi",
        "pattern": r"^([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][-+]?[0-9]{1,2})?$",
        "maxLength": 32,
        "x-kubernetes-int-or-string": True,
        "x-kubernetes-validations": [
            {
                "rule": "isQuantity(string(self)) && !quantity(string(self)).isLessThan(quantity('0'))",
                "message": "write an amount like 500m, 2 or 2Gi; it cannot be negative",
            }
        ],
    }


def test_a_decimal_is_a_string_with_a_pattern():
    assert SPEC["quantile"] == {
        "description": "Which quantile.",
        "type": "string",
        "default": "0.95",
        "pattern": r"^(0(\.[0-9]{1,12})?|1(\.0{1,12})?)$",
        "maxLength": 14,
    }


def test_a_time_is_a_date_time():
    assert SPEC["finishBy"] == {"description": "When it is too late.", "type": "string", "format": "date-time"}


def test_a_nested_object_defaults_to_what_its_own_defaults_do_not_say():
    assert SPEC["retry"]["default"] == {}
    assert SPEC["stubborn"]["default"] == {"limit": 9}
    assert SPEC["retry"]["properties"]["wait"]["default"] == "30s"


def test_empty_lists_and_maps_are_not_written_as_defaults():
    assert all("default" not in SPEC[name] for name in ("env", "zones", "labels"))


def test_lists_say_how_they_merge():
    kinds = {name: SPEC[name]["x-kubernetes-list-type"] for name in ("env", "zones", "args")}
    assert kinds == {"env": "map", "zones": "set", "args": "atomic"}
    assert SPEC["env"]["x-kubernetes-list-map-keys"] == ["name"]
    assert SPEC["zones"] == {
        "description": "Zones to run in.",
        "type": "array",
        "maxItems": 8,
        "items": NAME,
        "x-kubernetes-list-type": "set",
    }


def test_a_dict_is_a_bounded_map():
    labels = SPEC["labels"]
    assert labels["maxProperties"] == 64
    assert labels["additionalProperties"]["maxLength"] == 63
    assert labels["x-kubernetes-map-type"] == "atomic"


def test_a_free_object_keeps_what_it_is_given():
    assert SPEC["podOverride"] == {
        "description": "Merged into the pod.",
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": True,
    }


def test_a_union_is_one_flat_object_whose_rules_know_its_members():
    assert SPEC["store"] == {
        "description": "Where results go.",
        "type": "object",
        "required": ["type"],
        "properties": {
            "type": {
                "description": "S3: A bucket. Claim: A PersistentVolumeClaim.",
                "type": "string",
                "enum": ["S3", "Claim"],
            },
            "bucket": {"description": "The bucket.", **NAME},
            "region": {"description": "Its region.", **NAME},  # no default: it is not the other member's
            "prefix": {"description": "Where in the store.", "default": "models", **NAME},
            "claim": {"description": "The claim.", **NAME},
        },
        "x-kubernetes-validations": [
            {"rule": "!has(self.bucket) || self.type == 'S3'", "message": "only with type S3", "fieldPath": ".bucket"},
            {"rule": "has(self.bucket) || !(self.type == 'S3')", "message": "bucket is required with type S3"},
            {"rule": "!has(self.region) || self.type == 'S3'", "message": "only with type S3", "fieldPath": ".region"},
            {
                "rule": "!has(self.claim) || self.type == 'Claim'",
                "message": "only with type Claim",
                "fieldPath": ".claim",
            },
            {"rule": "has(self.claim) || !(self.type == 'Claim')", "message": "claim is required with type Claim"},
            {
                "rule": "self.type != 'Claim' || !has(self.claim) || (self.claim != self.prefix)",
                "message": "give claim and prefix different names",
            },
        ],
    }


def test_a_required_field_that_is_immutable_needs_no_rule_on_its_parent():
    assert SPEC["dataset"]["x-kubernetes-validations"] == [{"rule": "self == oldSelf", "message": NEVER}]


def test_an_optional_immutable_field_cannot_come_or_go_either():
    rules = structural(SampleSpec)["x-kubernetes-validations"]
    assert rules == [
        {"rule": "self.low <= self.high", "message": "make low at most high", "fieldPath": ".low"},
        {"rule": "has(oldSelf.queue) == has(self.queue)", "message": NEVER, "fieldPath": ".queue"},
        {"rule": "!has(oldSelf.digest) || has(self.digest)", "message": NOT_AGAIN, "fieldPath": ".digest"},
    ]
    assert SPEC["queue"]["x-kubernetes-validations"] == [{"rule": "self == oldSelf", "message": NEVER}]


def test_rules_of_a_class_and_of_a_field_add_up():
    class Range(Schema, rules=(Rule("self.low < 9", "make low less than 9"),)):
        low: Annotated[int, Between(0, 99)]

    class Spec(Schema):
        range: Annotated[Range, Immutable("stays"), Rule("self.low > 1", "make low more than 1")]

    rules = structural(Spec)["properties"]["range"]["x-kubernetes-validations"]
    assert [rule["message"] for rule in rules] == ["make low less than 9", "stays", "make low more than 1"]


def test_an_immutable_class_compares_itself_as_a_whole():
    class Spec(Schema, rules=(Immutable("a version never changes"),)):
        digest: Name

    assert structural(Spec)["x-kubernetes-validations"] == [
        {"rule": "self == oldSelf", "message": "a version never changes"}
    ]


def test_a_rule_writes_everything_it_knows_in_a_fixed_order():
    class Spec(Schema):
        size: Annotated[
            int,
            Between(0, 9),
            Rule(
                "!oldSelf.hasValue() || self >= oldSelf.value()",
                "sizes only grow",
                field_path=".x",
                reason="FieldValueForbidden",
                message_expression="'at least ' + string(oldSelf.value())",
                optional_old_self=True,
            ),
        ]

    (rule,) = structural(Spec)["properties"]["size"]["x-kubernetes-validations"]
    assert list(rule) == ["rule", "message", "messageExpression", "fieldPath", "reason", "optionalOldSelf"]


def test_a_constant_is_an_enum_of_one():
    class Spec(Schema):
        mode: Literal["Only"]

    assert structural(Spec)["properties"]["mode"] == {"type": "string", "enum": ["Only"]}


def test_a_field_called_like_a_word_of_cel_is_escaped():
    class Spec(Schema):
        namespace: Annotated[Name | None, Immutable("stays")] = None

    assert structural(Spec)["x-kubernetes-validations"] == [
        {
            "rule": "has(oldSelf.__namespace__) == has(self.__namespace__)",
            "message": "stays",
            "fieldPath": ".namespace",
        }
    ]


class Loop(Schema):
    """Refers to itself."""

    next: Loop | None = None


class Colour(Term):
    RED = "Red", "the colour of blood"


class Bird(Schema):
    kind: Literal["Bird"]
    size: Name


class Fish(Schema):
    kind: Literal["Fish"]
    size: Annotated[int, Between(0, 9)]


REFUSED: dict[str, tuple[type[Any], str]] = {
    "recursion": (Loop, "Model.x.next: Loop contains itself"),
    "a bare union": (Annotated[int, Between(0, 1)] | Name, "Model.x: a union needs a discriminator"),
    "an untyped value": (Any, "Model.x: give it a type"),
    "an inexact bound": (Annotated[int, Between(0, 2**63 - 1)], "Model.x: a bound beyond"),
    "keys with a pattern": (dict[Annotated[str, Pattern("^a")], Name], "Model.x: patternProperties has no place"),
    "keys with a length": (dict[Annotated[str, MaxLength(3)], Name], "Model.x: propertyNames has no place"),
    "an exclusive bound of a float": (Annotated[float, Field(gt=0.5)], "Model.x: an exclusive bound is for integers"),
    "a tuple of different types": (tuple[int, str], "Model.x: prefixItems has no place"),
    "members that disagree": (Annotated[Bird | Fish, Field(discriminator="kind")], "Model.x.size: members"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_structural_schema_cannot_say_is_refused_with_its_path(name: str):
    type_, message = REFUSED[name]

    class Model(Schema):
        x: type_  # type: ignore[valid-type]

    with pytest.raises(Untranslatable) as refusal:
        structural(Model)
    assert str(refusal.value).startswith(message)


def test_map_lists_need_keys_and_only_they_have_them():
    for wrong in (ListType("map"), ListType("set", keys=("name",))):

        class Spec(Schema):
            refs: Annotated[tuple[LocalRef, ...], wrong, MaxItems(2)]

        with pytest.raises(ValueError, match="keys belong to map lists"):
            structural(Spec)


def test_an_optional_union_and_an_optional_enum_are_like_the_required_ones():
    class Spec(Schema):
        pet: Annotated[Bird | Other, Field(discriminator="kind")] | None = None
        colour: Colour | None = None

    fields = structural(Spec)["properties"]
    assert fields["pet"]["properties"]["kind"]["enum"] == ["Bird", "Other"]
    assert fields["colour"] == {"description": "Red: the colour of blood.", "type": "string", "enum": ["Red"]}
    assert "required" not in structural(Spec)


class Other(Schema):
    kind: Literal["Other"]
