"""A Provider as other kinds see it, as a price list; and which of them prices a node.

Never raises: what is malformed is no price. A node that two Providers claim is priced by none: nobody knows which is right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from gyre.adapters.pods import moment
from gyre.cost.prices import ON_NODES, Book, Capacity, Entry, Place, PriceList, Resource

SPOT: Final = (
    ("karpenter.sh/capacity-type", "spot"),
    ("eks.amazonaws.com/capacityType", "SPOT"),
    ("cloud.google.com/gke-spot", "true"),
    ("cloud.google.com/gke-preemptible", "true"),
    ("kubernetes.azure.com/scalesetpriority", "spot"),
)
"""Labels that clouds and Karpenter put on nodes that they may take back."""

DEVICES: Final[Mapping[str, tuple[str, ...]]] = {
    "nvidia.com/gpu": (
        "nvidia.com/gpu.product",
        "cloud.google.com/gke-accelerator",
        "k8s.amazonaws.com/accelerator",
        "karpenter.k8s.aws/instance-gpu-name",
    ),
    "amd.com/gpu": ("amd.com/gpu.product-name",),
    "google.com/tpu": ("cloud.google.com/gke-tpu-accelerator",),
    "aws.amazon.com/neuron": ("karpenter.k8s.aws/instance-accelerator-name",),
    "habana.ai/gaudi": (),
}
"""Resources that are accelerators, and the labels of a node that say which."""

RESOURCES: Final = {resource.value: resource for resource in Resource}
CAPACITIES: Final = {capacity.value: capacity for capacity in Capacity}


@dataclass(frozen=True, slots=True)
class NodeTerms:
    """A node as somebody who pays for it sees it."""

    name: str
    uid: str
    labels: Mapping[str, str]
    capacity: Mapping[str, str]
    born: str

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> NodeTerms:
        metadata = obj.get("metadata") or {}
        room = (obj.get("status") or {}).get("capacity") or (obj.get("status") or {}).get("allocatable") or {}
        return cls(
            name=str(metadata.get("name", "")),
            uid=str(metadata.get("uid", "")),
            labels={str(key): str(value) for key, value in (metadata.get("labels") or {}).items()},
            capacity={str(key): str(value) for key, value in room.items()},
            born=str(metadata.get("creationTimestamp") or ""),
        )

    @property
    def accelerator(self) -> str:
        """The device on it; empty when it has none or does not say which."""
        names = (self.labels.get(label) for labels in DEVICES.values() for label in labels)
        return next((name for name in names if name), "")

    @property
    def devices(self) -> bool:
        return any(self.capacity.get(name, "0") != "0" for name in DEVICES)


def price_list(obj: Mapping[str, Any]) -> PriceList:
    """A Provider's spec as prices."""
    metadata, spec = obj.get("metadata") or {}, obj.get("spec") or {}
    return PriceList(
        name=str(metadata.get("name", "")),
        currency=str(spec.get("currency", "")),
        entries=tuple(entry for said in spec.get("prices") or () if (entry := _entry(said)) is not None),
        nodes=dict(spec.get("nodeSelector") or {}),
        spot=dict(spec.get("spotLabels") or {}),
    )


def book(providers: Iterable[Mapping[str, Any]], currency: str | None = None) -> Book:
    """The price lists in this currency; in any when it is None."""
    lists = (price_list(obj) for obj in providers if not (obj.get("metadata") or {}).get("deletionTimestamp"))
    return Book(tuple(one for one in lists if currency is None or one.currency == currency))


def place_of(node: NodeTerms, prices: Book) -> Place:
    """Where a pod on that node runs, as far as its price goes."""
    found = prices.of_node(node.labels)
    provider = found[0] if len(found) == 1 else ""
    own = next((one.spot for one in prices.lists if one.name == provider and one.spot), {})
    spot = any(node.labels.get(label) == value for label, value in (*SPOT, *own.items()))
    return Place(provider, Capacity.SPOT if spot else Capacity.ON_DEMAND, node.accelerator)


def rates(prices: Book, at: datetime, selector: Mapping[str, str] | None = None) -> dict[Resource, Decimal]:
    """The dearest price at that moment of a core, a GiB and a device, for a pod with this node selector.

    Of all lists but those for nodes that the selector excludes; of devices but those that it does not name; on Spot terms alone
    only where it asks for them. What has no price is not in it.
    """
    wanted, found = selector or {}, dict[Resource, Decimal]()
    names = {wanted[label] for labels in DEVICES.values() for label in labels if label in wanted}
    spot = any(wanted.get(label) == value for label, value in SPOT)
    for one in prices.lists:
        if any(wanted.get(label, value) != value for label, value in one.nodes.items()):
            continue
        for entry in one.entries:
            other = bool(names) and bool(entry.accelerator) and entry.accelerator not in names
            if (
                entry.resource in ON_NODES
                and entry.holds(at)
                and not other
                and (entry.capacity is Capacity.SPOT or not spot)
            ):
                found[entry.resource] = max(found.get(entry.resource, entry.price), entry.price)
    return found


def terms_of(node: Mapping[str, Any]) -> object:
    """What of a node has to do with money: not its heartbeats."""
    terms = NodeTerms.of(node)
    return terms.uid, sorted(terms.labels.items()), sorted(terms.capacity.items())


def _entry(said: Mapping[str, Any]) -> Entry | None:
    resource, capacity = RESOURCES.get(said.get("resource", "")), CAPACITIES.get(said.get("capacityType", "OnDemand"))
    try:
        price = Decimal(str(said.get("amount")))
    except InvalidOperation:
        return None
    if resource is None or capacity is None or not price.is_finite():
        return None
    start, end = said.get("from"), said.get("until")
    return Entry(
        resource=resource,
        price=price,
        capacity=capacity,
        accelerator=str(said.get("accelerator") or ""),
        start=moment(start) if start else None,
        end=moment(end) if end else None,
    )
