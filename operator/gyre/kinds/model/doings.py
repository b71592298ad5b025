"""What a Model does by itself: takes its champion back, trains anew, says that its time is over. Pure.

The ledger is written first, guarded; a TrainingJob is named by its number, so that whoever dies between the two finds the run in
the ledger and makes the same job, and nobody ever makes a second one.

    called ──gates──▶ run n in the ledger ──▶ TrainingJob <model>-retrain-<n> ──▶ Succeeded: its version is ranked like any other
                └──▶ suppressed, with the reason                             └──▶ Failed: the occasion may call again
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from gyre.adapters.expressions import Unusable as BadRule
from gyre.adapters.objectives import ROLL_BACK
from gyre.adapters.pods import moment
from gyre.adapters.schedules import Unusable as BadSchedule
from gyre.api.effects import Create, Effect, Note, NoteType
from gyre.api.kind import Decision
from gyre.api.terms import clip
from gyre.kinds.model import desired, gates, retiring
from gyre.kinds.model.calls import Call, calls, check, next_call
from gyre.kinds.model.ledger import Ledger, seconds
from gyre.kinds.model.model import Model
from gyre.kinds.model.observe import Observed
from gyre.kinds.model.policy import Cause, Retrain
from gyre.kinds.model.reasons import Reason
from gyre.kinds.model.standing import champion_of, way_back

LONGEST: Final = 900
LOOK_AGAIN: Final = 3600.0
"""Seconds until rules are asked again: a champion's age grows without an event."""


@dataclass(frozen=True, slots=True)
class Doing:
    """The ledger with all that follows at this moment; in it is decided, once, what is done."""

    ledger: Ledger
    notes: tuple[Note, ...] = ()
    after: tuple[float, ...] = ()
    """Seconds until time alone changes something."""
    problem: tuple[Reason, str] | None = None
    """What a person must mend."""


def done(model: Model, seen: Observed, now: datetime, said: Decision) -> Decision:
    """What is said of the versions, with what the Model does by itself."""
    memory = seen.memory
    if memory is None:
        if not model.spec.acts:
            return said
        begin = desired.ledger_write(model, Ledger(born=seconds(now)), None)
        return Decision.progressing(Reason.STARTING, "creating its ledger", begin)
    if memory.owner != model.uid:
        name = desired.ledger_name(model.name)
        message = f"ConfigMap {name!r} belongs to another owner, most likely a deleted Model of this name; delete it if it stays"
        return Decision.waiting(Reason.WAITING_FOR_NAMESAKE, message, after=15.0)
    if memory.ledger is None:
        fix = f"restore ConfigMap {desired.ledger_name(model.name)!r}, or delete it to begin with no memory"
        return Decision.stalled(Reason.LEDGER_UNREADABLE, f"its ledger cannot be read ({memory.problem}): {fix}")
    doing = act(model, seen, memory.ledger, now)
    effects: list[Effect] = [
        desired.ledger_write(model, doing.ledger, memory.version),
        *_job(model, seen, doing.ledger),
    ]
    if doing.ledger == memory.ledger and len(effects) == 1:
        effects = []
    times = [time for time in (said.after, *doing.after) if time is not None]
    after = max(0.05, min(times)) if times else None
    if doing.problem is not None:
        return Decision.stalled(doing.problem[0], clip(doing.problem[1], LONGEST), *effects, *doing.notes, after=after)
    return replace(said, effects=(*said.effects, *effects, *doing.notes), after=after)


def act(model: Model, seen: Observed, ledger: Ledger, now: datetime) -> Doing:
    doing = taken_back(model, seen, noted(model, seen, ledger), now)
    if model.spec.retrain is not None:
        doing = retrained(model, model.spec.retrain, seen, doing, now)
    remembered, after = retiring.remembered(model, seen, doing.ledger, now)
    return replace(doing, ledger=remembered, after=(*doing.after, *after))


def _job(model: Model, seen: Observed, ledger: Ledger) -> tuple[Effect, ...]:
    """The job of the run that goes on, unless it was made already."""
    run = ledger.open
    if run is None or run.made or model.spec.retrain is None or desired.job_name(model.name, run.number) in seen.jobs:
        return ()
    return (Create(desired.training_job(model, run)),)


def noted(model: Model, seen: Observed, ledger: Ledger) -> Doing:
    """What became of the run that goes on."""
    run = ledger.open
    if run is None:
        return Doing(ledger)
    name = desired.job_name(model.name, run.number)
    job, version = seen.jobs.get(name), next((v.name for v in seen.versions if v.run == name), "")
    if job is not None and job.over:
        outcome = "Succeeded" if job.succeeded else "Failed"
    elif job is None and version:
        outcome = "Succeeded"
    elif job is None and run.made:
        outcome = "Deleted"
    else:
        made = job is not None and not run.made
        return Doing(ledger.with_last(made=True) if made else ledger)
    of = f"TrainingJob {name} ({run.trigger}): {outcome}"
    note = Note(Reason.RETRAINED, of, NoteType.NORMAL if outcome == "Succeeded" else NoteType.WARNING)
    return Doing(ledger.with_last(made=True, outcome=outcome), (note,))


# ── taking back ──────────────────────────────────────────────────────────────────────────────────────────────────────


def taken_back(model: Model, seen: Observed, doing: Doing, now: datetime) -> Doing:
    """Each version at most once, and never to one that has failed."""
    leader = champion_of(model, seen, doing.ledger)
    if model.spec.rollback is None or leader is None or any(w.version == leader.name for w in doing.ledger.withdrawn):
        return doing
    found = _against(model, seen, leader.name)
    if found is None:
        return doing
    by, why = found
    back = way_back(model, seen, doing.ledger, leader.name)
    if not back:
        fix = "register a version that is better, or serve one by name (modelRef.track: Version)"
        message = f"{by} speaks against champion {leader.name} ({why}), and no earlier good version is left to go back to: {fix}"
        return replace(doing, problem=(Reason.NO_WAY_BACK, message))
    message = f"champion {leader.name} is taken back, and {back} speaks for the Model again: {by}: {why}"
    note = Note(Reason.ROLLED_BACK, clip(message, LONGEST), NoteType.WARNING)
    ledger = doing.ledger.taken_back(leader.name, back, by, why, now)
    return replace(doing, ledger=ledger, notes=(*doing.notes, note))


def _against(model: Model, seen: Observed, champion: str) -> tuple[str, str] | None:
    """(who, why) the champion should go."""
    causes = model.spec.rollback.causes if model.spec.rollback else ()
    if Cause.OBJECTIVE_EXHAUSTED in causes:
        for level in seen.levels:
            if level.exhausted and level.action == ROLL_BACK and level.version == champion:
                return f"ServiceLevelObjective/{level.name}", level.message or "its budget is spent"
    if Cause.JUDGE_ROLLBACK in causes:
        for service in seen.services:
            if champion in service.quarantined:
                lines = (each for each in service.happenings if each.event == "RolledBack" and each.version == champion)
                why = next((each.why for each in lines), "it failed there")
                return f"InferenceService/{service.name}", why
    return None


# ── training anew ────────────────────────────────────────────────────────────────────────────────────────────────────


def retrained(model: Model, retrain: Retrain, seen: Observed, doing: Doing, now: datetime) -> Doing:
    """The first call whose gates are open begins a run; why the others wait is written down once."""
    try:
        check(retrain, now)
        called = calls(model, retrain, seen, doing.ledger, now)
        due = next_call(retrain, now)
    except (BadSchedule, BadRule) as problem:
        return replace(doing, problem=doing.problem or (Reason.TRIGGER_INVALID, f"spec.retrain.triggers: {problem}"))
    ledger, notes, after = doing.ledger, list(doing.notes), list(doing.after)
    if due is not None:
        after.append((due - now).total_seconds())
    if any(trigger.rule for trigger in retrain.triggers):
        after.append(LOOK_AGAIN)
    for call in called:
        closed = gates.shut(retrain, seen, ledger, call, now)
        if closed is None:
            ledger = _handled(ledger.started(call.trigger, call.key, call.why, now), call)
            name = desired.job_name(model.name, ledger.count)
            notes.append(
                Note(Reason.RETRAINING, clip(f"{call.trigger} calls: {call.why}; TrainingJob {name}", LONGEST))
            )
            continue
        reason, message, left = closed
        if left is not None:
            after.append(left + 0.05)
        if reason is not Reason.RUNNING or call.by_clock:
            ledger = ledger.not_followed(call.trigger, call.key, reason.value, message, now)
        if call.by_clock:
            ledger = _handled(ledger, call)  # it calls again by itself
    return replace(doing, ledger=ledger, notes=tuple(notes), after=tuple(after))


def _handled(ledger: Ledger, call: Call) -> Ledger:
    if call.by_hand:
        return replace(ledger, asked=call.key)
    if call.by_clock:
        due = moment(call.key)
        later = [time for time in (due, ledger.scheduled) if time is not None]
        return replace(ledger, scheduled=max(later, default=None))
    return ledger
