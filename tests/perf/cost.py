"""What sampling makes of a bill that is exact: the error of looking each minute, or each five, at pods that come and go.

Side by side on the same pods: the meter (start and finish times), and samplers that count a pod for the whole interval whenever
they see it, as a scrape of kube-state-metrics does. Pods start at any second; how long they run is what tells. Fixed seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
from rich.console import Console
from rich.table import Table

from gyre.cost.bill import Owner, money
from gyre.cost.meter import Meter, Sighting
from gyre.cost.prices import Book, Entry, Place, PriceList, Resource

BEGIN: Final = datetime(2026, 11, 2, tzinfo=UTC)
PRICE: Final = Decimal("3.60")
"""A device-hour, so that a second is a tenth of a cent."""
BOOK: Final = Book((PriceList("onprem", "EUR", (Entry(Resource.ACCELERATOR, PRICE),)),))
LENGTHS: Final = {"30 s": 30, "5 min": 300, "20 min": 1200, "2 h": 7200}
INTERVALS: Final = {"1 min": 60, "5 min": 300}
PODS: Final = 500


@dataclass(frozen=True)
class Row:
    """Pods of one length: what they truly cost, what the meter says, what samplers say."""

    length: str
    true: Fraction
    metered: Decimal
    sampled: dict[str, Decimal]
    missed: dict[str, int]
    worst: dict[str, float]
    """The largest error of a single pod, as a share of its cost."""


def runs(seconds: int, seed: int) -> list[tuple[int, int]]:
    """(start, end) in seconds; lengths vary by a fifth."""
    chance = np.random.Generator(np.random.PCG64(seed))
    starts = chance.integers(0, 86_400, PODS)
    lengths = np.maximum(1, chance.normal(seconds, seconds / 5, PODS).astype(int))
    return [(int(start), int(start + length)) for start, length in zip(starts, lengths, strict=True)]


def metered(pods: Sequence[tuple[int, int]]) -> Decimal:
    amounts = ((Resource.ACCELERATOR, Decimal(1)),)
    seen = [
        Sighting(
            *(f"p{number}", "main", BEGIN + timedelta(seconds=start), BEGIN + timedelta(seconds=end)),
            *(Owner("ml", "TrainingJob", "x"), "n", Place("onprem"), amounts),
        )
        for number, (start, end) in enumerate(pods)
    ]
    now = BEGIN + timedelta(days=3)
    return money(Meter().seen(seen, now).billed(BOOK, ZoneInfo("Europe/Berlin"), now).bill.total())


def samples(start: int, end: int, every: int) -> int:
    """How many looks see it."""
    return (end - 1) // every - (start - 1) // every


def measure() -> list[Row]:
    found = []
    for seed, (name, seconds) in enumerate(LENGTHS.items()):
        pods = runs(seconds, seed)
        counts = {label: [samples(*pod, every) for pod in pods] for label, every in INTERVALS.items()}
        found.append(
            Row(
                name,
                Fraction(sum(end - start for start, end in pods)) * Fraction(PRICE) / 3600,
                metered(pods),
                {
                    label: (Decimal(sum(seen) * INTERVALS[label]) * PRICE / 3600).quantize(Decimal("0.01"))
                    for label, seen in counts.items()
                },
                {label: sum(1 for count in seen if count == 0) for label, seen in counts.items()},
                {
                    label: max(
                        abs(count * INTERVALS[label] - (end - start)) / (end - start)
                        for count, (start, end) in zip(seen, pods, strict=True)
                    )
                    for label, seen in counts.items()
                },
            )
        )
    return found


def main(console: Console) -> tuple[dict[str, Any], list[str]]:
    """The table, printed; what goes into build/perf.json; promises that are broken."""
    table = Table(
        title=f"{PODS} pods of one device at {PRICE} EUR an hour: what they cost, and what sampling makes of it"
    )
    for column in ("a pod runs", "true", "gyre", *(f"each {label}: sum, missed, worst pod" for label in INTERVALS)):
        table.add_column(column)
    rows, broken = measure(), []
    for row in rows:
        true = Decimal(row.true.numerator) / row.true.denominator
        if row.metered != true.quantize(Decimal("0.01")):
            broken.append(f"{row.length}: metered {row.metered}, true {true:.4f}")
        table.add_row(
            row.length,
            f"{true:.2f}",
            f"{row.metered}",
            *(
                f"{row.sampled[label]} ({float(row.sampled[label] / true) - 1:+.1%}), {row.missed[label]} of {PODS}, "
                f"{row.worst[label]:.0%}"
                for label in INTERVALS
            ),
        )
    console.print(table)
    kept = [
        {
            "runs": row.length,
            "true": str(float(row.true)),
            "metered": str(row.metered),
            "sampled": {label: str(value) for label, value in row.sampled.items()},
            "missed": row.missed,
            "worst": row.worst,
        }
        for row in rows
    ]
    return {"pods": PODS, "rows": kept}, broken
