"""Usage beside allocation, and what nobody asked for. Pure.

Allocation is what requests kept free; usage is what samples say was used, at the same prices. They are two bills, never mixed:
the difference is what somebody paid for and nobody used. Without samples there is no usage bill, which is not one of zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from gyre.cost.bill import Bill, Line, Owner, added, plus
from gyre.cost.meter import Amounts, Span, pieces
from gyre.cost.prices import ON_NODES, Book

UNALLOCATED: Final = Owner("", "Node", "unallocated")
"""The row of node time that no pod asked for."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What a run used, on average, over a stretch of time. `key` is that of its run."""

    key: str
    start: datetime
    end: datetime
    amounts: Amounts


def usage(spans: Mapping[str, Span], samples: Iterable[Sample], book: Book, zone: ZoneInfo) -> Bill:
    """The usage bill of these runs. A sample that reaches beyond its run counts within it only."""
    lines = dict[Line, Decimal]()
    days = dict[str, dict[Owner, Decimal]]()
    for sample in samples:
        span = spans.get(sample.key)
        if span is None:
            continue
        start = max(sample.start, span.start)
        stop = sample.end if span.end is None else min(sample.end, span.end)
        for piece in pieces(replace(span, amounts=sample.amounts), book, zone, start, stop):
            for line, quantity in piece.lines or ():
                lines[line] = plus(lines, line, quantity)
                of_day = days.setdefault(piece.day, {})
                of_day[span.owner] = plus(of_day, span.owner, line.scaled(quantity))
    return Bill(lines, days)


def with_unallocated(nodes: Bill, pods: Bill) -> dict[Owner, Decimal]:
    """Rows that sum to what the nodes cost: each owner's share, and the rest as a row of its own, in 1/SCALE.

    `nodes` is the bill of whole nodes, `pods` that of what ran on them. Storage and egress are nobody's node.
    """
    rows = dict[Owner, Decimal]()
    for line, quantity in pods.lines.items():
        if line.resource in ON_NODES:
            rows[line.owner] = plus(rows, line.owner, line.scaled(quantity))
    rest = added((nodes.total(), *(-amount for amount in rows.values())))
    return {**rows, UNALLOCATED: rest}
