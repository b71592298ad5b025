"""Usage beside allocation, and what nobody asked for. Pure.

Allocation is what requests kept free, from times that are exact; usage is what somebody who looks from time to time says was
used, at the same prices. They are two accounts, never mixed, and usage is only told together with how much of the allocation was
looked at (`covered`): their ratio is what of the money paid was of use. Without a look there is no usage, which is not one of
zero.

A look stands for the time since the one before, or since the run began, and for `LONGEST` at the most: what was not looked at for
longer is not covered. Only what is paid for is compared: use of a resource that a container did not ask for is nobody's money.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final
from zoneinfo import ZoneInfo

from gyre.cost.bill import WIDE, Bill, Line, Owner, added, plus
from gyre.cost.meter import Meter
from gyre.cost.prices import ON_NODES, Book
from gyre.cost.spans import Amounts, Span, pieces

UNALLOCATED: Final = Owner("", "Node", "unallocated")
"""The row of node time that no pod asked for."""
LONGEST: Final = timedelta(minutes=15)
"""An operator that was away longer has not looked; a look at a container's memory says nothing of an hour ago."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What a run uses, as somebody saw it at that moment. `key` is that of its run."""

    key: str
    at: datetime
    amounts: Amounts


@dataclass(frozen=True, slots=True)
class Usage:
    """Of some lines of the bill: what was used of what was looked at. All in 1/SCALE."""

    used: Decimal
    covered: Decimal
    allocated: Decimal

    @property
    def known(self) -> bool:
        return self.covered > 0

    @property
    def efficiency(self) -> int:
        """Percent of what was paid for, as far as it was looked at; above 100 where more was used than asked for."""
        return _percent(self.used, self.covered)

    @property
    def sampled(self) -> int:
        """Percent of all that was paid for that somebody looked at."""
        return min(100, _percent(self.covered, self.allocated))


def entered(meter: Meter, samples: Iterable[Sample], book: Book, zone: ZoneInfo) -> Meter:
    """Looks into the account, as far as the bill goes; one that is older than what is known of its run changes nothing."""
    spans, used, covered = dict(meter.spans), dict(meter.used), dict(meter.covered)
    for sample in samples:
        span = spans.get(sample.key)
        if span is None or span.end is not None:
            continue
        until = min(sample.at, span.billed)
        start = max(span.sampled or span.start, until - LONGEST)
        if until <= start:
            continue
        asked = {resource for _, amounts in ((span.start, span.amounts), *span.sizes) for resource, _ in amounts}
        told = tuple((resource, amount) for resource, amount in sample.amounts if resource in asked)
        _enter(used, replace(span, amounts=told, sizes=()), book, zone, start, until)
        _enter(covered, _only(span, {resource for resource, _ in told}), book, zone, start, until)
        spans[sample.key] = replace(span, sampled=until)
    return replace(meter, spans=spans, used=used, covered=covered)


def usage(meter: Meter, lines: Iterable[Line]) -> Usage:
    wanted = [line for line in lines if line.resource in ON_NODES]
    sums = (
        added(line.scaled(held[line]) for line in wanted if line in held)
        for held in (meter.used, meter.covered, meter.bill.lines)
    )
    return Usage(*sums)


def _enter(sums: dict[Line, Decimal], span: Span, book: Book, zone: ZoneInfo, start: datetime, stop: datetime) -> None:
    for piece in pieces(span, book, zone, start, stop):
        for line, quantity in piece.lines or ():
            sums[line] = plus(sums, line, quantity)


def _only(span: Span, resources: set[object]) -> Span:
    def kept(amounts: Amounts) -> Amounts:
        return tuple((resource, amount) for resource, amount in amounts if resource in resources)

    return replace(
        span, amounts=kept(span.amounts), sizes=tuple((since, kept(amounts)) for since, amounts in span.sizes)
    )


def _percent(part: Decimal, whole: Decimal) -> int:
    return int(WIDE.divide(part * 100, whole).quantize(Decimal(1), ROUND_HALF_EVEN, WIDE)) if whole else 0


def with_unallocated(nodes: Bill, pods: Bill) -> dict[Owner, Decimal]:
    """Rows that sum to what the nodes cost: each owner's share, and the rest as a row of its own, in 1/SCALE.

    `nodes` is the bill of whole nodes, `pods` that of what ran on them, and of disks, which are nobody's node and come on top.
    """
    rows = dict[Owner, Decimal]()
    on_nodes = list[Decimal]()
    for line, quantity in pods.lines.items():
        cost = line.scaled(quantity)
        rows[line.owner] = plus(rows, line.owner, cost)
        if line.resource in ON_NODES:
            on_nodes.append(-cost)
    rest = added((nodes.total(), *on_nodes))
    return {**rows, UNALLOCATED: rest}


def by_owner(lines: Iterable[Line]) -> Mapping[Owner, list[Line]]:
    found = dict[Owner, list[Line]]()
    for line in lines:
        found.setdefault(line.owner, []).append(line)
    return found
