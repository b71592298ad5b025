"""What a job will cost, before it has run: what it asks for × the dearest price where it may run × how long such jobs took. Pure.

Promises   quantiles of at least `LEAST_RUNS` runs of the same model that succeeded, or else the most that its own limits allow,
           or else that nobody can say, and why; never zero for what is not known.
Never      takes a limit for an expectation: `most` is a bound, P50 and P90 are what was seen.

The time of a run is that in which it held pods: over all attempts, without queueing and parking. A job with more workers than
those before it is taken to need as long as they did.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from math import ceil
from typing import Final

from gyre.api.terms import Term
from gyre.cost.bill import CENT, HOUR, WIDE
from gyre.cost.meter import Amounts
from gyre.cost.prices import Resource

LEAST_RUNS: Final = 3
KEPT_RUNS: Final = 20
"""Of a model: the newest, since code and data go on."""
KEPT_MODELS: Final = 100


class Basis(Term):
    """What an expectation rests on."""

    HISTORY = "History", "runs of the same model that succeeded"
    LIMIT = "Limit", "its own time limit: a bound, and no expectation"
    UNKNOWN = "Unknown", "nothing: nobody can say"


@dataclass(frozen=True, slots=True, order=True)
class Run:
    """A run that succeeded."""

    ended: int
    """Seconds since 1970."""
    uid: str
    seconds: int


@dataclass(frozen=True, slots=True)
class Took:
    """How long the runs of a model took."""

    runs: int
    p50: int
    p90: int
    """Seconds."""


@dataclass(frozen=True, slots=True)
class History:
    """The newest runs by model, `namespace/name`. Whatever is entered in whatever order, however often: it comes to the same."""

    runs: Mapping[str, tuple[Run, ...]] = field(default_factory=dict)

    def entered(self, seen: Iterable[tuple[str, Run]]) -> History:
        found = {model: {run.uid: run for run in runs} for model, runs in self.runs.items()}
        for model, run in seen:
            found.setdefault(model, {}).setdefault(run.uid, run)
        newest = {model: tuple(sorted(runs.values())[-KEPT_RUNS:]) for model, runs in found.items() if runs}
        kept = sorted(newest, key=lambda model: (newest[model][-1], model))[-KEPT_MODELS:]
        return History({model: newest[model] for model in sorted(kept)})

    def took(self, model: str) -> Took | None:
        """None while fewer than `LEAST_RUNS` are known."""
        seconds = sorted(run.seconds for run in self.runs.get(model, ()))
        if len(seconds) < LEAST_RUNS:
            return None
        return Took(len(seconds), quantile(seconds, 50), quantile(seconds, 90))


def quantile(ordered: list[int], percent: int) -> int:
    """The least of the values that so many percent do not exceed: a value that was seen, with nothing in between."""
    return ordered[max(1, ceil(len(ordered) * percent / 100)) - 1]


@dataclass(frozen=True, slots=True)
class Expected:
    """What a job will cost, as was known when it was made."""

    basis: Basis
    why: str
    p50: Decimal | None = None
    p90: Decimal | None = None
    most: Decimal | None = None
    """What its limits allow, by time alone."""
    runs: int = 0
    currency: str = ""


def hourly(asked: Amounts, rates: Mapping[Resource, Decimal]) -> tuple[Decimal, tuple[Resource, ...]]:
    """(money an hour, what has no price): the first is worth something only when the second is empty."""
    lacking = tuple(resource for resource, amount in asked if amount and resource not in rates)
    total = sum((WIDE.multiply(amount, rates.get(resource, Decimal(0))) for resource, amount in asked), Decimal(0))
    return total, lacking


def expected(
    asked: Amounts, rates: Mapping[Resource, Decimal], *, model: str, took: Took | None, limit: int | None
) -> Expected:
    """`limit`: seconds that the job may take at the most, if it says so."""
    rate, lacking = hourly(asked, rates)
    if lacking:
        return Expected(Basis.UNKNOWN, f"no Provider that may price it has a price of {', '.join(lacking)}")
    most = None if limit is None else money(rate, limit)
    if took is not None:
        p50, p90 = (money(rate, seconds if limit is None else min(seconds, limit)) for seconds in (took.p50, took.p90))
        return Expected(Basis.HISTORY, f"{took.runs} runs of model {model} succeeded", p50, p90, most, took.runs)
    few = f"fewer than {LEAST_RUNS} runs of model {model} have succeeded"
    if most is not None:
        return Expected(Basis.LIMIT, few, most=most)
    return Expected(Basis.UNKNOWN, f"{few}, and neither spec.timeLimit nor spec.finishBy is set")


def money(rate: Decimal, seconds: int) -> Decimal:
    return WIDE.divide(WIDE.multiply(rate, Decimal(seconds)), Decimal(HOUR)).quantize(CENT, ROUND_HALF_EVEN, WIDE)
