"""Days that cost more than such days do, and who is to blame. Pure.

The residual of a day is its money less the median of the same weekday before it (of all days, while there are fewer than three
of that weekday), in units of the MAD of such residuals, scaled to a standard deviation. A day stands out when that is above
`LIMIT` and the money above `least`; it is told once it has stood out for `persistence` days in a row. The suspect is who
spent most beyond its own median on those days.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from statistics import median
from typing import Final

from gyre.cost.bill import Owner, added
from gyre.cost.forecast import LEAST_DAYS, OF_A_WEEKDAY, OLDEST_DAYS

LIMIT: Final = Decimal("3.5")
"""Iglewicz and Hoaglin 1993: modified z-scores above 3.5 are outliers."""
TO_SIGMA: Final = Decimal("1.4826")
"""MAD of a normal distribution, to its standard deviation."""

Days = Mapping[date, Mapping[Owner, Decimal]]


@dataclass(frozen=True, slots=True)
class Anomaly:
    since: date
    days: int
    extra: Decimal
    """Money beyond what such days cost, over all of its days."""
    suspect: Owner
    share: Decimal
    """Of `extra`, how much is the suspect's own rise, 0 to 1."""
    new: bool
    """The suspect spent nothing on the days before."""


def anomalies(days: Days, today: date, *, least: Decimal, persistence: int) -> list[Anomaly]:
    """Of whole days, newest first."""
    if not days:
        return []
    first = max(min(days), today - timedelta(days=OLDEST_DAYS))
    all_days = [first + timedelta(days=number) for number in range((today - first).days)]
    totals = {day: added(days.get(day, {}).values()) for day in all_days}
    found: list[Anomaly] = []
    streak: list[date] = []
    normal: list[date] = []
    for day in [*all_days, today]:
        odd = day != today and len(normal) >= LEAST_DAYS and stands_out(totals, normal, day, least)
        if odd:
            streak.append(day)
            continue
        if len(streak) >= persistence:
            found.append(_told(days, totals, normal, streak))
        normal += [*streak, day] if len(streak) < persistence else [day]
        streak = []
    return found[::-1]


def stands_out(totals: Mapping[date, Decimal], normal: Sequence[date], day: date, least: Decimal) -> bool:
    extra = totals[day] - usual(totals, normal, day)
    residuals = [abs(totals[past] - usual(totals, [d for d in normal if d != past], past)) for past in normal]
    spread = TO_SIGMA * Decimal(median(residuals))
    return extra >= least and extra > LIMIT * spread


def usual(totals: Mapping[date, Decimal], normal: Sequence[date], day: date) -> Decimal:
    """The median of such days."""
    same = [totals[past] for past in normal if past.weekday() == day.weekday()]
    return Decimal(median(same if len(same) >= OF_A_WEEKDAY else [totals[past] for past in normal]))


def _told(days: Days, totals: Mapping[date, Decimal], normal: Sequence[date], streak: Sequence[date]) -> Anomaly:
    extra = added(totals[day] - usual(totals, normal, day) for day in streak)
    rises: dict[Owner, Decimal] = {}
    news: dict[Owner, bool] = {}
    for owner in sorted({owner for day in streak for owner in days.get(day, {})}):
        of_owner = {day: days.get(day, {}).get(owner, Decimal(0)) for day in (*normal, *streak)}
        rises[owner] = added(of_owner[day] - usual(of_owner, normal, day) for day in streak)
        news[owner] = not any(of_owner[day] for day in normal)
    suspect = max(rises, key=lambda owner: (rises[owner], owner))
    share = min(Decimal(1), max(Decimal(0), rises[suspect] / extra)) if extra > 0 else Decimal(0)
    return Anomaly(streak[0], len(streak), extra, suspect, share.quantize(Decimal("0.01")), news[suspect])
