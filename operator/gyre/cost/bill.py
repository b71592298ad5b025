"""Quantities at prices, by month and owner, and the money that they come to. Pure.

What is kept is a quantity (units × seconds) at a unit price, so that a bill can be checked by hand: nothing is divided and
nothing rounded before it is shown. Money is shown in hundredths; the hundredths of rows are dealt out by largest remainder, so
that rows always sum to their total.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal, Inexact
from typing import Final, TypeVar

from gyre.cost.prices import Place, Resource

EXACT: Final = Context(prec=200, traps=[Inexact])
"""Raises instead of rounding."""
WIDE: Final = Context(prec=200)
"""For what is shown, where a third has no end."""
HOUR: Final = 3600
MONTH_HOURS: Final = 730
"""A month of storage, as OpenCost and the clouds have it: 365 · 24 / 12."""
SCALE: Final = HOUR * MONTH_HOURS
"""Money is summed up in 2,628,000ths: then neither an hour nor a month has to be divided."""
CENT: Final = Decimal("0.01")

K = TypeVar("K")


@dataclass(frozen=True, slots=True, order=True)
class Owner:
    """On whose account something ran."""

    namespace: str
    kind: str
    name: str
    project: str = ""
    team: str = ""
    cost_center: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Line:
    """What one row of a bill is about."""

    month: str
    """`2026-11`, where the budget is."""
    owner: Owner
    resource: Resource
    provider: str
    capacity: str
    accelerator: str
    price: Decimal

    @classmethod
    def of(cls, month: str, owner: Owner, resource: Resource, place: Place, price: Decimal) -> Line:
        device = place.accelerator if resource is Resource.ACCELERATOR else ""
        return cls(month, owner, resource, place.provider, place.capacity.value, device, price)

    def scaled(self, quantity: Decimal) -> Decimal:
        """Its money in units of 1/SCALE."""
        factor = {Resource.STORAGE: 1, Resource.EGRESS: SCALE}.get(self.resource, MONTH_HOURS)
        return EXACT.multiply(EXACT.multiply(quantity, self.price), Decimal(factor))


@dataclass(frozen=True, slots=True)
class Bill:
    """Lines with their quantities, and what each day cost each owner, in 1/SCALE."""

    lines: Mapping[Line, Decimal] = field(default_factory=dict)
    days: Mapping[str, Mapping[Owner, Decimal]] = field(default_factory=dict)

    def total(self, months: Iterable[str] | None = None) -> Decimal:
        wanted = None if months is None else set(months)
        return added(line.scaled(q) for line, q in self.lines.items() if wanted is None or line.month in wanted)

    def by(self, months: Iterable[str] | None = None) -> dict[Owner, Decimal]:
        """Money of each owner, in 1/SCALE."""
        wanted, found = None if months is None else set(months), dict[Owner, Decimal]()
        for line, quantity in self.lines.items():
            if wanted is None or line.month in wanted:
                found[line.owner] = EXACT.add(found.get(line.owner, Decimal(0)), line.scaled(quantity))
        return found

    @property
    def months(self) -> tuple[str, ...]:
        return tuple(sorted({line.month for line in self.lines}))


def added(amounts: Iterable[Decimal]) -> Decimal:
    total = Decimal(0)
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total


def plus(sums: Mapping[K, Decimal], key: K, more: Decimal) -> Decimal:
    return EXACT.add(sums.get(key, Decimal(0)), more)


def money(scaled: Decimal) -> Decimal:
    """Hundredths, as they are shown: halves go to the even one."""
    return WIDE.divide(scaled, Decimal(SCALE)).quantize(CENT, ROUND_HALF_EVEN, WIDE)


def shown(rows: Mapping[K, Decimal]) -> dict[K, Decimal]:
    """Rows in hundredths that sum to `money` of their sum: who lost most by rounding down gets the next hundredth."""
    exact = {key: WIDE.divide(WIDE.multiply(scaled, Decimal(100)), Decimal(SCALE)) for key, scaled in rows.items()}
    floors = {key: value.to_integral_value(ROUND_FLOOR, WIDE) for key, value in exact.items()}
    left = int(money(added(rows.values())) * 100 - sum(floors.values()))
    order = sorted(rows, key=lambda key: (floors[key] - exact[key], str(key)))
    favoured = set(order[: max(0, left)])
    return {key: (floors[key] + (1 if key in favoured else 0)) * CENT for key in rows}
