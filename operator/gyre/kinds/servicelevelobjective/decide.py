"""What to do next with a ServiceLevelObjective: look, count, remember, say. Pure."""

from __future__ import annotations

from datetime import datetime

from gyre.api.effects import Apply, Effect, Note, NoteType
from gyre.api.kind import Decision
from gyre.api.terms import clip
from gyre.kinds.servicelevelobjective import desired
from gyre.kinds.servicelevelobjective.ledger import Ledger, edges
from gyre.kinds.servicelevelobjective.looking import Look, looked
from gyre.kinds.servicelevelobjective.model import ServiceLevelObjective
from gyre.kinds.servicelevelobjective.observe import Observed
from gyre.kinds.servicelevelobjective.reasons import Reason
from gyre.kinds.servicelevelobjective.standing import every, worst
from gyre.kinds.servicelevelobjective.words import budget, burning, exhausted

LONGEST = 900


def decide(slo: ServiceLevelObjective, seen: Observed, now: datetime) -> Decision:
    memory = seen.memory
    if memory is None:
        return Decision.progressing(Reason.STARTING, "creating its ledger", desired.ledger_write(slo, Ledger(), None))
    if memory.owner != slo.uid:
        held = f"ConfigMap {desired.ledger_name(slo.name)} belongs to another owner"
        message = f"{held}, most likely a deleted objective of this name; delete it if it stays"
        return Decision.waiting(Reason.WAITING_FOR_NAMESAKE, message, after=15.0)
    if memory.ledger is None:
        name = desired.ledger_name(slo.name)
        fix = f"restore ConfigMap {name!r}, or delete it to begin with a whole budget"
        return Decision.stalled(Reason.LEDGER_UNREADABLE, f"its ledger cannot be read ({memory.problem}): {fix}")
    return _without(slo, seen) or _look(slo, seen, memory.ledger)


def _without(slo: ServiceLevelObjective, seen: Observed) -> Decision | None:
    """Nothing can be counted; what was, stays."""
    name, rules = slo.spec.service_ref.name, _rules(slo, seen)
    if seen.service is None:
        message = f"InferenceService {name!r} does not exist: create it or fix spec.serviceRef.name"
        return Decision.stalled(Reason.SERVICE_MISSING, message, *rules)
    if seen.readings is None:
        message = f"no version of InferenceService {name!r} has traffic yet; counting begins when one has"
        return Decision.waiting(Reason.NOT_SERVED, message, *rules)
    if seen.readings.problem:
        message = clip(f"nothing is counted for the moment: {seen.readings.problem}", LONGEST)
        return Decision.waiting(Reason.COUNTS_UNAVAILABLE, message, *rules, after=every(slo))
    return None


def _look(slo: ServiceLevelObjective, seen: Observed, before: Ledger) -> Decision:
    """Counted first, then judged; what follows is written into the ledger together with the counts."""
    found = looked(slo, seen)
    assert found is not None  # noqa: S101 - _without has spoken otherwise
    effects: tuple[Effect, ...] = _rules(slo, seen)
    if found.ledger != before and seen.memory is not None:
        effects = (desired.ledger_write(slo, found.ledger, seen.memory.version), *effects)
    return _said(slo, before, found, effects)


def _said(slo: ServiceLevelObjective, before: Ledger, found: Look, effects: tuple[Effect, ...]) -> Decision:
    after, least = found.ledger, worst(found.stands)
    notes: list[Note] = []
    if after.burning and not before.burning:
        notes.append(Note(Reason.BURN_RATE_HIGH, burning(found), NoteType.WARNING))
    if after.exhausted and not before.exhausted:
        notes.append(Note(Reason.BUDGET_EXHAUSTED, exhausted(slo, found), NoteType.WARNING))
    if before.exhausted and not after.exhausted:
        notes.append(Note(Reason.BUDGET_RECOVERED, f"there is budget again: {budget(least)}"))
    every_ = every(slo)
    blind = next((s for s in found.stands if s.reason in (Reason.LABELS_MISSING, Reason.LATENCY_UNKNOWN)), None)
    if after.exhausted:
        return Decision.settled(Reason.BUDGET_EXHAUSTED, exhausted(slo, found), *effects, *notes, after=every_)
    if after.burning:
        return Decision.settled(Reason.BURN_RATE_HIGH, burning(found), *effects, *notes, after=every_)
    if blind is not None and blind.reason is not None:
        message = clip(f"{blind.label}: {blind.message}", LONGEST)
        return Decision.waiting(blind.reason, message, *effects, *notes, after=every_)
    if least is None or least.remaining is None:
        message = f"{least.label}: {least.message}" if least else "nothing is promised"
        return Decision.settled(Reason.TOO_FEW_EVENTS, message, *effects, *notes, after=every_)
    return Decision.settled(Reason.WITHIN_BUDGET, budget(least), *effects, *notes, after=every_)


def _rules(slo: ServiceLevelObjective, seen: Observed) -> tuple[Effect, ...]:
    rule = desired.prometheus_rule(slo, edges(seen.memory.ledger if seen.memory else None))
    return (Apply(rule),) if seen.prometheus and rule["spec"]["groups"] else ()
