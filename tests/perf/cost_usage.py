"""Allocation and usage side by side: what requests kept free is exact, what was used is as good as somebody looks.

Pods of one core at a known load that changes each half minute; a source as metrics-server is, which tells the mean of the last
fifteen seconds; the books, read each minute or each five. What was truly used is the sum over every second. Fixed seeds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
from rich.console import Console
from rich.table import Table

from gyre.cost.bill import Owner, money
from gyre.cost.meter import Meter
from gyre.cost.prices import Book, Entry, Place, PriceList, Resource
from gyre.cost.spans import Sighting
from gyre.cost.usage import Sample, entered, usage

BEGIN: Final = datetime(2026, 11, 2, tzinfo=UTC)
PRICE: Final = Decimal("3.60")
"""A core-hour, so that a core-second is a tenth of a cent."""
BOOK: Final = Book((PriceList("onprem", "EUR", (Entry(Resource.CPU, PRICE),)),))
ZONE: Final = ZoneInfo("UTC")
PODS: Final = 60
LENGTHS: Final = {"5 min": 300, "20 min": 1200, "2 h": 7200}
INTERVALS: Final = {"1 min": 60, "5 min": 300}
CHANGES: Final = 30
WINDOW: Final = 15


@dataclass(frozen=True)
class Load:
    """A pod: when it runs, and what it uses in each of its seconds, in thousandths of a core."""

    start: int
    used: np.ndarray

    @property
    def end(self) -> int:
        return self.start + len(self.used)


@dataclass(frozen=True)
class Row:
    length: str
    every: str
    kept: Decimal
    """What was paid for, by pencil and paper."""
    metered: Decimal
    used: Decimal
    """What of it was used, second by second."""
    told: Decimal
    """What the books say was used, of …"""
    covered: Decimal
    efficiency: int


def loads(seconds: int, seed: int) -> list[Load]:
    """Lengths vary by a fifth; the load wanders between nothing and the whole core, each pod about a level of its own."""
    chance = np.random.Generator(np.random.PCG64(seed))
    found = []
    for _ in range(PODS):
        length = max(1, int(chance.normal(seconds, seconds / 5)))
        levels = np.clip(chance.uniform(100, 900) + chance.normal(0, 200, length // CHANGES + 1), 0, 1000).astype(int)
        found.append(Load(int(chance.integers(0, 3600)), np.repeat(levels, CHANGES)[:length]))
    return found


def seen(number: int, load: Load, now: int) -> Sighting:
    start, end = (BEGIN + timedelta(seconds=at) for at in (load.start, load.end))
    amounts = ((Resource.CPU, Decimal(1)),)
    owner = Owner("ml", "TrainingJob", f"j{number}")
    return Sighting(f"p{number}", "x", start, end if load.end <= now else None, owner, "n", Place("onprem"), amounts)


def told(number: int, load: Load, now: int) -> Sample | None:
    """The mean of the last seconds, as far as it ran in them."""
    if not load.start + WINDOW <= now < load.end:
        return None
    mean = Decimal(int(load.used[now - load.start - WINDOW : now - load.start].sum())) / WINDOW / 1000
    return Sample(seen(number, load, now).key, BEGIN + timedelta(seconds=now), ((Resource.CPU, round(mean, 9)),))


def books(pods: list[Load], every: int) -> Meter:
    meter, over = Meter(), max(load.end for load in pods)
    for now in range(0, over + 2 * every, every):
        at = BEGIN + timedelta(seconds=now)
        here = [(number, load) for number, load in enumerate(pods) if load.start <= now]
        billed = meter.seen([seen(number, load, now) for number, load in here], at).billed(BOOK, ZONE, at)
        samples = [sample for number, load in here if (sample := told(number, load, now)) is not None]
        meter = entered(billed, samples, BOOK, ZONE)
    return meter


def measure() -> list[Row]:
    found = []
    for seed, (length, seconds) in enumerate(LENGTHS.items()):
        pods = loads(seconds, seed)
        for every, interval in INTERVALS.items():
            meter = books(pods, interval)
            use = usage(meter, meter.bill.lines)
            found.append(
                Row(
                    *(length, every, Decimal(sum(len(load.used) for load in pods)) / 1000, money(meter.bill.total())),
                    *(Decimal(int(sum(load.used.sum() for load in pods))) / 1_000_000, money(use.used)),
                    *(money(use.covered), use.efficiency),
                )
            )
    return found


def main(console: Console) -> tuple[list[dict[str, Any]], list[str]]:
    """The table, printed; what goes into build/perf.json; promises that are broken."""
    table = Table(
        title=f"{PODS} pods of one core at {PRICE} EUR an hour: what they kept free, and what they used of it"
    )
    columns = (
        "a pod runs",
        "looked at each",
        "kept free",
        "gyre",
        "used",
        "gyre says",
        "of (looked at)",
        "efficiency: true, gyre",
    )
    for column in columns:
        table.add_column(column)
    rows, broken = measure(), []
    for row in rows:
        if row.metered != row.kept.quantize(Decimal("0.01")):
            broken.append(f"{row.length}, {row.every}: metered {row.metered}, true {row.kept:.4f}")
        if row.covered > row.metered:
            broken.append(f"{row.length}, {row.every}: {row.covered} looked at of {row.metered}")
        true = float(row.used / row.kept)
        table.add_row(
            *(row.length, row.every, f"{row.kept:.2f}", f"{row.metered}", f"{row.used:.2f}", f"{row.told}"),
            *(f"{row.covered} ({float(row.covered / row.metered):.0%})", f"{true:.0%}, {row.efficiency} %"),
        )
    console.print(table)
    return [{name: str(value) for name, value in vars(row).items()} for row in rows], broken
