"""Error budgets: how much of one is left, and how fast it burns, by multi-window multi-burn-rate rules. Pure.

A target of 99.5 % over a window W allows 0.5 % of the events in W to be bad: that is the budget. A burn rate is the share of bad
events in a window, divided by the share that is allowed: at rate 1 the budget is spent exactly when W is over.

Source: Google, The Site Reliability Workbook (2018), chapter 5, tables 5-6 and 5-8. Its figures are for 30 days:

    rate 14.4  over 1 h and 5 min    2 % of the budget   page        rate 3  over 1 d and 2 h   10 %   ticket
    rate  6    over 6 h and 30 min   5 %                 page        rate 1  over 3 d and 6 h   10 %   ticket

Both windows must burn: the long one says that it matters, the short one that it still goes on. For another W the windows scale
with it and the rates stay, so a rule always stands for the same share of the budget.

Counts are kept by stretches of time, finer the younger they are, so that what is remembered is bounded; a stretch that is only
partly in a window counts with that part. Times are seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import Final

MONTH: Final = 30 * 86400.0
HOUR: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Rule:
    """Fires when both windows, in seconds of a month, burn at `rate` or more."""

    rate: float
    long: float
    short: float
    page: bool


WORKBOOK: Final = (
    Rule(14.4, HOUR, HOUR / 12, page=True),
    Rule(6.0, 6 * HOUR, HOUR / 2, page=True),
    Rule(3.0, 24 * HOUR, 2 * HOUR, page=False),
    Rule(1.0, 72 * HOUR, 6 * HOUR, page=False),
)

AGES: Final = ((2 * HOUR, HOUR / 12), (12 * HOUR, HOUR / 2), (96 * HOUR, 2 * HOUR), (MONTH, 24 * HOUR))
"""Up to which age counts are kept in stretches of which length; both in seconds of a month."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Events and the bad ones among them; not whole numbers where a stretch lies partly in a window."""

    events: float = 0.0
    bad: float = 0.0

    @property
    def share(self) -> float:
        return self.bad / self.events if self.events > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Stretch:
    """What was counted between two times."""

    start: float
    end: float
    events: int
    bad: int


@dataclass(frozen=True, slots=True)
class Burn:
    """One rule, asked: the rates in both windows. `enough`: so many events that a rate means something."""

    rule: Rule
    window: float
    rate: float
    short_rate: float
    enough: bool

    @property
    def fires(self) -> bool:
        return self.enough and min(self.rate, self.short_rate) >= self.rule.rate


def scaled(period: float, every: float = 0.0) -> tuple[Rule, ...]:
    """The workbook's rules for a budget over `period` seconds. `every`: seconds between two looks; no window is shorter."""
    factor = period / MONTH
    return tuple(
        Rule(rule.rate, max(rule.long * factor, 2 * every), max(rule.short * factor, every), rule.page)
        for rule in WORKBOOK
    )


def shortest(period: float) -> float:
    """The shortest window of all: who looks less often sees a page late."""
    return min(rule.short for rule in scaled(period))


def within(stretches: Iterable[Stretch], now: float, length: float) -> Counts:
    """What was counted in the last `length` seconds."""
    events = bad = 0.0
    since = now - length
    for stretch in stretches:
        if stretch.end <= since:
            continue  # most are, for the short windows
        width = stretch.end - stretch.start
        inside = min(stretch.end, now) - max(stretch.start, since)
        at_once = 1.0 if stretch.end <= now else 0.0
        part = min(1.0, max(0.0, inside / width)) if width > 0 else at_once
        events, bad = events + part * stretch.events, bad + part * stretch.bad
    return Counts(events, bad)


def rate(counts: Counts, target: float) -> float:
    """How many times as fast as allowed. `target` in (0, 1): the share of events that should be good."""
    return counts.share / (1.0 - target)


def remaining(counts: Counts, target: float) -> float:
    """What is left of the budget: 1 when nothing is spent, 0 when all is, below when more."""
    return 1.0 - rate(counts, target)


def burns(
    stretches: Sequence[Stretch], now: float, period: float, target: float, least: int, every: float = 0.0
) -> tuple[Burn, ...]:
    """Every rule, asked at `now`. With fewer than `least` events in its long window a rule never fires: at night two failed
    requests of three are no emergency, and nobody should be woken for them."""
    found = []
    for rule in scaled(period, every):
        long, short = within(stretches, now, rule.long), within(stretches, now, rule.short)
        found.append(Burn(rule, rule.long, rate(long, target), rate(short, target), long.events >= least))
    return tuple(found)


def worth(target: float, least: int) -> int:
    """Events from which a spent budget means something: `least`, and as many as make a single bad one no more than all of it."""
    return max(least, ceil(round(1.0 / (1.0 - target), 6)))


def added(stretches: Sequence[Stretch], new: Stretch, period: float) -> tuple[Stretch, ...]:
    """With one more, the newest. What is older than the period goes, what has aged is put together."""
    kept = (*stretches, new) if new.events or new.bad else tuple(stretches)
    return compacted(kept, new.end, period)


def compacted(stretches: Sequence[Stretch], now: float, period: float) -> tuple[Stretch, ...]:
    """Oldest first, bounded: neighbours that fall into the same cell of their age become one. No event is lost or moved out of
    the stretch that it was counted in, but for those that are older than the period."""
    factor = period / MONTH
    merged: dict[tuple[float, int], Stretch] = {}
    for stretch in sorted(stretches, key=lambda each: (each.end, each.start)):
        age = now - stretch.end
        if age >= period:
            continue
        cell = next((width for oldest, width in AGES if age <= oldest * factor), AGES[-1][1]) * factor
        key = (cell, floor((stretch.start + stretch.end) / 2 / cell))
        known = merged.get(key)
        merged[key] = stretch if known is None else _joined(known, stretch)
    return tuple(sorted(merged.values(), key=lambda each: (each.end, each.start)))


def _joined(one: Stretch, other: Stretch) -> Stretch:
    return Stretch(min(one.start, other.start), max(one.end, other.end), one.events + other.events, one.bad + other.bad)
