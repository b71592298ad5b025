"""How weights, evidence and versions are said to people. Pure."""

from __future__ import annotations

from datetime import timedelta
from math import exp

from gyre.adapters.versions import short
from gyre.kinds.inferenceservice.ledger import WHOLE, Rollout, Version
from gyre.stats.judge import Judgement

LONGEST_ETA = timedelta(days=999)


def percent(weight: int) -> str:
    """Of 1000: `10%`, `12.5%`."""
    return f"{weight / 10:g}%"


def named(version: Version) -> str:
    """`flights-late-222d7407 (222d7407d6c1)`."""
    return f"{version.name} ({short(version.digest)})"


def e_value(log: float) -> str:
    """Of its logarithm, as short as it can be: `0.4`, `13`; all beyond a thousand is `999`."""
    value = exp(min(log, 20.0))
    return "999" if value > 999 else f"{value:.0f}" if value >= 9.95 else f"{value:.1f}"


def summary(judgement: Judgement) -> str:
    """`bad 0.4/20 good 13/20`."""
    bad, good = e_value(judgement.bad), e_value(judgement.good)
    return f"bad {bad}/{e_value(judgement.bad_threshold)} good {good}/{e_value(judgement.good_threshold)}"


def rate(rollout: Rollout) -> float:
    """Requests to the service in a second, both versions together, at this weight; 0 before the first look at it."""
    if rollout.counting is None or rollout.looked is None or rollout.looked <= rollout.counting or not rollout.weight:
        return 0.0
    return rollout.in_step * WHOLE / rollout.weight / (rollout.looked - rollout.counting).total_seconds()


def eta(rollout: Rollout, judgement: Judgement) -> timedelta | None:
    """Until the judge has as many requests as it needs, at the present traffic; None when nobody can tell."""
    speed = rate(rollout)
    if judgement.needed_requests is None or speed == 0:
        return None
    left = judgement.needed_requests / speed
    if left >= LONGEST_ETA.total_seconds():
        return None
    rough = 1 if left < 60 else 10 if left < 600 else 60
    return timedelta(seconds=round(left / rough) * rough)


def counted(rollout: Rollout) -> str:
    """`12 of 240 requests failed, beside 10 of 2160`."""
    mine, other = rollout.candidate_counts, rollout.stable
    return f"{mine.errors} of {mine.requests} requests failed, beside {other.errors} of {other.requests}"
