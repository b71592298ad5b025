"""The ways in which a run can go wrong, and the loops that try every one of them.

    crash      the operator dies after its k-th write, for every k, with the answer lost; and just before it
    lost       each event of each watch is never told, one a run; the sweep must heal it
    stale      each watch lags from each of its events on, by one, two or four events
    orders     events twice, in another order of kinds, one at a time, and a world that moves faster than the operator

Runs that are equal by construction are left out: an event that is no news (the echo of a write) may be lost or late without
anybody noticing, and to die before a write is to die after the one before it, unless the write is the first of its reconcile.

Each returns the number of runs it made; each run is judged against the world that a run without faults reaches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.sweep.operators import Death
from tests.sweep.scenarios import Scenario, normal
from tests.sweep.scheduler import Faults, Lag, Run

from gyre.engine.effects import Writer

LAGS = (1, 4, 2)
"""Taken in turn."""

ORDERS = (
    Faults(twice=True),
    Faults(backwards=True),
    Faults(slow_reader=True),
    Faults(impatient_world=True),
    Faults(slow_reader=True, backwards=True),
    Faults(slow_reader=True, impatient_world=True),
    Faults(twice=True, slow_reader=True, impatient_world=True),
)


def plain(scenario: Scenario, writer: Callable[..., Writer] = Writer) -> tuple[Run, str]:
    """A run without faults, and the end that all others must reach."""
    run = scenario.run(writer=writer)
    right = normal(run.world, scenario.loose)
    return run, right


def crash_faults(scenario: Scenario) -> Iterator[Faults]:
    run, _ = plain(scenario)
    for number, write in enumerate(run.door.writes, 1):
        yield Faults(death=Death(number))
        if write.first:
            yield Faults(death=Death(number, before=True))


def lost_faults(scenario: Scenario) -> Iterator[Faults]:
    run, _ = plain(scenario)
    for gvk, news in run.news.items():
        for number in news:
            yield Faults(lost=(gvk, number))


def stale_faults(scenario: Scenario) -> Iterator[Faults]:
    run, _ = plain(scenario)
    for gvk, news in run.news.items():
        for index, start in enumerate(news):
            yield Faults(lag=Lag(gvk, start - 1, LAGS[index % len(LAGS)]))


def order_faults(scenario: Scenario) -> Iterator[Faults]:
    yield from ORDERS


MODES: dict[str, Callable[[Scenario], Iterator[Faults]]] = {
    "crash": crash_faults,
    "lost": lost_faults,
    "stale": stale_faults,
    "orders": order_faults,
}


def try_all(scenario: Scenario, mode: str, writer: Callable[..., Writer] = Writer) -> int:
    run, right = plain(scenario, writer)
    scenario.judge(run)
    count = 0
    for faults in MODES[mode](scenario):
        try:
            scenario.judge(scenario.run(faults, writer), right)
        except Exception as problem:
            raise AssertionError(f"{scenario.name} with {faults}: {problem}") from problem
        count += 1
    return count
