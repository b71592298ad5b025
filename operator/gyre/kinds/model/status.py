"""The status of a Model: its conditions as a table, its versions as people want to see them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from gyre.adapters.pods import moment
from gyre.adapters.ranking import turns
from gyre.adapters.services import Happening, ServiceView
from gyre.adapters.versions import ModelVersionView, headline
from gyre.api.conditions import Row, Verdict, merge, no, report, yes
from gyre.api.kind import Decision
from gyre.api.outcomes import standard
from gyre.kinds.model import retiring
from gyre.kinds.model.decide import best
from gyre.kinds.model.ledger import Ledger
from gyre.kinds.model.model import (
    MAX_HISTORY,
    MAX_USES_SHOWN,
    Best,
    Champion,
    InUse,
    Latest,
    Metric,
    Model,
    ModelStatus,
    Past,
)
from gyre.kinds.model.observe import Observed
from gyre.kinds.model.reasons import Reason
from gyre.kinds.model.standing import champion_of, ledger_of, withdrawn
from gyre.kinds.model.telling import outranked, registered, retraining, rolled_back

MAX_METRICS: Final = 20


@dataclass(frozen=True, slots=True)
class Facts:
    model: Model
    seen: Observed
    in_use: tuple[InUse, ...]

    @property
    def available(self) -> Verdict:
        latest = self.seen.latest
        return yes(Reason.VERSIONED, latest.name) if latest else no(Reason.NO_VERSION, "no version is registered yet")

    @property
    def evaluated(self) -> Verdict | None:
        objective, latest = self.model.spec.objective, self.seen.latest
        if objective is None:
            return no(Reason.NO_OBJECTIVE, "give spec.objective, so that versions can be ranked")
        if latest is None:
            return None
        if objective.metric in latest.metrics:
            return yes(Reason.METRIC_REPORTED)
        return no(Reason.METRIC_UNKNOWN, f"version {latest.name} does not report {objective.metric!r}")

    @property
    def used(self) -> Verdict:
        if not self.in_use:
            return no(Reason.NOT_IN_USE)
        first = self.in_use[0]
        return yes(Reason.IN_USE, f"version {first.version} is in use by {first.by}; deleting the Model is refused")


CONDITIONS: Final = (
    Row[Facts]("VersionAvailable", lambda f: f.available, "gyre has not looked at the Model yet"),
    Row[Facts]("Evaluated", lambda f: f.evaluated, "there is no version to evaluate yet"),
    Row[Facts]("InUse", lambda f: f.used, "gyre has not looked at the Model yet"),
)


def summarize(model: Model, seen: Observed, decision: Decision, now: datetime) -> dict[str, Any]:
    uses = tuple(InUse(version=v.name, by=str(use)) for v in seen.versions for use in v.in_use_by)[:MAX_USES_SHOWN]
    facts = Facts(model, seen, uses)
    conditions = (*standard(decision, model.generation), *report(CONDITIONS, facts, model.generation))
    metric, ledger = model.spec.objective.metric if model.spec.objective else None, ledger_of(seen)
    leader, champion = best(model, seen), champion_of(model, seen, ledger)
    speaks = champion or seen.latest
    return ModelStatus(
        observed_generation=model.generation,
        conditions=merge(model.status.conditions, conditions, now),
        versions=len(seen.versions),
        headline=(headline(speaks.metrics, metric) or None) if speaks else None,
        latest=_latest(seen.latest, metric) if seen.latest else None,
        best=Best(name=leader[0], value=leader[1]) if leader else None,
        champion=Champion(name=champion.name, digest=champion.digest or None) if champion else None,
        history=history(model, seen, ledger, metric),
        retrain=retraining(model, seen, ledger, now),
        rolled_back=rolled_back(withdrawn(ledger, seen)),
        retire=retiring.retirement(model, seen, ledger, now),
        in_use=uses,
    ).to_dict()


def _latest(version: ModelVersionView, metric: str | None) -> Latest:
    """With the metric of the objective among those shown, whatever its place in the alphabet."""
    names = sorted(version.metrics, key=lambda name: (name != metric, name))[:MAX_METRICS]
    return Latest(
        name=version.name,
        digest=version.digest or None,
        metrics=tuple(Metric(name=name, value=version.metrics[name]) for name in names),
        time=moment(version.time),
    )


def history(model: Model, seen: Observed, ledger: Ledger, metric: str | None) -> tuple[Past, ...]:
    """Newest first: what was registered, and what services made of it. Of one moment, in the order in which it can have been."""
    objective = model.spec.objective
    met = tuple(turns(seen.versions, objective.metric, objective.goal)) if objective else ()
    of = {turn.version.name: turn for turn in met}
    lines: list[tuple[str, float, Past]] = [
        (version.time, 0, registered(version, metric, of.get(version.name))) for version in seen.versions
    ]
    lines += [
        (line.time, 1 + number, _became(service, line))
        for service in seen.services
        for number, line in enumerate(reversed(service.happenings))
    ]
    lines += [(line.time.strftime("%Y-%m-%dT%H:%M:%SZ"), 90, line) for line in _taken_back(ledger) if line.time]
    lines += [(version.time, 0.5, line) for version, line in outranked(model, met)]
    lines.sort(key=lambda line: line[:2])
    return tuple(past for _, _, past in reversed(lines[-MAX_HISTORY:]))


def _taken_back(ledger: Ledger) -> list[Past]:
    return [
        Past(version=each.version, event="TakenBack", time=each.at, by=each.by, why=f"back to {each.to}: {each.why}")
        for each in ledger.withdrawn
    ]


def _became(service: ServiceView, line: Happening) -> Past:
    return Past(
        version=line.version,
        event=line.event,
        digest=line.digest or None,
        time=moment(line.time),
        by=line.by or None,
        service=service.name,
        why=line.why or None,
    )
