"""Scripted histories of pods, and what a man with pencil and paper makes of them: second by second, in fractions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from gyre.cost.bill import Bill, Owner
from gyre.cost.meter import Amounts, Meter, Sighting
from gyre.cost.prices import Book, Capacity, Entry, Place, PriceList, Resource

BERLIN = ZoneInfo("Europe/Berlin")
FLIGHTS = Owner("ml", "TrainingJob", "flights", team="a")
TAXIS = Owner("ml", "TrainingJob", "taxis", team="b")
HERE = Place("onprem")
SPOT = Place("onprem", Capacity.SPOT)
SMALL: Amounts = ((Resource.CPU, Decimal(2)), (Resource.MEMORY, Decimal(4)))


def at(text: str) -> datetime:
    """`2026-10-25 01:30` in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def entry(resource: Resource, price: str, capacity: Capacity = Capacity.ON_DEMAND, **more: object) -> Entry:
    return Entry(resource, Decimal(price), capacity, **more)  # type: ignore[arg-type]


PRICES = Book(
    (
        PriceList(
            "onprem",
            "EUR",
            (
                entry(Resource.CPU, "0.031611"),
                entry(Resource.MEMORY, "0.004237"),
                entry(Resource.ACCELERATOR, "0.95"),
                entry(Resource.ACCELERATOR, "2.10", accelerator="A100"),
                entry(Resource.CPU, "0.006655", Capacity.SPOT),
                entry(Resource.MEMORY, "0.000892", Capacity.SPOT),
                entry(Resource.STORAGE, "0.04"),
            ),
        ),
    )
)


def run(
    uid: str,
    start: str | datetime,
    end: str | datetime | None = None,
    *,
    owner: Owner = FLIGHTS,
    place: Place | None = HERE,
    amounts: Amounts = SMALL,
    container: str = "main",
) -> Sighting:
    begun = at(start) if isinstance(start, str) else start
    ended = at(end) if isinstance(end, str) else end
    return Sighting(uid, container, begun, ended, owner, "n1", place, amounts)


def metered(
    looks: Iterable[tuple[str | datetime, Sequence[Sighting]]], book: Book = PRICES, zone: ZoneInfo = BERLIN
) -> Meter:
    """The meter after it was read at these moments, when these were all there was to see."""
    meter = Meter()
    for when, sightings in looks:
        now = at(when) if isinstance(when, str) else when
        meter = meter.seen(sightings, now).billed(book, zone, now)
    return meter


def by_hand(runs: Iterable[tuple[Sighting, Sequence[tuple[datetime, datetime, Place]]]], book: Book) -> Fraction:
    """Money, minute by minute: histories are written in whole minutes."""
    total = Fraction(0)
    for sighting, stretches in runs:
        for start, end, place in stretches:
            moment = start
            while moment < end:
                for resource, amount in sighting.amounts:
                    price = book.price(place, resource, moment)
                    assert price is not None
                    hours = Fraction(1, 60) / (730 if resource is Resource.STORAGE else 1)
                    total += Fraction(amount) * Fraction(price) * hours
                moment += timedelta(minutes=1)
    return total


def euros(bill: Bill) -> Fraction:
    return Fraction(bill.total()) / 2_628_000
