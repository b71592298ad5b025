"""What a TrainingJob must remember, kept in its run ConfigMap: attempts, budgets, pins, commands, where the time went.

Promises   every change is one new value (nothing is edited), and one guarded write in the cluster;
           time only moves forward, and `totals` sum to `mark − created` to the millisecond.
Never      reads a clock or a cluster.

Phases     Queued ─▶ Open ─▶ Recovering ─▶ Open ─▶ … ─▶ Over
             └──────▶ Parked ─▶ Queued        (any phase but Over can be parked once nothing runs)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from gyre.adapters.storage import Place
from gyre.api.terms import clip
from gyre.cost.estimate import Expected
from gyre.kinds.trainingjob.policy import RESTORES, FailureClass

KEPT = 10
LONGEST_EVIDENCE = 480


class Phase(StrEnum):
    QUEUED = "Queued"
    OPEN = "Open"
    RECOVERING = "Recovering"
    PARKED = "Parked"
    OVER = "Over"


class End(StrEnum):
    """How an attempt ended."""

    SUCCEEDED = "Succeeded"
    PARKED = "Parked"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True)
class Attempt:
    number: int
    opened: datetime
    ray_job_uid: str = ""
    """Empty until its RayJob was seen: then a missing RayJob is one that somebody deleted."""
    head_pod: str = ""
    head_node: str = ""
    image: str = ""
    """What the head pod runs, by digest."""
    closed: datetime | None = None
    end: End | None = None
    cls: FailureClass | None = None
    evidence: str = ""
    from_step: int = 0
    to_step: int = 0
    lost: int = 0
    """Milliseconds whose work was thrown away or that nobody worked."""
    rows: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Restarted:
    """The workers were started again inside an attempt."""

    attempt: int
    key: str
    cls: FailureClass
    message: str
    from_step: int
    to_step: int
    resumed: bool
    lost: int


@dataclass(frozen=True, slots=True)
class Pin:
    """A data set as the run sees it for ever: later changes of the Dataset do not reach a job that has started."""

    name: str
    dataset: str
    version: int
    digest: str
    place: Place


@dataclass(frozen=True, slots=True)
class WarmStart:
    version: str
    digest: str
    place: Place


@dataclass(frozen=True, slots=True)
class Champion:
    """The version that spoke for the Model when the newest attempt began: what the new one is measured against."""

    version: str
    digest: str
    flavour: str
    place: Place | None
    problem: str = ""
    """Why it cannot be measured; nothing is mounted then."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Word that pods will be taken away: told to the driver, and remembered as evidence."""

    id: str
    pods: tuple[str, ...]
    cls: FailureClass
    evidence: str
    deadline: datetime


@dataclass(frozen=True, slots=True)
class Suspicion:
    """The run was silent at `at`, when its newest heartbeat was `heartbeat`."""

    heartbeat: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Final:
    end: End
    reason: str
    message: str
    at: datetime
    cls: FailureClass | None = None
    published: bool = False
    """The Model and ModelVersion exist or existed: never made again, so that they can be deleted."""


@dataclass(frozen=True, slots=True)
class Ledger:
    uid: str
    created: datetime
    mark: datetime
    phase: Phase = Phase.QUEUED
    started: datetime | None = None
    parked_before: int = 0
    """Milliseconds parked before the first attempt: they are not taken off timeLimit."""
    count: int = 0
    attempts: tuple[Attempt, ...] = ()
    totals: Mapping[str, int] = field(default_factory=dict)
    failures: Mapping[str, int] = field(default_factory=dict)
    crashes: Mapping[str, int] = field(default_factory=dict)
    """Crashes of the program by step, as text."""
    restores: Mapping[str, int] = field(default_factory=dict)
    """Failed restores by checkpoint name."""
    restarts: tuple[Restarted, ...] = ()
    restart_count: int = 0
    pins: tuple[Pin, ...] = ()
    warm_start: WarmStart | None = None
    champion: Champion | None = None
    park: str = ""
    """Id of the command to park, set while it stands."""
    park_deadline: datetime | None = None
    notice: Notice | None = None
    suspicion: Suspicion | None = None
    final: Final | None = None
    meter: Mapping[str, Any] = field(default_factory=dict)
    """What its pods cost, as `gyre.cost.text` writes it; empty while no Provider prices anything."""
    currency: str = ""
    """Of the meter."""
    expected: Expected | None = None
    """What it was expected to cost when it was made; later runs of others change nothing of it."""

    @property
    def open(self) -> Attempt | None:
        last = self.last
        return last if last is not None and last.end is None else None

    @property
    def last(self) -> Attempt | None:
        return self.attempts[-1] if self.attempts else None

    @property
    def quarantined(self) -> tuple[str, ...]:
        return tuple(sorted(name for name, count in self.restores.items() if count >= RESTORES))

    def failed(self, cls: FailureClass) -> int:
        return self.failures.get(cls.value, 0)

    # ── what happens to it ───────────────────────────────────────────────────────────────────────────────────────────

    def spend(self, row: str, now: datetime) -> Ledger:
        """Everything since the mark was `row`."""
        mark = max(self.mark, milliseconds(now))
        return replace(self, totals=added(self.totals, {row: millis(self.mark, mark)}), mark=mark)

    def turn(self, phase: Phase, now: datetime) -> Ledger:
        """Leave the present phase, which is not an open attempt, for another."""
        return replace(self.spend(ROW_OF[self.phase], now), phase=phase)

    def stands_at(self, attempt: int, step: int) -> int:
        """The run's step, of which an attempt's driver says `step`: one that has not stepped yet stands where it begins."""
        last = self.attempts[-1] if self.attempts else None
        return last.from_step if last and last.number == attempt and not step else step

    def opened(self, now: datetime, *, from_step: int) -> Ledger:
        ready = self.turn(Phase.OPEN, now)
        attempt = Attempt(number=self.count + 1, opened=ready.mark, from_step=from_step)
        return replace(
            ready,
            count=attempt.number,
            attempts=(*self.attempts, attempt)[-KEPT:],
            started=self.started or ready.mark,
            parked_before=self.parked_before if self.started else ready.totals.get("parked", 0),
            park="",
            park_deadline=None,
            notice=None,
            suspicion=None,
        )

    def with_open(self, **changes: Any) -> Ledger:
        """The same, with changes to the newest attempt."""
        return replace(self, attempts=(*self.attempts[:-1], replace(self.attempts[-1], **changes)))

    def charged(self, cls: FailureClass) -> Ledger:
        return replace(self, failures=added(self.failures, {cls.value: 1}))

    def crashed(self, step: int) -> Ledger:
        """Only the twenty newest steps are remembered: a poisoned step comes back at once."""
        crashes = added(self.crashes, {str(step): 1})
        return replace(self, crashes=dict(sorted(crashes.items(), key=lambda item: int(item[0]))[-20:]))

    def not_restored(self, checkpoint: str) -> Ledger:
        return replace(self, restores=dict(sorted(added(self.restores, {checkpoint: 1}).items())[-32:]))

    def ended(self, final: Final) -> Ledger:
        return replace(self, phase=Phase.OVER, final=replace(final, message=clip(final.message, 1000)))


ROW_OF = {
    Phase.QUEUED: "queued",
    Phase.RECOVERING: "recovering",
    Phase.PARKED: "parked",
    Phase.OPEN: "starting",
    Phase.OVER: "other",
}
"""What time outside of an attempt is spent on, by phase."""


def begin(uid: str, created: datetime, now: datetime) -> Ledger:
    start = milliseconds(created)
    return Ledger(uid=uid, created=start, mark=start).spend("queued", now)


def added(counts: Mapping[str, int], more: Mapping[str, int]) -> dict[str, int]:
    """Both sums together, zeros left out, sorted: equal ledgers are equal text."""
    total = {key: counts.get(key, 0) + more.get(key, 0) for key in sorted({*counts, *more})}
    return {key: value for key, value in total.items() if value}


def milliseconds(time: datetime) -> datetime:
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def millis(start: datetime, end: datetime) -> int:
    """Whole milliseconds from one to the other, never negative."""
    span = milliseconds(end) - milliseconds(start)
    return max(0, span.days * 86_400_000 + span.seconds * 1000 + span.microseconds // 1000)
