"""The API of a Provider: prices by resource, device and kind of capacity, and the nodes that they are for. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from gyre.api import gvks
from gyre.api.fields import Count, Currency, Labels, LabelValue, Time, clipped
from gyre.api.markers import Column, ListType, MaxItems, MaxLength, MinItems, Rule, condition_column
from gyre.api.model import Schema
from gyre.api.resource import Resource as Root
from gyre.api.resource import Status
from gyre.cost.prices import Capacity, Resource

MAX_SHOWN = 20

UnitPrice = Annotated[
    Decimal,
    BeforeValidator(lambda value: repr(value) if isinstance(value, float) else value),
    PlainSerializer(lambda value: format(value, "f"), when_used="json"),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]{1,9}(\.[0-9]{1,12})?$", "maxLength": 22}),
]
"""A decimal as a string, with up to twelve places: a GiB-hour may cost 0.00005479452."""


class Price(
    Schema,
    rules=(
        Rule(
            "!has(self.accelerator) || self.resource == 'Accelerator'",
            "only an Accelerator has the name of one: leave accelerator out, or set resource to Accelerator",
            ".accelerator",
        ),
        Rule("!has(self.until) || !has(self.from) || self.until > self.from", "must be later than from", ".until"),
        Rule(
            "self.capacityType == 'OnDemand' || !(self.resource in ['Storage', 'Egress'])",
            "storage and egress are not had as Spot: leave capacityType out",
            ".capacityType",
        ),
    ),
):
    """What one unit of a resource costs, from when until when."""

    resource: Resource
    """What is paid for, and its unit."""
    accelerator: LabelValue | None = None
    """The device, as the node's labels name it, such as NVIDIA-A100-SXM4-80GB; left out, any without a price of its own."""
    capacity_type: Capacity = Capacity.ON_DEMAND
    """On what terms the node is had."""
    amount: UnitPrice
    """Money for one unit, in spec.currency."""
    from_: Time | None = Field(default=None, alias="from")
    """From this moment on; always, when left out."""
    until: Time | None = None
    """Before this moment; for ever, when left out."""


NO_OVERLAP = Rule(
    "self.all(a, self.filter(b, a.resource == b.resource && a.capacityType == b.capacityType"
    " && (has(a.accelerator) ? a.accelerator : '') == (has(b.accelerator) ? b.accelerator : '')"
    " && (!has(a.until) || !has(b.from) || a.until > b.from)"
    " && (!has(b.until) || !has(a.from) || b.until > a.from)).size() == 1)",
    "two prices of the same resource, accelerator and capacityType overlap in time: end one (until) where the next begins (from)",
)


class ProviderSpec(Schema):
    """Prices in one currency, for the nodes that have certain labels."""

    currency: Currency
    """ISO 4217 code of all amounts of the list."""
    node_selector: Labels = Field(default_factory=dict)
    """Labels of the nodes that the list is for; every node when it is empty."""
    spot_labels: Labels = Field(default_factory=dict)
    """Labels any of which makes a node Spot, beside those that clouds and Karpenter set."""
    prices: Annotated[tuple[Price, ...], ListType("atomic"), MinItems(1), MaxItems(64), NO_OVERLAP]
    """The list. Entries of the same thing follow each other in time and never overlap."""


class Unpriced(Schema):
    """A node that costs nobody knows what."""

    node: Annotated[str, MaxLength(253)]
    """Its name."""
    why: Annotated[str, *clipped(256)]
    """What is missing, and what to do."""


class ProviderStatus(Status):
    """What has a price."""

    nodes: Count | None = None
    """How many nodes the list prices."""
    priced: Annotated[tuple[Annotated[str, *clipped(128)], ...], ListType("atomic"), MaxItems(64)] = ()
    """What has a price now: `CPU OnDemand 0.031611`."""
    unpriced: Annotated[tuple[Unpriced, ...], ListType("atomic"), MaxItems(MAX_SHOWN)] = ()
    """Nodes of the cluster whose cost is Unknown, the first twenty by name."""
    next_change: Time | None = None
    """When the next price begins or ends."""


Base = Root[ProviderSpec, ProviderStatus]
"""On a line of its own: pydantic reads the source around it for docstrings, and fails inside an open bracket."""


class Provider(
    Base,
    gvk=gvks.PROVIDER,
    short=("prov",),
    columns=(
        Column("Currency", ".spec.currency"),
        Column("Nodes", ".status.nodes", type="integer"),
        Column("Unpriced", ".status.unpriced[0].node", description="The first node of the cluster without a price"),
        Column("Next-Change", ".status.nextChange", priority=1),
        condition_column("Why-Unpriced", "NodesPriced", show="message", priority=1),
        condition_column("Message", "Ready", show="message", priority=1),
    ),
):
    """What computing costs: a price list for the nodes that its labels choose."""
