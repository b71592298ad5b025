"""How often a day that stands out is found, and how often one is said to that does not: by simulation, with fixed seeds.

Daily spend of ten objects with a week's rhythm (weekends at a third) and log-normal noise of a quarter; in half of the series one
day of the last four weeks costs one object more: the whole spend times a factor. Beside gyre's rule a plain one on the same
series, of the kind that tools have (±X % of the mean of the last N days, and a least cost); 30 % and seven days are our choice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

import numpy as np
from rich.console import Console
from rich.table import Table

from gyre.cost.anomalies import anomalies
from gyre.cost.bill import Owner

FIRST: Final = date(2026, 9, 7)
DAYS: Final = 56
LATE: Final = 28
"""Days that are judged: the last of them."""
OBJECTS: Final = 10
SERIES: Final = 200
FACTORS: Final = (1.5, 2.0, 3.0)
LEAST: Final = Decimal("20")
Days = dict[date, dict[Owner, Decimal]]


@dataclass(frozen=True)
class Series:
    days: Days
    odd: date | None
    culprit: Owner | None


def series(seed: int, factor: float) -> Series:
    chance = np.random.Generator(np.random.PCG64(seed))
    owners = [Owner("ml", "TrainingJob", f"job-{number}") for number in range(OBJECTS)]
    days: Days = {}
    for number in range(DAYS):
        day = FIRST + timedelta(days=number)
        level = 3.0 if day.weekday() >= 5 else 10.0
        days[day] = {owner: Decimal(f"{level * chance.lognormal(0, 0.25):.4f}") for owner in owners}
    if seed % 2:
        return Series(days, None, None)
    odd = FIRST + timedelta(days=DAYS - LATE + int(chance.integers(LATE)))
    culprit = owners[int(chance.integers(OBJECTS))]
    total = sum(days[odd].values(), Decimal(0))
    days[odd][culprit] += total * Decimal(str(factor - 1))
    return Series(days, odd, culprit)


def ours(one: Series) -> dict[date, Owner]:
    today = FIRST + timedelta(days=DAYS)
    found = anomalies(one.days, today, least=LEAST, persistence=1)
    return {each.since: each.suspect for each in found if each.since >= today - timedelta(days=LATE)}


def plain(one: Series) -> dict[date, Owner]:
    totals = [sum(owners.values(), Decimal(0)) for owners in one.days.values()]
    found = {}
    for number in range(DAYS - LATE, DAYS):
        mean = sum(totals[number - 7 : number], Decimal(0)) / 7
        if totals[number] > mean * Decimal("1.3") and totals[number] - mean >= LEAST:
            owners = one.days[FIRST + timedelta(days=number)]
            found[FIRST + timedelta(days=number)] = max(owners, key=lambda owner: owners[owner])
    return found


RULES: Final[dict[str, Callable[[Series], dict[date, Owner]]]] = {"gyre": ours, "mean of 7 days + 30 %": plain}


def main(console: Console) -> list[dict[str, Any]]:
    table = Table(title=f"Days that stand out: {SERIES} series of {DAYS} days, half of them with one such day")
    for column in ("factor", "rule", "recall", "precision", "suspect right", "false days a month"):
        table.add_column(column)
    rows: list[dict[str, Any]] = []
    for factor in FACTORS:
        made = [series(seed, factor) for seed in range(SERIES)]
        for name, rule in RULES.items():
            found = [rule(one) for one in made]
            odd = sum(1 for one in made if one.odd)
            hits = [(one, said) for one, said in zip(made, found, strict=True) if one.odd in said]
            told = sum(len(said) for said in found)
            right = sum(1 for one, said in hits if one.odd and said[one.odd] == one.culprit)
            row = {
                "factor": factor,
                "rule": name,
                "recall": len(hits) / odd,
                "precision": len(hits) / told if told else None,
                "suspect": right / len(hits) if hits else None,
                "false": (told - len(hits)) / SERIES * 30 / LATE,
            }
            rows.append(row)
            shares = ("-" if row[key] is None else f"{row[key]:.0%}" for key in ("recall", "precision", "suspect"))
            table.add_row(f"×{factor:g}", name, *shares, f"{row['false']:.2f}")
    console.print(table)
    return rows
