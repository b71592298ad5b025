"""The ways in which an open attempt ends. Pure.

Every rule has the form (job, seen, now) -> Decision | None and says nothing while no attempt is open.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from gyre.api.effects import Note
from gyre.api.kind import Decision
from gyre.kinds.trainingjob import desired
from gyre.kinds.trainingjob.closing import close, failed, hopeless, limit_passed, look_at, written
from gyre.kinds.trainingjob.evidence import waited
from gyre.kinds.trainingjob.failures import SETTLING, Failure, classify, head_lost
from gyre.kinds.trainingjob.halting import cost_said, halted, over_cost
from gyre.kinds.trainingjob.ledger import (
    End,
    Phase,
    Suspicion,
    milliseconds,
)
from gyre.kinds.trainingjob.ledger import Final as Ended
from gyre.kinds.trainingjob.model import TrainingJob
from gyre.kinds.trainingjob.observe import Observed
from gyre.kinds.trainingjob.parts import OnMaxCost
from gyre.kinds.trainingjob.policy import C
from gyre.kinds.trainingjob.reasons import Reason

BENEFIT_OF_DOUBT: Final = timedelta(seconds=30)
"""A silent run is given this long after a write of ours has proved that the API server can be reached."""


def attempt_succeeded(job: TrainingJob, seen: Observed, now: datetime) -> Decision | None:
    """The driver reported a model, and nothing can take that back: wait only for the program to end."""
    look, ledger = look_at(job, seen, now), seen.ledger
    if look is None or ledger is None or look.progress is None:
        return None
    if look.progress.state != "Succeeded" or look.progress.artifact is None:
        return None
    spoken, ray_job = look.progress, look.ray_job
    ended = ray_job is None or ray_job.over or ray_job.deleting or head_lost(look) is not None
    if not ended and not waited(spoken.heartbeat, SETTLING, now):
        return None
    name = desired.version_of(job, look.progress)
    message = f"trained ModelVersion {name} in {ledger.count} {'attempt' if ledger.count == 1 else 'attempts'}"
    final = Ended(End.SUCCEEDED, Reason.SUCCEEDED.value, message, milliseconds(now))
    closed = close(seen, ledger, now, End.SUCCEEDED, survived=True, final=final)
    note = Note(Reason.SUCCEEDED, message)
    return Decision.progressing(Reason.PUBLISHING, message, *written(job, seen, closed), note)


def attempt_parked(job: TrainingJob, seen: Observed, now: datetime) -> Decision | None:
    """Parked by the driver after its checkpoint; or without one, when there is nothing to save or it takes too long."""
    look, ledger, halt = look_at(job, seen, now), seen.ledger, halted(job, seen)
    if look is None or ledger is None:
        return None
    spoken = look.progress
    if spoken is not None and spoken.state == "Parked":
        told, survived = f"parked at step {spoken.step}", True
    elif halt is not None and spoken is None:
        told, survived = "parked before its first step", True
    elif halt is not None and ledger.park_deadline is not None and now >= ledger.park_deadline:
        step = spoken.checkpoint.step if spoken and spoken.checkpoint else 0
        told, survived = f"parked without a new checkpoint; it will go on from step {step}", False
    else:
        return None
    closed = close(seen, ledger, now, End.PARKED, survived=survived, evidence=told)
    message = f"attempt {ledger.count} {told}"
    reason = halt.parked if halt is not None else Reason.PARKED
    return Decision.waiting(reason, message, *written(job, seen, closed), Note(reason, message))


def out_of_time(job: TrainingJob, seen: Observed, now: datetime) -> Decision | None:
    """The limits count over all attempts. What was saved stays."""
    look, ledger = look_at(job, seen, now), seen.ledger
    spent = limit_passed(job, ledger, now)
    if look is None or ledger is None or spent is None:
        return None
    return failed(job, seen, ledger, now, Failure(C.TIMEOUT, spent))


def too_dear(job: TrainingJob, seen: Observed, now: datetime) -> Decision | None:
    """spec.maxCost with action Fail ends the job where it is; what was saved stays."""
    limit, ledger = job.spec.max_cost, seen.ledger
    if limit is None or limit.action is not OnMaxCost.FAIL or ledger is None or not over_cost(job, seen):
        return None
    message = f"{cost_said(job, seen)}: raise it in a new TrainingJob, or ask for less"
    final = Ended(End.FAILED, Reason.MAX_COST.value, message, milliseconds(now))
    if ledger.open is None:
        ended = ledger.turn(Phase.OVER, now).ended(final)
        return Decision.failed(final.reason, final.message, desired.ledger_write(job, ended, seen.seen_version))
    closed = close(seen, ledger, now, End.FAILED, evidence=message, final=final)
    return Decision.failed(final.reason, final.message, *written(job, seen, closed))


def attempt_failed(job: TrainingJob, seen: Observed, now: datetime) -> Decision | None:
    look, ledger = look_at(job, seen, now), seen.ledger
    failure = classify(look) if look else None
    return failed(job, seen, ledger, now, failure) if failure and ledger else None


def enough(job: TrainingJob, seen: Observed, now: datetime) -> Decision | None:
    """Restarts inside the attempt are failures too: they poison steps, spend budgets and condemn checkpoints."""
    look, ledger = look_at(job, seen, now), seen.ledger
    if look is None or ledger is None or not ledger.restarts or ledger.restarts[-1].attempt != ledger.count:
        return None
    last = ledger.restarts[-1]
    failure = Failure(last.cls, last.message, last.from_step)
    final = hopeless(job, ledger, failure, now)
    if final is not None:
        return failed(job, seen, ledger, now, failure, counted=True, final=final)
    restored = look.progress.restore if look.progress else None
    if last.cls is C.RESTORE_FAILED and restored and restored.name in ledger.quarantined:
        condemned = Failure(C.RESTORE_FAILED, f"{restored.name} failed to restore twice: {restored.error}")
        return failed(job, seen, ledger, now, condemned, counted=True)
    return None


def silent(job: TrainingJob, seen: Observed, now: datetime) -> Decision | None:
    """No heartbeat for long is a hang, unless it was we who could not hear: so first a write, then a little patience."""
    look, ledger = look_at(job, seen, now), seen.ledger
    if look is None or ledger is None or look.progress is None or look.progress.heartbeat is None:
        return None
    heartbeat = look.progress.heartbeat
    if now < heartbeat + look.waits.silence:
        return None
    said, suspicion = desired.stamp(heartbeat), ledger.suspicion
    if suspicion is None or suspicion.heartbeat != said:
        suspected = replace(ledger, suspicion=Suspicion(said, milliseconds(now)))
        effects = desired.running(job, suspected, seen.seen_version)
        message = f"the driver has not spoken since {said}"
        return Decision.progressing(Reason.SILENT, message, *effects, after=BENEFIT_OF_DOUBT.total_seconds())
    if now < suspicion.at + BENEFIT_OF_DOUBT:
        return None
    evidence = f"the driver was silent since {said}, longer than waits.silence, in state {look.progress.state}"
    return failed(job, seen, ledger, now, Failure(C.HANG, evidence, look.progress.step))
