"""Which version of a service had the traffic at a time, by the history of its ledger. Pure.

The history keeps its newest entries only. Before the first of them nothing is claimed, but for what a ruling tells of the version
that had the traffic while its candidate was judged.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from gyre.adapters.pods import moment
from gyre.kinds.inferenceservice.ledger import KEPT_HISTORY, Entry, Ledger, Rollout
from gyre.kinds.inferenceservice.report import Happened
from gyre.why.answer import stamp

TAKES_OVER: Final = frozenset({Happened.DEPLOYED, Happened.PROMOTED, Happened.SWITCHED})
"""After these the version has all traffic."""


@dataclass(frozen=True, slots=True)
class Served:
    """Who had the traffic. `unknown` says why nobody can tell; with it the rest is empty."""

    version: str = ""
    digest: str = ""
    since: datetime | None = None
    by: str = ""
    why: str = ""
    trial: Rollout | None = None
    """The candidate that had a share beside it, or was coming up."""
    unknown: str = ""


def parsed(text: str, now: datetime) -> datetime:
    """RFC 3339, or a date alone. Raises ValueError for anything else, and for a time that has not come."""
    time = moment(text.strip())
    if time is None:
        raise ValueError(f"{text!r} is no time: write it like 2026-11-23T08:00:00Z, or 2026-11-23 for its first moment")
    if time > now:
        raise ValueError(f"{stamp(time)} has not come yet: it is {stamp(now.replace(microsecond=0))}")
    return time.astimezone(UTC)


def served(ledger: Ledger, at: datetime | None = None) -> Served:
    """At this time; now when none is given."""
    if at is None:
        entry = _newest(ledger, None)
        if ledger.stable is None:
            return Served(trial=ledger.rollout, unknown="no version has taken the traffic yet")
        told = entry if entry and entry.digest == ledger.stable.digest else None
        return Served(
            ledger.stable.name,
            ledger.stable.digest,
            ledger.since,
            told.by if told else "",
            told.why if told else "",
            ledger.rollout,
        )
    trial = _trial(ledger, at)
    entry = _newest(ledger, at)
    if entry is not None:
        return Served(entry.version, entry.digest, entry.at, entry.by, entry.why, trial)
    for ruling in ledger.rulings:
        if ruling.rollout.started <= at < ruling.at:
            return Served(ruling.against.name, ruling.against.digest, None, trial=ruling.rollout)
    if len(ledger.history) >= KEPT_HISTORY:
        first = stamp(ledger.history[0].at)
        return Served(
            unknown=f"the history keeps {KEPT_HISTORY} entries, and its first is of {first}: ask for a later time"
        )
    return Served(trial=trial, unknown="no version had taken the traffic yet")


def _newest(ledger: Ledger, at: datetime | None) -> Entry | None:
    """The last entry, by then, that gave a version all traffic."""
    entries = [e for e in ledger.history if e.event in TAKES_OVER and (at is None or e.at <= at)]
    return entries[-1] if entries else None


def _trial(ledger: Ledger, at: datetime) -> Rollout | None:
    for ruling in ledger.rulings:
        if ruling.rollout.started <= at < ruling.at:
            return ruling.rollout
    rollout = ledger.rollout
    return rollout if rollout and rollout.started <= at else None
