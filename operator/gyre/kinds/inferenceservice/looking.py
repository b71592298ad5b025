"""One look at the counts of a candidate: what has been answered since the last, what it proves, and what follows. Pure.

In this order: a verdict against it, whatever else is true; then what forbids to trust the counts; then a verdict for it; then
the deadline; then a larger share. The counts of every look are written into the ledger together with what follows from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from gyre.api.effects import Effect, Note
from gyre.api.kind import Decision, Outcome
from gyre.api.terms import clip
from gyre.kinds.inferenceservice import counting, endings, memory, rulings
from gyre.kinds.inferenceservice.counting import Readings
from gyre.kinds.inferenceservice.ledger import WHOLE, Ground, Ledger, Rollout, milliseconds
from gyre.kinds.inferenceservice.model import InferenceService
from gyre.kinds.inferenceservice.observe import Observed
from gyre.kinds.inferenceservice.reasons import Reason
from gyre.kinds.inferenceservice.rulings import judgement_of, policy_of
from gyre.kinds.inferenceservice.standing import standing
from gyre.kinds.inferenceservice.words import counted, named, percent, rate, summary
from gyre.stats import judge
from gyre.stats.judge import Evidence, Judgement, Verdict

LONGEST: Final = 900
FIRST_SHARE: Final = 10
"""Of WHOLE, with maxBadRequests: before anything is known."""
LARGEST_SHARE: Final = WHOLE // 2
WORTH_IT: Final = 1.25
"""A new weight begins a new count, so it should be larger by so much at least."""


@dataclass(frozen=True, slots=True)
class Held:
    """Why the candidate gets no more traffic than it has, whatever the counts say."""

    reason: Reason
    message: str
    outcome: Outcome = Outcome.WAITING

    def decision(self, *effects: Effect, after: float) -> Decision:
        return Decision(self.outcome, self.reason, clip(self.message, LONGEST), effects, after)


def first_weight(gis: InferenceService) -> int:
    return FIRST_SHARE if gis.spec.rollout.max_bad_requests else gis.spec.rollout.weights[0] * WHOLE // 100


def stepped(
    gis: InferenceService,
    seen: Observed,
    ledger: Ledger,
    now: datetime,
    *,
    step: int,
    weight: int,
    series: tuple[Mapping[str, Any], ...] | None = None,
) -> Decision:
    """A larger share. With the first one the plot of the evidence begins anew."""
    after = ledger.weighted(step, weight, now)
    rollout = after.rollout
    assert rollout is not None  # noqa: S101 - it was given a weight
    message = f"{named(rollout.candidate)} gets {percent(weight)} of the traffic{_place(gis, step)}"
    effects = standing(gis, seen, after, series=() if step == 0 else series)
    return Decision.progressing(Reason.STEP_REACHED, message, *effects, Note(Reason.STEP_REACHED, message))


def _place(gis: InferenceService, step: int) -> str:
    return "" if gis.spec.rollout.max_bad_requests else f" (step {step + 1} of {len(gis.spec.rollout.weights)})"


def said(
    gis: InferenceService,
    seen: Observed,
    ledger: Ledger,
    now: datetime,
    held: Held | None,
    *,
    after: float,
    series: tuple[Mapping[str, Any], ...] | None = None,
) -> Decision:
    """How it stands between two looks: what is known already says the same as when it was looked at."""
    rollout, stable = ledger.rollout, ledger.stable
    assert rollout is not None  # noqa: S101 - asked by whoever calls
    assert stable is not None  # noqa: S101 - a first version is not judged
    judgement = judgement_of(gis, rollout)
    distrusted = _distrusted(gis, rollout) if judgement is not None and not judgement.sample_ratio_ok else None
    against = distrusted or held
    if decision := endings.overdue(gis, seen, ledger, now, blind=against.message if against else "", series=series):
        return decision
    effects = standing(gis, seen, ledger, series=series)
    if against is not None:
        return against.decision(*effects, after=after)
    share = f"{percent(rollout.weight)} of the traffic{_place(gis, rollout.step)}"
    message = f"{named(rollout.candidate)} has {share} and is compared with {named(stable)}"
    return Decision.progressing(Reason.JUDGING, message, *effects, after=after)


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look has found: the ledger with the new counts, and what they say."""

    ledger: Ledger
    rollout: Rollout
    judgement: Judgement
    series: tuple[Mapping[str, Any], ...]


def look(
    gis: InferenceService, seen: Observed, ledger: Ledger, now: datetime, readings: Readings, held: Held | None
) -> Decision:
    interval = gis.spec.rollout.interval.total_seconds()
    found = _taken(gis, seen, ledger, readings)
    if found is None:
        return _silence(gis, seen, ledger, now, after=interval)
    if isinstance(found, str):
        return uncounted(gis, seen, ledger, now, found)
    ledger, rollout, judgement = found.ledger, found.rollout, found.judgement
    if against := _against(gis, rollout, judgement):
        return endings.rolled_back(gis, seen, ledger, now, *against, ground=Ground.EVIDENCE, series=found.series)
    if held is None and rulings.enough(rollout, judgement, gis.spec.rollout.min_requests):
        if judgement.verdict is Verdict.PROMOTE and rulings.last(gis, rollout):
            why = f"not as bad as the margins ({summary(judgement)}); {counted(rollout)}"
            return endings.promoted(gis, seen, ledger, now, why, ground=Ground.EVIDENCE, series=found.series)
        more = _more(gis, rollout)
        if more and now < rollout.started + gis.spec.rollout.deadline:
            return stepped(gis, seen, ledger, now, step=rollout.step + 1, weight=more, series=found.series)
    return said(gis, seen, ledger, now, held, after=interval, series=found.series)


def uncounted(gis: InferenceService, seen: Observed, ledger: Ledger, now: datetime, problem: str) -> Decision:
    """Some counts are missing: the weights stay, nothing is taken for evidence, and what is missing comes with the next look."""
    if decision := endings.overdue(gis, seen, ledger, now, blind=problem):
        return decision
    message = clip(f"the weights stay while counts are missing: {problem}", LONGEST)
    after = gis.spec.rollout.interval.total_seconds()
    return Decision.waiting(Reason.METRICS_UNAVAILABLE, message, *standing(gis, seen, ledger), after=after)


def _taken(gis: InferenceService, seen: Observed, ledger: Ledger, readings: Readings) -> Looked | str | None:
    """The counts since the last look added to the evidence; None when nobody asked for anything in between, a text when some
    counts are missing."""
    rollout = ledger.rollout
    assert rollout is not None  # noqa: S101 - asked by whoever calls
    new = counting.between(rollout, readings)
    if new.sources == dict(rollout.sources):
        return None
    if new.problem:
        return new.problem
    policy = policy_of(gis)
    taken = judge.Look(rollout.weight / WHOLE, new.stable, new.candidate)
    evidence = judge.updated(Evidence.from_json(dict(rollout.evidence)), taken, policy)
    after = ledger.with_rollout(
        looked=milliseconds(readings.at),
        sources=new.sources,
        evidence=evidence.to_json(),
        stable=rollout.stable.plus(new.stable.requests, new.stable.errors),
        candidate_counts=rollout.candidate_counts.plus(new.candidate.requests, new.candidate.errors),
        in_step=rollout.in_step + new.candidate.requests,
        shares=rulings.shared(rollout, taken, policy),
    )
    judgement, looked = judge.judge(evidence, policy), after.rollout
    assert looked is not None  # noqa: S101 - it had one
    before = seen.memory.series if seen.memory else ()
    return Looked(after, looked, judgement, memory.added(before, _point(looked, judgement)))


def _point(rollout: Rollout, judgement: Judgement) -> dict[str, Any]:
    """For the plot: e-values as logarithms, counts since the rollout began."""
    looked = rollout.looked or rollout.started
    return {
        "t": looked.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "weight": rollout.weight / WHOLE,
        "bad": round(judgement.bad, 4),
        "good": round(judgement.good, 4),
        "requests": rollout.candidate_counts.requests,
        "errors": rollout.candidate_counts.errors,
        "stableRequests": rollout.stable.requests,
        "stableErrors": rollout.stable.errors,
    }


def _against(gis: InferenceService, rollout: Rollout, judgement: Judgement) -> tuple[Reason, str] | None:
    """Why it is out, if it is, as a word and as people read it."""
    budget = gis.spec.rollout.max_bad_requests
    cause = rulings.against(rollout, judgement, budget)
    if cause is None or cause is Reason.FAILS_FAST:
        return (cause, counted(rollout)) if cause else None
    if cause is Reason.BAD_REQUESTS_SPENT:
        return cause, f"{counted(rollout)}; maxBadRequests is {budget}"
    return cause, f"{summary(judgement)} by {judgement.by}; {counted(rollout)}"


def _distrusted(gis: InferenceService, rollout: Rollout) -> Held:
    """Counts that do not fit the weights say nothing about the versions: a wrong route, or counters of something else."""
    total = rollout.stable.requests + rollout.candidate_counts.requests
    share = rollout.candidate_counts.requests / total if total else 0.0
    why = f"{named(rollout.candidate)} should have {percent(rollout.weight)} of the requests and has had {share:.0%} so far"
    fix = f"look for another route to host {gis.host}, or for callers that go round the Gateway"
    return Held(Reason.WEIGHTS_NOT_HONOURED, clip(f"{why}: nothing is judged; {fix}", LONGEST))


def _silence(gis: InferenceService, seen: Observed, ledger: Ledger, now: datetime, *, after: float) -> Decision:
    """Nothing came in between, so there is nothing to write down."""
    rollout = ledger.rollout
    assert rollout is not None  # noqa: S101 - asked by whoever calls
    if decision := endings.overdue(gis, seen, ledger, now, blind="no requests come"):
        return decision
    message = (
        f"{named(rollout.candidate)} has {percent(rollout.weight)} of the traffic, but no requests come to {gis.host}"
    )
    return Decision.progressing(Reason.JUDGING, message, *standing(gis, seen, ledger), after=after)


def _more(gis: InferenceService, rollout: Rollout) -> int | None:
    """The next share, of WHOLE; None when there is none, or none that is worth a new count."""
    budget, spec = gis.spec.rollout.max_bad_requests, gis.spec.rollout
    if budget is None:
        following = spec.weights[rollout.step + 1 :]
        return following[0] * WHOLE // 100 if following else None
    left = max(0, round(budget - max(0.0, rulings.excess(rollout))))
    evidence = Evidence.from_json(dict(rollout.evidence))
    share = judge.next_weight(evidence, policy_of(gis), left, rate(rollout), spec.interval.total_seconds())
    wanted = min(LARGEST_SHARE, int(share * WHOLE))
    return wanted if wanted >= WORTH_IT * rollout.weight else None
