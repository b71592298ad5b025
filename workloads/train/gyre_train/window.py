"""A stretch of the data's own time: only its rows are read, and files that cannot have any are not opened.

    windowFrom, windowTo   RFC 3339: from <= time < to; either may be left out
    windowLast             seconds, up to the newest row of the data and that one with it

Promises   the same data and parameters give the same rows, on every rank and at every restart: a clock is never asked; a row
           without a time is in no window.
Never      skips a file whose footer does not say from when to when its rows are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from gyre_train.faults import UserError

FROM, TO, LAST = "windowFrom", "windowTo", "windowLast"
PARAMETERS: Final = (FROM, TO, LAST)
"""As Model.spec.retrain.window names them by default."""
INSTANT: Final = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True, slots=True)
class Window:
    """What was asked for: `last`, or one or both of the others."""

    start: datetime | None = None
    end: datetime | None = None
    last: timedelta | None = None

    @staticmethod
    def of(parameters: Mapping[str, str]) -> Window | None:
        """None when there is none. Raises UserError naming the parameter."""
        said = {name: parameters[name] for name in PARAMETERS if name in parameters}
        if not said:
            return None
        if LAST in said:
            if len(said) > 1:
                raise UserError(f"parameter {LAST!r} goes with neither {FROM!r} nor {TO!r}: give it alone")
            return Window(last=_seconds(said[LAST]))
        start, end = (_instant(name, said[name]) if name in said else None for name in (FROM, TO))
        if start is not None and end is not None and start >= end:
            raise UserError(f"parameter {FROM!r} is not before {TO!r}: {said[FROM]} and {said[TO]}")
        return Window(start, end)


@dataclass(frozen=True, slots=True)
class Within:
    """A window over these data: the rows whose `column` is from `start` on and before `end`, or up to it and with it."""

    column: str
    start: datetime | None
    end: datetime | None
    closed: bool = False
    """`end` is in it."""

    def may_hold(self, span: tuple[datetime, datetime] | None) -> bool:
        """Whether a file whose rows are from the one to the other can have a row of it; None when nobody knows."""
        if span is None:
            return True
        first, last = span
        return not (self.start is not None and last < self.start) and not self._after(first)

    def _after(self, time: datetime) -> bool:
        return self.end is not None and (time > self.end if self.closed else time >= self.end)

    def of(self, table: pa.Table) -> pa.Table:
        times = instants(table, self.column)
        inside = pc.is_valid(times)
        if self.start is not None:
            inside = pc.and_kleene(inside, pc.greater_equal(times, pa.scalar(self.start, INSTANT)))
        if self.end is not None:
            before = pc.less_equal if self.closed else pc.less
            inside = pc.and_kleene(inside, before(times, pa.scalar(self.end, INSTANT)))
        return table.filter(inside)

    def __str__(self) -> str:
        since = f" from {said(self.start)}" if self.start is not None else ""
        until = f" to {said(self.end)}{', its newest row' if self.closed else ''}" if self.end is not None else ""
        return f"window{since}{until}"


def over(window: Window, files: Any, paths: Sequence[str], named: str | None) -> Within:
    """The window over the rows of these Parquet files. Raises UserError when nothing says when a row was."""
    column = time_column(pq.read_schema(paths[0], filesystem=files), named)
    if window.last is None:
        return Within(column, window.start, window.end)
    newest = max((time for path in paths if (time := _newest(files, path, column)) is not None), default=None)
    if newest is None:
        raise UserError(f"no row has a value in time column {column!r}: there is no newest one")
    return Within(column, newest - window.last, newest, closed=True)


def time_column(schema: pa.Schema, named: str | None) -> str:
    """Raises UserError."""
    if named is not None:
        if named not in schema.names:
            raise UserError(f"time {named!r} is not in the data; it has {', '.join(schema.names)}")
        if not _is_time(schema.field(named).type):
            raise UserError(
                f"time {named!r} is {schema.field(named).type}, not a timestamp or date: name another column"
            )
        return named
    found = [field.name for field in schema if _is_time(field.type)]
    if len(found) != 1:
        which = f"several columns hold times ({', '.join(found)})" if found else "no column holds times"
        raise UserError(f"{which}: name the one that says when in spec.entrypoint.tabular.time")
    return found[0]


def span_of(files: Any, path: str, column: str) -> tuple[datetime, datetime] | None:
    """The first and last time in a Parquet file by its footer, or None where that does not tell."""
    footer = pq.read_metadata(path, filesystem=files)
    firsts, lasts = [], []
    for group in map(footer.row_group, range(footer.num_row_groups)):
        chunks = (group.column(number) for number in range(group.num_columns))
        stated = next((chunk.statistics for chunk in chunks if chunk.path_in_schema == column), None)
        if group.num_rows == 0:
            continue
        if stated is None or not stated.has_min_max:
            return None
        try:
            first, last = _utc(stated.min), _utc(stated.max)
        except ValueError:  # nanoseconds that no datetime can hold
            return None
        if first is None or last is None:
            return None
        firsts.append(first)
        lasts.append(last)
    return (min(firsts), max(lasts)) if firsts else None


def instants(table: pa.Table, column: str) -> pa.ChunkedArray:
    """Times in UTC; without a zone they are taken for UTC."""
    kept = table[column]
    if _is_naive(table, column):
        kept = pc.cast(kept, pa.timestamp("us"), safe=False)
    return pc.cast(kept, INSTANT, safe=False)


def said(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _newest(files: Any, path: str, column: str) -> datetime | None:
    span = span_of(files, path, column)
    if span is not None:
        return span[1]
    times = instants(pq.read_table(path, filesystem=files, partitioning=None, columns=[column]), column)
    found: datetime | None = pc.max(times).as_py()
    return found


def _is_time(type: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(type) or pa.types.is_date(type))


def _is_naive(table: pa.Table, column: str) -> bool:
    type = table.schema.field(column).type
    return bool(pa.types.is_date(type) or type.tz is None)


def _utc(value: Any) -> datetime | None:
    """What pyarrow makes of a statistic, as an instant; None for what is none."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return datetime(value.year, value.month, value.day, tzinfo=UTC) if isinstance(value, date) else None


def _instant(name: str, text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is None:
            raise ValueError("without a zone")
    except ValueError as error:
        fix = "give a time with its zone, such as 2026-11-23T08:00:00Z"
        raise UserError(f"parameter {name!r} is {text!r}: {fix}") from error
    return time.astimezone(UTC)


def _seconds(text: str) -> timedelta:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= 10**10:
        raise UserError(f"parameter {LAST!r} is {text!r}: give whole seconds, such as 7776000 for 90 days")
    return timedelta(seconds=int(text))
