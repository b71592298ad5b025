"""Which labels a window counts: each once, in the first window that is judged after it has come, however late that is.

Promises   a label is counted once, whatever is killed in between, and those of a window that was skipped by the next one that is
           judged; the same window, run again, counts the same; a prediction that was labelled before is not counted again.
Never      takes a book that it cannot read for an empty one: everything would be counted a second time.

A part of the log never changes, so "it has come" is "its part was there". The book, `labels.json` beside the evidence, says of
each window which parts it was the first to see, and what it counted. A window counts labels whose `time` is

    from the end of the newest other window to its own end     whichever part they are in
    before that                                                if no other window has seen their part: they came late
    after its end                                              not: they are for a later window

Labels of before the monitor's first window, and predictions and labels of more than LOOK_BACK before a window, are not looked at.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gyre_drift.faults import DriftError
from gyre_drift.log import LOOK_BACK, parts_of, read, within
from gyre_drift.plan import Span
from gyre_drift.store import Store

FILE: Final = "labels.json"
FORMAT: Final = 1
HOUR: Final = timedelta(hours=1)
"""What a part's folder names, so a part may hold labels of so much before or after what it was chosen by."""


@dataclass(frozen=True, slots=True)
class Page:
    """One window: the parts that it saw first, and what it counted."""

    window: Span
    parts: tuple[str, ...] = ()
    rows: int = 0
    errors: int | None = None
    """Of these, on the other side of one half; None where answers are no probabilities, or labels no classes."""


@dataclass(frozen=True, slots=True)
class Book:
    """The windows of the last LOOK_BACK, oldest first, and the sums of those before."""

    since: datetime | None = None
    """Begin of the first window of all."""
    seen: int = 0
    wrong: int = 0
    counting: bool = False
    """Some window before these could be counted, if only to nought."""
    pages: tuple[Page, ...] = ()

    @classmethod
    def of(cls, place: Store) -> Book:
        """Empty where there is none yet. Raises DriftError."""
        content = place.read(FILE)
        if content is None:
            return cls()
        try:
            data = json.loads(content)
            if data["format"] != FORMAT:
                raise ValueError(f"format {data['format']}")
            pages = tuple(map(_page, data["windows"]))
            since = datetime.fromisoformat(data["since"]) if data["since"] else None
            return cls(since, int(data["seen"]), int(data["wrong"]), bool(data["counting"]), pages)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            fix = "restore it, or delete it to count labels from now on only"
            raise DriftError("Unreadable", f"{place.uri}/{FILE} is not as it was written ({error}): {fix}") from error

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "since": self.since.isoformat() if self.since else None,
            "seen": self.seen,
            "wrong": self.wrong,
            "counting": self.counting,
            "windows": [
                {
                    "from": page.window.start.isoformat(),
                    "to": page.window.end.isoformat(),
                    "parts": list(page.parts),
                    "rows": page.rows,
                    "errors": page.errors,
                }
                for page in self.pages
            ],
        }

    def others(self, window: Span) -> tuple[Page, ...]:
        return tuple(page for page in self.pages if page.window != window)

    def with_page(self, page: Page) -> Book:
        """A window that is judged again takes the place of what it was before; what is too old to matter becomes sums."""
        whole = replace(self, since=self.since or page.window.start)
        pages = sorted((*self.others(page.window), page), key=lambda one: (one.window.end, one.window.start))
        old = [one for one in pages if one.window.end < page.window.start - LOOK_BACK - HOUR]
        counted = [one for one in old if one.errors is not None]
        return replace(
            whole,
            seen=self.seen + sum(one.rows for one in counted),
            wrong=self.wrong + sum(one.errors or 0 for one in counted),
            counting=self.counting or bool(counted),
            pages=tuple(one for one in pages if one not in old),
        )

    def told(self, place: Store) -> dict[str, Any]:
        """All that was counted since the first window; nothing while nothing could be. `book` names which count it is."""
        counted = [page for page in self.pages if page.errors is not None]
        if self.since is None or not (counted or self.counting):
            return {}
        name = hashlib.sha256(f"{place.uri}\n{self.since.isoformat()}".encode()).hexdigest()[:12]
        return {
            "book": name,
            "seen": self.seen + sum(page.rows for page in counted),
            "wrong": self.wrong + sum(page.errors or 0 for page in counted),
        }


def _page(data: Mapping[str, Any]) -> Page:
    window = Span(datetime.fromisoformat(data["from"]), datetime.fromisoformat(data["to"]))
    errors = None if data["errors"] is None else int(data["errors"])
    return Page(window, tuple(map(str, data["parts"])), int(data["rows"]), errors)


@dataclass(frozen=True, slots=True)
class Scope:
    """Where the labels of a window are."""

    oldest: datetime
    first: datetime
    """From here on every label counts; from `oldest` to here, those of `fresh` parts."""
    end: datetime
    fresh: tuple[str, ...]
    """Parts that no other window has seen."""
    known: tuple[str, ...]
    """The rest of them."""

    @property
    def asked(self) -> list[str]:
        """What the labels that it counts depend on."""
        return [*self.fresh, *parts_of(self.known, Span(self.first, self.end), labels=True), self.first.isoformat()]


def scope(book: Book, window: Span, names: Sequence[str]) -> Scope:
    others = book.others(window)
    first = max((page.window.end for page in others), default=window.start)
    oldest = max(window.start - LOOK_BACK, book.since or window.start)
    seen = {part for page in others for part in page.parts}
    there = parts_of(names, Span(oldest, window.end), labels=True)
    fresh, known = ([part for part in there if (part in seen) is wanted] for wanted in (False, True))
    return Scope(oldest, first, window.end, tuple(fresh), tuple(known))


@dataclass(frozen=True, slots=True)
class Labelled:
    """Predictions whose labels a window counts."""

    probability: np.ndarray
    label: np.ndarray
    late: int = 0
    """Labels whose time was over when they came, with or without a prediction."""
    repeated: int = 0
    """Labels of predictions that an earlier window has counted."""
    unknown: int = 0
    """Labels whose prediction is not in the log."""

    @property
    def rows(self) -> int:
        return len(self.label)


def labelled(log: Store, names: Sequence[str], window: Span, scope: Scope) -> Labelled:
    """The latest label of each id, with its prediction of up to LOOK_BACK before the window. Raises DriftError."""
    latest = _latest(log, scope)
    again = _counted_before(log, scope, latest)
    wanted = pa.array(sorted(latest.keys() - again), pa.string())
    found: dict[str, float] = {}
    for part in parts_of(names, Span(window.start - LOOK_BACK, window.end), labels=False) if len(wanted) else ():
        table = read(log, part).select(["id", "prediction"])
        hits = table.filter(pc.is_in(table["id"], value_set=wanted)).drop_null()
        found |= dict(zip(hits["id"].to_pylist(), hits["prediction"].to_pylist(), strict=True))
    ids = sorted(found)
    return Labelled(
        probability=np.array([found[one] for one in ids], np.float64),
        label=np.array([latest[one][1] for one in ids], np.float64),
        late=sum(time < scope.first for one, (time, _) in latest.items() if one not in again),
        repeated=len(again),
        unknown=len(wanted) - len(ids),
    )


def _latest(log: Store, scope: Scope) -> dict[str, tuple[datetime, float]]:
    """(time, label) by id."""
    latest: dict[str, tuple[datetime, float]] = {}
    spans = {part: Span(min(scope.oldest, scope.first), scope.end) for part in scope.fresh}
    spans |= {
        part: Span(scope.first, scope.end) for part in parts_of(scope.known, Span(scope.first, scope.end), labels=True)
    }
    for part, span in spans.items():
        for row in within(read(log, part), span).to_pylist():
            given = (row["time"], row["label"])
            if row["label"] is not None and (row["id"] not in latest or given[0] >= latest[row["id"]][0]):
                latest[row["id"]] = given
    return latest


def _counted_before(log: Store, scope: Scope, latest: Mapping[str, Any]) -> set[str]:
    """Sent again, or corrected: an earlier window has counted a label of that prediction."""
    found: set[str] = set()
    earlier = Span(scope.oldest, scope.first)
    wanted = pa.array(sorted(latest), pa.string())
    for part in parts_of(scope.known, earlier, labels=True) if latest else ():
        ids = within(read(log, part), earlier)["id"]
        found |= set(ids.filter(pc.is_in(ids, value_set=wanted)).to_pylist())
    return found
