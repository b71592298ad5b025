"""What a window told, in a sentence: for messages of conditions and for Events. Pure."""

from __future__ import annotations

from gyre.adapters.pods import moment
from gyre.api.effects import Note, NoteType
from gyre.api.terms import clip
from gyre.kinds.driftmonitor.ledger import Entry, Ledger
from gyre.kinds.driftmonitor.reasons import WORDS, Reason


def verdict(entry: Entry) -> Reason:
    """What a window was, in one word."""
    found = entry.found
    if found.state != "Judged":
        return WORDS.get(found.state, Reason.NOTHING_COMPARABLE)
    if found.drifted:
        return Reason.DRIFT_FOUND
    return Reason.IMMATERIAL if any(one.statistic > one.threshold for one in found.worst) else Reason.AS_REFERENCE


def described(entry: Entry) -> str:
    """`10:00 to 11:00, 3600 rows: carrier has moved (statistic 5.4 of 3.3, 5.1 % of the rows)`."""
    found, head = entry.found, f"{span(entry)}, {entry.found.rows} rows"
    if found.state == "NoTraffic":
        return f"{span(entry)}: nobody asked, so nothing is known; see whether the service is called and its log is written"
    if found.state == "TooFewRows":
        return f"{head}: too few to say anything (100 are needed); lengthen spec.window"
    if found.state != "Judged":
        return f"{head}: no feature can be compared; see the report"
    if not found.worst:
        return f"{head}: as the reference"
    worst = found.worst[0]
    numbers = f"statistic {worst.statistic:.1f} of {worst.threshold:.1f}, {worst.effect:.1%} of the rows"
    if found.drifted:
        return f"{head}: {worst.feature} has moved ({numbers})"
    if worst.statistic > worst.threshold:
        return f"{head}: {worst.feature} has moved, but by less than spec.minEffect ({numbers})"
    return f"{head}: as the reference; most suspect is {worst.feature} ({numbers})"


def in_short(entry: Entry) -> str:
    """What is wrong rather than different comes first: the drift that it makes is no news then."""
    bug = entry.found.bug
    return f"{bug.reason} of {bug.feature}: {bug.message} ({described(entry)})" if bug else described(entry)


def span(entry: Entry) -> str:
    start, end = moment(entry.start), moment(entry.end)
    if start is None or end is None:
        return f"{entry.start} to {entry.end}"
    last = f"{end:%H:%M}" if start.date() == end.date() else f"{end:%Y-%m-%d %H:%M}"
    return f"{start:%Y-%m-%d %H:%M} to {last} UTC"


def news(before: Ledger, after: Ledger) -> tuple[Note, ...]:
    """Events for what has changed: drift that began or is over, a bug that is new, quality that was lost."""
    entry, old = after.newest, before.newest
    if entry is None:
        return ()
    said = []
    if after.since and not before.since:
        said.append(Note(Reason.DRIFT_FOUND, clip(described(entry), 1000), NoteType.WARNING))
    if before.since and not after.since:
        said.append(Note(Reason.DRIFT_OVER, clip(f"since {before.since}; {described(entry)}", 1000)))
    bug, known = entry.found.bug, old.found.bug if old else None
    if bug and (known is None or (known.reason, known.feature) != (bug.reason, bug.feature)):
        said.append(Note(Reason.DATA_BUG_FOUND, clip(f"{bug.reason}: {bug.message}", 1000), NoteType.WARNING))
    if entry.found.labels.lost and not (old and old.found.labels.lost):
        what = f"{span(entry)}: labels show more errors than usual"
        said.append(Note(Reason.QUALITY_LOST_FOUND, what, NoteType.WARNING))
    return tuple(said)
