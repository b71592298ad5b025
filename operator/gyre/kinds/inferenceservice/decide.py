"""What to do next. Pure: the same service, world and time give the same decision. The order of RULES is the policy.

Rules about a candidate on its way are in `canary.py` and `looking.py`, how a rollout ends is in `endings.py`; here is what has to
be true before one begins, how it begins, and what a service does while there is none.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from gyre.adapters.objectives import FREEZE
from gyre.api.conditions import Truth, Verdict
from gyre.api.effects import Effect, Note
from gyre.api.kind import Decision
from gyre.api.terms import clip
from gyre.kinds.inferenceservice import canary, comparison, desired, endings, logged, proof
from gyre.kinds.inferenceservice.counting import Readings
from gyre.kinds.inferenceservice.ledger import Ledger, Version
from gyre.kinds.inferenceservice.model import InferenceService
from gyre.kinds.inferenceservice.names import RELEASE
from gyre.kinds.inferenceservice.observe import KServe, Observed
from gyre.kinds.inferenceservice.reasons import Reason
from gyre.kinds.inferenceservice.report import Happened
from gyre.kinds.inferenceservice.standing import believed, leftovers, standing, unconfirmed
from gyre.kinds.inferenceservice.troubles import trouble
from gyre.kinds.inferenceservice.words import named

Rule: TypeAlias = Callable[[InferenceService, Observed, Ledger, datetime], Decision | None]

LONGEST: Final = 900
LOOK_AGAIN: Final = 15.0
"""Seconds between looks at what is not watched: claims, KServe's controller."""
GRACE: Final = timedelta(seconds=60)
"""A manifest that comes with its Model in one folder may arrive first."""
KEYS_LOOKED_AT: Final = 60.0
"""Seconds between looks at the ConfigMap with the keys of tokens."""


def decide(gis: InferenceService, seen: Observed, now: datetime) -> Decision:
    """Without a ledger nothing is done; with one, the first rule that has something to say wins."""
    if (decision := unreadable(seen) or namesake(seen)) is not None:
        return decision
    if seen.ledger is None:
        made = desired.ledger_write(gis, Ledger(), (), None, None)
        return Decision.progressing(Reason.STARTING, "creating its ledger", made)
    ledger = seen.ledger.cooled(now, seen.target.version.digest if seen.target.version else "")
    for rule in RULES:
        if (decision := rule(gis, seen, ledger, now)) is not None:
            return logged.looked_at_again(gis, decision)
    raise AssertionError("the last rule always decides")


def unreadable(seen: Observed) -> Decision | None:
    """A ledger that cannot be read is never taken for an empty one: traffic would go to a version that failed before."""
    if seen.memory is None or seen.memory.ledger is not None:
        return None
    message = f"its ledger cannot be read ({seen.memory.problem}): restore ConfigMap <name>-rollout; the traffic stays as it is"
    return Decision.stalled(Reason.LEDGER_UNREADABLE, message)


def namesake(seen: Observed) -> Decision | None:
    """A service of this name was deleted a moment ago: its children are not ours."""
    if not seen.strangers:
        return None
    held = ", ".join(seen.strangers[:3])
    message = f"{held} belongs to another owner, most likely a deleted service of this name; delete it if it stays"
    return Decision.waiting(Reason.WAITING_FOR_NAMESAKE, message, after=LOOK_AGAIN)


# ── before anything ──────────────────────────────────────────────────────────────────────────────────────────────────


def released(gis: InferenceService, seen: Observed, ledger: Ledger, now: datetime) -> Decision | None:
    """Each value of the annotation releases once, or whoever failed again would be tried again for ever."""
    value = gis.metadata.annotations.get(RELEASE, "")
    if value == ledger.released:
        return None
    out = [entry for entry in ledger.quarantined if _means(value, entry.digest, entry.version)]
    after = ledger.freed(frozenset(entry.digest for entry in out), value, now)
    names = ", ".join(entry.version for entry in out) or "nothing"
    message = f"annotation {RELEASE}={value[:80]!r} releases {names} from quarantine"
    notes = (Note(Reason.RELEASED, message),) if out else ()
    return Decision.progressing(Reason.RELEASED, message, *standing(gis, seen, after), *notes)


def _means(value: str, digest: str, version: str) -> bool:
    """`all`, the ModelVersion's name, or the digest or at least eight digits of its beginning."""
    digits = value.removeprefix("sha256:")
    return value in ("all", version) or (len(digits) >= 8 and digest.removeprefix("sha256:").startswith(digits))


def no_gateway(gis: InferenceService, seen: Observed, ledger: Ledger, now: datetime) -> Decision | None:
    del now
    if seen.parent is not None:
        return None
    where = f"{gis.spec.gateway.namespace}/{gis.spec.gateway.name}"
    message = f"Gateway {where} does not exist: create it (Envoy Gateway has to be installed), or fix spec.gateway"
    return Decision.stalled(Reason.GATEWAY_MISSING, message, *standing(gis, seen, ledger), after=LOOK_AGAIN)


def no_kserve(gis: InferenceService, seen: Observed, ledger: Ledger, now: datetime) -> Decision | None:
    """What runs goes on; nothing new comes up."""
    del now
    if seen.kserve is KServe.MISSING:
        message = "KServe is not installed: install it (v0.20, Standard mode), and the service comes up by itself"
        return Decision.stalled(Reason.KSERVE_MISSING, message, *standing(gis, seen, ledger), after=LOOK_AGAIN)
    judging = ledger.rollout is not None and ledger.rollout.weight > 0
    if seen.kserve is not KServe.DOWN or judging:
        return None
    stays = f"; {named(ledger.stable)} has all traffic meanwhile" if ledger.stable else ""
    message = f"{canary.KSERVE_DOWN}{stays}"
    return Decision.waiting(Reason.KSERVE_DOWN, message, *standing(gis, seen, ledger), after=LOOK_AGAIN)


# ── without a rollout ────────────────────────────────────────────────────────────────────────────────────────────────


def unsettled(gis: InferenceService, seen: Observed, ledger: Ledger, now: datetime) -> Decision | None:
    """What is not asked for any more may still have traffic: that comes first, and is said first."""
    wanted, stable = seen.target.version, ledger.stable
    if stable is None or (wanted and wanted.digest == stable.digest):
        return None
    return _routed(gis, seen, ledger, standing(gis, seen, ledger), _warm(ledger, now))


def _routed(
    gis: InferenceService, seen: Observed, ledger: Ledger, effects: tuple[Effect, ...], after: float | None
) -> Decision | None:
    if believed(gis, seen, ledger):
        return None
    programmed = seen.gateway is not None and seen.gateway.programmed
    reason = Reason.ROUTING if programmed else Reason.GATEWAY_NOT_READY
    return Decision.progressing(reason, unconfirmed(gis, seen), *effects, after=after)


def no_target(gis: InferenceService, seen: Observed, ledger: Ledger, now: datetime) -> Decision | None:
    """The traffic is not touched."""
    if seen.target.version is not None:
        return None
    reason, effects = seen.target.reason or Reason.VERSION_MISSING, standing(gis, seen, ledger)
    stays = f"; {named(ledger.stable)} has all traffic meanwhile" if ledger.stable else ""
    message = clip(f"{seen.target.message}{stays}", LONGEST)
    grace = (gis.metadata.creation_timestamp or now) + GRACE - now
    if ledger.stable is None and seen.target.waits:
        return Decision.waiting(reason, message, *effects)
    if ledger.stable is None and reason in (Reason.MODEL_MISSING, Reason.VERSION_MISSING) and grace > timedelta():
        return Decision.waiting(reason, message, *effects, after=grace.total_seconds())
    return Decision.stalled(reason, message, *effects, after=_warm(ledger, now))


def quarantined(gis: InferenceService, seen: Observed, ledger: Ledger, now: datetime) -> Decision | None:
    """Whoever applies the manifest again changes nothing: Argo CD and Flux do it all the time."""
    wanted = seen.target.version
    entry = ledger.quarantine_of(wanted.digest) if wanted else None
    if wanted is None or entry is None or (ledger.stable and ledger.stable.digest == wanted.digest):
        return None
    stays = f"{named(ledger.stable)} has all traffic" if ledger.stable else "nothing is served"
    fix = f"register a version with other files, or annotate {RELEASE}={wanted.digest[:19]} to try it again"
    message = f"{named(wanted)} failed here ({entry.cause}: {entry.message}) and is not tried again; {stays}; {fix}"
    after = _warm(ledger, now)
    return Decision.stalled(
        Reason.REVISION_QUARANTINED, clip(message, LONGEST), *standing(gis, seen, ledger), after=after
    )


def served(gis: InferenceService, seen: Observed, ledger: Ledger, now: datetime) -> Decision | None:
    """The version asked for has the traffic: is it well?"""
    wanted, stable = seen.target.version, ledger.stable
    if wanted is None or stable is None or wanted.digest != stable.digest:
        return None
    effects, backend, after = standing(gis, seen, ledger), seen.backend(gis, stable), _warm(ledger, now)
    if found := trouble(backend):
        still = f"{backend.endpoints} of its pods still serve" if backend.ready else "no pod of it can take requests"
        message = clip(f"{named(stable)}: {found.message}; {still}", LONGEST)
        return Decision.stalled(found.reason, message, *effects, after=after)
    if not backend.ready:
        message = f"{named(stable)} has all traffic, and no pod of it can take requests yet"
        return Decision.waiting(Reason.NOT_AVAILABLE, message, *effects, after=after)
    if decision := _routed(gis, seen, ledger, effects, after):
        return decision
    if not backend.converged:
        message = f"a change of the spec is rolling through the pods of {named(stable)}"
        return Decision.progressing(Reason.ROLLING, message, *effects, after=after)
    if seen.unknown:
        return Decision.stalled(Reason.VERSION_MISSING, clip("; ".join(seen.unknown), LONGEST), *effects, after=after)
    if gis.spec.auth is not None and (decision := _access(gis, seen, effects)):
        return decision
    if answers := desired.fallback(gis, ledger, seen.beside):
        return _one_arm(gis, seen, answers, effects)
    if seen.readings is not None:
        return _compares(gis, seen, ledger, stable, seen.readings)
    if seen.keys is not None:
        after = min(after, KEYS_LOOKED_AT) if after is not None else KEYS_LOOKED_AT
    return Decision.settled(Reason.SERVING, f"{named(stable)} has all traffic", *effects, after=after)


def _one_arm(gis: InferenceService, seen: Observed, answers: str, effects: tuple[Effect, ...]) -> Decision:
    """One arm answers for both; its callers keep their assignment, and nobody gets a new one."""
    found = [(version, trouble(seen.backend(gis, version))) for version in seen.beside.versions]
    why = "".join(f"; {named(version)}: {problem.message}" for version, problem in found if problem)
    return Decision.waiting(Reason.ARM_DOWN, clip(f"{answers}{why}", LONGEST), *effects, after=LOOK_AGAIN)


def _access(gis: InferenceService, seen: Observed, effects: tuple[Effect, ...]) -> Decision | None:
    """Served, but is it proved that strangers are refused?"""
    found = access(gis, seen)
    if found.status is Truth.TRUE:
        return None
    message = clip(found.message, LONGEST)
    if found.status is Truth.FALSE or found.reason == proof.Access.POLICY_INVALID:
        return Decision.stalled(Reason.ACCESS_UNVERIFIED, message, *effects, after=LOOK_AGAIN)
    return Decision.progressing(Reason.ACCESS_UNVERIFIED, message, *effects, after=proof.LOOK_AGAIN)


def access(gis: InferenceService, seen: Observed) -> Verdict:
    """The condition AccessVerified."""
    wanted = desired.policies(gis, seen.parent.class_name if seen.parent else "", seen.keys)
    return proof.verified(gis.spec.auth, wanted=wanted, live=seen.policies, asked=seen.asked, keys=seen.keys)


def _compares(gis: InferenceService, seen: Observed, ledger: Ledger, a: Version, readings: Readings) -> Decision | None:
    """Two arms side by side, looked at once an interval for as long as the spec says so."""
    ab, b, interval = gis.spec.ab, seen.beside.b, gis.spec.rollout.interval
    if ab is None or b is None:
        return None
    known, effects, after = seen.memory.compared if seen.memory else None, standing(gis, seen, ledger), interval
    message = f"{named(a)} and {named(b)} share the traffic, {100 - ab.split} to {ab.split}"
    if readings.problem:
        why = clip(f"{message}, but nobody counts: {readings.problem}", LONGEST)
        return Decision.waiting(Reason.METRICS_UNAVAILABLE, why, *effects, after=after.total_seconds())
    same = known is not None and known.what == comparison.what_of(ab, a, b)
    if known is None or not same or readings.at >= known.looked + interval:
        compared = comparison.looked(known, ab, a, b, readings, alpha=float(gis.spec.rollout.alpha))
        if known is None or not same or compared.sources != known.sources:
            effects = standing(gis, seen, ledger, compared=compared)
    return Decision.settled(Reason.SERVING, message, *effects, after=after.total_seconds())


def ab_running(gis: InferenceService, seen: Observed, ledger: Ledger, now: datetime) -> Decision | None:
    """A canary would split the traffic a second time, and tell nothing about either."""
    wanted = seen.target.version
    if wanted is None or not desired.splits(gis, ledger):
        return None
    message = f"{named(wanted)} is asked for and waits: take spec.ab away, and its rollout begins"
    return Decision.waiting(Reason.AB_RUNNING, message, *standing(gis, seen, ledger), after=_warm(ledger, now))


def needs_missing(gis: InferenceService, seen: Observed, ledger: Ledger, now: datetime) -> Decision | None:
    """What the version needs and the namespace lacks; it is not watched, so look again."""
    del now
    claim, wanted = seen.before.claim_missing, seen.target.version
    if claim is None or wanted is None:
        return None
    stays = f"; {named(ledger.stable)} has all traffic meanwhile" if ledger.stable else ""
    message = f"PersistentVolumeClaim {claim!r} with the files of {named(wanted)} does not exist: restore it{stays}"
    return Decision.stalled(Reason.STORAGE_MISSING, message, *standing(gis, seen, ledger), after=LOOK_AGAIN)


def clearing(gis: InferenceService, seen: Observed, ledger: Ledger, now: datetime) -> Decision | None:
    """Two rollouts never overlap: the next waits until the predictor of the last is gone."""
    del now
    left = leftovers(gis, seen, ledger)
    if not left:
        return None
    names, effects = ", ".join(backend.name for backend in left), standing(gis, seen, ledger)
    if not believed(gis, seen, ledger):
        message = f"{names} goes when the gateway sends nothing to it any more: {unconfirmed(gis, seen)}"
        return Decision.progressing(Reason.ROUTING, message, *effects)
    message = f"waiting until KServe has let {names} go"
    return Decision.progressing(Reason.CLEARING, message, *effects, after=LOOK_AGAIN)


def frozen(gis: InferenceService, seen: Observed, ledger: Ledger, now: datetime) -> Decision | None:
    """A spent budget pays for no experiment. Going back is none: a version that had the traffic here before is let through."""
    wanted, spent = seen.target.version, [each for each in seen.levels if each.exhausted and each.action == FREEZE]
    if wanted is None or ledger.stable is None or not spent or _was_here(ledger, wanted):
        return None
    names = ", ".join(f"{each.name} (budget left: {each.remaining or 'unknown'})" for each in spent[:3])
    fix = "it begins when there is budget again, or when spec.onExhausted is None"
    message = f"{named(wanted)} waits while ServiceLevelObjective {names} has spent its budget; {fix}"
    effects = standing(gis, seen, ledger)
    return Decision.waiting(Reason.FROZEN, clip(message, LONGEST), *effects, after=_warm(ledger, now))


def _was_here(ledger: Ledger, version: Version) -> bool:
    took = (Happened.DEPLOYED, Happened.PROMOTED, Happened.SWITCHED)
    return any(entry.digest == version.digest and entry.event in took for entry in ledger.history)


def start(gis: InferenceService, seen: Observed, ledger: Ledger, now: datetime) -> Decision:
    """A candidate comes up next to the stable version; the ledger first, guarded by what was seen of it."""
    wanted = seen.target.version
    assert wanted is not None  # noqa: S101 - no_target has spoken otherwise
    begun = ledger.started(wanted, now, seen.before.by)
    beside = f" beside {named(ledger.stable)}" if ledger.stable else ""
    asked = f", asked for by {seen.before.by}" if seen.before.by else ""
    message = f"{named(wanted)} is coming up{beside}{asked}"
    reason = Reason.ROLLOUT_STARTED if ledger.stable else Reason.DEPLOYING
    return Decision.progressing(reason, message, *standing(gis, seen, begun), Note(reason, message))


def _warm(ledger: Ledger, now: datetime) -> float | None:
    """Seconds until the first warm version goes."""
    ends = [entry.until for entry in ledger.warm]
    if not ends:
        return None
    return max(0.05, (min(ends) - now).total_seconds() + 0.05)


RULES: Final[tuple[Rule, ...]] = (
    released,
    endings.failed,  # a crash needs no statistics, and waits for nothing
    no_gateway,
    endings.asked_back,  # in seconds, and without KServe
    endings.replaced,
    no_kserve,
    canary.comes_up,
    canary.withdrawn,
    canary.judged,
    unsettled,
    no_target,
    quarantined,
    served,
    needs_missing,
    ab_running,
    clearing,
    frozen,
    start,
)
