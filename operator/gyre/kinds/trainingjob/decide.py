"""What to do next. Pure: the same job, world and time give the same decision. The order of RULES is the policy.

Rules about an open attempt are in `endings.py`, `within.py` and `running.py`, those about a job that is over in `over.py`;
here is what has to be true before an attempt starts, and how it starts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from gyre.adapters import storage
from gyre.adapters.datasets import DatasetView, PvcSource
from gyre.api.effects import Note
from gyre.api.kind import Decision
from gyre.api.terms import clip
from gyre.kinds.trainingjob import desired, endings, over, ray, running, within
from gyre.kinds.trainingjob.closing import budget_of, cleared, deadline, limit_passed
from gyre.kinds.trainingjob.halting import halted
from gyre.kinds.trainingjob.ledger import Champion, End, Ledger, Phase, Pin, WarmStart, begin, milliseconds
from gyre.kinds.trainingjob.ledger import Final as Ended
from gyre.kinds.trainingjob.model import TrainingJob
from gyre.kinds.trainingjob.observe import Observed
from gyre.kinds.trainingjob.policy import FIXES, C
from gyre.kinds.trainingjob.reasons import Reason

Rule: TypeAlias = Callable[[TrainingJob, Observed, datetime], Decision | None]

GRACE: Final = timedelta(seconds=60)
"""A manifest that names another one may be applied before it: so long a missing Dataset is only waited for."""
LOOK_AGAIN: Final = 15.0
"""Seconds between looks at what is not watched: claims, scripts, queues."""


def decide(job: TrainingJob, seen: Observed, now: datetime) -> Decision:
    """The first rule that has something to say wins; the last one always has."""
    for rule in RULES:
        if (decision := rule(job, seen, now)) is not None:
            return decision
    raise AssertionError("the last rule always decides")


# ── before anything ──────────────────────────────────────────────────────────────────────────────────────────────────


def namesake(job: TrainingJob, seen: Observed, now: datetime) -> Decision | None:
    """A job of this name was deleted a moment ago: its children are not ours, and its pods may still write."""
    del job, now
    if not seen.strangers:
        return None
    held = ", ".join(seen.strangers[:3])
    message = f"{held} belongs to another owner, most likely a deleted job of this name; delete it if it stays"
    return Decision.waiting(Reason.WAITING_FOR_NAMESAKE, message, after=LOOK_AGAIN)


def unreadable(job: TrainingJob, seen: Observed, now: datetime) -> Decision | None:
    """A ledger that cannot be read is never taken for an empty one: that would start a second run."""
    del job, now
    if seen.memory is None or seen.memory.ledger is not None:
        return None
    problem = f"the run ConfigMap cannot be read ({seen.memory.problem}): restore it, or create a new TrainingJob"
    return Decision.stalled(Reason.LEDGER_UNREADABLE, problem)


def too_late(job: TrainingJob, seen: Observed, now: datetime) -> Decision | None:
    """The limits hold between attempts too."""
    passed = limit_passed(job, seen.ledger, now)
    if passed is None or (seen.ledger and seen.ledger.open):
        return None
    ledger = kept(job, seen, now)
    final = Ended(End.FAILED, Reason.OUT_OF_TIME.value, f"{passed}; {FIXES[C.TIMEOUT]}", milliseconds(now), C.TIMEOUT)
    ended = ledger.turn(Phase.OVER, now).ended(final)
    return Decision.failed(final.reason, final.message, desired.ledger_write(job, ended, seen.seen_version))


# ── between attempts ─────────────────────────────────────────────────────────────────────────────────────────────────


def clearing(job: TrainingJob, seen: Observed, now: datetime) -> Decision | None:
    """Two attempts never write to one place: the next waits for every pod of the last."""
    del now
    if not (seen.ray_jobs or seen.clusters or seen.pods):
        return None
    lost = next((pod for pod in seen.pods if (node := seen.nodes.get(pod.node)) and not node.ready), None)
    stuck = (
        f"; node {lost.node} does not answer: delete it, or give it the taint node.kubernetes.io/out-of-service"
        if lost
        else ""
    )
    message = f"waiting until {_left(seen)} of the last attempt are gone{stuck}"
    return Decision.waiting(Reason.CLEARING, message, *cleared(job, seen), after=LOOK_AGAIN)


def _left(seen: Observed) -> str:
    counted = ((len(seen.ray_jobs), "RayJob"), (len(seen.clusters), "RayCluster"), (len(seen.pods), "pod"))
    return ", ".join(f"{count} {what}{'s' if count > 1 else ''}" for count, what in counted if count)


def parked(job: TrainingJob, seen: Observed, now: datetime) -> Decision | None:
    """Halted: nothing runs, everything is kept. No longer: go on."""
    ledger, halt = seen.ledger, halted(job, seen)
    if halt is None:
        if ledger is None or ledger.phase is not Phase.PARKED:
            return None
        thawed = ledger.turn(Phase.QUEUED, now)
        message = f"nothing holds it any more; goes on with attempt {ledger.count + 1}"
        write = desired.ledger_write(job, thawed, seen.seen_version)
        return Decision.progressing(Reason.THAWED, message, write, Note(Reason.THAWED, message))
    message = str(halt)
    limit = deadline(job, ledger)
    after = (limit[0] - now).total_seconds() if limit else None
    if ledger is None or ledger.phase is not Phase.PARKED:
        write = desired.ledger_write(job, kept(job, seen, now).turn(Phase.PARKED, now), seen.seen_version)
        return Decision.waiting(halt.parked, message, write, Note(halt.parked, clip(message, 900)), after=after)
    return Decision.waiting(halt.parked, message, after=after)


def data_not_ready(job: TrainingJob, seen: Observed, now: datetime) -> Decision | None:
    """Never start on data that may still change. Once pinned, the data are what they were."""
    if seen.ledger and seen.ledger.pins:
        return None
    for use in job.spec.datasets:
        view = seen.datasets.get(use.ref.name)
        if view is None:
            message = f"Dataset {use.ref.name!r} does not exist: create it or fix spec.datasets[{use.name}].ref.name"
            grace = (job.metadata.creation_timestamp or now) + GRACE - now
            if grace > timedelta():
                return Decision.waiting(Reason.DATASET_MISSING, message, after=grace.total_seconds())
            return Decision.stalled(Reason.DATASET_MISSING, message)
        if not view.ready or view.digest is None:
            return Decision.waiting(Reason.DATASET_NOT_READY, f"Dataset {view.name}: {view.reason}: {view.message}")
    return None


def needs_missing(job: TrainingJob, seen: Observed, now: datetime) -> Decision | None:
    """What the spec names and the namespace lacks; none of it is watched, so look again."""
    del now
    for reason, message in _needs(job, seen):
        return Decision.stalled(reason, message, after=LOOK_AGAIN)
    return None


def _needs(job: TrainingJob, seen: Observed) -> list[tuple[Reason, str]]:
    found, before = [], seen.before
    if before.claim_missing:
        text = f"PersistentVolumeClaim {before.claim_missing!r} does not exist: create it or fix spec.storage.pvc.claimName"
        found.append((Reason.STORAGE_MISSING, text))
    if before.code_missing:
        found.append((Reason.CODE_MISSING, f"{before.code_missing}: fix it or spec.entrypoint.script.configMap"))
    if before.queue_missing:
        text = f"LocalQueue {job.spec.queue!r} does not exist here: create it, fix spec.queue, or install Kueue"
        found.append((Reason.UNKNOWN_QUEUE, text))
    if job.spec.warm_start and (seen.warm_start is None or warm_start(seen) is None) and not _pinned(seen):
        name = job.spec.warm_start.model_version.name
        text = f"ModelVersion {name!r} does not exist or has no artifact: fix spec.warmStart.modelVersion.name"
        found.append((Reason.WARM_START_MISSING, text))
    secrets = ray.secrets_of([ray.place_of(job), *(pin.place for pin in pins(job, seen))])
    if len(secrets) > 1:
        text = f"one run has one set of S3 keys, but these Secrets are named: {sorted(secrets)}; use one Secret"
        found.append((Reason.CREDENTIALS_CONFLICT, text))
    return found


def _pinned(seen: Observed) -> bool:
    return bool(seen.ledger and seen.ledger.pins)


def backing_off(job: TrainingJob, seen: Observed, now: datetime) -> Decision | None:
    last, ledger = (seen.ledger.last, seen.ledger) if seen.ledger else (None, None)
    if ledger is None or last is None or last.end is not End.FAILED or last.cls is None or last.closed is None:
        return None
    delay = budget_of(job, last.cls).delay(ledger.failed(last.cls))
    left = last.closed + delay - now
    if left <= timedelta():
        return None
    if limit := deadline(job, ledger):
        left = min(left, limit[0] - now)
    message = f"attempt {last.number} failed ({last.cls}); the next begins {delay} after it: {last.evidence}"
    return Decision.waiting(Reason.BACKING_OFF, message[:900], after=max(0.05, left.total_seconds()))


def start(job: TrainingJob, seen: Observed, now: datetime) -> Decision:
    """The ledger first, guarded by what was seen of it: a stale view is refused before anything runs."""
    ledger = kept(job, seen, now)
    pinned, against = pins(job, seen), champion(job, seen)
    ledger = replace(ledger, pins=pinned, warm_start=ledger.warm_start or warm_start(seen), champion=against)
    step = resume_step(seen, ledger)
    opened = ledger.opened(now, from_step=step)
    resumed = f" from the checkpoint at step {step}" if step else ""
    message = f"attempt {opened.count} is starting{resumed}{_measured_against(against)}"
    note = Note(Reason.ATTEMPT_STARTED, message)
    return Decision.progressing(Reason.STARTING, message, *desired.running(job, opened, seen.seen_version), note)


def resume_step(seen: Observed, ledger: Ledger) -> int:
    """The step of the newest checkpoint, unless it is quarantined; the driver knows better once it has restored one."""
    saved = seen.progress.checkpoint if seen.progress else None
    return saved.step if saved and saved.name not in ledger.quarantined else 0


def kept(job: TrainingJob, seen: Observed, now: datetime) -> Ledger:
    return seen.ledger or begin(job.uid, job.metadata.creation_timestamp or now, now)


def pins(job: TrainingJob, seen: Observed) -> tuple[Pin, ...]:
    if seen.ledger and seen.ledger.pins:
        return seen.ledger.pins
    named = ((use.name, seen.datasets.get(use.ref.name)) for use in job.spec.datasets)
    return tuple(_pin(name, view) for name, view in named if view is not None and view.digest is not None)


def _pin(name: str, view: DatasetView) -> Pin:
    source = view.source
    place: storage.Place
    if isinstance(source, PvcSource):
        place = storage.ClaimPlace(source.claim, source.path)
    else:
        s3 = source
        place = storage.BucketPlace(s3.bucket, s3.prefix, s3.endpoint, s3.region, s3.credentials_secret)
    return Pin(name, view.name, view.version or 0, view.digest or "", place)


def warm_start(seen: Observed) -> WarmStart | None:
    version = seen.warm_start
    place = storage.from_uri(version.uri) if version else None
    return WarmStart(version.name, version.digest, place) if version and place else None


def champion(job: TrainingJob, seen: Observed) -> Champion | None:
    """The version that speaks for the Model now. Each attempt asks anew: a job may have been parked for weeks."""
    view = seen.champion
    if view is None:
        return None
    place, problem = storage.from_uri(view.uri), seen.before.champion_unreachable
    if place is None:
        problem = f"its artifact {view.uri!r} is neither pvc://claim/path nor s3://bucket/path"
    if isinstance(place, storage.BucketPlace):
        place = _as_known(place, [ray.place_of(job), *(pin.place for pin in pins(job, seen))])
    return Champion(view.name, view.digest, view.flavour, place, clip(problem, 256))


def _as_known(place: storage.BucketPlace, others: Sequence[storage.Place]) -> storage.BucketPlace:
    """A version tells its bucket and not how to reach it: as the run reaches that bucket, or else any other."""
    known = [other for other in others if isinstance(other, storage.BucketPlace)]
    like = next((other for other in known if other.bucket == place.bucket), known[0] if known else place)
    return replace(place, endpoint=like.endpoint, region=like.region, secret=like.secret)


def _measured_against(champion: Champion | None) -> str:
    if champion is None:
        return ""
    if champion.problem:
        return f"; champion {champion.version} cannot be measured: {champion.problem}"
    return f", to be measured against champion {champion.version}"


RULES: Final[tuple[Rule, ...]] = (
    unreadable,
    within.metering,  # first of all: pods that go take their times with them
    over.publish,
    over.over,
    namesake,  # children of a deleted job of this name: theirs first
    endings.attempt_succeeded,  # a success seen late is still a success
    endings.attempt_parked,
    within.remember_restarts,  # counted before the attempt is closed, or they would be lost
    endings.out_of_time,
    endings.too_dear,
    endings.attempt_failed,
    endings.enough,
    endings.silent,
    within.remember_pods,
    within.park_or_not,
    within.preemption_notice,
    running.trouble,
    running.running,
    too_late,
    clearing,  # nothing below runs while anything of the last attempt exists
    parked,
    data_not_ready,
    needs_missing,
    backing_off,
    start,
)
