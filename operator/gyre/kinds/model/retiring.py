"""Whether a Model's time is over. It is said, and nothing is deleted. Pure.

How long something has lasted is remembered in the ledger: an object that is gone leaves no trace of when it went.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from gyre.api.objective import Goal
from gyre.kinds.model.ledger import Ledger, seconds
from gyre.kinds.model.model import Model
from gyre.kinds.model.observe import Observed
from gyre.kinds.model.policy import Criterion, RetireRule
from gyre.kinds.model.standing import champion_of
from gyre.kinds.model.told import Judged, Met, Retirement


def remembered(model: Model, seen: Observed, ledger: Ledger, now: datetime) -> tuple[Ledger, tuple[float, ...]]:
    """The ledger with what began or ended, and the seconds until a criterion is met by time alone."""
    rules = model.spec.retire.criteria if model.spec.retire else ()
    if not rules:
        return replace(ledger, unused=None, replaced=None), ()
    unused = None if used(seen) else ledger.unused or seconds(now)
    others = [rule.by for rule in rules if rule.type is Criterion.REPLACED_FOR]
    replaced = (ledger.replaced or seconds(now)) if any(seen.replacements.get(name or "") for name in others) else None
    after = replace(ledger, unused=unused, replaced=replaced)
    ends = [
        (since + rule.after - now).total_seconds() for rule in rules if rule.after and (since := _since(rule, after))
    ]
    return after, tuple(left + 0.05 for left in ends if left > 0)


def retirement(model: Model, seen: Observed, ledger: Ledger, now: datetime) -> Retirement | None:
    if model.spec.retire is None:
        return None
    judged = tuple(_judged(rule, model, seen, ledger, now) for rule in model.spec.retire.criteria)
    return Retirement(due=_due(judged), criteria=judged)


def used(seen: Observed) -> bool:
    return any(version.in_use_by for version in seen.versions) or any(service.stable for service in seen.services)


def _due(judged: Sequence[Judged]) -> Met:
    found = {each.met for each in judged}
    return next((met for met in (Met.YES, Met.UNKNOWN) if met in found), Met.NO)


def _since(rule: RetireRule, ledger: Ledger) -> datetime | None:
    return ledger.unused if rule.type is Criterion.UNUSED else ledger.replaced


def _judged(rule: RetireRule, model: Model, seen: Observed, ledger: Ledger, now: datetime) -> Judged:
    if rule.type is Criterion.WORSE_THAN:
        return _worse(rule, model, seen, ledger)
    if rule.type is Criterion.REPLACED_FOR and (rule.by or "") not in seen.replacements:
        fix = "create it or fix spec.retire.criteria"
        return Judged(type=rule.type, met=Met.UNKNOWN, message=f"Model {rule.by!r} does not exist: {fix}")
    since, what = (
        _since(rule, ledger),
        "nobody needs a version" if rule.type is Criterion.UNUSED else f"Model {rule.by} is in use",
    )
    if since is None or rule.after is None:
        return Judged(
            type=rule.type,
            met=Met.NO,
            message="somebody needs one" if rule.type is Criterion.UNUSED else "it is not in use",
        )
    met = Met.YES if now >= since + rule.after else Met.NO
    return Judged(type=rule.type, met=met, message=f"{what} since {since.strftime('%Y-%m-%d %H:%M UTC')}")


def _worse(rule: RetireRule, model: Model, seen: Observed, ledger: Ledger) -> Judged:
    objective, leader = model.spec.objective, champion_of(model, seen, ledger)
    value = leader.metrics.get(objective.metric) if objective and leader else None
    if objective is None or leader is None or value is None or rule.value is None:
        fix = "give spec.objective, and report its metric in the training program"
        return Judged(type=rule.type, met=Met.UNKNOWN, message=f"there is no champion with a metric: {fix}")
    worse = value < rule.value if objective.goal is Goal.MAXIMIZE else value > rule.value
    message = f"{objective.metric} of champion {leader.name} is {value}, the limit {rule.value}"
    return Judged(type=rule.type, met=Met.YES if worse else Met.NO, message=message)
