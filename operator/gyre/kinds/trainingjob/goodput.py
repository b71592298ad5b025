"""Where the wall time went: integer milliseconds by row, which sum exactly to `as of − created`.

Rows, with the names of Google's goodput library (ml-goodput-measurement 0.2.3, `BadputType`) where it has one:

    productive         goodput: steps that survive
    queued             before the first attempt: data, queue, storage not ready
    parked             suspended by the user; not counted in the goodput ratio
    starting           TPU_INITIALIZATION, TRAINING_PREP, PROGRAM_STARTUP: pods and processes coming up
    checkpointSave     UNPRODUCTIVE_CHECKPOINT_SAVE_TIME: training stood still while saving
    checkpointRestore  UNPRODUCTIVE_CHECKPOINT_RESTORE_TIME
    wasted             WASTED_PROGRESS_FROM_DISRUPTION: steps that had to be done again
    recovering         INFRASTRUCTURE_RECOVERY_FROM_DISRUPTION: between a loss and the next start
    other              OTHER: after the driver's last word

The driver accounts for its own time; the operator for all around it. Where clocks of two machines disagree, rows are cut in
the order of ORDER so that the sum stays exact: no row is ever negative and no time is counted twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gyre.adapters.run import Progress
from gyre.kinds.trainingjob.ledger import Attempt, Ledger, added, millis

ROWS: Final = (
    "productive",
    "queued",
    "parked",
    "starting",
    "checkpointSave",
    "checkpointRestore",
    "wasted",
    "recovering",
    "other",
)
ORDER: Final = ("productive", "checkpointSave", "checkpointRestore", "wasted", "recovering", "starting")


@dataclass(frozen=True, slots=True)
class Account:
    """Rows in milliseconds; they sum to `as_of − created`."""

    as_of: datetime
    created: datetime
    rows: Mapping[str, int]

    @property
    def wall(self) -> int:
        return millis(self.created, self.as_of)

    @property
    def permille(self) -> int | None:
        """Productive time per thousand of the wall time that was not parked; None before there is any."""
        counted = self.wall - self.rows.get("parked", 0)
        return self.rows.get("productive", 0) * 1000 // counted if counted > 0 else None


def account(ledger: Ledger, progress: Progress | None) -> Account:
    """As of the last thing that was written down, never of now: a settled job has a settled account."""
    attempt = ledger.open
    if attempt is None or not speaks_of(progress, attempt) or progress is None or progress.heartbeat is None:
        return Account(ledger.mark, ledger.created, dict(ledger.totals))
    as_of = max(ledger.mark, progress.heartbeat)
    rows = share(progress, millis(ledger.mark, as_of))
    return Account(as_of, ledger.created, added(ledger.totals, rows))


def speaks_of(progress: Progress | None, attempt: Attempt | None) -> bool:
    return progress is not None and attempt is not None and progress.attempt == attempt.number


def share(progress: Progress, span: int) -> dict[str, int]:
    """`span` milliseconds since the attempt was opened, as the driver accounts for them; the rest was `starting`."""
    rows, left = {}, span
    for row in ORDER:
        taken = min(left, progress.ledger.get(row, 0))
        rows[row], left = taken, left - taken
    rows["starting"] += left
    return {row: value for row, value in rows.items() if value}


def spent(ledger: Ledger, progress: Progress | None, now: datetime, *, survived: bool) -> dict[str, int]:
    """The rows of the open attempt from the mark to its end at `now`.

    `survived`: all its work is kept (it succeeded or parked). Otherwise the work since its last checkpoint is wasted, and
    the silence after its last heartbeat is recovery.
    """
    span = millis(ledger.mark, now)
    if progress is None or not speaks_of(progress, ledger.open) or progress.heartbeat is None:
        return {"other" if survived else "starting": span} if span else {}
    heard = min(span, millis(ledger.mark, progress.heartbeat))
    rows = share(progress, heard)
    silence = "other" if survived else "recovering"
    rows = added(rows, {silence: span - heard})
    if survived:
        return rows
    lost = min(rows.get("productive", 0), _unsaved(progress))
    return added(rows, {"productive": -lost, "wasted": lost})


def _unsaved(progress: Progress) -> int:
    """Milliseconds of work after the last checkpoint; all of it when there was none."""
    saved, heartbeat = progress.checkpoint, progress.heartbeat
    if saved is None or saved.time is None or heartbeat is None:
        return 2**53
    return 0 if saved.step >= progress.step else millis(saved.time, heartbeat)
