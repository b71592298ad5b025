"""What a scenario is, and how one run of it is judged."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from tests.sweep.scheduler import Actor, Faults, Run, silent
from tests.sweep.world import World

from gyre.api import kstatus
from gyre.api.effects import Ref
from gyre.api.gvks import EVENT
from gyre.api.intent import INTENT
from gyre.api.kind import Kind
from gyre.api.kstatus import Verdict
from gyre.engine.effects import Writer

TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?( ?UTC|Z|[+-]\d\d:\d\d)?|\b\d\d:\d\d UTC")

When = Callable[[World], bool]
Do = Callable[[World], Any]


@dataclass(frozen=True, slots=True)
class Step:
    """Something a person does once, as soon as `when` is true and `wait` seconds after it became so."""

    when: When
    do: Do
    wait: float = 0.0


@dataclass
class Script:
    """The person: takes the steps one after the other. Idempotent people are not assumed: each step happens once."""

    steps: Sequence[Step]
    done: int = 0
    since: datetime | None = None

    def act(self, world: World) -> bool | datetime:
        if self.done == len(self.steps):
            return False
        step = self.steps[self.done]
        if self.since is None:
            if not step.when(world):
                return False
            self.since = world.now
        due = self.since + timedelta(seconds=step.wait)
        if due > world.now:
            return due
        step.do(world)
        self.done, self.since = self.done + 1, None
        return True


@dataclass(frozen=True)
class Scenario:
    name: str
    kinds: Sequence[Kind[Any, Any]]
    setup: Do
    """Given an empty world; may return another to begin with."""
    expect: Mapping[Ref, Verdict]
    actors: Callable[[], Sequence[Actor]] = tuple
    steps: Sequence[Step] = ()
    invariants: Callable[[], Sequence[Callable[[World], None]]] = tuple
    """Made anew for each run, since they may remember what they saw."""
    loose: Sequence[str] = ()
    """Keys, anywhere in an object, whose values may differ from run to run because time itself is their input."""
    racing: bool = False
    """A person's step races with a run: heard of late, it comes too late, and then the end is another one by right."""
    evidence: Sequence[str] = ()
    """Keys of what is only remembered if it was seen in time: they may differ where events get lost."""
    check: Callable[[World], None] = lambda world: None
    """What must be so at the end of every run, whatever went wrong in it."""

    def __str__(self) -> str:
        return self.name

    def run(self, faults: Faults | None = None, writer: Callable[..., Writer] = Writer) -> Run:
        """One run to the end."""
        run = self.begin(faults, writer)
        run.settle()
        return run

    def begin(self, faults: Faults | None = None, writer: Callable[..., Writer] = Writer) -> Run:
        empty = World()
        given = self.setup(empty)
        world = given if isinstance(given, World) else empty
        return Run(
            self.kinds,
            world,
            [Script(self.steps), *self.actors()],
            faults=faults or Faults(),
            invariants=self.invariants(),
            writer=writer,
        )

    def without_steps(self) -> Scenario:
        return replace(self, steps=())

    def judge(self, run: Run, right: str | None = None) -> None:
        """The end of a run: the world that a run without faults reaches, verdicts as stated, and then silence."""
        if right is not None and not (self.racing and run.faults.lost):
            keys = (*self.loose, *self.evidence) if run.faults.lost else self.loose
            right, now = stripped(right, keys), normal(run.world, keys)
            assert now == right, f"{self.name}: another end than without faults\n" + difference(right, now)
        for ref, verdict in self.expect.items():
            found = kstatus.compute(run.world.find(ref))
            assert found.verdict == verdict, f"{self.name}: {ref} is {found.verdict} ({found.message}), not {verdict}"
        self.check(run.world)
        wrote = silent(run, run.wake_twice_and_restart)
        assert not wrote, f"{self.name}: a settled system still writes: {wrote[:5]}"


def normal(world: World, loose: Sequence[str] = ()) -> str:
    """The world as text, without what may differ between two runs: versions, times, Events, digests of intents."""
    dropped = {"resourceVersion", INTENT, *loose}
    objects = {str(ref): _strip(obj, dropped) for ref, obj in world.objects.items() if ref.gvk != EVENT}
    return json.dumps(objects, sort_keys=True, indent=1)


def stripped(text: str, keys: Sequence[str]) -> str:
    """A world as text, without these keys as well."""
    return json.dumps(_strip(json.loads(text), set(keys)), sort_keys=True, indent=1)


def _strip(value: Any, dropped: set[str]) -> Any:
    match value:
        case dict():
            return {key: _strip(inner, dropped) for key, inner in value.items() if key not in dropped}
        case list():
            return [_strip(inner, dropped) for inner in value]
        case str() if value[:1] in ("{", "[") and value[-1:] in ("}", "]"):
            try:
                return _strip(json.loads(value), dropped)
            except ValueError:
                return TIME.sub("TIME", value)
        case str():
            return TIME.sub("TIME", value)
        case _:
            return value


def difference(right: str, now: str) -> str:
    a, b = right.splitlines(), now.splitlines()
    only_a, only_b = [line for line in a if line not in set(b)], [line for line in b if line not in set(a)]
    return "\n".join([*(f"- {line}" for line in only_a[:25]), *(f"+ {line}" for line in only_b[:25])])
