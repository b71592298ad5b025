"""Who speaks for the Model: its champion, with what was taken back, and what it may go back to. Pure."""

from __future__ import annotations

from gyre.adapters.pods import moment
from gyre.adapters.ranking import Withdrawal, champion
from gyre.adapters.versions import ModelVersionView
from gyre.kinds.model.ledger import Ledger, Withdrawn
from gyre.kinds.model.model import Model
from gyre.kinds.model.observe import Observed

TOOK = ("Deployed", "Promoted", "Switched")
"""Events of a service after which a version has the traffic."""


def ledger_of(seen: Observed) -> Ledger:
    return (seen.memory.ledger if seen.memory else None) or Ledger()


def withdrawn(ledger: Ledger, seen: Observed) -> tuple[Withdrawn, ...]:
    """What is still taken back, newest first: whom a person releases from quarantine may be the champion again."""
    released = [
        (line.version, moment(line.time))
        for service in seen.services
        for line in service.happenings
        if line.event == "Released"
    ]
    return tuple(
        each
        for each in reversed(ledger.withdrawn)
        if not any(name == each.version and time is not None and time > each.at for name, time in released)
    )


def champion_of(model: Model, seen: Observed, ledger: Ledger) -> ModelVersionView | None:
    objective = model.spec.objective
    back = [
        Withdrawal(each.version, each.to, each.at.strftime("%Y-%m-%dT%H:%M:%SZ")) for each in withdrawn(ledger, seen)
    ]
    metric, goal = (objective.metric, objective.goal) if objective else (None, None)
    return champion(seen.versions, metric, goal, back)


def way_back(model: Model, seen: Observed, ledger: Ledger, bad: str) -> str:
    """The version before it that is good enough to go back to: had traffic, is ready, never failed. Empty when there is none."""
    keep = model.spec.rollback.keep if model.spec.rollback else 0
    ready = {version.name for version in seen.versions if version.ready}
    failed = {name for service in seen.services for name in service.quarantined}
    out = {each.version for each in ledger.withdrawn} | failed | {bad}
    lines = sorted(
        (
            (line.time, line.version)
            for service in seen.services
            for line in service.happenings
            if line.event in TOOK and line.version != bad
        ),
        reverse=True,
    )
    now = [service.stable for service in seen.services if service.stable]
    before = [name for name in dict.fromkeys([*now, *(name for _, name in lines)]) if name != bad][:keep]
    return next((name for name in before if name in ready and name not in out), "")
