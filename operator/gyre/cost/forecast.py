"""What will be spent by the end of a period, from what was spent on the days before: a seasonal bootstrap. Pure.

Each day that is left is drawn from past days of the same weekday (from all past days while there are fewer than three of that
weekday); a thousand such futures give the median and the 90th percentile. The seed is the day it is made on, so the same ledger
gives the same forecast. Says nothing before there are seven whole days: less is no history.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

import numpy as np

FUTURES: Final = 1000
LEAST_DAYS: Final = 7
OLDEST_DAYS: Final = 56
OF_A_WEEKDAY: Final = 3
FARTHEST_DAYS: Final = 366
"""How far ahead exhaustion is looked for."""


@dataclass(frozen=True, slots=True)
class Forecast:
    p50: Decimal | None
    """Of the whole period; None for one without an end."""
    p90: Decimal | None
    exhausts: date | None
    """The day on which half of the futures have spent the amount; None when they do not within the period."""


def history(days: Mapping[date, Decimal], today: date) -> dict[date, Decimal]:
    """Whole days, from the first on which anything was spent, zeros included, none older than eight weeks."""
    past = [day for day in days if day < today]
    if not past:
        return {}
    first = max(min(past), today - timedelta(days=OLDEST_DAYS))
    return {
        day: days.get(day, Decimal(0))
        for day in (first + timedelta(days=number) for number in range((today - first).days))
    }


def forecast(
    days: Mapping[date, Decimal], today: date, *, spent: Decimal, amount: Decimal, end: date | None, over: Decimal
) -> Forecast | None:
    """`days`: money by day; `spent`: in the period so far; `over`: the share of today that has passed, 0 to 1."""
    past = history(days, today)
    if len(past) < LEAST_DAYS:
        return None
    ahead = FARTHEST_DAYS if end is None else max(1, (end - today).days)
    chance = np.random.Generator(np.random.PCG64(today.toordinal()))
    every = np.array([float(value) for value in past.values()])
    weekdays = np.array([day.weekday() for day in past])
    drawn = np.empty((FUTURES, ahead))
    for first in range(min(7, ahead)):
        same = every[weekdays == (today + timedelta(days=first)).weekday()]
        weeks = len(range(first, ahead, 7))
        drawn[:, first::7] = chance.choice(same if len(same) >= OF_A_WEEKDAY else every, (FUTURES, weeks))
    drawn[:, 0] *= 1.0 - float(over)
    sums = float(spent) + np.cumsum(drawn, axis=1)
    middle = np.median(sums, axis=0)
    reached = np.nonzero(middle >= float(amount))[0]
    exhausts = today + timedelta(days=int(reached[0])) if len(reached) else None
    if end is None:
        return Forecast(None, None, exhausts)
    p50, p90 = (Decimal(f"{value:.2f}") for value in np.quantile(sums[:, -1], (0.5, 0.9)))
    return Forecast(p50, p90, exhausts)
