"""By which rules the counts end a rollout, and the same again later, from what the ledger has kept of it. Pure.

Promises   `again` uses the very rules by which the operator decided, on the very numbers: what it finds is equal bit for bit, or
           somebody has changed the evidence, the rules, or the arithmetic.
Never      takes what it has no evidence of for proved: what a pod showed is gone with the pod.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import isclose, sqrt
from typing import Final

from gyre.kinds.inferenceservice.ledger import WHOLE, Ground, Rollout, Ruling, Share, Version, milliseconds
from gyre.kinds.inferenceservice.model import InferenceService
from gyre.kinds.inferenceservice.policy import OnInconclusive
from gyre.kinds.inferenceservice.reasons import Reason
from gyre.kinds.inferenceservice.report import Happened
from gyre.kinds.inferenceservice.words import percent
from gyre.stats import judge
from gyre.stats.eprocess import log_rates
from gyre.stats.evidence import FLOOR_SHARES, SLOW_FLOOR, floors
from gyre.stats.judge import Counts, Evidence, Judgement, Logs, Look, Policy, Verdict, added

EVEN: Final = 1e-9
"""Logarithm of the evidence against a candidate up to which nothing speaks against it: an e-value of one."""
MOST_SHARES: Final = 64
"""There are twenty steps at the most; only somebody who goes on changing spec.rollout has more."""
CLOSE: Final = 1e-6
"""Sums over looks and over weights differ by what floats lose in some ten thousand additions, and by no more."""


def policy_of(gis: InferenceService) -> Policy:
    """Half of the way to the margin, as ratios go, is tolerated in latency: a better model may take a little longer."""
    spec = gis.spec.rollout
    return Policy(
        alpha=float(spec.alpha),
        beta=float(spec.beta),
        error_margin=float(spec.margins.error_rate),
        latency_margin=float(spec.margins.latency),
        error_floor=float(spec.margins.error_floor),
        min_requests=spec.min_requests,
        latency_tolerance=sqrt(spec.margins.latency),
        slow_floor=SLOW_FLOOR,
    )


def judgement_of(gis: InferenceService, rollout: Rollout) -> Judgement | None:
    """What the ledger's evidence says; None before the first look."""
    return judge.judge(Evidence.from_json(dict(rollout.evidence)), policy_of(gis)) if rollout.evidence else None


# ── the rules ────────────────────────────────────────────────────────────────────────────────────────────────────────


def against(rollout: Rollout, judgement: Judgement, max_bad_requests: int | None) -> Reason | None:
    """Why it is out, if it is. An outage that both versions share is nobody's fault."""
    mine, other = rollout.candidate_counts, rollout.stable
    # Simulated with an outage of both, half of all requests failing: 48 % false alarms when half of the stable version's failures
    # exculpate the candidate, none when a quarter does.
    if judge.failing_fast(mine.requests, mine.errors) and 4 * other.errors <= other.requests:
        return Reason.FAILS_FAST
    if judgement.verdict is Verdict.ROLLBACK and judgement.sample_ratio_ok:  # counts of other weights prove nothing
        return Reason.MORE_ERRORS if judgement.by == judge.ERRORS else Reason.SLOWER
    if max_bad_requests is not None and excess(rollout) > max_bad_requests:
        return Reason.BAD_REQUESTS_SPENT
    return None


def excess(rollout: Rollout) -> float:
    """Failed requests beyond those that the stable version would have failed as well."""
    mine, other = rollout.candidate_counts, rollout.stable
    usual = other.errors / other.requests if other.requests else 0.0
    return mine.errors - usual * mine.requests


def enough(rollout: Rollout, judgement: Judgement, min_requests: int) -> bool:
    """It may have more than it has: nothing speaks against it, and it was asked often enough at this weight."""
    return rollout.in_step >= min_requests and judgement.bad <= EVEN and judgement.sample_ratio_ok


def last(gis: InferenceService, rollout: Rollout) -> bool:
    return gis.spec.rollout.max_bad_requests is not None or rollout.step + 1 >= len(gis.spec.rollout.weights)


def shared(rollout: Rollout, look: Look, policy: Policy) -> tuple[Share, ...]:
    """With the counts of one more look. They are whole or they are nothing: counts of a part give no evidence again."""
    shares, mine = rollout.shares, look.candidate
    if not shares and (rollout.stable.requests or rollout.candidate_counts.requests):
        return ()  # an earlier operator has counted before
    early = tuple(max(0, count - mine.requests) for count in (mine.errors, *mine.slow))
    more = Share(rollout.weight, policy, _row(look.stable), _row(mine), early)
    if not shares or (shares[-1].weight, shares[-1].policy) != (more.weight, more.policy):
        return (*shares, more) if len(shares) < MOST_SHARES else ()
    known = shares[-1]
    stable, candidate = _sum(known.stable, more.stable), _sum(known.candidate, more.candidate)
    return (*shares[:-1], replace(known, stable=stable, candidate=candidate, early=_sum(known.early, early)))


# ── kept ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def ruling(
    gis: InferenceService,
    rollout: Rollout,
    stable: Version,
    now: datetime,
    event: Happened,
    ground: Ground,
    cause: str = "",
) -> Ruling:
    """All that the end of this rollout was computed from; its time is that of the history's entry."""
    policy = gis.spec.rollout
    return Ruling(
        at=milliseconds(now),
        event=event,
        ground=ground,
        rollout=replace(rollout, sources={}),
        against=stable,
        cause=cause,
        policy=policy_of(gis),
        judgement=judgement_of(gis, rollout),
        max_bad_requests=policy.max_bad_requests,
        last=last(gis, rollout),
        deadline=policy.deadline.total_seconds(),
        on_inconclusive=policy.on_inconclusive,
    )


# ── computed again ───────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Again:
    """What a ruling comes to when it is computed again. `equal` is None where that cannot be done; `why` says what was found."""

    equal: bool | None
    why: str


def again(kept: Ruling) -> Again:
    """The judgement from the evidence, what follows from it, and the evidence from the counts."""
    try:
        return _judged(kept) or _followed(kept)
    except (KeyError, TypeError, ValueError, IndexError, OverflowError, ZeroDivisionError) as error:
        return Again(False, f"the evidence is not what a judge writes: {type(error).__name__}: {error}")


def _judged(kept: Ruling) -> Again | None:
    """What is wrong with the judgement; None when it is the same again."""
    if not kept.rollout.evidence or kept.policy is None:
        return None if kept.judgement is None else Again(False, "there is a judgement, and no evidence that it is of")
    evidence = Evidence.from_json(dict(kept.rollout.evidence))
    found = judge.judge(evidence, kept.policy)
    sides = ((evidence.stable, kept.rollout.stable), (evidence.candidate, kept.rollout.candidate_counts))
    if any((told.requests, told.errors) != (seen.requests, seen.errors) for told, seen in sides):
        return Again(False, f"the evidence is of {evidence.candidate}, and {kept.rollout.candidate_counts} was counted")
    if found != kept.judgement:
        return Again(False, f"the evidence gives {_told(found)}, and {_told(kept.judgement)} was written down")
    return _counted(kept, evidence)


def _counted(kept: Ruling, evidence: Evidence) -> Again | None:
    """The evidence is a sum over requests, so the counts at each weight give it again, but for what floats lose."""
    shares = kept.rollout.shares
    if not shares:
        return None
    fresh = Evidence.start(len(kept.rollout.edges))
    for share in shares:
        look = Look(share.weight / WHOLE, _counts(share.stable), _counts(share.candidate))
        floor = _floor(fresh.floor, share)
        fresh = replace(judge.updated(fresh, look, share.policy), floor=floor)
    for told, found in ((evidence.stable, fresh.stable), (evidence.candidate, fresh.candidate)):
        if told != found:
            return Again(
                False, f"the counts at each weight add up to {_row(found)}, and the evidence is of {_row(told)}"
            )
    pairs = zip(_numbers(fresh), _numbers(evidence), strict=True)
    if not all(isclose(one, other, rel_tol=CLOSE, abs_tol=CLOSE) for one, other in pairs):
        return Again(False, "the counts at each weight give other evidence than was written down")
    return None


def _floor(before: Sequence[Logs], share: Share) -> tuple[Logs, ...]:
    """Failures that came early were taken for as many requests."""
    asked, failed = share.candidate[0], share.candidate[1:]
    rows = zip(before, failed, share.early, floors(share.policy, len(failed) - 1), strict=True)
    return tuple(
        added(sums, log_rates(x, asked + early, [part * rate for part in FLOOR_SHARES], rate)) if rate else sums
        for sums, x, early, rate in rows
    )


def _followed(kept: Ruling) -> Again:
    """What the rules make of a judgement that is the same again."""
    if kept.ground is Ground.PODS:
        return Again(
            None, f"{kept.cause} is what its pods showed, and they are gone: nothing of it can be computed again"
        )
    if kept.ground is Ground.DEADLINE:
        return _overdue(kept)
    if kept.judgement is None or kept.policy is None:
        return Again(False, "it is said to follow from evidence, and there is none")
    cause = against(kept.rollout, kept.judgement, kept.max_bad_requests)
    ready = enough(kept.rollout, kept.judgement, kept.policy.min_requests) and kept.last
    promoted = cause is None and ready and kept.judgement.verdict is Verdict.PROMOTE
    event = Happened.ROLLED_BACK if cause else Happened.PROMOTED if promoted else None
    if event is not kept.event or (cause.value if cause else "") != kept.cause:
        return Again(
            False, f"the rules give {event or 'nothing'} {cause or ''}, and {kept.event} {kept.cause} was done"
        )
    return Again(True, f"{_told(kept.judgement)}; {_from(kept)}")


def _overdue(kept: Ruling) -> Again:
    wanted = {OnInconclusive.ROLLBACK: Happened.ROLLED_BACK, OnInconclusive.PROMOTE: Happened.PROMOTED}
    end = kept.rollout.started + timedelta(seconds=kept.deadline)
    if kept.at < end:
        return Again(False, f"its deadline was {end.isoformat()}, which had not come yet")
    if wanted.get(kept.on_inconclusive) is not kept.event:
        return Again(False, f"onInconclusive was {kept.on_inconclusive}, and {kept.event} was done")
    return Again(True, f"undecided at {end.isoformat()}, and onInconclusive was {kept.on_inconclusive}; {_from(kept)}")


def _from(kept: Ruling) -> str:
    if not kept.rollout.shares:
        return "the counts at each weight were not kept, so the evidence itself is taken as it is"
    weights = ", ".join(percent(share.weight) for share in kept.rollout.shares)
    return f"the evidence from the counts at {weights}"


def _told(judgement: Judgement | None) -> str:
    if judgement is None:
        return "no judgement"
    return (
        f"{judgement.verdict} by {judgement.by}, log e-values {judgement.bad!r} against and {judgement.good!r} for it"
    )


def _row(counts: Counts) -> tuple[int, ...]:
    return (counts.requests, counts.errors, *counts.slow)


def _counts(row: Sequence[int]) -> Counts:
    return Counts(row[0], row[1], tuple(row[2:]))


def _sum(one: Sequence[int], more: Sequence[int]) -> tuple[int, ...]:
    return tuple(a + b for a, b in zip(one, more, strict=True))


def _numbers(evidence: Evidence) -> list[float]:
    tables = (*evidence.worse, *evidence.fine, *evidence.floor, evidence.ratio)
    return [value for row in tables for value in row]
