"""Where the time of a run went: a ledger that sums to wall time exactly.

Promises   at every moment the six accounts add up to the time since the start, to the millisecond; `productive` holds only
           the time of steps that still count.
Never      reads a clock: every call is handed `now` (milliseconds of one clock; a step back is read as standing still).

Accounts after Google's badput names (ml-goodput-measurement 0.2.3, goodput_utils.py): starting (program start-up, data),
productive, checkpointSave (time the steps stood still), checkpointRestore, wasted (progress lost to a disruption),
recovering (infrastructure recovery from a disruption).
"""

from __future__ import annotations

from typing import Final, Literal, get_args

Account = Literal["starting", "productive", "checkpointSave", "checkpointRestore", "wasted", "recovering"]
ACCOUNTS: Final[tuple[Account, ...]] = get_args(Account)


class Ledger:
    def __init__(self, now: int, *, step: int = 0) -> None:
        self._start = self._now = now
        self._account: Account = "starting"
        self._ms: dict[Account, int] = dict.fromkeys(ACCOUNTS, 0)
        self._marks = [(step, 0)]  # (step a checkpoint holds, productive ms when it was taken), ascending

    @property
    def account(self) -> Account:
        """The account that time runs on now."""
        return self._account

    def advance(self, now: int) -> None:
        """Book the time up to `now` on the current account."""
        if now > self._now:
            self._ms[self._account] += now - self._now
            self._now = now

    def enter(self, account: Account, now: int) -> None:
        """From `now` on, time is booked on `account`."""
        self.advance(now)
        self._account = account

    def move(self, source: Account, to: Account, ms: int) -> int:
        """Rebook up to `ms` of what `source` holds; returns what was moved (never more than there is)."""
        moved = max(0, min(ms, self._ms[source]))
        self._ms[source] -= moved
        self._ms[to] += moved
        return moved

    def resumed_at(self, step: int) -> int:
        """Work after the newest mark at or below `step` is lost: its productive time becomes wasted. Returns ms wasted."""
        while len(self._marks) > 1 and self._marks[-1][0] > step:
            self._marks.pop()
        safe = self._marks[-1][1]
        return self.move("productive", "wasted", self._ms["productive"] - safe)

    def mark(self, step: int) -> None:
        """A checkpoint holds everything up to `step`: only `resumed_at` an earlier one can take the time so far."""
        while len(self._marks) > 1 and self._marks[-1][0] >= step:
            self._marks.pop()
        self._marks.append((step, self._ms["productive"]))

    def seconds(self, now: int) -> dict[str, float]:
        """The six accounts in seconds; they sum to (latest `now` - start) / 1000."""
        self.advance(now)
        return {account: ms / 1000 for account, ms in self._ms.items()}

    def milliseconds(self) -> dict[Account, int]:
        return dict(self._ms)

    @property
    def now(self) -> int:
        """The newest time the ledger was told."""
        return self._now
