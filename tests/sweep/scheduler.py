"""Runs an operator, foreign actors and the clock over a world until nothing happens any more; deterministically.

One turn: events are delivered, then the operator works on one key, then (when it is idle) one actor takes one step, then
garbage goes, and only when all of that is quiet the clock jumps to the next time at which somebody is due.

`Faults` says what goes wrong in a run: a death at a write, an event that is never told, a watch that lags, an odd order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from tests.sweep.operators import Death, Door, Killed, Operator
from tests.sweep.world import World

from gyre.api.effects import Gvk
from gyre.api.kind import Kind
from gyre.engine.effects import Writer

MOST_TURNS = 6000
SWEEP_SECONDS = 300.0
IDLE_TIMERS = 12
"""So many timers in a row that led to no write at all: the system has settled."""


class Livelock(AssertionError):
    """The run did not come to rest."""


class Actor(Protocol):
    """Somebody else in the cluster, scripted. Looks at the world and takes one step, or says when it is due next."""

    def act(self, world: World) -> bool | datetime: ...


@dataclass(frozen=True, slots=True)
class Lag:
    """From its n-th event on, a watch tells nothing until so many more have piled up, or until all is quiet."""

    gvk: Gvk
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Faults:
    death: Death | None = None
    lost: tuple[Gvk, int] | None = None
    """(watch, n): its n-th event is never told."""
    lag: Lag | None = None
    twice: bool = False
    """Every event is delivered twice, and the whole past of a watch once more when all is quiet."""
    backwards: bool = False
    """Watches deliver in the opposite order of kinds."""
    slow_reader: bool = False
    """Events are delivered one at a time, and only when the operator has nothing else to do."""
    impatient_world: bool = False
    """Actors take a step before every step of the operator, not only when it is idle."""


@dataclass
class Run:
    kinds: Sequence[Kind[Any, Any]]
    world: World
    actors: Sequence[Actor]
    faults: Faults = field(default_factory=Faults)
    invariants: Sequence[Callable[[World], None]] = ()
    writer: Callable[..., Writer] = Writer
    horizon: timedelta = timedelta(days=3)

    def __post_init__(self) -> None:
        self.door = Door(self.world)
        self.door.death = self.faults.death
        self.door.after_write = self._check_in_between
        self._violated: AssertionError | None = None
        self.told: dict[Gvk, int] = {}
        self.news: dict[Gvk, list[int]] = {}
        """Numbers of the events that told the operator something: not those of its own writes."""
        self.deaths = 0
        self._checked = self._replayed = self._swept_version = -1
        self._swept_at = self.world.now
        self.operator: Operator
        self.start()

    def start(self) -> None:
        """A new life of the operator: everything it knows comes from lists."""
        self.operator = Operator(self.kinds, self.door, self.writer)

    # ── turns ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def settle(self) -> None:
        """Until nobody is due, or nothing has come of several timers in a row, or the horizon is reached."""
        idle, end = 0, self.world.now + self.horizon
        for _ in range(MOST_TURNS):
            before = self.world.version
            if self._turn():
                idle = 0 if self.world.version != before else idle
                continue
            if self._heal():
                continue
            due = self._next_due()
            if due is None or due > end or (idle >= IDLE_TIMERS and not self._actors_due() and not self._sweep_due()):
                return
            idle += 1
            self._jump(due)
        raise Livelock(f"not at rest after {MOST_TURNS} turns; last writes:\n" + self._last_writes())

    def wake_twice_and_restart(self) -> None:
        """Two full wake-ups and a fresh start, each to the end: nothing may come of it."""
        for _ in range(2):
            self.operator.wake_everything()
            self.settle()
        self.start()
        self.settle()

    def _turn(self) -> bool:
        if self.faults.impatient_world and self._act():
            self._deliver()
            self._step()
            return True
        if self.faults.slow_reader:
            return self._step() or self._deliver(most=1) or self._act() or self._collect()
        heard = self._deliver()
        return self._step() or heard or self._act() or self._collect()

    def _step(self) -> bool:
        try:
            worked = self.operator.step() is not None
        except Killed:
            self.deaths += 1
            self.door.death = None
            worked = True
            self.check()
            self.start()
        self.check()
        return worked

    def _act(self) -> bool:
        for actor in self.actors:
            if actor.act(self.world) is True:
                self.check()
                return True
        return False

    def _collect(self) -> bool:
        collected = self.world.collect_garbage()
        self.check()
        return collected

    def _check_in_between(self) -> None:
        """After each write. What is wrong is told later: the reconciler would take the exception for a bug of a kind."""
        try:
            self.check()
        except AssertionError as wrong:
            self._violated = self._violated or wrong

    def check(self) -> None:
        if self._violated:
            raise self._violated
        if self._checked != self.world.version:
            self._checked = self.world.version
            for invariant in self.invariants:
                invariant(self.world)

    # ── events ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _deliver(self, most: int = 10_000) -> bool:
        heard = 0
        gvks = list(self.operator.watched)
        for gvk in reversed(gvks) if self.faults.backwards else gvks:
            while heard < most and self._waiting(gvk):
                heard += self._deliver_one(gvk)
        return heard > 0

    def _waiting(self, gvk: Gvk) -> bool:
        waiting, lag = len(self.operator.pending(gvk)), self.faults.lag
        held = lag is not None and lag.gvk == gvk and self.told.get(gvk, 0) >= lag.start and waiting <= lag.length
        return waiting > 0 and not held

    def _deliver_one(self, gvk: Gvk) -> bool:
        event = self.operator.take(gvk)
        if event is None:
            return False
        number = self.told[gvk] = self.told.get(gvk, 0) + 1
        if self.faults.lost == (gvk, number):
            return False
        if self.operator.hear(gvk, *event):
            self.news.setdefault(gvk, []).append(number)
        if self.faults.twice:
            self.operator.hear(gvk, *event)
        return True

    def _heal(self) -> bool:
        """When all else is quiet: a lagging watch catches up, the past is told again."""
        lag = self.faults.lag
        if lag is not None and self.operator.pending(lag.gvk):
            while self.operator.pending(lag.gvk):
                self._deliver_one(lag.gvk)
            return True
        if self.faults.twice and self._replayed != self.world.version:
            self._replayed = self.world.version
            for gvk in self.operator.watched:
                for told in self.world.history.get(gvk, ()):
                    if told.managed or not self.operator.watched[gvk]:
                        self.operator.hear(gvk, told.type, told.obj)
            return bool(self.operator.ready)
        return False

    # ── time ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _jump(self, due: datetime) -> None:
        self.world.now = max(self.world.now, due)
        if self._sweep_due() == due:
            self._swept_at, self._swept_version = self.world.now, self.world.version
            self.operator.sweep()
        self.operator.fire_timers()

    def _sweep_due(self) -> datetime | None:
        """Only where events get lost; and a sweep over what the last one saw already would find nothing."""
        if self.faults.lost is None or self._swept_version == self.world.version:
            return None
        return max(self._swept_at + timedelta(seconds=SWEEP_SECONDS), self.world.now)

    def _next_due(self) -> datetime | None:
        due = [*self.operator.timers.values(), *self._actors_due()]
        sweep = self._sweep_due()
        return min([*due, sweep] if sweep else due, default=None)

    def _actors_due(self) -> list[datetime]:
        return [moment for actor in self.actors if isinstance(moment := actor.act(self.world), datetime)]

    def _last_writes(self) -> str:
        return "\n".join(f"  {write}" for write in self.door.writes[-12:])


def silent(run: Run, act: Callable[[], None]) -> list[str]:
    """What the operator asked to have written during `act`, as text; empty when it kept still."""
    before = len(run.door.writes)
    act()
    return [str(write) for write in run.door.writes[before:]]
