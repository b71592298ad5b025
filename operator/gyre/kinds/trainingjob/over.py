"""A job that is over: the model is registered once, what ran is cleared away, the end is never taken back. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from gyre.api.effects import Create, Delete, Effect
from gyre.api.kind import Decision, Outcome
from gyre.kinds.trainingjob import desired
from gyre.kinds.trainingjob.closing import cleared
from gyre.kinds.trainingjob.ledger import End
from gyre.kinds.trainingjob.model import TrainingJob
from gyre.kinds.trainingjob.observe import Observed
from gyre.kinds.trainingjob.reasons import Reason


def publish(job: TrainingJob, seen: Observed, now: datetime) -> Decision | None:
    """Register the ModelVersion, once: that it was done is written down, so that a version may be deleted for good.

    Its Model is made by the ModelVersion, if there is none. Neither is owned by the job.
    """
    del now
    ledger = seen.ledger
    if ledger is None or ledger.final is None or ledger.final.end is not End.SUCCEEDED or ledger.final.published:
        return None
    if seen.progress is None or seen.progress.artifact is None:
        message = "the run ConfigMap has lost progress.json, which names the model: restore it"
        return Decision.stalled(Reason.LEDGER_UNREADABLE, message)
    published = replace(ledger, final=replace(ledger.final, published=True))
    effects: tuple[Effect, ...] = (
        desired.ledger_write(job, ledger, seen.seen_version),
        Create(desired.model_version(job, ledger, seen.progress, ledger.final)),
        desired.ledger_write(job, published, seen.seen_version),
    )
    return Decision.progressing(Reason.PUBLISHING, ledger.final.message, *effects)


def over(job: TrainingJob, seen: Observed, now: datetime) -> Decision | None:
    """Nothing is left to do but to clear away; credentials vanish with the run."""
    ledger = seen.ledger
    final = ledger.final if ledger else None
    if final is None:
        return None
    good = final.end is End.SUCCEEDED
    kept_until = final.at if good else final.at + job.spec.ttl.pods
    effects: tuple[Effect, ...] = ()
    timers = []
    if now >= kept_until:
        effects += cleared(job, seen)
    else:
        timers.append(kept_until)
    effects += tuple(Delete(owned.ref, owned.uid) for owned in seen.credentials)
    if job.spec.ttl.after_finished is not None:
        goes = final.at + job.spec.ttl.after_finished
        if now >= goes:
            effects += (Delete(job.ref, job.uid),)
        else:
            timers.append(goes)
    after = (min(timers) - now).total_seconds() if timers else None
    outcome = Outcome.SETTLED if good else Outcome.FAILED
    return Decision(outcome, final.reason, final.message, effects, after)
