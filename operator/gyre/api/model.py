"""`Schema`: the class of every object inside a spec or a status.

Promises   frozen; snake_case in Python, camelCase in the API; unknown fields of a newer version are ignored;
           a docstring under a field is its description.
Never      coerces what the API server would refuse into something it would accept.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler
from pydantic.alias_generators import to_camel

from gyre.api.markers import RULES, Immutable, ImmutableOnceSet, Json, Rule

ClassRules = tuple[Rule | Immutable | ImmutableOnceSet, ...]


class Schema(BaseModel):
    """`class Search(Schema, rules=(Rule("self.min <= self.max", "…"),)):` and then fields, each with its docstring."""

    model_config = ConfigDict(
        frozen=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        extra="ignore",
        use_attribute_docstrings=True,
        ser_json_inf_nan="strings",
    )
    class_rules: ClassVar[ClassRules] = ()

    def __init_subclass__(cls, rules: ClassRules = (), **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.class_rules = (*cls.class_rules, *rules)

    def to_dict(self) -> Json:
        """As the API has it: camelCase, JSON types only, absent instead of null."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    @classmethod
    def __get_pydantic_json_schema__(cls, source: Any, handler: GetJsonSchemaHandler) -> Json:
        reference = handler(source)
        schema = handler.resolve_ref_schema(reference)
        rules = [rule for marker in cls.class_rules for rule in marker.keywords()[RULES]]
        if rules:
            schema[RULES] = rules
        for field, default in cls._static_defaults().items():
            schema["properties"][field]["default"] = default
        return reference

    @classmethod
    def _static_defaults(cls) -> Json:
        """Defaults as the API server will fill them in; of a nested object only what differs from its own defaults.

        Empty lists and maps are left out: absent and empty mean the same, and CEL asks `has()` either way.
        """
        given = cls.model_construct().model_dump(mode="json", by_alias=True, exclude_none=True, warnings=False)
        defaults = {}
        for name, field in cls.model_fields.items():
            alias = field.alias or name
            if isinstance(field.default, Schema):
                defaults[alias] = field.default.model_dump(mode="json", exclude_unset=True, exclude_none=True)
            elif alias in given and given[alias] not in ([], {}):
                defaults[alias] = given[alias]
        return defaults
