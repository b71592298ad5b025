"""What to say of a Model's versions. Pure. Versions own themselves to it; what it does by itself is in `doings.py`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Final, TypeAlias

from gyre.adapters.ranking import leader, turns
from gyre.api.kind import Decision
from gyre.kinds.model import doings
from gyre.kinds.model.desired import job_name
from gyre.kinds.model.model import Model
from gyre.kinds.model.observe import Observed
from gyre.kinds.model.reasons import Reason
from gyre.kinds.model.standing import champion_of, ledger_of, withdrawn

Rule: TypeAlias = Callable[[Model, Observed], Decision | None]


def decide(model: Model, seen: Observed, now: datetime) -> Decision:
    """The first rule that has something to say of the versions wins; the last one always has."""
    said = next(found for rule in RULES if (found := rule(model, seen)) is not None)
    return doings.done(model, seen, now, said)


def no_version(model: Model, seen: Observed) -> Decision | None:
    """An empty Model is a finished one: what waits for it in a sync wave must be able to fill it."""
    if seen.versions:
        return None
    return Decision.settled(
        Reason.NO_VERSION, f"no version yet: the first TrainingJob with spec.model.name {model.name!r} registers one"
    )


def metric_unknown(model: Model, seen: Observed) -> Decision | None:
    """An objective that no version can meet is a slip of the pen, or a program that reports too little."""
    objective = model.spec.objective
    if objective is None or any(objective.metric in version.metrics for version in seen.versions):
        return None
    reported = sorted({name for version in seen.versions for name in version.metrics})
    they = f"they report {', '.join(reported[:10])}" if reported else "they report none at all"
    return Decision.stalled(
        Reason.METRIC_UNKNOWN,
        f"no version reports {objective.metric!r}; {they}: fix spec.objective.metric, or report it in the training program",
    )


def versioned(model: Model, seen: Observed) -> Decision:
    count = len(seen.versions)
    latest = f", the latest is {seen.latest.name}" if seen.latest else ""
    first = best(model, seen)
    ranked = f", the best is {first[0]}" if first else ""
    counted = f"{count} version{'' if count == 1 else 's'}{latest}{ranked}"
    return Decision.settled(Reason.VERSIONED, f"{counted}{_gone_back(model, seen)}{_training(model, seen)}")


def _gone_back(model: Model, seen: Observed) -> str:
    """Why the champion is not the best."""
    ledger = ledger_of(seen)
    out, speaks = withdrawn(ledger, seen), champion_of(model, seen, ledger)
    return f"; {out[0].version} was taken back, so the champion is {speaks.name}" if out and speaks else ""


def _training(model: Model, seen: Observed) -> str:
    last = ledger_of(seen).last
    runs = last is not None and not last.outcome
    return f"; TrainingJob {job_name(model.name, last.number)} trains it anew ({last.trigger})" if last and runs else ""


def best(model: Model, seen: Observed) -> tuple[str, Decimal] | None:
    """(version, value) of the one that the objective ranks first, ready or not, taken back or not."""
    objective = model.spec.objective
    if objective is None:
        return None
    first = leader(turns(seen.versions, objective.metric, objective.goal))
    return (first.name, first.metrics[objective.metric]) if first else None


RULES: Final[tuple[Rule, ...]] = (
    no_version,
    metric_unknown,
    versioned,
)
