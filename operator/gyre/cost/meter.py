"""Runs of containers: seen, joined, billed up to a moment, closed. Pure.

Promises   a run (uid + container + start) is billed once, however often and in whatever order it is told; its bill depends only
           on when it started and ended, where, and what that cost then.
Never      forgets a run of which some time has no price: it is kept, and billed once there is one; bills time after the end.

A run whose pod is gone without having said its end is closed at the moment when it was last known to run (when it was told to
go: at the moment it was missed, within its grace), and counted as `unseen`. Should it turn up again, it goes on from there, so
nothing is billed twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from gyre.cost.bill import EXACT, Bill, Line, Owner, plus
from gyre.cost.prices import NOWHERE, Book, Place
from gyre.cost.spans import Amounts, Sighting, Span, pieces, placed, run_key

REMEMBERED = timedelta(days=2)
"""How long the end of a run is remembered after its pod has gone: a list from a stale cache may show it once more."""
MOST_DONE = 4000
MOST_SPANS = 1500


@dataclass(frozen=True, slots=True)
class Meter:
    spans: Mapping[str, Span] = field(default_factory=dict)
    done: Mapping[str, tuple[datetime, bool]] = field(default_factory=dict)
    """When runs ended that are billed to their end, and whether that end is known."""
    bill: Bill = field(default_factory=Bill)
    mark: datetime | None = None
    """When it was last read."""
    unseen: int = 0
    """Runs whose end nobody saw, so far."""
    lost: str = ""
    """The last month of which a run without a price had to be given up: what that month cost is unknown for good."""
    used: Mapping[Line, Decimal] = field(default_factory=dict)
    """What was used, as far as anybody has looked: quantities by the lines of the bill (`gyre.cost.usage`)."""
    covered: Mapping[Line, Decimal] = field(default_factory=dict)
    """Of those lines, how much of the bill's quantity that look is about."""

    @property
    def running(self) -> bool:
        return any(span.end is None for span in self.spans.values())

    # ── seeing ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def seen(self, sightings: Iterable[Sighting], now: datetime, nodes: Mapping[str, Place] | None = None) -> Meter:
        """All containers there are, as they are now: new ones begin, ended ones get their end, missing ones are closed.

        `nodes` says where those run, or ran, that are there no more: a price that comes late still reaches them.
        """
        spans, done, here, unseen = dict(self.spans), dict(self.done), set[str](), self.unseen
        for sighting in sightings:
            key = sighting.key
            here.add(key)
            span = spans.get(key) or _begun(sighting, done.get(key))
            if span is None:
                continue
            if key in done:
                del done[key]
                unseen = max(0, unseen - 1)
            spans[key] = _joined(span, sighting, now)
        for key, span in self.spans.items():
            if key not in here and span.end is None:
                spans[key] = replace(span, end=span.gone(self.mark, now), final=False)
                unseen += 1
            place = (nodes or {}).get(span.node)
            if key not in here and place is not None and any(was.provider == "" for _, was in span.places):
                spans[key] = replace(spans[key], places=placed(span.places, place))
        return replace(self, spans=spans, done=_kept(done, here, now), unseen=unseen)

    # ── billing ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def billed(self, book: Book, zone: ZoneInfo, until: datetime) -> Meter:
        """Everything up to `until` into the bill, as far as there are prices; runs that are over leave the meter."""
        lines = dict(self.bill.lines)
        days = {day: dict(owners) for day, owners in self.bill.days.items()}
        spans, done = dict[str, Span](), dict(self.done)
        for key, span in self.spans.items():
            stop = until if span.end is None else min(span.end, until)
            at = span.billed
            if span.end is not None and at > span.end:
                given_back(span, book, zone, lines, days)
                at = span.end
            for piece in pieces(span, book, zone, at, stop):
                if piece.lines is None:
                    break
                for line, quantity in piece.lines:
                    lines[line] = plus(lines, line, quantity)
                    of_day = days.setdefault(piece.day, {})
                    of_day[span.owner] = plus(of_day, span.owner, line.scaled(quantity))
                at = piece.end
            if span.end is not None and at >= span.end:
                done[key] = (span.end, span.final)
            else:
                spans[key] = replace(span, billed=at)
        mark = until if self.mark is None else max(self.mark, until)
        return replace(self, spans=spans, done=done, bill=Bill(lines, days), mark=mark)

    def unpriced(self, until: datetime) -> dict[str, Span]:
        """Runs of which some past time is not in the bill, for want of a price, by key."""
        return {
            key: span
            for key, span in self.spans.items()
            if span.billed < (until if span.end is None else min(span.end, until))
        }

    def rate(self, book: Book, at: datetime, owner: Owner | None = None) -> Decimal | None:
        """Money a second, in 1/SCALE, of what runs now; None when some of it has no price."""
        total = Decimal(0)
        for span in self.spans.values():
            if span.end is not None or (owner is not None and span.owner != owner):
                continue
            place = span.place_at(at)
            for resource, amount in span.amounts_at(at):
                price = book.price(place, resource, at)
                if price is None:
                    return None
                total = EXACT.add(total, Line.of("", span.owner, resource, place, price).scaled(amount))
        return total


def given_back(
    span: Span, book: Book, zone: ZoneInfo, lines: dict[Line, Decimal], days: dict[str, dict[Owner, Decimal]]
) -> None:
    """Word of an end always comes after it: what was billed beyond the end goes back, at the price at which it was billed.

    Exact but where a Provider was edited in between, without `from` and `until`: then at that line of the owner's that is there.
    """
    assert span.end is not None  # noqa: S101 - the caller asks for it
    for piece in pieces(span, book, zone, span.end, span.billed):
        for wanted, quantity in piece.lines or ():
            alike = replace(wanted, price=Decimal(0))
            others = (one for one in lines if lines[one] >= quantity and replace(one, price=Decimal(0)) == alike)
            line = wanted if lines.get(wanted, Decimal(0)) >= quantity else next(others, None)
            if line is None:
                continue
            lines[line] = EXACT.subtract(lines[line], quantity)
            if not lines[line]:
                del lines[line]
            of_day = days.setdefault(piece.day, {})
            of_day[span.owner] = EXACT.subtract(of_day.get(span.owner, Decimal(0)), line.scaled(quantity))
            if not of_day[span.owner]:
                del of_day[span.owner]
        if not days.get(piece.day, True):
            del days[piece.day]


def _begun(sighting: Sighting, before: tuple[datetime, bool] | None) -> Span | None:
    """A new run; or one that was given up and is there after all; None for one that is billed to its end."""
    if before is not None and (before[1] or (sighting.end is not None and sighting.end <= before[0])):
        return None
    return Span(
        owner=sighting.owner,
        node=sighting.node,
        start=sighting.start,
        billed=before[0] if before else sighting.start,
        places=((sighting.start, sighting.place or NOWHERE),),
        amounts=tuple(sorted(sighting.amounts)),
    )


def _joined(span: Span, sighting: Sighting, now: datetime) -> Span:
    ended = sighting.end
    if ended is None and span.end is not None and span.final:
        ended = span.end  # an older view of a run that is over
    moved = span.moved(now, sighting.place) if sighting.place is not None else span
    end = ended if ended is None else max(ended, span.start)
    if ended is None:
        moved = moved.resized(now, sighting.amounts)
    return replace(moved, end=end, final=True, leaving=sighting.leaving or span.leaving)


def _kept(done: Mapping[str, tuple[datetime, bool]], here: set[str], now: datetime) -> dict[str, tuple[datetime, bool]]:
    """Ends that may still be needed: of pods that are there, or were lately."""
    needed = {key: end for key, end in done.items() if key in here or end[0] > now - REMEMBERED}
    newest = sorted(needed, key=lambda key: (key in here, needed[key][0]), reverse=True)[:MOST_DONE]
    return {key: needed[key] for key in sorted(newest)}


__all__ = ["Amounts", "Meter", "Sighting", "Span", "given_back", "pieces", "run_key"]
