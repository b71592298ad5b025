"""A candidate on its way: it comes up, gets a share of the traffic, is looked at, gets more. Pure.

Every rule has the form (gis, seen, ledger, now) -> Decision | None and says nothing without a rollout. What ends it is in
`endings.py`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from gyre.api.effects import Note, NoteType
from gyre.api.kind import Decision, Outcome
from gyre.api.terms import clip
from gyre.kinds.inferenceservice import counting, endings, looking
from gyre.kinds.inferenceservice.counting import Readings
from gyre.kinds.inferenceservice.ledger import Ledger, Rollout
from gyre.kinds.inferenceservice.looking import Held
from gyre.kinds.inferenceservice.model import InferenceService
from gyre.kinds.inferenceservice.observe import KServe, Observed
from gyre.kinds.inferenceservice.reasons import Reason
from gyre.kinds.inferenceservice.report import Happened
from gyre.kinds.inferenceservice.standing import believed, standing, unconfirmed
from gyre.kinds.inferenceservice.troubles import Backend, trouble
from gyre.kinds.inferenceservice.words import named, percent

LONGEST: Final = 900
KSERVE_DOWN: Final = (
    "KServe's controller is not running (no ready pod with the label control-plane=kserve-controller-manager): start it"
)
LOOK_AGAIN: Final = 15.0
"""Seconds between looks at what is not watched, and at what events may have failed to tell."""
SETTLING: Final = timedelta(seconds=2)
"""Between new weights and the first count: answers to what was sent under the old ones are still on their way."""


def comes_up(gis: InferenceService, seen: Observed, ledger: Ledger, now: datetime) -> Decision | None:
    """No traffic before every pod is up and the endpoints say so."""
    rollout = ledger.rollout
    if rollout is None or rollout.weight:
        return None
    backend = seen.backend(gis, rollout.candidate)
    if not backend.converged:
        return endings.overdue(gis, seen, ledger, now, blind="it is not ready") or _coming(
            gis, seen, ledger, now, backend
        )
    if rollout.first:
        after = ledger.taken_over(now, Happened.DEPLOYED, "the first version: there was nothing to compare it with")
        message = f"{named(rollout.candidate)} is up and gets all traffic"
        return Decision.progressing(
            Reason.DEPLOYED, message, *standing(gis, seen, after), Note(Reason.DEPLOYED, message)
        )
    if not believed(gis, seen, ledger):
        return Decision.progressing(Reason.ROUTING, unconfirmed(gis, seen), *standing(gis, seen, ledger))
    if against := held(seen, ledger):
        return against.decision(*standing(gis, seen, ledger), after=LOOK_AGAIN)
    return looking.stepped(gis, seen, ledger, now, step=0, weight=looking.first_weight(gis))


def _coming(gis: InferenceService, seen: Observed, ledger: Ledger, now: datetime, backend: Backend) -> Decision:
    rollout = ledger.rollout
    assert rollout is not None  # noqa: S101 - asked by whoever calls
    effects, after = standing(gis, seen, ledger), _soon(endings.deadline(gis, ledger), now)
    beside = f" beside {named(ledger.stable)}, which has all traffic" if ledger.stable else ""
    if found := trouble(backend):
        message = clip(f"{named(rollout.candidate)} does not come up{beside}: {found.message}", LONGEST)
        return Decision.stalled(found.reason, message, *effects, after=after)
    message = f"{named(rollout.candidate)} is coming up{beside}: {backend.endpoints} of {gis.spec.replicas} pods ready"
    reason = Reason.DEPLOYING if rollout.first else Reason.ROLLOUT_STARTED
    return Decision.progressing(reason, message, *effects, after=after)


def held(seen: Observed, ledger: Ledger) -> Held | None:
    """What forbids a larger share, whatever the counts say."""
    if seen.kserve in (KServe.DOWN, KServe.MISSING):
        return Held(Reason.KSERVE_DOWN, f"{KSERVE_DOWN}; nothing is promoted without it")
    wanted = seen.target.version
    if wanted is None:
        outcome = Outcome.WAITING if seen.target.waits else Outcome.STALLED
        return Held(seen.target.reason or Reason.VERSION_MISSING, f"{seen.target.message}; the weights stay", outcome)
    if entry := ledger.quarantine_of(wanted.digest):
        message = f"{named(wanted)}, which is asked for by now, is quarantined ({entry.cause}); the weights stay"
        return Held(Reason.REVISION_QUARANTINED, message, Outcome.STALLED)
    return None


def withdrawn(gis: InferenceService, seen: Observed, ledger: Ledger, now: datetime) -> Decision | None:
    """Its share would be answered with 503 while no pod of it is ready: it has none until one is, and then the same again."""
    rollout = ledger.rollout
    if rollout is None or not rollout.weight:
        return None
    backend = seen.backend(gis, rollout.candidate)
    if rollout.withdrawn is None:
        if backend.ready:
            return None
        message = (
            f"{named(rollout.candidate)} has no ready pod any more: its traffic goes to the stable version meanwhile"
        )
        note = Note(Reason.WITHDRAWN, message, NoteType.WARNING)
        return Decision.waiting(Reason.WITHDRAWN, message, *standing(gis, seen, ledger.withdrawn(now)), note)
    if backend.ready and not believed(gis, seen, ledger):
        return Decision.progressing(Reason.ROUTING, unconfirmed(gis, seen), *standing(gis, seen, ledger))
    if backend.ready:
        message = f"{named(rollout.candidate)} is ready again and gets back its {percent(rollout.weight)}"
        return Decision.progressing(Reason.JUDGING, message, *standing(gis, seen, ledger.resumed(now)))
    if decision := endings.overdue(gis, seen, ledger, now, blind="it is not ready"):
        return decision
    found = trouble(backend)
    message = f"{named(rollout.candidate)} has no ready pod, and no traffic{f': {found.message}' if found else ''}"
    after = _soon(endings.deadline(gis, ledger), now)
    return Decision.waiting(Reason.WITHDRAWN, clip(message, LONGEST), *standing(gis, seen, ledger), after=after)


def judged(gis: InferenceService, seen: Observed, ledger: Ledger, now: datetime) -> Decision | None:
    """Counted from the moment that the gateway confirmed the weights, looked at once an interval."""
    rollout = ledger.rollout
    if rollout is None or not rollout.weight:
        return None
    if not believed(gis, seen, ledger) or seen.readings is None:
        why = unconfirmed(gis, seen)
        return endings.overdue(gis, seen, ledger, now, blind=why) or Decision.progressing(
            Reason.ROUTING, why, *standing(gis, seen, ledger), after=_soon(endings.deadline(gis, ledger), now)
        )
    if seen.readings.problem:
        return looking.uncounted(gis, seen, ledger, now, seen.readings.problem)
    against = held(seen, ledger)
    if rollout.counting is None:
        return _begins(gis, seen, ledger, now, rollout, seen.readings, against)
    if rollout.looked is not None and seen.readings.at < rollout.looked + gis.spec.rollout.interval:
        left = (rollout.looked + gis.spec.rollout.interval - now).total_seconds()
        return looking.said(gis, seen, ledger, now, against, after=max(0.05, left))
    return looking.look(gis, seen, ledger, now, seen.readings, against)


def _begins(
    gis: InferenceService,
    seen: Observed,
    ledger: Ledger,
    now: datetime,
    rollout: Rollout,
    readings: Readings,
    against: Held | None,
) -> Decision:
    """The zero from which is counted at this weight."""
    since = rollout.since or now
    if readings.at < since + SETTLING:
        left = (since + SETTLING - now).total_seconds()
        return looking.said(gis, seen, ledger, now, against, after=max(0.05, left))
    floor = gis.spec.rollout.margins.latency_floor.total_seconds()
    begun = counting.begun(rollout, readings, floor)
    if begun is None:
        why = f"{named(rollout.candidate)} waits to be judged until {counting.ENOUGH} requests to the stable version have shown"
        blind = f"fewer than {counting.ENOUGH} requests came"
        return endings.overdue(gis, seen, ledger, now, blind=blind) or Decision.waiting(
            Reason.JUDGING,
            f"{why} its usual latency",
            *standing(gis, seen, ledger),
            after=gis.spec.rollout.interval.total_seconds(),
        )
    counted = ledger.with_rollout(
        counting=begun.counting,
        looked=begun.looked,
        sources=begun.sources,
        timed_by=begun.timed_by,
        edges=begun.edges,
        evidence=begun.evidence,
    )
    return looking.said(gis, seen, counted, now, against, after=gis.spec.rollout.interval.total_seconds())


def _soon(moment: datetime | None, now: datetime) -> float:
    """Seconds until then, or until the next look at what an event may have failed to tell."""
    left = (moment - now).total_seconds() + 0.05 if moment and moment > now else LOOK_AGAIN
    return min(LOOK_AGAIN, left)
