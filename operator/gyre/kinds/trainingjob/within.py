"""What happens while an attempt is open: evidence is kept, restarts are counted, the driver is told what to do. Pure.

Every rule has the form (job, seen, now) -> Decision | None and says nothing while no attempt is open.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256

from gyre.adapters.pods import notice_on
from gyre.adapters.run import Restart
from gyre.api.effects import Note, NoteType
from gyre.api.kind import Decision
from gyre.api.terms import clip
from gyre.kinds.trainingjob import costs, desired
from gyre.kinds.trainingjob.closing import charge, look_at
from gyre.kinds.trainingjob.failures import Failure, Look, of_restart
from gyre.kinds.trainingjob.halting import halted
from gyre.kinds.trainingjob.ledger import (
    KEPT,
    Ledger,
    Notice,
    Restarted,
    milliseconds,
)
from gyre.kinds.trainingjob.model import TrainingJob
from gyre.kinds.trainingjob.observe import Observed
from gyre.kinds.trainingjob.policy import C, FailureClass
from gyre.kinds.trainingjob.ray import GRACE_SECONDS
from gyre.kinds.trainingjob.reasons import Reason


def remember_pods(job: TrainingJob, seen: Observed, now: datetime) -> Decision | None:
    """Who ran it and where, while it can be seen: evidence and lineage when pods and nodes are gone."""
    look, ledger = look_at(job, seen, now), seen.ledger
    if look is None or ledger is None:
        return None
    head = look.head
    image = head.main.image_id if head and head.main else ""
    digest = image[image.index("sha256:") :][:71] if "sha256:" in image else ""
    known = look.attempt
    facts = {
        "ray_job_uid": known.ray_job_uid or (look.ray_job.uid if look.ray_job else ""),
        "head_pod": head.name if head else known.head_pod,
        "head_node": (head.node if head else "") or known.head_node,
        "image": digest if len(digest) == 71 else known.image,
    }
    if all(getattr(known, name) == value for name, value in facts.items()):
        return None
    noted = ledger.with_open(**facts)
    effects = desired.running(job, noted, seen.seen_version)
    return Decision.progressing(Reason.STARTING, f"attempt {ledger.count} is starting", *effects)


def remember_restarts(job: TrainingJob, seen: Observed, now: datetime) -> Decision | None:
    """The workers' restarts, with the cause that the pods show now and will not show later."""
    look, ledger = look_at(job, seen, now), seen.ledger
    if look is None or ledger is None or look.progress is None:
        return None
    known = {entry.key: entry for entry in ledger.restarts if entry.attempt == ledger.count}
    updated, notes = ledger, []
    for restart in look.progress.restarts:
        before = known.get(restart.key)
        if before is None:
            updated = _counted(updated, restart, look, seen)
            cls = updated.restarts[-1].cls
            text = f"{cls} at step {restart.from_step} of attempt {ledger.count}: {updated.restarts[-1].message}"
            notes.append(Note(Reason.WORKER_LOST, clip(text, 500), NoteType.WARNING))
        if restart.resumed and (before is None or not before.resumed):
            updated = _resumed(updated, restart)
            text = f"training goes on from step {restart.to_step} after {restart.seconds_lost:.1f} s"
            notes.append(Note(Reason.RECOVERED, f"attempt {ledger.count}: {text}"))
    if updated == ledger:
        return None
    effects = desired.running(job, updated, seen.seen_version)
    return Decision.progressing(Reason.RECOVERING, f"attempt {ledger.count} lost workers", *effects, *notes)


def _counted(ledger: Ledger, restart: Restart, look: Look, seen: Observed) -> Ledger:
    cls, message = of_restart(restart, look)
    entry = Restarted(
        attempt=ledger.count,
        key=restart.key,
        cls=cls,
        message=clip(message, 256),
        from_step=restart.from_step,
        to_step=restart.to_step,
        resumed=False,
        lost=0,
    )
    counted = charge(ledger, Failure(cls, message, restart.from_step), seen)
    return replace(counted, restarts=(*counted.restarts, entry)[-2 * KEPT :], restart_count=counted.restart_count + 1)


def _resumed(ledger: Ledger, restart: Restart) -> Ledger:
    def settle(entry: Restarted) -> Restarted:
        if entry.attempt != ledger.count or entry.key != restart.key:
            return entry
        return replace(entry, resumed=True, to_step=restart.to_step, lost=round(max(0, restart.seconds_lost) * 1000))

    return replace(ledger, restarts=tuple(settle(entry) for entry in ledger.restarts))


def park_or_not(job: TrainingJob, seen: Observed, now: datetime) -> Decision | None:
    """To halt is a command to the driver: a checkpoint first. Taken back in time, the run just goes on."""
    look, ledger, halt = look_at(job, seen, now), seen.ledger, halted(job, seen)
    if look is None or ledger is None or (halt is not None) == bool(ledger.park):
        return None
    if halt is None:
        effects = desired.running(job, replace(ledger, park="", park_deadline=None), seen.seen_version)
        return Decision.progressing(Reason.THAWED, "nothing holds it any more; the run goes on", *effects)
    wait = look.waits.park
    commanded = replace(ledger, park=f"park-{ledger.count}", park_deadline=milliseconds(now + wait))
    note = Note(halt.parking, clip(f"attempt {ledger.count} shall write a checkpoint and stop: {halt}", 900))
    effects = desired.running(job, commanded, seen.seen_version)
    return Decision.progressing(halt.parking, note.message, *effects, note, after=wait.total_seconds())


def metering(job: TrainingJob, seen: Observed, now: datetime) -> Decision | None:
    """What pods cost, entered as they come and go; also of a job that is over, until its last pod has gone."""
    if seen.ledger is None:
        return None
    entered = costs.read(job, seen.ledger, seen.prices, seen.sightings, now)
    if entered is None:
        return None
    write = desired.ledger_write(job, entered, seen.seen_version)
    return Decision.progressing(Reason.METERING, "entering what its pods cost", write)


def preemption_notice(job: TrainingJob, seen: Observed, now: datetime) -> Decision | None:
    """A node or pod that will be taken away is told to the driver before SIGTERM comes: it saves just in time."""
    look, ledger = look_at(job, seen, now), seen.ledger
    if look is None or ledger is None or look.progress is None:
        return None
    known = set(ledger.notice.pods) if ledger.notice else set()
    announced: list[tuple[str, FailureClass, str, int]] = []
    for pod in look.pods:
        found = notice_on(look.nodes.get(pod.node))
        if found is not None:
            cls = C.SPOT_RECLAIM if found.reclaim else C.EVICTED
            announced.append((pod.name, cls, f"node {pod.node} has the taint {found.taint}", found.seconds))
        elif pod.disruption:
            announced.append((pod.name, C.EVICTED, f"{pod.disruption}: {pod.disruption_message}", GRACE_SECONDS))
    new = [entry for entry in announced if entry[0] not in known]
    if not new:
        return None
    _, cls, evidence, seconds = min(new, key=lambda entry: entry[3])
    pods = tuple(sorted({entry[0] for entry in announced}))
    until = milliseconds(now + timedelta(seconds=seconds))
    mark = sha256("/".join((str(ledger.count), *pods)).encode()).hexdigest()[:8]
    notice = Notice(f"drain-{mark}", pods, cls, clip(evidence, 200), until)
    message = f"{', '.join(pods)} will go by {desired.seconds(until)} ({evidence}): saving a checkpoint now"
    effects = desired.running(job, replace(ledger, notice=notice), seen.seen_version)
    note = Note(Reason.PREEMPTION_NOTICE, clip(message, 500), NoteType.WARNING)
    return Decision.progressing(Reason.PREEMPTION_NOTICE, clip(message, 900), *effects, note)
