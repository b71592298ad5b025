"""The three classes of a kind's root: `Resource`, its `Status`, its `Metadata`.

Promises   `Resource.parse` takes what an API server returned, thousands a second: unknown fields are ignored, and what
           another version wrote into the status and this one cannot read is forgotten, field by field.
Never      invents a status: an object never looked at has observed generation -1 and no conditions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, Generic, Self, TypeVar

from pydantic import (
    AwareDatetime,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from gyre.api.conditions import Condition
from gyre.api.effects import Gvk, Ref
from gyre.api.markers import AGE, EXACT, READY, REASON, Between, Column, Json, ListType, MaxItems, Scale
from gyre.api.model import ClassRules, Schema

STORED: Final = {"stored": True}
"""Validation context of `Resource.parse`: the value was written by the API server, perhaps for another version."""

CATEGORIES: Final = ("gyre", "ml")


class Unreadable(ValueError):
    """A stored object does not fit its model: the CRD in the cluster and this operator are of different versions."""


class OwnerReference(Schema):
    """metav1.OwnerReference."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool = False
    block_owner_deletion: bool = False


class Metadata(Schema):
    """The part of metav1.ObjectMeta that a kind may ask about."""

    name: str
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    creation_timestamp: AwareDatetime | None = None
    deletion_timestamp: AwareDatetime | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    finalizers: tuple[str, ...] = ()
    owner_references: tuple[OwnerReference, ...] = ()


class Status(Schema):
    """What was last observed of an object."""

    observed_generation: Annotated[int, Between(-1, EXACT)] = -1
    """The generation of the spec that this status is about; -1 before the operator has looked."""
    conditions: Annotated[tuple[Condition, ...], ListType("map", keys=("type",)), MaxItems(24)] = ()
    """What is true of the object, one entry a type."""

    def condition(self, type: str) -> Condition | None:
        """The condition of this type, if it was ever reported."""
        return next((condition for condition in self.conditions if condition.type == type), None)

    @model_validator(mode="wrap")
    @classmethod
    def _forget_what_another_version_wrote(
        cls, value: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo
    ) -> Self:
        if isinstance(value, cls) or not (info.context and info.context.get("stored")):
            return handler(value)
        written = value if isinstance(value, dict) else {}
        try:
            return handler(written)
        except ValidationError as error:
            unreadable = {cause["loc"][0] for cause in error.errors(include_url=False) if cause["loc"]}
        try:
            return handler({field: kept for field, kept in written.items() if field not in unreadable})
        except ValidationError:
            return handler({})


@dataclass(frozen=True, slots=True)
class Definition:
    """What a CustomResourceDefinition says besides its schema."""

    gvk: Gvk
    short: tuple[str, ...]
    categories: tuple[str, ...]
    columns: tuple[Column, ...]
    selectable: tuple[str, ...]
    scale: Scale | None
    max_name: int


Spec = TypeVar("Spec", bound=Schema)
Stat = TypeVar("Stat", bound=Status)


class Resource(Schema, Generic[Spec, Stat]):
    """One object of a kind. Class keywords:

    gvk         from `gyre.api.gvks`; the one place that knows group, version, plural and scope
    short       short names of kubectl, at most two
    columns     domain columns of `kubectl get`; Ready and Reason come before them, Age after
    selectable  JSON paths for `--field-selector`, at most eight
    scale       paths of the scale subresource
    rules       CEL rules over the whole object (`self.spec…`, `self.metadata.name`)
    max_name    longest `metadata.name`, so that the names of children still fit
    """

    model_config = ConfigDict(use_attribute_docstrings=False)
    """pydantic would read the source around `Resource[…]`, and trip over a class statement of several lines."""

    definition: ClassVar[Definition]
    metadata: Metadata
    spec: Spec
    status: Stat

    def __init_subclass__(
        cls,
        gvk: Gvk | None = None,
        *,
        short: tuple[str, ...] = (),
        columns: tuple[Column, ...] = (),
        selectable: tuple[str, ...] = (),
        scale: Scale | None = None,
        rules: ClassRules = (),
        max_name: int = 40,
        categories: tuple[str, ...] = CATEGORIES,
        **kwargs: Any,
    ) -> None:
        super().__init_subclass__(rules=rules, **kwargs)
        if gvk is None:
            return
        names = {column.name for column in columns}
        before = tuple(column for column in (READY, REASON) if column.name not in names)
        after = tuple(column for column in (AGE,) if column.name not in names)
        cls.definition = Definition(gvk, short, categories, before + columns + after, selectable, scale, max_name)

    @model_validator(mode="before")
    @classmethod
    def _never_looked_at(cls, value: Any) -> Any:
        """An object made without a status has the empty one."""
        return value if not isinstance(value, dict) or value.get("status") is not None else {**value, "status": {}}

    @classmethod
    def parse(cls, obj: Json) -> Self:
        """The object as read from the API server. Raises Unreadable, naming the first field that misfits."""
        try:
            return cls.model_validate(obj, context=STORED)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            path = ".".join(str(part) for part in first["loc"])
            raise Unreadable(f"{cls.definition.gvk.kind} {path}: {first['msg']}") from error

    @property
    def name(self) -> str:
        return self.metadata.name

    @property
    def namespace(self) -> str:
        return self.metadata.namespace

    @property
    def uid(self) -> str:
        return self.metadata.uid

    @property
    def generation(self) -> int:
        return self.metadata.generation

    @property
    def deleting(self) -> bool:
        return self.metadata.deletion_timestamp is not None

    @property
    def ref(self) -> Ref:
        return Ref(self.definition.gvk, self.namespace, self.name)

    def owner_reference(self) -> Json:
        """For `metadata.ownerReferences` of a child: we are its controller, and it goes when we go."""
        gvk = self.definition.gvk
        return {
            "apiVersion": gvk.api_version,
            "kind": gvk.kind,
            "name": self.name,
            "uid": self.uid,
            "controller": True,
            "blockOwnerDeletion": True,
        }

    def to_dict(self) -> Json:
        """As a manifest, `apiVersion` and `kind` first; of metadata only what is set."""
        gvk = self.definition.gvk
        metadata = self.metadata.model_dump(mode="json", exclude_defaults=True)
        return {"apiVersion": gvk.api_version, "kind": gvk.kind, **super().to_dict(), "metadata": metadata}
