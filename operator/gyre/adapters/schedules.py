"""When a cron expression is due, in a time zone: five fields, as cron(5) has them. Pure.

Days on which clocks are changed are as in Debian's cron, which `cronsim` follows: a time that does not exist comes right after
the gap, one that exists twice comes once.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError


class Unusable(ValueError):
    """The expression or the zone says nothing; the message says what is wrong with it, where, and what would do."""


def last_due(cron: str, zone: str, now: datetime) -> datetime | None:
    """The newest time up to `now` at which it was due, in UTC; None when there was none in living memory."""
    return _first(cron, now.astimezone(_zone(zone)) + timedelta(minutes=1), now, reverse=True)


def next_due(cron: str, zone: str, now: datetime) -> datetime | None:
    """The first time after `now`, in UTC; None when there is none for decades: the thirtieth of February."""
    return _first(cron, now.astimezone(_zone(zone)), now, reverse=False)


def _first(cron: str, start: datetime, now: datetime, *, reverse: bool) -> datetime | None:
    try:
        times = CronSim(cron, start, reverse=reverse)
    except CronSimError as error:
        fields = "minute hour day-of-month month day-of-week, as in '0 3 * * 1'"
        raise Unusable(f"schedule {cron!r}: {str(error)[:100]}; write {fields}") from error
    for _ in range(4):
        try:
            found = next(times).astimezone(UTC)
        except (StopIteration, OverflowError):
            return None
        if found <= now if reverse else found > now:
            return found
    return None


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError) as error:  # ZoneInfoNotFoundError is a KeyError
        raise Unusable(f"time zone {name[:60]!r} is unknown; write one like Europe/Berlin or UTC") from error
