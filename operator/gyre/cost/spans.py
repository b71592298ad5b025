"""Runs of containers, and claims on disks: what they keep free, where, from when until when; cut where anything changes. Pure.

Promises   a run is what it was when it began, but for what is known to have changed since: its node's terms, its size.
Never      knows a price of its own: `pieces` is handed the book.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from zoneinfo import ZoneInfo

from gyre.cost.bill import EXACT, Line, Owner
from gyre.cost.periods import local_day, next_day
from gyre.cost.prices import Book, Place, Resource

Amounts = tuple[tuple[Resource, Decimal], ...]


@dataclass(frozen=True, slots=True)
class Sighting:
    """A container as it was seen, running or ended."""

    uid: str
    container: str
    start: datetime
    end: datetime | None
    owner: Owner
    node: str
    place: Place | None
    """None when its node was not to be seen."""
    amounts: Amounts
    leaving: datetime | None = None
    """Its pod was told to go, and will have gone by then."""

    @property
    def key(self) -> str:
        return run_key(self.uid, self.container, self.start)


def run_key(uid: str, container: str, start: datetime) -> str:
    return sha256(f"{uid}/{container}/{int(start.timestamp())}".encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Span:
    """A run that is not billed to its end yet."""

    owner: Owner
    node: str
    start: datetime
    billed: datetime
    """Up to here it is in the bill."""
    places: tuple[tuple[datetime, Place], ...]
    amounts: Amounts
    end: datetime | None = None
    final: bool = True
    """Whether the end is what the kubelet wrote, and not our guess."""
    leaving: datetime | None = None
    """Its pod was told to go, and will have gone by then."""
    sizes: tuple[tuple[datetime, Amounts], ...] = ()
    """What it keeps free since then, where that is another amount than at first: a claim grows, a pod is resized in place."""
    sampled: datetime | None = None
    """Up to here somebody has looked at what it uses."""

    def amounts_at(self, at: datetime) -> Amounts:
        past = [amounts for since, amounts in self.sizes if since <= at]
        return past[-1] if past else self.amounts

    def resized(self, at: datetime, amounts: Amounts) -> Span:
        """It keeps another amount free, from the moment on at which that was seen."""
        newest = self.sizes[-1][1] if self.sizes else self.amounts
        if tuple(sorted(amounts)) == newest:
            return self
        return replace(self, sizes=(*self.sizes, (max(at, self.start), tuple(sorted(amounts)))))

    def gone(self, mark: datetime | None, now: datetime) -> datetime:
        """When it ended, as far as anybody knows, now that its pod is no more: between the last look and now.

        Of a pod that was told to go the going itself is what wakes us, so now it is, and its grace at the latest.
        """
        known = mark or self.start if self.leaving is None else min(now, self.leaving)
        return max(self.billed, self.start, known)

    def place_at(self, at: datetime) -> Place:
        past = [place for since, place in self.places if since <= at]
        return past[-1] if past else self.places[0][1]

    def moved(self, at: datetime, place: Place) -> Span:
        """The node has other terms now. One that nobody priced before is taken to have had them all along."""
        known = placed(self.places, place)
        if known[-1][1] != place:
            known = tuple(sorted((*known, (max(at, self.start), place)), key=lambda pair: pair[0]))
        return replace(self, places=known)


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of time over which nothing changes: neither the day, nor the node's terms, nor a price."""

    end: datetime
    day: str
    lines: tuple[tuple[Line, Decimal], ...] | None
    """None when one of its resources has no price then."""


def pieces(span: Span, book: Book, zone: ZoneInfo, start: datetime, stop: datetime) -> Iterator[Piece]:
    at = start
    while at < stop:
        place = span.place_at(at)
        moved = (since for since, _ in (*span.places, *span.sizes) if at < since < stop)
        end = min(stop, next_day(at, zone), *moved, *book.changes(place, at, stop))
        day, seconds = local_day(at, zone).isoformat(), Decimal(int((end - at).total_seconds()))
        found = []
        for resource, amount in span.amounts_at(at):
            price = book.price(place, resource, at)
            if price is None:
                yield Piece(end, day, None)
                return
            found.append((Line.of(day[:7], span.owner, resource, place, price), EXACT.multiply(amount, seconds)))
        yield Piece(end, day, tuple(found))
        at = end


def placed(places: tuple[tuple[datetime, Place], ...], place: Place) -> tuple[tuple[datetime, Place], ...]:
    return tuple((since, place if was.provider == "" else was) for since, was in places)
