"""What to do next with a Dataset. Pure: the same Dataset, world and time give the same decision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from gyre.adapters.lastwords import Trouble
from gyre.adapters.pods import moment
from gyre.adapters.versions import short
from gyre.api.effects import Apply, Create, Delete, Effect, Note, NoteType
from gyre.api.kind import Decision
from gyre.api.terms import clip
from gyre.kinds.dataset import desired, evidence
from gyre.kinds.dataset.ledger import Entry, Ledger
from gyre.kinds.dataset.model import Dataset
from gyre.kinds.dataset.observe import Claim, Observed
from gyre.kinds.dataset.plan import Role, Step, fingerprint, next_scan, retry_delay, step
from gyre.kinds.dataset.reasons import TROUBLES, Reason
from gyre.kinds.dataset.report import Report

Rule: TypeAlias = Callable[[Dataset, Observed, Ledger, Step, datetime], Decision | None]

LOOK_AGAIN: Final = 60.0
"""Seconds until a claim, which is not watched, is asked for again."""


def decide(ds: Dataset, seen: Observed, now: datetime) -> Decision:
    """Without a ledger nothing is done; with one, the first rule that has something to say wins."""
    if seen.ledger_problem:
        return unreadable(ds, seen)
    if seen.ledger is None:
        made = Create(desired.ledger(ds, Ledger()))
        return Decision.progressing(Reason.STARTING, "creating its ledger", made)
    due = step(ds, seen.ledger)
    decision = next(found for rule in RULES if (found := rule(ds, seen, seen.ledger, due, now)))
    return replace(decision, effects=(*standing(ds), *decision.effects, *leftovers(ds, seen, seen.ledger, due)))


def standing(ds: Dataset) -> tuple[Effect, ...]:
    """What is wanted whatever happens."""
    claim = desired.claim(ds)
    return (Apply(claim),) if claim else ()


def leftovers(ds: Dataset, seen: Observed, ledger: Ledger, due: Step) -> tuple[Effect, ...]:
    """Jobs that are over and recorded, or of no interest any more: what is left when a crash came between."""
    over = [job for job in seen.jobs if job.over and job.name != due.name and not job.deleting]
    deletes = (Delete(desired.job_ref(ds, job.name), job.uid) for job in over)
    return (sealed(ds, seen, ledger), *deletes) if over else ()


def sealed(ds: Dataset, seen: Observed, ledger: Ledger) -> Apply:
    """The ledger, guarded by the version that was seen: nothing that comes after it is done on a stale one."""
    return Apply(desired.ledger(ds, ledger), guard=seen.ledger_version)


def unreadable(ds: Dataset, seen: Observed) -> Decision:
    """Never count from one again because somebody edited a ConfigMap."""
    name = desired.ledger_name(ds.name)
    return Decision.stalled(
        Reason.LEDGER_UNREADABLE,
        f"ConfigMap {name!r} cannot be read ({seen.ledger_problem}): restore it, or delete it to start again at version 1",
    )


# Rules, in the order of RULES ---------------------------------------------------------------------------------------


def job_over(ds: Dataset, seen: Observed, ledger: Ledger, due: Step, now: datetime) -> Decision | None:
    """Write down what the Job found before the evidence is deleted."""
    job = seen.job(due.name)
    if job is None or not job.over:
        return None
    result = evidence.ending(ds, due, job, seen.pods_of(job.name), now)
    note: Note | None = None
    match result:
        case None:
            return Decision.progressing(Reason.SCANNING, f"reading what Job {job.name} reports", after=5)
        case evidence.Prepared():
            written = ledger.with_prepared(fingerprint(ds))
        case Report():
            written = ledger.with_scan(due.trigger, result, now)
            note = news(ledger.current, written)
        case Trouble():
            written = ledger.with_failure(due.trigger, result.cause, result.message, now)
            reason = Reason.PREPARE_FAILED if due.role is Role.PREPARE else Reason.SCAN_FAILED
            note = Note(reason, clip(f"{result.cause}: {result.message}", 1000), NoteType.WARNING)
    gone = () if job.deleting else (Delete(desired.job_ref(ds, job.name), job.uid),)
    told = (note,) if note else ()
    return Decision.progressing(
        Reason.RECORDING, f"writing down what Job {job.name} found", sealed(ds, seen, written), *gone, *told
    )


def older_job_runs(ds: Dataset, seen: Observed, ledger: Ledger, due: Step, now: datetime) -> Decision | None:
    """Two Jobs never work on the same data: an outdated one goes first, pods and all."""
    running = [job for job in seen.jobs if job.name != due.name and not job.over]
    lingering = [
        entry.pod for entry in seen.pods if entry.job != due.name and entry.pod.phase in ("Pending", "Running")
    ]
    if not running and not lingering:
        return None
    names = sorted({job.name for job in running} or {pod.name for pod in lingering})
    deletes = [Delete(desired.job_ref(ds, job.name), job.uid) for job in running if not job.deleting]
    guard = (sealed(ds, seen, ledger),) if deletes else ()
    return Decision.progressing(
        Reason.REPLACING, f"{', '.join(names)[:300]} is for an earlier spec; waiting until it is gone", *guard, *deletes
    )


def claim_unusable(ds: Dataset, seen: Observed, ledger: Ledger, due: Step, now: datetime) -> Decision | None:
    """A pod on a claim that is not there would wait for ever, and say so to nobody."""
    if ds.spec.source.pvc is None or seen.claim in (Claim.PRESENT, Claim.NOT_NEEDED):
        return None
    name = ds.spec.source.pvc.claim_name
    why = {
        Claim.MISSING: "does not exist in this namespace: create it or fix spec.source.pvc.claimName",
        Claim.DELETING: "is being deleted: create it anew once it is gone, or name another in spec.source.pvc.claimName",
        Claim.LOST: "has lost its volume (phase Lost): restore the volume or name another claim",
    }[seen.claim]
    return Decision.stalled(Reason.CLAIM_MISSING, f"PersistentVolumeClaim {name!r} {why}", after=LOOK_AGAIN)


def job_stuck(ds: Dataset, seen: Observed, ledger: Ledger, due: Step, now: datetime) -> Decision | None:
    """The Job stays: it goes on by itself once what it lacks is there, and a new spec replaces it."""
    job = seen.job(due.name)
    if job is None or not (found := evidence.hitch(ds, due, job, seen.pods_of(job.name), now)):
        return None
    reason = TROUBLES[found.cause]
    left = (found.since + evidence.PATIENCE - now).total_seconds() if found.since else 0.0
    if left > 0:
        return Decision.waiting(reason, found.message, after=left)
    return Decision.stalled(reason, found.message, after=LOOK_AGAIN)


def job_runs(ds: Dataset, seen: Observed, ledger: Ledger, due: Step, now: datetime) -> Decision | None:
    """A routine look does not make good data less ready."""
    job = seen.job(due.name)
    if job is None:
        return None
    patience = evidence.PATIENCE.total_seconds() + 1
    if due.routine and ledger.current and not ledger.failure:
        return Decision.settled(Reason.CURRENT, f"{describe(ledger.current)}; being looked at again", after=patience)
    if due.role is Role.PREPARE:
        return Decision.progressing(Reason.PREPARING, f"Job {job.name} prepares the data", after=patience)
    return Decision.progressing(Reason.SCANNING, f"Job {job.name} reads and hashes the data", after=patience)


def failed_lately(ds: Dataset, seen: Observed, ledger: Ledger, due: Step, now: datetime) -> Decision | None:
    """The same thing is tried again ever more rarely; a change of the spec or the annotation is tried at once."""
    failure = ledger.failure
    if failure is None or failure.trigger != due.trigger:
        return None
    left = (moment(failure.time) or now) + retry_delay(failure) - now
    if left <= timedelta():
        return None
    left = min(left, retry_delay(failure))  # a clock that was set back
    reason = TROUBLES.get(failure.cause, Reason.SCAN_FAILED)
    times = f", {failure.count} times in a row" if failure.count > 1 else ""
    when = (now + left).strftime("%H:%M UTC")
    return Decision.stalled(
        reason,
        f"{due.role} failed{times}: {failure.message.rstrip('.')}. Next try at {when}, or when the spec or "
        "annotation gyre.dev/requested-at changes",
        after=left.total_seconds(),
    )


def up_to_date(ds: Dataset, seen: Observed, ledger: Ledger, due: Step, now: datetime) -> Decision | None:
    """Looked at under this spec, and not due again yet."""
    if not due.routine or ledger.current is None or ledger.failure:
        return None
    at = next_scan(ds, ledger)
    if at is None:
        return Decision.settled(Reason.CURRENT, describe(ledger.current))
    if at <= now:
        return None
    left = min((at - now).total_seconds(), ds.spec.scan.every.total_seconds() if ds.spec.scan.every else 0.0)
    return Decision.settled(Reason.CURRENT, describe(ledger.current), after=left)


def job_due(ds: Dataset, seen: Observed, ledger: Ledger, due: Step, now: datetime) -> Decision | None:
    """Start what the ledger lacks."""
    effects = (sealed(ds, seen, ledger), Create(desired.job(ds, due)))
    if due.routine and ledger.current and not ledger.failure:
        return Decision.settled(Reason.CURRENT, f"{describe(ledger.current)}; being looked at again", *effects)
    if due.role is Role.PREPARE:
        return Decision.progressing(Reason.PREPARING, f"starting Job {due.name}", *effects)
    return Decision.progressing(Reason.SCANNING, f"starting Job {due.name}", *effects)


RULES: Final[tuple[Rule, ...]] = (
    job_over,
    older_job_runs,
    claim_unusable,
    job_stuck,
    job_runs,
    failed_lately,
    up_to_date,
    job_due,
)


# Words --------------------------------------------------------------------------------------------------------------


def describe(entry: Entry) -> str:
    """`version 3, 136000 rows, sha256:1a2b3c4d5e6f`."""
    rows = f", {entry.rows} rows" if entry.rows is not None else ""
    return f"version {entry.version}{rows}, sha256:{short(entry.digest)}"


def news(before: Entry | None, written: Ledger) -> Note | None:
    """An Event for a new version; the same data again are no news."""
    current = written.current
    if current is None or (before and before.version == current.version):
        return None
    back = f"; the same data as version {current.same_as}" if current.same_as else ""
    was = f" (was {describe(before)})" if before else ""
    return Note(Reason.NEW_VERSION, f"{describe(current)}{back}{was}")
