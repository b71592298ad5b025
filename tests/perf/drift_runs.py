"""Streams of windows, judged by gyre.stats and by the rules that people use, all on the same rows or counts.

Promises   `gyre.stats` decides, nothing is copied from it; the same seed gives the same figures; all rules see the same data.
Never      judges by what was not in the window.

False alarms are counted on counts: of independent normal features the bins of a window are drawn from their true probabilities,
which is the distribution of counting rows, at a hundredth of the time. Rules that need rows get rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import erf, sqrt
from typing import Any, Final

import numpy as np

from gyre.stats import drift
from gyre.stats.bins import Bins, FeatureType

NUMERIC: Final = FeatureType.NUMERIC
KS_5_PERCENT: Final = 1.3581
"""Of D·√(nm/(n+m)): p = 0.05 by Kolmogorov's limit."""
FLOOR: Final = 1e-4
"""Instead of an empty bin in PSI."""


@dataclass(frozen=True)
class Cell:
    """`target`: windows between two false alarms."""

    reference: int
    rows: int
    features: int
    target: int

    @property
    def judged(self) -> int:
        """Of a window's rows, by gyre."""
        return drift.judged_rows(self.rows, self.reference)

    @property
    def names(self) -> list[str]:
        return [f"f{at}" for at in range(self.features)]

    def drawn(self, chance: np.random.Generator) -> drift.Reference:
        columns = {name: chance.normal(size=self.reference) for name in self.names}
        return drift.Reference.of(columns, dict.fromkeys(self.names, NUMERIC))


def probabilities(bins: Bins, shift: float = 0.0) -> Any:
    """Of the bins of a normal feature that has moved by `shift` standard deviations."""
    below = [0.5 * (1 + erf((edge - shift) / sqrt(2))) for edge in bins.edges]
    return np.append(np.diff([0.0, *below, 1.0]), 0.0)


def split(
    cell: Cell, *, shifts: tuple[float, ...], references: int, windows: int, seed: int
) -> dict[float, tuple[int, int]]:
    """By shift of the first feature: (alarms, windows) of gyre's rule without a minimum effect."""
    chance, found = np.random.default_rng(seed), dict.fromkeys(shifts, 0)
    for number in range(references):
        reference = cell.drawn(chance)
        threshold = drift.calibrate(reference, cell.judged, cell.target, seed=number)
        pairs = list(zip(reference.features, reference.shares, strict=True))
        still = np.full(windows, -np.inf)
        for bins, shares in pairs[1:]:
            still = np.maximum(
                still, drift.score(chance.multinomial(cell.judged, probabilities(bins), size=windows), shares)
            )
        bins, shares = pairs[0]
        for shift in shifts:
            counts = chance.multinomial(cell.judged, probabilities(bins, shift), size=windows)
            best = np.maximum(still, drift.score(counts, shares))
            found[shift] += int((best > threshold.value).sum())
    return {shift: (alarms, references * windows) for shift, alarms in found.items()}


def plug_in(cell: Cell, *, references: int, windows: int, seed: int) -> tuple[int, int]:
    """What most people do: the whole reference fixes the bins, and windows drawn from these very shares the threshold."""
    chance, alarms = np.random.default_rng(seed), 0
    for _ in range(references):
        best, fresh = np.full(20 * cell.target, -np.inf), np.full(windows, -np.inf)
        for _ in range(cell.features):
            values = chance.normal(size=cell.reference)
            bins = Bins.of("f", NUMERIC, values)
            shares = drift.expected(bins.counts(values))
            best = np.maximum(best, drift.score(chance.multinomial(cell.rows, shares, size=len(best)), shares))
            fresh = np.maximum(
                fresh, drift.score(chance.multinomial(cell.rows, probabilities(bins), size=windows), shares)
            )
        alarms += int((fresh > np.sort(best)[::-1][19]).sum())
    return alarms, references * windows


# ── rules that people use, on rows ────────────────────────────────────────────────────────────────────────────────────


def ks(reference: Any, window: Any) -> float:
    """The greatest difference of the two distribution functions; it lies at a value of the window, or just before."""
    values, counts = np.unique(window, return_counts=True)
    ordered, after = np.sort(reference), np.cumsum(counts) / len(window)
    below, up_to = (np.searchsorted(ordered, values, side=side) / len(ordered) for side in ("left", "right"))
    return float(max(np.abs(after - up_to).max(), np.abs(after - counts / len(window) - below).max()))


def ks_p_05(reference: Any, window: Any) -> bool:
    n, m = len(reference), len(window)
    return ks(reference, window) * sqrt(n * m / (n + m)) > KS_5_PERCENT


def psi(reference: Any, window: Any) -> float:
    """Over ten bins of equal reference mass."""
    edges = np.quantile(reference, np.arange(1, 10) / 10)
    before, now = (np.bincount(np.searchsorted(edges, one), minlength=10) / len(one) for one in (reference, window))
    before, now = np.maximum(before, FLOOR), np.maximum(now, FLOOR)
    return float(((now - before) * np.log(now / before)).sum())


def wasserstein(reference: Any, window: Any) -> float:
    """The area between the distribution functions, normed by the reference's standard deviation."""
    both = np.sort(np.concatenate([reference, window]))
    first, second = (np.searchsorted(np.sort(one), both[:-1], side="right") / len(one) for one in (reference, window))
    return float((np.abs(first - second) * np.diff(both)).sum() / max(np.std(reference), 1e-3))


def evidently_like(reference: Any, window: Any) -> bool:
    """A number's default of Evidently 0.7.23 (legacy/calculations/stattests/registry.py): KS p < 0.05 up to 1000 reference rows,
    beyond that a normed Wasserstein distance of 0.1. The library itself needs pandas < 3, which the tests do not have."""
    return ks_p_05(reference, window) if len(reference) <= 1000 else wasserstein(reference, window) >= 0.1


Rule = Callable[[list[bool]], bool]
COLUMN_RULES: Final[Mapping[str, tuple[Callable[[Any, Any], bool], Rule]]] = {
    "KS p < 0.05": (ks_p_05, any),
    "PSI > 0.1": (lambda reference, window: psi(reference, window) > 0.1, any),
    "Evidently-like": (evidently_like, lambda columns: sum(columns) >= len(columns) / 2),
}
"""By name: the test of a column, and when the window counts as drifted. Evidently's dataset drift is half of the columns."""


def beside(
    reference: Mapping[str, Any], windows: list[Mapping[str, Any]], *, target: int, least: float
) -> dict[str, int]:
    """How many of the windows each rule alarms on. `least`: gyre's minimum effect."""
    built = drift.Reference.of(reference, dict.fromkeys(reference, NUMERIC))
    found, thresholds = dict.fromkeys(("gyre", *COLUMN_RULES), 0), {}
    for window in windows:
        # As the Job does it: on as many rows as the reference can answer for.
        rows = drift.judged_rows(len(next(iter(window.values()))), built.rows)
        if rows not in thresholds:
            thresholds[rows] = drift.calibrate(built, rows, target, seed=1)
        counts = [bins.counts(window[bins.name][:rows]) for bins in built.features]
        found["gyre"] += drift.drifted(drift.judge(built.features, built.shares, counts, thresholds[rows]), least)
        for name, (test, whole) in COLUMN_RULES.items():
            found[name] += whole([test(values, window[column]) for column, values in reference.items()])
    return found
