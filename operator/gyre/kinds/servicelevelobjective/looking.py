"""One look: what came since the last, how the objectives stand with it, whose traffic it was. Pure.

`decide` writes what it finds into the ledger, `status` shows it: both take the same look at the same readings.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from gyre.kinds.servicelevelobjective.counting import Measure, Readings, between, measure
from gyre.kinds.servicelevelobjective.ledger import Ledger, Tally
from gyre.kinds.servicelevelobjective.model import ServiceLevelObjective
from gyre.kinds.servicelevelobjective.observe import Observed
from gyre.kinds.servicelevelobjective.standing import Stand, back, spent, stands
from gyre.stats import burn


@dataclass(frozen=True, slots=True)
class Look:
    """What a look has found: the ledger with what is new in it, and how the objectives stand."""

    ledger: Ledger
    stands: tuple[Stand, ...]


def looked(slo: ServiceLevelObjective, seen: Observed) -> Look | None:
    """The ledger after this look, and what it says; the status is made of the same."""
    readings, ledger = seen.readings, seen.memory.ledger if seen.memory else None
    if readings is None or readings.problem or ledger is None:
        return None
    measures = _measures(slo, ledger, readings)
    counted = _counted(slo, ledger, measures, readings)
    standing = stands(slo, counted, measures, readings.at)
    version = seen.service.stable if seen.service else ""
    return Look(_judged(counted, standing, readings.at, version), standing)


def _measures(slo: ServiceLevelObjective, ledger: Ledger, readings: Readings) -> tuple[Measure, ...]:
    known = ledger.tallies
    return tuple(
        measure(each, readings, known[each.name].what if each.name in known else "") for each in slo.spec.objectives
    )


def _counted(slo: ServiceLevelObjective, ledger: Ledger, measures: tuple[Measure, ...], readings: Readings) -> Ledger:
    """With what came since the last look. An objective that means something else now begins anew."""
    at = _milliseconds(readings.at)
    new = between(ledger, measures, readings)
    tallies: dict[str, Tally] = {}
    for each in measures:
        name, known = each.objective.name, ledger.tallies.get(each.objective.name)
        if known is None or (each.what and known.what != each.what):
            if each.reason is None:
                tallies[name] = Tally(each.what, at)
            continue
        tallies[name] = _grown(slo, known, new.counts.get(name, (0, 0)), min(ledger.looked or at, at), at)
    same = dict(ledger.sources) == dict(new.sources) and tallies == dict(ledger.tallies)
    if same and ledger.counting is not None:
        return ledger
    return replace(ledger, counting=ledger.counting or at, looked=at, sources=new.sources, tallies=tallies)


def _grown(slo: ServiceLevelObjective, known: Tally, new: tuple[int, int], start: datetime, end: datetime) -> Tally:
    events, bad = new
    if not events and not bad:
        return known
    stretch = burn.Stretch(start.timestamp(), end.timestamp(), events, bad)
    before = tuple(burn.Stretch(*numbers) for numbers in known.stretches)
    kept = burn.added(before, stretch, slo.spec.window.total_seconds())
    numbers = tuple((each.start, each.end, each.events, each.bad) for each in kept)
    return replace(known, stretches=numbers, events=known.events + events, bad=known.bad + bad)


def _judged(ledger: Ledger, found: tuple[Stand, ...], at: datetime, version: str) -> Ledger:
    """Spent, or back; and whose traffic it was. A version that comes later is only blamed for what burns anew under it."""
    pages = any(stand.pages for stand in found)
    if ledger.exhausted is None:
        if spent(found) is None:
            return replace(ledger, burning=pages)
        return replace(ledger, burning=pages, exhausted=_milliseconds(at), version=version)
    if back(found):
        return replace(ledger, burning=pages, exhausted=None, version="")
    blamed = version if pages and not ledger.burning else ledger.version
    return replace(ledger, burning=pages, version=blamed)


def _milliseconds(time: datetime) -> datetime:
    return time.replace(microsecond=time.microsecond // 1000 * 1000)
