"""Meter and bill as JSON and back. Pure.

Promises   equal meters are equal text; months and owners beyond the bounds are folded together, and the sum stays what it was.
Never      takes what cannot be read for an empty meter: that would bill everything again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import astuple, replace
from datetime import UTC, datetime
from decimal import Decimal, DecimalException
from typing import Any, Final

from gyre.cost.bill import Bill, Line, Owner, plus
from gyre.cost.meter import MOST_SPANS, Meter
from gyre.cost.prices import Capacity, Place, Resource
from gyre.cost.spans import Amounts, Span

FORMAT: Final = 1
MOST_MONTHS: Final = 14
MOST_DAYS: Final = 70
MOST_OWNERS_A_DAY: Final = 20
MOST_LINES: Final = 2500
OTHERS: Final = "(others)"
RESOURCES: Final = {resource.value: resource for resource in Resource}
CAPACITIES: Final = {capacity.value: capacity for capacity in Capacity}


class Unreadable(ValueError):
    """The text does not hold a meter that this operator wrote."""


def bounded(meter: Meter, *, forever: bool = False) -> Meter:
    """Old months go (or, where the sum counts for ever, become one); too many owners of old months become one per account."""
    bill = meter.bill
    months = bill.months
    old = set(months[:-MOST_MONTHS])
    whereto: dict[Line, Line] = {}
    for line in bill.lines:
        if line.month not in old:
            whereto[line] = line
        elif forever:
            whereto[line] = replace(_folded(line), month=months[-MOST_MONTHS])
    for month in months[-MOST_MONTHS:]:
        if len(set(whereto.values())) <= MOST_LINES:
            break
        whereto |= {line: _folded(kept) for line, kept in whereto.items() if kept.month == month}
    lines, used, covered = (_moved(held, whereto) for held in (bill.lines, meter.used, meter.covered))
    days = {day: _largest(bill.days[day]) for day in sorted(bill.days)[-MOST_DAYS:]}
    return _given_up(replace(meter, bill=Bill(lines, days), used=used, covered=covered))


def _moved(held: Mapping[Line, Decimal], whereto: Mapping[Line, Line]) -> dict[Line, Decimal]:
    """Quantities where they belong now; what belongs nowhere is gone."""
    found: dict[Line, Decimal] = {}
    for line, quantity in held.items():
        if line in whereto:
            found[whereto[line]] = plus(found, whereto[line], quantity)
    return found


def _given_up(meter: Meter) -> Meter:
    """Runs that are over and wait for a price, beyond the bound: the oldest go, and what they cost stays unknown."""
    over = sorted((span.end, key) for key, span in meter.spans.items() if span.end is not None)
    excess = over[: max(0, len(meter.spans) - MOST_SPANS)]
    if not excess:
        return meter
    gone = {key for _, key in excess}
    spans = {key: span for key, span in meter.spans.items() if key not in gone}
    done = {**meter.done, **{key: (end, True) for end, key in excess}}
    return replace(meter, spans=spans, done=done, lost=max(meter.lost, f"{excess[-1][0]:%Y-%m}"))


def _largest(of_day: Mapping[Owner, Decimal]) -> dict[Owner, Decimal]:
    """Who cost most that day, by name; the others as one."""
    others = Owner("", OTHERS, OTHERS)
    order = sorted((owner for owner in of_day if owner != others), key=lambda owner: (-of_day[owner], owner))
    kept = {owner: of_day[owner] for owner in order[:MOST_OWNERS_A_DAY]}
    for owner in of_day:
        if owner not in kept:
            kept[others] = plus(kept, others, of_day[owner])
    return kept


def _folded(line: Line) -> Line:
    owner = line.owner
    return replace(line, owner=Owner("", OTHERS, OTHERS, owner.project, owner.team, owner.cost_center))


def dump(meter: Meter) -> dict[str, Any]:
    """Plain JSON. Times are whole seconds since 1970; owners are listed once and named by their number."""
    bill = meter.bill
    owners = sorted(
        {line.owner for line in bill.lines}
        | {owner for of_day in bill.days.values() for owner in of_day}
        | {span.owner for span in meter.spans.values()}
    )
    number = {owner: index for index, owner in enumerate(owners)}
    ordered = sorted(bill.lines)
    return {
        "format": FORMAT,
        "owners": [list(astuple(owner)) for owner in owners],
        "lines": [
            [
                *(line.month, number[line.owner], line.resource.value, line.provider),
                *(line.capacity, line.accelerator, _text(line.price), _text(bill.lines[line])),
            ]
            for line in ordered
        ],
        "days": {
            day: {str(number[owner]): _text(of_day[owner]) for owner in sorted(of_day)}
            for day, of_day in sorted(bill.days.items())
        },
        "spans": {key: _span(span, number) for key, span in sorted(meter.spans.items())},
        "done": {key: [_epoch(end), final] for key, (end, final) in sorted(meter.done.items())},
        "unseen": meter.unseen,
        **({"used": used} if (used := _used(meter, ordered)) else {}),
        **({"lost": meter.lost} if meter.lost else {}),
        **({"mark": _epoch(meter.mark)} if meter.mark else {}),
    }


def _used(meter: Meter, ordered: list[Line]) -> list[list[Any]]:
    """By the number of their line: those of no line of the bill are about what was given back."""
    zero = Decimal(0)
    found = ((index, meter.used.get(line, zero), meter.covered.get(line, zero)) for index, line in enumerate(ordered))
    return [[index, _text(used), _text(covered)] for index, used, covered in found if used or covered]


def load(content: Any) -> Meter:
    """Raises Unreadable, saying what is wrong. Fields of a newer operator are ignored."""
    try:
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']} is not {FORMAT}")
        owners = [Owner(*map(str, entry)) for entry in content["owners"]]
        ordered = [_line(entry, owners) for entry in content["lines"]]
        told = [(ordered[index][0], Decimal(used), Decimal(seen)) for index, used, seen in content.get("used", ())]
        days = {
            str(day): {owners[int(index)]: Decimal(amount) for index, amount in of_day.items()}
            for day, of_day in content["days"].items()
        }
        return Meter(
            spans={str(key): _unspanned(entry, owners) for key, entry in content["spans"].items()},
            done={str(key): (_moment(end), bool(final)) for key, (end, final) in content["done"].items()},
            bill=Bill(dict(ordered), days),
            mark=_moment(content["mark"]) if "mark" in content else None,
            unseen=int(content["unseen"]),
            lost=str(content.get("lost", "")),
            used={line: used for line, used, _ in told if used},
            covered={line: seen for line, _, seen in told if seen},
        )
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError, DecimalException) as error:
        raise Unreadable(f"{type(error).__name__}: {error}"[:200]) from error


def to_text(meter: Meter) -> str:
    return json.dumps(dump(meter), sort_keys=True, separators=(",", ":"))


def from_text(text: str) -> Meter:
    try:
        content = json.loads(text)
    except ValueError as error:
        raise Unreadable(f"no JSON: {error}"[:200]) from error
    return load(content)


def _line(entry: Any, owners: list[Owner]) -> tuple[Line, Decimal]:
    month, owner, resource, provider, capacity, accelerator, price, quantity = entry
    line = Line(
        *(str(month), owners[owner], RESOURCES[resource], str(provider)),
        *(CAPACITIES[capacity].value, str(accelerator), Decimal(price)),
    )
    return line, Decimal(quantity)


def _span(span: Span, number: Mapping[Owner, int]) -> list[Any]:
    places = [[_epoch(since), p.provider, p.capacity.value, p.accelerator] for since, p in span.places]
    times = [_epoch(span.start), _epoch(span.billed), None if span.end is None else _epoch(span.end), span.final]
    more = {
        **({"sizes": [[_epoch(since), _amounts(amounts)] for since, amounts in span.sizes]} if span.sizes else {}),
        **({"sampled": _epoch(span.sampled)} if span.sampled else {}),
    }
    leaving = None if span.leaving is None else _epoch(span.leaving)
    rest = [leaving, more] if more else [] if leaving is None else [leaving]
    return [number[span.owner], span.node, *times, places, _amounts(span.amounts), *rest]


def _unspanned(entry: Any, owners: list[Owner]) -> Span:
    owner, node, start, billed, end, final, places, amounts, *rest = entry
    leaving, more = (*rest, None, None)[:2]
    return Span(
        owner=owners[owner],
        node=str(node),
        start=_moment(start),
        billed=_moment(billed),
        places=tuple((_moment(s), Place(str(p), CAPACITIES[c], str(a))) for s, p, c, a in places),
        amounts=_unamounts(amounts),
        end=None if end is None else _moment(end),
        final=bool(final),
        leaving=None if leaving is None else _moment(leaving),
        sizes=tuple((_moment(since), _unamounts(amounts)) for since, amounts in (more or {}).get("sizes", ())),
        sampled=_moment(more["sampled"]) if more and "sampled" in more else None,
    )


def _amounts(amounts: Amounts) -> dict[str, str]:
    return {resource.value: _text(amount) for resource, amount in amounts}


def _unamounts(amounts: Any) -> Amounts:
    return tuple((RESOURCES[name], Decimal(amount)) for name, amount in amounts.items())


def _text(value: Decimal) -> str:
    """Without an exponent and without zeros at the end: the same number is the same text."""
    plain = format(value, "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def _epoch(moment: datetime) -> int:
    return int(moment.timestamp())


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
