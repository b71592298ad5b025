"""The status of an InferenceService: its conditions as a table, and what its ledger tells. Pure.

Nothing here is computed from the present time: while a candidate is judged a status changes with every look, else only when
something happens, so a settled service writes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from gyre.adapters.versions import short
from gyre.api.conditions import Row, Verdict, merge, no, report, unknown, yes
from gyre.api.kind import Decision
from gyre.api.outcomes import standard
from gyre.kinds.inferenceservice import comparison, desired, logged
from gyre.kinds.inferenceservice.decide import access
from gyre.kinds.inferenceservice.experiments import AbReport
from gyre.kinds.inferenceservice.ledger import Entry, Ledger, Rollout
from gyre.kinds.inferenceservice.model import InferenceService
from gyre.kinds.inferenceservice.observe import Observed
from gyre.kinds.inferenceservice.reasons import Reason
from gyre.kinds.inferenceservice.report import (
    MAX_HISTORY,
    MAX_QUARANTINED,
    Canary,
    Counted,
    InferenceServiceStatus,
    Judged,
    Past,
    Quarantined,
    Served,
    Warm,
)
from gyre.kinds.inferenceservice.rulings import judgement_of
from gyre.kinds.inferenceservice.standing import believed, unconfirmed
from gyre.kinds.inferenceservice.troubles import trouble
from gyre.kinds.inferenceservice.words import e_value, eta, named, percent, summary
from gyre.stats.judge import Judgement


@dataclass(frozen=True, slots=True)
class Facts:
    gis: InferenceService
    seen: Observed

    @property
    def ledger(self) -> Ledger:
        return self.seen.ledger or Ledger()

    @property
    def judgement(self) -> Judgement | None:
        rollout = self.ledger.rollout
        return judgement_of(self.gis, rollout) if rollout else None


def available(facts: Facts) -> Verdict | None:
    """Traffic is served, by whatever version; the newest weights may be on their way."""
    stable, seen = facts.ledger.stable, facts.seen
    if stable is None:
        return no(Reason.DEPLOYING, "no version has taken the traffic yet")
    if seen.route is None:
        return no(Reason.ROUTING, "there is no route yet")
    backend = seen.backend(facts.gis, stable)
    if not backend.ready:
        found = trouble(backend)
        return no(found.reason if found else Reason.NOT_AVAILABLE, found.message if found else "no pod is ready")
    return yes(Reason.SERVING, f"{named(stable)} takes requests")


def route_programmed(facts: Facts) -> Verdict | None:
    if not facts.ledger.weights:
        return None
    if believed(facts.gis, facts.seen, facts.ledger):
        shares = ", ".join(f"{version.name} {percent(share)}" for version, share in facts.ledger.weights)
        return yes(Reason.SERVING, shares)
    return no(Reason.ROUTING, unconfirmed(facts.gis, facts.seen))


def canary_healthy(facts: Facts) -> Verdict | None:
    rollout = facts.ledger.rollout
    if rollout is None:
        return None
    backend = facts.seen.backend(facts.gis, rollout.candidate)
    if found := trouble(backend):
        return no(found.reason, found.message)
    if not backend.ready:
        return unknown(Reason.ROLLOUT_STARTED, "none of its pods is ready yet")
    return yes(Reason.JUDGING, f"{backend.endpoints} of its pods take requests")


def metrics_available(facts: Facts) -> Verdict | None:
    readings = facts.seen.readings
    if readings is None:
        return None
    if readings.problem:
        return no(Reason.METRICS_UNAVAILABLE, readings.problem)
    rollout = facts.ledger.rollout
    if rollout and rollout.timed_by and not rollout.edges:
        told = (
            "the gateway; latency is not judged: no bound of its histogram, from "
            "spec.rollout.margins.latencyFloor on, tells slow answers; a lower floor would count in the next rollout"
        )
    else:
        told = "the gateway; latency by the predictors" if readings.servers else "the gateway"
    return yes(Reason.JUDGING, f"requests are counted by {told}")


def weights_honoured(facts: Facts) -> Verdict | None:
    judgement = facts.judgement
    if judgement is None:
        return None
    if judgement.sample_ratio_ok:
        return yes(Reason.JUDGING, "the requests are split as the weights say")
    return no(Reason.WEIGHTS_NOT_HONOURED, "the requests are not split as the weights say")


CONDITIONS: Final = (
    #   type              what was seen → verdict   None means
    Row[Facts]("Available", available, "gyre has not looked at the service yet"),
    Row[Facts]("RouteProgrammed", route_programmed, "no version has taken the traffic yet"),
    Row[Facts]("CanaryHealthy", canary_healthy, "no version is being rolled out"),
    Row[Facts]("MetricsAvailable", metrics_available, "nothing is being judged, so nobody is asked"),
    Row[Facts]("WeightsHonoured", weights_honoured, "nothing is being judged"),
    Row[Facts]("AccessVerified", lambda facts: access(facts.gis, facts.seen), "spec.auth is not set"),
    Row[Facts]("LogHealthy", lambda facts: logged.healthy(facts.gis, facts.seen.log), "spec.log is not set"),
)


def summarize(gis: InferenceService, seen: Observed, decision: Decision, now: datetime) -> dict[str, Any]:
    facts = Facts(gis, seen)
    conditions = (*standard(decision, gis.generation), *report(CONDITIONS, facts, gis.generation))
    ledger, gateway, stable = facts.ledger, seen.gateway, facts.ledger.stable
    _, _, listener = desired.through(gis)
    return InferenceServiceStatus(
        observed_generation=gis.generation,
        conditions=merge(gis.status.conditions, conditions, now),
        url=gateway.url(gis.host, listener) if gateway else None,
        address=gateway.address or None if gateway else None,
        replicas=seen.backend(gis, stable).endpoints if stable else None,
        stable=Served(version=stable.name, digest=stable.digest, since=ledger.since) if stable else None,
        canary=_canary(gis, ledger.rollout) if ledger.rollout else None,
        evidence=_judged(ledger.rollout, facts.judgement) if ledger.rollout else None,
        warm=tuple(
            Warm(version=entry.version.name, digest=entry.version.digest, until=entry.until) for entry in ledger.warm
        ),
        quarantined=tuple(
            Quarantined(
                digest=entry.digest, version=entry.version, time=entry.at, cause=entry.cause, message=entry.message
            )
            for entry in reversed(ledger.quarantined[-MAX_QUARANTINED:])
        ),
        ab=_arms(gis, seen, ledger),
        log=logged.report(gis, seen.log),
        history=tuple(_past(entry) for entry in reversed(ledger.history[-MAX_HISTORY:])),
    ).to_dict()


def _canary(gis: InferenceService, rollout: Rollout) -> Canary:
    steps = gis.spec.rollout.weights
    of = "by maxBadRequests" if gis.spec.rollout.max_bad_requests else f"{rollout.step + 1} of {len(steps)}"
    return Canary(
        version=rollout.candidate.name,
        digest=rollout.candidate.digest,
        started=rollout.started,
        weight=percent(0 if rollout.withdrawn else rollout.weight),
        step=of,
        requests=rollout.in_step,
    )


def _judged(rollout: Rollout, judgement: Judgement | None) -> Judged | None:
    if judgement is None or rollout.looked is None:
        return None
    return Judged(
        summary=summary(judgement),
        bad=e_value(judgement.bad),
        good=e_value(judgement.good),
        by=judgement.by,
        eta=eta(rollout, judgement),
        stable=Counted(requests=rollout.stable.requests, errors=rollout.stable.errors),
        canary=Counted(requests=rollout.candidate_counts.requests, errors=rollout.candidate_counts.errors),
        as_of=rollout.looked,
    )


def _arms(gis: InferenceService, seen: Observed, ledger: Ledger) -> AbReport | None:
    a, b = ledger.stable, seen.beside.b
    if a is None or b is None or not desired.splits(gis, ledger):
        return None
    compared = seen.memory.compared if seen.memory else None
    return comparison.report(compared, a, b, alpha=float(gis.spec.rollout.alpha))


def _past(entry: Entry) -> Past:
    return Past(
        time=entry.at,
        event=entry.event,
        version=entry.version,
        digest=short(entry.digest),
        by=entry.by,
        why=entry.why,
    )
