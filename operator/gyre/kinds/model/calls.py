"""Who calls for a new version, and on what occasion. Pure.

Each occasion is answered once, unless its training fails: one drift is one since its monitor has found it, one spent budget is
one since it was spent, a schedule calls at each of its times. A rule calls for as long as it holds, cooldown after cooldown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gyre.adapters import expressions, schedules
from gyre.adapters.drift import DriftView
from gyre.adapters.objectives import RETRAIN as ON_EXHAUSTED
from gyre.adapters.pods import moment
from gyre.kinds.model.ledger import Ledger
from gyre.kinds.model.model import Model
from gyre.kinds.model.observe import Observed
from gyre.kinds.model.policy import RETRAIN, OnRule, OnSchedule, Retrain
from gyre.kinds.model.standing import champion_of


@dataclass(frozen=True, slots=True)
class Call:
    trigger: str
    key: str
    why: str
    drift: DriftView | None = None
    unknown: str = ""
    """Nobody can tell whether it calls, and what to do about it."""

    @property
    def by_hand(self) -> bool:
        return self.trigger == "Annotation"

    @property
    def by_clock(self) -> bool:
        return self.trigger.startswith("Schedule/")


def calls(model: Model, retrain: Retrain, seen: Observed, ledger: Ledger, now: datetime) -> tuple[Call, ...]:
    """Those that are not answered yet, the most urgent first. Raises Unusable for a schedule or rule that says nothing."""
    return tuple(call for call in _all(model, retrain, seen, ledger, now) if not answered(ledger, call))


def answered(ledger: Ledger, call: Call) -> bool:
    """A rule and what nobody can tell have no occasion."""
    if not call.key:
        return False
    if call.by_hand:
        return call.key == ledger.asked
    if call.by_clock:
        time = moment(call.key)
        return ledger.scheduled is not None and time is not None and time <= ledger.scheduled
    return any(run.trigger == call.trigger and run.key == call.key and run.outcome != "Failed" for run in ledger.runs)


def _all(model: Model, retrain: Retrain, seen: Observed, ledger: Ledger, now: datetime) -> Iterator[Call]:
    if value := model.metadata.annotations.get(RETRAIN, ""):
        yield Call("Annotation", value[:200], f"annotation {RETRAIN}={value[:80]!r}")
    for level in seen.levels:
        if level.exhausted and level.action == ON_EXHAUSTED:
            yield Call(f"Objective/{level.name}", level.since or "spent", level.message or "its budget is spent")
    monitors = {view.name: view for view in seen.monitors}
    for trigger in retrain.triggers:
        if trigger.drift is not None:
            yield from _drift(trigger.drift.monitor, trigger.drift.min_impact, monitors.get(trigger.drift.monitor))
        elif trigger.schedule is not None:
            yield from _schedule(trigger.schedule, ledger, now)
        elif trigger.rule is not None:
            yield from _rule(trigger.rule, facts(model, seen, ledger, now))


def _drift(name: str, least: Any, view: DriftView | None) -> Iterator[Call]:
    who = f"Drift/{name}"
    if view is None:
        fix = "create it, or fix spec.retrain.triggers"
        yield Call(who, "", "", unknown=f"DriftMonitor {name!r} does not exist: {fix}")
    elif (view.known and view.drifted) or view.data_bug:
        if least is not None and view.impact is None and not view.data_bug:
            fix = "leave minImpact out to follow any drift"
            yield Call(
                who, "", "", view, f"DriftMonitor {name!r} tells no impact (status.impact): send labels, or {fix}"
            )
        elif least is None or view.data_bug or (view.impact or 0.0) >= float(least):
            told = f", estimated loss {view.impact:g}" if view.impact is not None else ""
            worst = f", most in {view.worst[0][0]}" if view.worst else ""
            since = view.since.strftime("%Y-%m-%dT%H:%M:%SZ") if view.since else ""
            yield Call(who, since or "drifted", f"drifted since {since or 'an unknown time'}{worst}{told}", view)


def _schedule(schedule: OnSchedule, ledger: Ledger, now: datetime) -> Iterator[Call]:
    due = schedules.last_due(schedule.cron, schedule.time_zone, now)
    if due is not None and ledger.born is not None and due > ledger.born:
        at = due.strftime("%Y-%m-%dT%H:%M:%SZ")
        yield Call(f"Schedule/{schedule.cron} {schedule.time_zone}"[:140], at, f"due at {at}")


def _rule(rule: OnRule, known: dict[str, Any]) -> Iterator[Call]:
    try:
        if expressions.holds(rule.cel, known):
            yield Call(f"Rule/{rule.name}", "", f"{rule.cel} holds"[:300])
    except expressions.Unknown as problem:
        yield Call(f"Rule/{rule.name}", "", "", unknown=str(problem))


def facts(model: Model, seen: Observed, ledger: Ledger, now: datetime) -> dict[str, Any]:
    """What a rule may ask about: bounded, and only what is known."""
    leader = champion_of(model, seen, ledger)
    found: dict[str, Any] = {
        "metrics": {name: float(value) for name, value in list(leader.metrics.items())[:64]} if leader else {},
        "drift": {
            view.name: {"drifted": view.drifted} | ({"impact": view.impact} if view.impact is not None else {})
            for view in seen.monitors[:16]
        },
        "levels": {
            each.name: {"exhausted": each.exhausted, "burning": each.burning}
            | ({"remaining": float(each.remaining)} if each.remaining else {})
            for each in seen.levels[:16]
        },
    }
    since = moment(leader.time) if leader and leader.time else None
    return found | ({"ageDays": int((now - since).total_seconds() // 86400)} if since else {})


def next_call(retrain: Retrain, now: datetime) -> datetime | None:
    """When the clock calls next. Raises Unusable."""
    found = [
        schedules.next_due(each.schedule.cron, each.schedule.time_zone, now)
        for each in retrain.triggers
        if each.schedule
    ]
    return min((time for time in found if time is not None), default=None)


def check(retrain: Retrain, now: datetime) -> None:
    """Raises Unusable for what the API server could not refuse: a zone that does not exist, a rule that does not compile."""
    next_call(retrain, now)
    for each in retrain.triggers:
        if each.rule is not None:
            expressions.check(each.rule.cel)
