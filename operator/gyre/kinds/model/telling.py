"""What a Model's status tells of its own doings, from its ledger. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from gyre.adapters.expressions import Unusable as BadRule
from gyre.adapters.pods import moment
from gyre.adapters.ranking import Turn
from gyre.adapters.schedules import Unusable as BadSchedule
from gyre.adapters.versions import ModelVersionView, headline, short
from gyre.kinds.model import desired, gates
from gyre.kinds.model.calls import Call, next_call
from gyre.kinds.model.ledger import Ledger, Withdrawn
from gyre.kinds.model.model import Model, Past
from gyre.kinds.model.observe import Observed
from gyre.kinds.model.policy import Retrain
from gyre.kinds.model.told import Retraining, RolledBack, Suppressed, Worth


def retraining(model: Model, seen: Observed, ledger: Ledger, now: datetime) -> Retraining | None:
    retrain, last = model.spec.retrain, ledger.last
    if retrain is None and last is None:
        return None
    return Retraining(
        last_trigger=last.trigger[:140] if last else None,
        last_why=last.why if last else None,
        last_job=desired.job_name(model.name, last.number) if last else None,
        last_outcome=(last.outcome or "Running") if last else None,
        last_time=last.at if last else None,
        count=ledger.count,
        next=_next(retrain, now) if retrain else None,
        worth=_worth(retrain, seen) if retrain else None,
        suppressed=tuple(
            Suppressed(trigger=each.trigger[:140], reason=each.reason, message=each.message, at=each.at)
            for each in reversed(ledger.suppressed)
        ),
    )


def _next(retrain: Retrain, now: datetime) -> datetime | None:
    try:
        return next_call(retrain, now)
    except (BadSchedule, BadRule):
        return None


def _worth(retrain: Retrain, seen: Observed) -> Worth | None:
    """Both sides of the sum, for the monitor that tells the largest impact."""
    if retrain.worth_it is None:
        return None
    telling = [view for view in seen.monitors if view.drifted and view.impact is not None]
    view = max(telling, key=lambda each: each.impact or 0.0, default=None)
    found = gates.worth(retrain, seen, Call("", "", "", view))
    same = found.cost_currency == retrain.worth_it.currency
    return Worth(recovered=found.recovered, cost=found.cost if same else None, currency=retrain.worth_it.currency)


def rolled_back(active: Sequence[Withdrawn]) -> tuple[RolledBack, ...]:
    return tuple(
        RolledBack(version=each.version, to=each.to, time=each.at, by=each.by, why=each.why) for each in active
    )


def outranked(model: Model, met: Sequence[Turn]) -> Iterator[tuple[ModelVersionView, Past]]:
    """Versions of retrainings that were no better than the champion of their time: no service has ever seen them."""
    for turn in met:
        version = turn.version
        if not turn.leads and version.run.startswith(f"{model.name}-retrain-"):
            why, by = f"{turn.why}: it is not served", f"TrainingJob/{version.run}"
            yield version, Past(version=version.name, event="Outranked", time=moment(version.time), by=by, why=why)


def registered(version: ModelVersionView, metric: str | None, turn: Turn | None) -> Past:
    """With what speaks for it: its figure, beside that of the version that spoke for the Model, where it measured both."""
    beside = version.compared
    why = turn.why if turn and beside and metric and version.on_same_rows(metric) else headline(version.metrics, metric)
    if beside is not None and beside.problem:
        unmeasured = f"{beside.version} was not measured on the same rows: {beside.problem}"
        why = f"{why}; {unmeasured}" if why else unmeasured
    return Past(
        version=version.name,
        event="Registered",
        digest=short(version.digest) or None,
        time=moment(version.time),
        by=f"TrainingJob/{version.run}" if version.run else None,
        why=why or None,
    )
