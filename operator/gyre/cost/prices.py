"""Price lists: what a unit of a resource costs on which nodes, from when until when. Pure.

Units      CPU core-hour, Memory GiB-hour, Accelerator device-hour, Storage GiB-month of 730 hours, Egress GiB
Never      a price that was not stated: no list, or no entry for spot, is None and not zero, and not that of on-demand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final

from gyre.api.terms import Term


class Resource(Term):
    """What is paid for."""

    CPU = "CPU", "one core for one hour"
    MEMORY = "Memory", "one GiB for one hour"
    ACCELERATOR = "Accelerator", "one device for one hour"
    STORAGE = "Storage", "one GiB for one month of 730 hours"
    EGRESS = "Egress", "one GiB that leaves"


class Capacity(Term):
    """On what terms a node is had."""

    ON_DEMAND = "OnDemand", "it stays until it is given back"
    SPOT = "Spot", "cheaper, and taken back at any time"


@dataclass(frozen=True, slots=True)
class Place:
    """What decides the price of a run besides its size: whose node, on what terms, with which accelerator."""

    provider: str
    """The price list; empty when none is for that node."""
    capacity: Capacity = Capacity.ON_DEMAND
    accelerator: str = ""


NOWHERE: Final = Place("")


@dataclass(frozen=True, slots=True)
class Entry:
    """One price. It holds from `start` on, before `end`; None is for ever."""

    resource: Resource
    price: Decimal
    capacity: Capacity = Capacity.ON_DEMAND
    accelerator: str = ""
    """The device; empty is any that has no entry of its own."""
    start: datetime | None = None
    end: datetime | None = None

    def holds(self, at: datetime) -> bool:
        return (self.start is None or self.start <= at) and (self.end is None or at < self.end)


@dataclass(frozen=True, slots=True)
class PriceList:
    name: str
    currency: str
    entries: tuple[Entry, ...] = ()
    nodes: Mapping[str, str] = field(default_factory=dict)
    """Labels of the nodes that it prices; empty is all of them."""
    spot: Mapping[str, str] = field(default_factory=dict)
    """Labels that make a node Spot, beside those that everybody knows."""

    def prices(self, labels: Mapping[str, str]) -> bool:
        return self.nodes.items() <= labels.items()


@dataclass(frozen=True, slots=True)
class Book:
    """All price lists of one currency."""

    lists: tuple[PriceList, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.lists)

    def of_node(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        """The lists that price a node with these labels: one, none, or several, and then nobody knows which is right."""
        return tuple(sorted(one.name for one in self.lists if one.prices(labels)))

    def price(self, place: Place, resource: Resource, at: datetime) -> Decimal | None:
        """Of one unit at that moment; None when nobody has said."""
        found = [entry for entry in self._entries(place, resource) if entry.holds(at)]
        if not found:
            return None
        own = [entry for entry in found if entry.accelerator]
        return (own or found)[0].price

    def changes(self, place: Place, after: datetime, before: datetime) -> Iterable[datetime]:
        """Moments in between at which a price of that place may change."""
        for resource in Resource:
            for entry in self._entries(place, resource):
                for moment in (entry.start, entry.end):
                    if moment is not None and after < moment < before:
                        yield moment

    def _entries(self, place: Place, resource: Resource) -> Iterable[Entry]:
        for one in self.lists:
            if one.name != place.provider:
                continue
            for entry in one.entries:
                terms = entry.capacity is place.capacity or resource not in ON_NODES
                device = resource is not Resource.ACCELERATOR or entry.accelerator in ("", place.accelerator)
                if entry.resource is resource and terms and device:
                    yield entry


ON_NODES: Final = frozenset({Resource.CPU, Resource.MEMORY, Resource.ACCELERATOR})
"""What comes with a node, and so on its terms; a disk is no cheaper because a spot node mounts it."""
