"""What to do next with a DriftMonitor. Pure: the same monitor, world and time give the same decision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from gyre.adapters.lastwords import Trouble
from gyre.adapters.pods import moment
from gyre.api.effects import Apply, Create, Delete, Effect, Note, NoteType
from gyre.api.kind import Decision
from gyre.api.terms import clip
from gyre.kinds.driftmonitor import desired, evidence
from gyre.kinds.driftmonitor.ledger import Entry, Ledger
from gyre.kinds.driftmonitor.model import DriftMonitor
from gyre.kinds.driftmonitor.observe import Observed
from gyre.kinds.driftmonitor.plan import MOST_TRIES, Step, retry_delay, step
from gyre.kinds.driftmonitor.reasons import PATIENT, TROUBLES, Reason
from gyre.kinds.driftmonitor.report import Report
from gyre.kinds.driftmonitor.words import in_short, news


@dataclass(frozen=True, slots=True)
class Case:
    """Everything a rule may look at."""

    dm: DriftMonitor
    seen: Observed
    ledger: Ledger
    due: Step
    now: datetime

    @property
    def newest(self) -> Entry | None:
        return self.ledger.newest_of(self.due.trigger)

    @property
    def sealed(self) -> Apply:
        return sealed(self.dm, self.seen, self.ledger)


Rule: TypeAlias = Callable[[Case], Decision | None]


def decide(dm: DriftMonitor, seen: Observed, now: datetime) -> Decision:
    """Without a ledger nothing is done; with one, the first rule that has something to say wins."""
    if seen.ledger_problem:
        return unreadable(dm, seen)
    if seen.ledger is None:
        return Decision.progressing(Reason.STARTING, "creating its ledger", Create(desired.ledger(dm, Ledger())))
    case = Case(dm, seen, seen.ledger, step(dm, seen.dataset, seen.uri, seen.ledger, now), now)
    decision = next(found for rule in RULES if (found := rule(case)))
    # Leftovers first: their guard holds for the ledger as it was seen, which the decision may write anew.
    return replace(decision, effects=(*leftovers(case), *decision.effects))


def leftovers(case: Case) -> tuple[Effect, ...]:
    """Jobs that are over and recorded, or of no interest any more: what is left when a crash came between."""
    over = [job for job in case.seen.jobs if job.over and job.name != case.due.name and not job.deleting]
    deletes = (Delete(desired.job_ref(case.dm, job.name), job.uid) for job in over)
    return (case.sealed, *deletes) if over else ()


def sealed(dm: DriftMonitor, seen: Observed, ledger: Ledger) -> Apply:
    """The ledger, guarded by the version that was seen: nothing that comes after it is done on a stale one."""
    return Apply(desired.ledger(dm, ledger), guard=seen.ledger_version)


def unreadable(dm: DriftMonitor, seen: Observed) -> Decision:
    """Never count from one again because somebody edited a ConfigMap."""
    name = desired.ledger_name(dm.name)
    return Decision.stalled(
        Reason.LEDGER_UNREADABLE,
        f"ConfigMap {name!r} cannot be read ({seen.ledger_problem}): restore it, or delete it to start anew",
    )


# Rules, in the order of RULES ---------------------------------------------------------------------------------------


def job_over(case: Case) -> Decision | None:
    """Write down what the Job found before the evidence is deleted."""
    dm, seen, due = case.dm, case.seen, case.due
    job = seen.job(due.name)
    if job is None or not job.over:
        return None
    match evidence.ending(dm, job, seen.pods_of(job.name), case.now):
        case None:
            return Decision.progressing(Reason.JUDGING, f"reading what Job {job.name} reports", after=5)
        case Report() as found:
            written = case.ledger.with_report(due.trigger, due.start, due.end, found)
            told = news(case.ledger, written)
        case Trouble(cause, message):
            written = case.ledger.with_failure(due.trigger, due.start, cause, message, case.now)
            told = (Note(Reason.JOB_FAILED, clip(f"{due.label}: {cause}: {message}", 1000), NoteType.WARNING),)
    gone = () if job.deleting else (Delete(desired.job_ref(dm, job.name), job.uid),)
    what = f"writing down what Job {job.name} found"
    return Decision.progressing(Reason.RECORDING, what, sealed(dm, seen, written), *gone, *told)


def older_job_runs(case: Case) -> Decision | None:
    """Two Jobs never judge at once: one for an earlier spec goes first, pods and all."""
    running = [job for job in case.seen.jobs if job.name != case.due.name and not job.over]
    lingering = [
        entry.pod
        for entry in case.seen.pods
        if entry.job != case.due.name and entry.pod.phase in ("Pending", "Running")
    ]
    if not running and not lingering:
        return None
    names = sorted({job.name for job in running} or {pod.name for pod in lingering})
    deletes = [Delete(desired.job_ref(case.dm, job.name), job.uid) for job in running if not job.deleting]
    guard = (case.sealed,) if deletes else ()
    what = f"{', '.join(names)[:300]} is for an earlier spec or window; waiting until it is gone"
    return Decision.progressing(Reason.REPLACING, what, *guard, *deletes)


def service_lacking(case: Case) -> Decision | None:
    """Without a log there is nothing to judge; that is no calm."""
    spec, seen = case.dm.spec, case.seen
    name = spec.service_ref.name
    if seen.service is None:
        what = f"InferenceService {name!r} does not exist: create it or fix spec.serviceRef.name"
        return Decision.stalled(Reason.NO_SERVICE, what)
    if not seen.model:
        what = f"Model {spec.model_ref.name!r} does not exist: create it or fix spec.modelRef.name"
        return Decision.stalled(Reason.MODEL_MISSING, what)
    if seen.service.model != spec.model_ref.name:
        what = f"InferenceService {name!r} serves {seen.service.model!r} and not {spec.model_ref.name!r}"
        return Decision.stalled(Reason.OTHER_MODEL, f"{what}: fix spec.modelRef.name or spec.serviceRef.name")
    if seen.log is None:
        what = f"InferenceService {name!r} keeps no prediction log: set its spec.log.uri to pvc://… or s3://…"
        return Decision.stalled(Reason.NO_LOG, what)
    return None


def reference_lacking(case: Case) -> Decision | None:
    """A Dataset is used as it was scanned, at the version that is asked for."""
    wanted, found = case.dm.spec.reference.dataset, case.seen.dataset
    if wanted is None:
        return None
    if found is None:
        what = f"Dataset {wanted.name!r} does not exist: create it or fix spec.reference.dataset.name"
        return Decision.stalled(Reason.DATASET_MISSING, what)
    if not found.ready:
        what = f"Dataset {wanted.name!r} is not ready ({found.reason}): {found.message}"
        return Decision.waiting(Reason.DATASET_NOT_READY, clip(what, 900))
    if wanted.version is not None and found.version != wanted.version:
        what = f"Dataset {wanted.name!r} is at version {found.version}, and spec.reference.dataset.version is {wanted.version}"
        fix = "restore its files, or set the version to what you want to compare with"
        return Decision.stalled(Reason.DATASET_CHANGED, f"{what}: {fix}")
    return None


def job_stuck(case: Case) -> Decision | None:
    """The Job stays: it goes on by itself once what it lacks is there, and a new spec replaces it."""
    job = case.seen.job(case.due.name)
    if job is None or not (found := evidence.hitch(case.dm, job, case.seen.pods_of(job.name), case.now)):
        return None
    reason = TROUBLES[found.cause]
    left = (found.since + evidence.PATIENCE - case.now).total_seconds() if found.since else 0.0
    if left > 0:
        return Decision.waiting(reason, found.message, after=left)
    return Decision.stalled(reason, found.message, after=60.0)


def job_runs(case: Case) -> Decision | None:
    """A routine look does not make what is known less known."""
    job = case.seen.job(case.due.name)
    if job is None:
        return None
    patience = evidence.PATIENCE.total_seconds() + 1
    what = f"Job {job.name} judges the window of {case.due.label}"
    if case.newest and not case.ledger.failure:
        return Decision.settled(Reason.WATCHING, f"{in_short(case.newest)}; {what}", after=patience)
    failure = case.ledger.failure
    before = f"; the try before it failed: {failure.message}" if failure and failure.trigger == case.due.trigger else ""
    return Decision.progressing(Reason.JUDGING, clip(f"{what}{before}", 900), after=patience)


def failed_too_often(case: Case) -> Decision | None:
    """One window that cannot be judged does not keep those after it waiting; what concerns them all is not skipped."""
    failure, due = case.ledger.failure, case.due
    if failure is None or (failure.trigger, moment(failure.start)) != (due.trigger, due.start):
        return None
    waiting = case.now >= due.due + (due.end - due.start)
    if failure.count < MOST_TRIES or not waiting or TROUBLES.get(failure.cause) in PATIENT:
        return None
    written = case.ledger.without_window(due.end)
    what = f"the window of {due.label} was tried {failure.count} times and is skipped: {failure.message}"
    note = Note(Reason.WINDOW_SKIPPED, clip(what, 1000), NoteType.WARNING)
    return Decision.progressing(Reason.RECORDING, "skipping a window", sealed(case.dm, case.seen, written), note)


def failed_lately(case: Case) -> Decision | None:
    """The same thing is tried again ever more rarely; a change of the spec or the annotation is tried at once."""
    failure = case.ledger.failure
    if failure is None or failure.trigger != case.due.trigger:
        return None
    reason = TROUBLES.get(failure.cause, Reason.JOB_FAILED)
    if moment(failure.start) != case.due.start and reason not in PATIENT:
        return None
    wait = retry_delay(failure)
    left = min((moment(failure.time) or case.now) + wait - case.now, wait)  # a clock that was set back
    if left <= timedelta():
        return None
    times = f", {failure.count} times in a row" if failure.count > 1 else ""
    when = (case.now + left).strftime("%H:%M UTC")
    return Decision.stalled(
        reason,
        f"the window of {case.due.label} could not be judged{times}: {failure.message.rstrip('.')}. Next try at {when}, or when "
        "the spec, the reference or annotation gyre.dev/requested-at changes",
        after=left.total_seconds(),
    )


def up_to_date(case: Case) -> Decision | None:
    """Every window that has ended is behind us."""
    if case.due.due <= case.now:
        return None
    longest = (case.due.end - case.due.start) + case.dm.spec.lateness  # a clock that was set back
    left = min(case.due.due - case.now, longest).total_seconds()
    known = in_short(case.newest) if case.newest else "no window has been judged"
    return Decision.settled(
        Reason.WATCHING, f"{known}; next at {case.due.due:%Y-%m-%d %H:%M} UTC", after=max(left, 1.0)
    )


def job_due(case: Case) -> Decision | None:
    """Judge the oldest window that is missing."""
    seen = case.seen
    if seen.log is None:
        raise AssertionError("service_lacking comes before")
    asked = desired.Asked(seen.log.place, seen.dataset, seen.metric, seen.baseline)
    due = case.due
    written = case.ledger.with_job(due.trigger, due.start, due.skipped)
    skipped = f"{due.skipped} windows before that of {due.label} are not judged any more: there were too many to catch up with"
    told = (Note(Reason.WINDOW_SKIPPED, skipped, NoteType.WARNING),) if due.skipped else ()
    effects = (sealed(case.dm, seen, written), Create(desired.job(case.dm, due, asked)), *told)
    what = f"starting Job {case.due.name} for the window of {case.due.label}"
    if case.newest and not case.ledger.failure:
        return Decision.settled(Reason.WATCHING, f"{in_short(case.newest)}; {what}", *effects)
    return Decision.progressing(Reason.JUDGING, what, *effects)


RULES: Final[tuple[Rule, ...]] = (
    job_over,
    older_job_runs,
    service_lacking,
    reference_lacking,
    job_stuck,
    job_runs,
    failed_too_often,
    failed_lately,
    up_to_date,
    job_due,
)
