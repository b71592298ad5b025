"""How many objects are in which state: counted as their statuses are written, so that a scrape costs nothing.

Promises   the sum over all series of a condition is the number of objects that have it; a series that nobody is in goes; it has
           as many series as there are kinds, namespaces, conditions and reasons, however many objects there are.
Never      reads an object or a clock: who looked at one says what was found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from prometheus_client import Gauge

from gyre.api.effects import Ref

Row: TypeAlias = tuple[str, str, str, str, str]
"""Kind, namespace, type, status, reason."""


class Tally:
    def __init__(self, gauge: Gauge) -> None:
        self._gauge = gauge
        self._counts: dict[Row, int] = {}
        self._rows: dict[Ref, tuple[Row, ...]] = {}
        self._shared: dict[tuple[Row, ...], tuple[Row, ...]] = {}
        """One of each, since most objects are like others: thousands of them must not cost thousands of tuples."""

    def told(self, ref: Ref, conditions: Iterable[Mapping[str, Any]]) -> None:
        """What is true of this object now."""
        rows = tuple(
            (ref.gvk.kind, ref.namespace, str(c.get("type", "")), str(c.get("status", "")), str(c.get("reason", "")))
            for c in conditions
        )
        known = self._rows.get(ref, ())
        if rows == known:
            return
        self._rows[ref] = self._shared.setdefault(rows, rows)
        for row in known:
            self._count(row, -1)
        for row in rows:
            self._count(row, 1)

    def gone(self, ref: Ref) -> None:
        for row in self._rows.pop(ref, ()):
            self._count(row, -1)

    def _count(self, row: Row, more: int) -> None:
        count = self._counts.get(row, 0) + more
        if count:
            self._counts[row] = count
            self._gauge.labels(*row).set(count)
        else:
            del self._counts[row]
            self._gauge.remove(*row)
