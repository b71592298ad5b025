"""Which version of a Model speaks for it. Pure; never raises: what is malformed leads nobody.

In order of time, each version meets the one that leads:

    it measured both on the same rows ──▶ these two figures decide
    it did not ─────────────────────────▶ what each has reported of rows of its own

Promises   a version that found itself no better than one that still exists never leads, whatever it reports and whoever leads;
           of equals the earlier one leads, which has proved itself longer.
Never      takes figures of different rows for a comparison where there is one of the same (docs/decisions/0017).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from gyre.adapters.versions import ModelVersionView, brief
from gyre.api.objective import Goal


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A champion that its Model has taken back, and the version that speaks for it since."""

    version: str
    to: str
    time: str
    """RFC 3339."""


def withdrawals(model: Mapping[str, Any]) -> tuple[Withdrawal, ...]:
    """What a Model says that it has taken back, newest first."""
    told = (model.get("status") or {}).get("rolledBack") or ()
    return tuple(Withdrawal(*(str(line.get(key, "")) for key in ("version", "to", "time"))) for line in told)


@dataclass(frozen=True, slots=True)
class Turn:
    """What came of a version when it met the one that led."""

    version: ModelVersionView
    leads: bool
    """From here on, until a later one does."""
    why: str
    """`auc 0.7100 against 0.6800 of delay-1 on the same rows`; the metric alone for one that met nobody."""


def champion_of(model: Mapping[str, Any], versions: Iterable[ModelVersionView]) -> ModelVersionView | None:
    """The champion of a Model as it is published."""
    objective = (model.get("spec") or {}).get("objective") or {}
    goal = Goal.MAXIMIZE if objective.get("goal") == Goal.MAXIMIZE.value else Goal.MINIMIZE
    return champion(versions, objective.get("metric"), goal, withdrawals(model))


def champion(
    versions: Iterable[ModelVersionView],
    metric: str | None,
    goal: Goal | None = None,
    withdrawn: Sequence[Withdrawal] = (),
) -> ModelVersionView | None:
    """Of what is ready and was not taken back: the version that the newest withdrawal went back to, until one that came later is
    better. Without an objective the latest. None when nothing can be said."""
    out, known = {each.version for each in withdrawn}, tuple(versions)
    kept = tuple(version for version in known if version.name not in out)
    last, back = max(withdrawn, key=lambda each: each.time, default=None), ""
    if last is not None and any(version.name == last.to for version in kept):
        back = last.to
        kept = tuple(version for version in kept if version.name == back or version.time > last.time)
    ready = tuple(version for version in kept if version.ready and not version.deleting)
    if metric is None:
        return max(ready, key=age, default=None)
    return leader(turns(ready, metric, goal, known=known, back=back))


def leader(met: Iterable[Turn]) -> ModelVersionView | None:
    """Who leads in the end."""
    found = None
    for turn in met:
        found = turn.version if turn.leads else found
    return found


def turns(
    versions: Iterable[ModelVersionView],
    metric: str,
    goal: Goal | None,
    *,
    known: Iterable[ModelVersionView] | None = None,
    back: str = "",
) -> Iterator[Turn]:
    """Of the versions that report the metric, in order of time. `known`: all that exist, where these are not all of them;
    `back`: one that leads whatever it has measured, because the Model went back to it."""
    ordered = sorted(versions, key=age)
    digests = {
        version.name: version.digest for version in (ordered if known is None else known) if not version.deleting
    }
    first: ModelVersionView | None = None
    for version in ordered:
        if metric not in version.metrics:
            continue
        turn = _met(version, first, metric, goal, digests) if version.name != back else _alone(version, metric)
        first = version if turn.leads else first
        yield turn


def _met(
    version: ModelVersionView,
    first: ModelVersionView | None,
    metric: str,
    goal: Goal | None,
    digests: Mapping[str, str],
) -> Turn:
    both, other = version.on_same_rows(metric), version.compared
    if both is not None and other is not None and digests.get(other.version) == other.digest:
        mine, its = both
        won = better(mine, its, goal)
        if not won or (first is not None and first.name == other.version):
            return Turn(version, won, on_same_rows(metric, mine, its, other.version))
    if first is None:
        return _alone(version, metric)
    mine, its = version.metrics[metric], first.metrics[metric]
    why = f"{metric} {brief(mine)} against {brief(its)} of {first.name}, each on rows of its own"
    return Turn(version, better(mine, its, goal), why)


def _alone(version: ModelVersionView, metric: str) -> Turn:
    return Turn(version, True, f"{metric} {brief(version.metrics[metric])}")


def on_same_rows(metric: str, mine: Decimal, its: Decimal, other: str) -> str:
    return f"{metric} {brief(mine)} against {brief(its)} of {other} on the same rows"


def better(mine: Decimal, its: Decimal, goal: Goal | None) -> bool:
    return mine > its if goal is Goal.MAXIMIZE else mine < its


def age(version: ModelVersionView) -> tuple[str, str]:
    """Sorts oldest first, the same whatever order they come in."""
    return version.time, version.name
