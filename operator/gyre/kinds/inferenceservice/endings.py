"""How a rollout ends: promoted, rolled back, abandoned; and how a warm version takes the traffic back. Pure.

The verdict is written into the ledger first, the route follows in the same decision; the predictor of the loser goes only when
the gateway has confirmed that nothing is sent to it any more (`decide.clearing`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from gyre.api.effects import Note, NoteType
from gyre.api.kind import Decision
from gyre.api.terms import clip
from gyre.kinds.inferenceservice.ledger import Ground, Ledger, Rollout
from gyre.kinds.inferenceservice.memory import Point
from gyre.kinds.inferenceservice.model import InferenceService
from gyre.kinds.inferenceservice.names import RELEASE
from gyre.kinds.inferenceservice.observe import Observed
from gyre.kinds.inferenceservice.policy import OnInconclusive, OnNewer
from gyre.kinds.inferenceservice.reasons import Reason
from gyre.kinds.inferenceservice.report import Happened
from gyre.kinds.inferenceservice.rulings import ruling
from gyre.kinds.inferenceservice.standing import standing, until
from gyre.kinds.inferenceservice.troubles import Backend, trouble
from gyre.kinds.inferenceservice.words import named

LONGEST: Final = 900


def promoted(
    gis: InferenceService,
    seen: Observed,
    ledger: Ledger,
    now: datetime,
    why: str,
    *,
    ground: Ground,
    series: Sequence[Point] | None = None,
) -> Decision:
    rollout, old = ledger.rollout, ledger.stable
    assert rollout is not None  # noqa: S101 - asked by whoever calls
    assert old is not None  # noqa: S101 - a first version is not promoted
    keep = gis.spec.keep_warm
    after = ledger.taken_over(now, Happened.PROMOTED, why, warm_until=now + keep if keep else None)
    after = after.ruled(ruling(gis, rollout, old, now, Happened.PROMOTED, ground))
    warm = f"; {old.name} stays warm until {until(now + keep)}" if keep else ""
    message = clip(f"{named(rollout.candidate)} has all traffic now, after {named(old)}: {why}{warm}", LONGEST)
    effects = standing(gis, seen, after, series=series)
    return Decision.progressing(Reason.PROMOTED, message, *effects, Note(Reason.PROMOTED, message))


def rolled_back(
    gis: InferenceService,
    seen: Observed,
    ledger: Ledger,
    now: datetime,
    cause: Reason,
    why: str,
    *,
    ground: Ground,
    series: Sequence[Point] | None = None,
) -> Decision:
    """Back to the stable version alone. The digest is not tried again, whoever applies the same manifest."""
    rollout, old = ledger.rollout, ledger.stable
    assert rollout is not None  # noqa: S101 - asked by whoever calls
    bad = rollout.candidate
    after = ledger.rolled_back(now, cause.value, why)
    if old is not None:
        after = after.ruled(ruling(gis, rollout, old, now, Happened.ROLLED_BACK, ground, cause.value))
    stays = f"{named(old)} has all traffic" if old else "nothing is served"
    fix = f"register a version with other files, or annotate {RELEASE}={bad.digest[:19]}"
    message = clip(f"{named(bad)} was rolled back: {cause}: {why}; {stays}. To try again: {fix}", LONGEST)
    note = Note(Reason.ROLLED_BACK, message, NoteType.WARNING)
    return Decision.progressing(Reason.ROLLED_BACK, message, *standing(gis, seen, after, series=series), note)


def abandoned(gis: InferenceService, seen: Observed, ledger: Ledger, now: datetime, why: str) -> Decision:
    """Nobody's fault: another version was asked for."""
    rollout = ledger.rollout
    assert rollout is not None  # noqa: S101 - asked by whoever calls
    after = ledger.abandoned(now, seen.before.by, why)
    message = f"the rollout of {named(rollout.candidate)} ends without a verdict: {why}"
    return Decision.progressing(Reason.ABANDONED, message, *standing(gis, seen, after), Note(Reason.ABANDONED, message))


# ── rules ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def failed(gis: InferenceService, seen: Observed, ledger: Ledger, now: datetime) -> Decision | None:
    """Outside of statistics: it crashes, has other files than it says, or does not come up. One look is enough."""
    rollout = ledger.rollout
    if rollout is None:
        return None
    backend = seen.backend(gis, rollout.candidate)
    found = trouble(backend)
    limit = (rollout.withdrawn or rollout.started) + gis.spec.rollout.ready_within
    if found is not None and found.fatal:
        cause, why = found.reason, found.message
    elif found is None and _without_traffic(ledger) and not _up(rollout, backend) and now >= limit:
        cause, why = Reason.NEVER_READY, f"no pod of it was ready within {gis.spec.rollout.ready_within}"
    else:
        return None
    if not rollout.first:
        return rolled_back(gis, seen, ledger, now, cause, why, ground=Ground.PODS)
    wanted = seen.target.version
    if wanted is not None and wanted.digest != rollout.candidate.digest:
        return None  # another one may do better, and there is nothing to go back to
    message = clip(f"{named(rollout.candidate)} cannot be served: {why}; register a version that can", LONGEST)
    return Decision.stalled(cause, message, *standing(gis, seen, ledger))


def _up(rollout: Rollout, backend: Backend) -> bool:
    """Before its first traffic all of it has to be; later, one pod will do."""
    return backend.ready if rollout.weight else backend.converged


def _without_traffic(ledger: Ledger) -> bool:
    return ledger.rollout is not None and (ledger.rollout.weight == 0 or ledger.rollout.withdrawn is not None)


def asked_back(gis: InferenceService, seen: Observed, ledger: Ledger, now: datetime) -> Decision | None:
    """The stable version again, in mid-rollout; or one that is still warm, at any time. Both in seconds, without a canary."""
    wanted, stable = seen.target.version, ledger.stable
    if wanted is None or stable is None:
        return None
    if wanted.digest == stable.digest:
        if ledger.rollout is None:
            return None
        return abandoned(gis, seen, ledger, now, f"{named(stable)}, which has the traffic, was asked for")
    warm = ledger.warm_one(wanted.digest)
    if warm is None:
        return None
    if not seen.backend(gis, warm).ready:
        found = trouble(seen.backend(gis, warm))
        message = f"{named(warm)} takes the traffic as soon as one of its pods is ready"
        told = f"{message}: {found.message}" if found else message
        return Decision.progressing(Reason.DEPLOYING, clip(told, LONGEST), *standing(gis, seen, ledger))
    why = f"{named(warm)}, which was still warm, was asked for"
    left = ledger.abandoned(now, seen.before.by, why) if ledger.rollout else ledger
    keep = gis.spec.keep_warm
    back = left.with_stable(warm, now, warm_until=now + keep if keep else None)
    after = back.noted(now, Happened.SWITCHED, warm, seen.before.by, f"instead of {named(stable)}")
    message = f"{named(warm)} has all traffic again, instead of {named(stable)}"
    return Decision.progressing(Reason.SWITCHED, message, *standing(gis, seen, after), Note(Reason.SWITCHED, message))


def replaced(gis: InferenceService, seen: Observed, ledger: Ledger, now: datetime) -> Decision | None:
    """Two rollouts never mix: the candidate is dropped before a newer one comes up, or judged to the end first."""
    rollout, wanted = ledger.rollout, seen.target.version
    if rollout is None or wanted is None or wanted.digest == rollout.candidate.digest:
        return None
    if ledger.quarantine_of(wanted.digest) is not None:
        return None  # it would not be tried
    if not rollout.first and gis.spec.rollout.on_newer is OnNewer.WAIT:
        return None
    return abandoned(gis, seen, ledger, now, f"{named(wanted)} was asked for")


def overdue(
    gis: InferenceService,
    seen: Observed,
    ledger: Ledger,
    now: datetime,
    *,
    blind: str = "",
    series: Sequence[Point] | None = None,
) -> Decision | None:
    """The deadline has passed without a verdict. `blind` says why nothing is known: then nothing is promoted."""
    rollout, policy = ledger.rollout, gis.spec.rollout
    if rollout is None or rollout.first or now < rollout.started + policy.deadline:
        return None
    passed = f"undecided after {policy.deadline}"
    if policy.on_inconclusive is OnInconclusive.ROLLBACK:
        why = f"{passed}; onInconclusive is Rollback"
        return rolled_back(gis, seen, ledger, now, Reason.INCONCLUSIVE, why, ground=Ground.DEADLINE, series=series)
    if policy.on_inconclusive is OnInconclusive.PROMOTE and not blind:
        why = f"{passed}; onInconclusive is Promote"
        return promoted(gis, seen, ledger, now, why, ground=Ground.DEADLINE, series=series)
    share = f"the weights stay, and {named(rollout.candidate)} is judged on"
    unknown = f" ({clip(blind, 300)})" if blind else ""
    fix = "set modelRef to the version that you want, or raise rollout.deadline"
    message = clip(f"{passed}{unknown}: {share}; {fix}", LONGEST)
    after = policy.interval.total_seconds()
    return Decision.stalled(Reason.INCONCLUSIVE, message, *standing(gis, seen, ledger, series=series), after=after)


def deadline(gis: InferenceService, ledger: Ledger) -> datetime | None:
    """When time alone ends the wait for a candidate."""
    rollout = ledger.rollout
    if rollout is None:
        return None
    limits: list[timedelta] = [] if rollout.first else [gis.spec.rollout.deadline]
    ends = [rollout.started + limit for limit in limits]
    if _without_traffic(ledger):
        ends.append((rollout.withdrawn or rollout.started) + gis.spec.rollout.ready_within)
    return min(ends, default=None)
