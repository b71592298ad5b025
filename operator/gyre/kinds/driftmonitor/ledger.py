"""The ledger of a DriftMonitor: which windows were judged and what they told, as text in ConfigMap `<monitor>-windows` and back.

Promises   a window is counted once; `done` only grows while the trigger stays; counts of labels only grow, and the same one told
           again adds nothing; equal ledgers are equal text; at most KEPT windows, so that it stays far below a megabyte.
Never      takes a ledger that cannot be read for an empty one: that would count from one again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Final

from pydantic import TypeAdapter

from gyre.adapters.pods import moment
from gyre.api.fields import Count, Positive
from gyre.kinds.driftmonitor.report import Counted, Report

KEY: Final = "ledger.json"
FORMAT: Final = 1
KEPT: Final = 60
MOST_BOOKS: Final = 8
"""Counts of labels that are told apart: another one begins when the log moves, or when what lies beside it is deleted."""


EARLIER: Final = "earlier"
"""Books that are not told apart any more."""


class UnreadableLedger(ValueError):
    """The ConfigMap does not hold a ledger that this operator wrote."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A window and what its Job found."""

    start: str
    end: str
    trigger: str
    """What it was judged under."""
    found: Report


@dataclass(frozen=True, slots=True)
class Failure:
    """The newest of failures in a row: of the same window or for the same cause, under the same trigger."""

    trigger: str
    start: str
    cause: str
    time: str
    count: Positive
    message: str = ""


@dataclass(frozen=True, slots=True)
class Ledger:
    runs: Count = 0
    """Jobs recorded so far, well or badly ended: part of the next Job's name, so that no name is used twice."""
    seen: Count = 0
    """Windows recorded so far."""
    skipped: Count = 0
    """Windows that never were."""
    trigger: str = ""
    """What windows are judged under since; another one has the newest window judged anew."""
    done: str = ""
    """Under this trigger everything before is behind us, judged or skipped: the begin of the next window."""
    started: str = ""
    """Begin of the window that a Job was made for: it is not skipped any more."""
    since: str = ""
    """Begin of the first of the drifted windows in a row; empty while none is."""
    failure: Failure | None = None
    labels: tuple[Counted, ...] = ()
    """What was counted so far, by book, the newest last; the first stands for all that are too old to be told apart."""
    entries: tuple[Entry, ...] = ()
    """Oldest first."""

    @property
    def newest(self) -> Entry | None:
        return self.entries[-1] if self.entries else None

    def newest_of(self, trigger: str) -> Entry | None:
        """The newest window, if it was judged under this trigger."""
        return self.newest if self.newest and self.newest.trigger == trigger else None

    def judged_of(self, trigger: str) -> Entry | None:
        """The newest window that was compared under this trigger."""
        found = (entry for entry in reversed(self.entries) if entry.trigger == trigger)
        return next((entry for entry in found if entry.found.state == "Judged"), None)

    @property
    def labelled(self) -> tuple[int, int] | None:
        """(predictions whose label has come, those that were wrong); None while nothing could be counted."""
        return (sum(one.seen for one in self.labels), sum(one.wrong for one in self.labels)) if self.labels else None

    def with_job(self, trigger: str, start: datetime, skipped: int) -> Ledger:
        """Which window is judged is written down before its Job is made: time goes on, and another one would be the newest."""
        same = (self.trigger, self.done, self.started) == (trigger, stamp(start), stamp(start))
        fresh = replace(self, trigger=trigger, done=stamp(start), started=stamp(start), skipped=self.skipped + skipped)
        return self if same else fresh

    def with_report(self, trigger: str, start: datetime, end: datetime, found: Report) -> Ledger:
        """A window that is judged again, under another trigger, replaces what it told before."""
        entry = Entry(stamp(start), stamp(end), trigger, found)
        again = bool(self.entries) and self.entries[-1].end >= entry.end
        kept = tuple(one for one in self.entries if one.end < entry.end)
        since = self.since
        if found.drifted is not None:
            since = (since or entry.start) if found.drifted else ""
        return replace(
            self,
            runs=self.runs + 1,
            seen=self.seen + (0 if again else 1),
            trigger=trigger,
            done=entry.end,
            started="",
            since=since,
            failure=None,
            labels=_grown(self.labels, found.counted),
            entries=(*kept, entry)[-KEPT:],
        )

    def with_failure(self, trigger: str, start: datetime, cause: str, message: str, now: datetime) -> Ledger:
        before = self.failure
        same = (
            before is not None and before.trigger == trigger and (before.start == stamp(start) or before.cause == cause)
        )
        count = min((before.count if before and same else 0) + 1, 1000)
        failure = Failure(trigger, stamp(start), cause, stamp(now), count, message)
        return replace(self, runs=self.runs + 1, started="", failure=failure)

    def without_window(self, end: datetime) -> Ledger:
        """It failed so often that the next one is tried."""
        return replace(self, done=stamp(end), started="", skipped=self.skipped + 1, failure=None)


def _grown(before: tuple[Counted, ...], told: Counted | None) -> tuple[Counted, ...]:
    """Jobs tell sums, so whatever is told twice, or late, counts once."""
    if told is None:
        return before
    same = next((one for one in before if one.book == told.book), Counted(told.book))
    now = Counted(told.book, max(same.seen, told.seen), max(same.wrong, told.wrong))
    if same in before:
        return tuple(now if one is same else one for one in before)
    if len(before) < MOST_BOOKS:
        return (*before, now)
    oldest, next_, *rest = before
    return (Counted(EARLIER, oldest.seen + next_.seen, oldest.wrong + next_.wrong), *rest, now)


def stamp(now: datetime) -> str:
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")


def to_data(ledger: Ledger) -> dict[str, str]:
    content = {key: value for key, value in _bare(asdict(ledger)).items() if key != "entries" or value}
    return {KEY: json.dumps({"format": FORMAT, **content}, sort_keys=True, separators=(",", ":"))}


def _bare(value: Any) -> Any:
    """Without what is empty, at any depth; False and 0 are something."""
    if isinstance(value, dict):
        bare = {key: _bare(inner) for key, inner in value.items()}
        return {key: inner for key, inner in bare.items() if inner is not None and inner not in ("", {}, [])}
    return [_bare(inner) for inner in value] if isinstance(value, list | tuple) else value


def from_data(data: Mapping[str, Any] | None) -> Ledger:
    """Raises UnreadableLedger, saying what is wrong. Fields of a newer operator are ignored."""
    try:
        content = json.loads((data or {})[KEY])
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']} is not {FORMAT}")
        ledger = _LEDGER.validate_python(content)
        ends = [entry.end for entry in ledger.entries]
        if ends != sorted(set(ends)):
            raise ValueError("its windows are not in order")
        times = [ledger.done, ledger.started, ledger.since, *ends, *(entry.start for entry in ledger.entries)]
        times += [ledger.failure.time, ledger.failure.start] if ledger.failure else []
        if not all(moment(time) for time in times if time):
            raise ValueError("a time is not RFC 3339")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableLedger(f"{type(error).__name__}: {error}"[:200]) from error
    return ledger


_LEDGER: Final = TypeAdapter(Ledger)
