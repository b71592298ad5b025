"""Closing an attempt: cause and evidence into the ledger, budgets charged, time accounted for, limits. Pure.

The ledger is written first; the RayJob, and with it the evidence, goes after that write.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from gyre.api import gvks
from gyre.api.effects import Delete, Effect, Note, NoteType, Ref
from gyre.api.kind import Decision
from gyre.api.terms import clip
from gyre.kinds.trainingjob import desired
from gyre.kinds.trainingjob.evidence import tail
from gyre.kinds.trainingjob.failures import Failure, Look
from gyre.kinds.trainingjob.goodput import spent
from gyre.kinds.trainingjob.ledger import (
    LONGEST_EVIDENCE,
    End,
    Ledger,
    Phase,
    added,
    milliseconds,
)
from gyre.kinds.trainingjob.ledger import Final as Ended
from gyre.kinds.trainingjob.model import TrainingJob
from gyre.kinds.trainingjob.observe import Observed
from gyre.kinds.trainingjob.policy import DEFAULTS, FIXES, NEVER_AGAIN, POISON, PROGRAM, Budget, C, FailureClass
from gyre.kinds.trainingjob.reasons import Reason


def look_at(job: TrainingJob, seen: Observed, now: datetime) -> Look | None:
    """The open attempt as seen now; None while there is none."""
    ledger = seen.ledger
    attempt = ledger.open if ledger else None
    if ledger is None or attempt is None:
        return None
    number = attempt.number
    waits = job.spec.failure_policy.waits
    return Look(
        attempt, seen.ray_job(number), seen.pods_of(number), seen.nodes, seen.current, ledger.notice, waits, now
    )


def failed(
    job: TrainingJob,
    seen: Observed,
    ledger: Ledger,
    now: datetime,
    failure: Failure,
    *,
    counted: bool = False,
    final: Ended | None = None,
) -> Decision:
    """Close the attempt with its cause. `counted`: the failure is already in the budgets."""
    charged = ledger if counted else charge(ledger, failure, seen)
    last = final or hopeless(job, charged, failure, now)
    closed = close(seen, charged, now, End.FAILED, failure=failure, final=last)
    text = f"attempt {ledger.count} failed: {failure.cls}: {failure.evidence}"
    if last is not None:
        return Decision.failed(last.reason, last.message, *written(job, seen, closed, keep_pods=True))
    note = Note(Reason.ATTEMPT_FAILED, clip(text, 900), NoteType.WARNING)
    return Decision.progressing(Reason.ATTEMPT_FAILED, clip(text, 900), *written(job, seen, closed), note)


def charge(ledger: Ledger, failure: Failure, seen: Observed) -> Ledger:
    """Count it: against its class, its step, its checkpoint."""
    charged = ledger.charged(failure.cls)
    if failure.cls in PROGRAM and failure.step:
        charged = charged.crashed(failure.step)
    restored = seen.current.restore if seen.current else None
    if failure.cls is C.RESTORE_FAILED and restored is not None:
        charged = charged.not_restored(restored.name)
    return charged


def hopeless(job: TrainingJob, ledger: Ledger, failure: Failure, now: datetime) -> Ended | None:
    """Why there is no other attempt, or None when there is one. `ledger` has counted the failure."""
    cls, count = failure.cls, ledger.failed(failure.cls)
    budget = budget_of(job, cls)
    crashes = ledger.crashes.get(str(failure.step), 0) if failure.step else 0
    fix = FIXES[cls]
    if cls is C.TIMEOUT:
        reason, why = Reason.OUT_OF_TIME, f"{failure.evidence}; {fix}"
    elif cls in PROGRAM and crashes >= POISON:
        reason, why = Reason.POISON_STEP, f"step {failure.step} crashed {crashes} times; {fix}: {failure.evidence}"
    elif cls in NEVER_AGAIN or (cls is C.USER and not failure.step):
        reason, why = Reason.NOT_RETRIED, f"{cls}: {fix}: {failure.evidence}"
    elif count > budget.retries:
        times = "once" if count == 1 else f"{count} times"
        reason, why = Reason.RETRIES_SPENT, f"{cls} came {times}, {budget.retries} retries allowed; {fix}: "
        why += failure.evidence
    else:
        return None
    return Ended(End.FAILED, reason.value, tail_after(why, 1000), milliseconds(now), cls)


def budget_of(job: TrainingJob, cls: FailureClass) -> Budget:
    default = DEFAULTS[cls]
    rule = next((rule for rule in job.spec.failure_policy.rules if rule.class_ is cls), None)
    if rule is None:
        return default
    return Budget(rule.retries, default.backoff if rule.backoff is None else rule.backoff)


def close(
    seen: Observed,
    ledger: Ledger,
    now: datetime,
    end: End,
    *,
    survived: bool = False,
    failure: Failure | None = None,
    evidence: str = "",
    final: Ended | None = None,
) -> Ledger:
    """The ledger with its open attempt closed, its time accounted for to the millisecond."""
    spoken, mark = seen.current, max(ledger.mark, milliseconds(now))
    rows = spent(ledger, spoken, mark, survived=survived)
    restored = spoken.restore.step if spoken and spoken.restore and spoken.restore.ok else None
    attempt = ledger.attempts[-1]
    closed = ledger.with_open(
        closed=mark,
        end=end,
        cls=failure.cls if failure else None,
        evidence=tail(failure.evidence if failure else evidence, LONGEST_EVIDENCE),
        from_step=attempt.from_step if restored is None else restored,
        to_step=ledger.stands_at(spoken.attempt, spoken.step) if spoken else attempt.from_step,
        lost=rows.get("wasted", 0) + rows.get("recovering", 0),
        rows=rows,
    )
    phases = {End.SUCCEEDED: Phase.OVER, End.PARKED: Phase.PARKED, End.FAILED: Phase.RECOVERING}
    closed = replace(
        closed,
        totals=added(ledger.totals, rows),
        mark=mark,
        phase=phases[end],
        park="",
        park_deadline=None,
        notice=None,
        suspicion=None,
    )
    return closed.ended(final) if final else closed


def written(job: TrainingJob, seen: Observed, ledger: Ledger, *, keep_pods: bool = False) -> tuple[Effect, ...]:
    """The ledger first; then what ran may go, and its evidence with it."""
    gone = () if keep_pods else cleared(job, seen)
    return (desired.ledger_write(job, ledger, seen.seen_version), *gone)


def cleared(job: TrainingJob, seen: Observed) -> tuple[Effect, ...]:
    """RayJobs that are still there, each by its UID. Their clusters and pods go with them."""
    return tuple(
        Delete(Ref(gvks.RAY_JOB, job.namespace, ray_job.name), ray_job.uid)
        for ray_job in seen.ray_jobs
        if not ray_job.deleting
    )


def deadline(job: TrainingJob, ledger: Ledger | None) -> tuple[datetime, str] | None:
    """When time is up, and by which field. Parked time does not count for timeLimit; for finishBy it does."""
    found = []
    limit, started = job.spec.time_limit, ledger.started if ledger else None
    if limit is not None and ledger is not None and started is not None and ledger.phase is not Phase.PARKED:
        end = started + limit + timedelta(milliseconds=parked_since_start(ledger))
        found.append((end, f"spec.timeLimit is spent: {limit} over {ledger.count} attempts"))
    if job.spec.finish_by is not None:
        found.append((job.spec.finish_by, f"spec.finishBy {desired.seconds(job.spec.finish_by)} has passed"))
    return min(found) if found else None


def parked_since_start(ledger: Ledger) -> int:
    """Milliseconds parked; a job parked before its first attempt had not started yet."""
    return ledger.totals.get("parked", 0) - ledger.parked_before


def limit_passed(job: TrainingJob, ledger: Ledger | None, now: datetime) -> str | None:
    found = deadline(job, ledger)
    return found[1] if found and now >= found[0] else None


def tail_after(text: str, limit: int) -> str:
    """Cut in the middle: a reason stands at the beginning, the last line of a traceback at the end."""
    if len(text) <= limit:
        return text
    head = limit // 3
    return f"{text[:head]} … {text[-(limit - head - 3) :]}"
