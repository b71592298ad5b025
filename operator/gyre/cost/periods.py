"""Days, months and budget periods as a time zone has them. Pure; the zones are Python's `zoneinfo`.

Everything is reckoned in UTC; only where a day or month begins depends on the zone. A day on which clocks change has 23 or 25
hours, and what ran through it is billed for just so many.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from gyre.api.terms import Term


class Every(Term):
    """How long an amount is meant to last."""

    MONTHLY = "Monthly", "from the first of a month to the last"
    QUARTERLY = "Quarterly", "from the first of January, April, July or October, for three months"
    ONCE = "Once", "for ever"


@dataclass(frozen=True, slots=True)
class Period:
    """From the first day on, before the `end`; without an end it is for ever."""

    first: date | None
    end: date | None

    def has(self, day: date) -> bool:
        return (self.first is None or self.first <= day) and (self.end is None or day < self.end)

    def has_month(self, month: str) -> bool:
        return self.has(date.fromisoformat(f"{month}-01"))


def local_day(at: datetime, zone: ZoneInfo) -> date:
    return at.astimezone(zone).date()


def starts(day: date, zone: ZoneInfo) -> datetime:
    """The moment at which the day begins there."""
    return datetime.combine(day, time(0), zone).astimezone(UTC)


def next_day(at: datetime, zone: ZoneInfo) -> datetime:
    """The moment at which the next day begins there."""
    begin = starts(local_day(at, zone) + timedelta(days=1), zone)
    return begin if begin > at else starts(local_day(at, zone) + timedelta(days=2), zone)


def period_of(day: date, every: Every) -> Period:
    if every is Every.ONCE:
        return Period(None, None)
    months = 1 if every is Every.MONTHLY else 3
    first = date(day.year, (day.month - 1) // months * months + 1, 1)
    over = first.month - 1 + months
    return Period(first, date(first.year + over // 12, over % 12 + 1, 1))
