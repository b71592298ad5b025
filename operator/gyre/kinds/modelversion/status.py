"""The status of a ModelVersion: its conditions as a table, and what people read in its columns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from gyre.adapters.versions import ModelVersionView, headline, short
from gyre.api.conditions import Row, merge, no, report, unknown, yes
from gyre.api.kind import Decision
from gyre.api.outcomes import standard
from gyre.kinds.modelversion.decide import Reason, owners
from gyre.kinds.modelversion.model import MAX_USERS_SHOWN, ModelVersion, ModelVersionStatus, Using
from gyre.kinds.modelversion.observe import Observed


@dataclass(frozen=True, slots=True)
class Facts:
    version: ModelVersion
    seen: Observed

    @property
    def owned(self) -> bool:
        return self.seen.model is not None and self.seen.model.uid in owners(self.version)


CONDITIONS: Final = (
    Row[Facts](
        "Registered",
        lambda f: yes(Reason.REGISTERED) if f.owned else no(Reason.REGISTERING, "its Model does not own it yet"),
        "gyre has not looked at the version yet",
    ),
    Row[Facts](
        "VerifiedArtifact",
        lambda _: unknown(Reason.UNVERIFIED, "nothing has compared the files with spec.artifact.digest"),
        "nothing has compared the files with spec.artifact.digest",
    ),
)


def summarize(version: ModelVersion, seen: Observed, decision: Decision, now: datetime) -> dict[str, Any]:
    view = ModelVersionView.of(version.to_dict())
    objective = seen.model.objective if seen.model else None
    spoken = headline(view.metrics, objective)
    metric = spoken.split(" ")[0]
    conditions = (
        *standard(decision, version.generation),
        *report(CONDITIONS, Facts(version, seen), version.generation),
    )
    return ModelVersionStatus(
        observed_generation=version.generation,
        conditions=merge(version.status.conditions, conditions, now),
        headline=spoken or None,
        baseline=headline({metric: view.baseline[metric]}) if metric in view.baseline else None,
        against=_against(view, metric),
        trained_on=_trained_on(view) or None,
        trained_by=f"TrainingJob/{view.run}" if view.run else None,
        in_use_by=tuple(Using(kind=use.kind, name=use.name) for use in seen.users[:MAX_USERS_SHOWN]),
    ).to_dict()


def _against(view: ModelVersionView, metric: str) -> str | None:
    beside = view.compared
    if beside is None:
        return None
    its = {metric: beside.its[metric]} if metric in beside.its else {}
    return f"{headline(its)} of {beside.version}" if its else f"{beside.version} was not measured"


def _trained_on(view: ModelVersionView) -> str:
    if not view.datasets:
        return ""
    name, number, digest = view.datasets[0]
    more = f" +{len(view.datasets) - 1}" if len(view.datasets) > 1 else ""
    return f"{name}{f'@v{number}' if number else ''} {short(digest)}{more}"
