"""Has the data of a window moved away from the reference? With a stated time between false alarms. Pure, numpy only.

Promises   with a window of `rows` rows like the reference's, P(alarm) ≤ 1/`windows` on average over references: the threshold is
           a quantile of the very statistic under resampling of reference rows that took no part in choosing the bins. Features
           that depend on each other are resampled together. Same reference, rows and seed: same threshold, to the bit.
Never      compares a p-value with 0.05, or a distance with a threshold that forgets how many rows there were; says anything
           where the reference is too small to be honest (`TooSmall`).

A quarter of the reference fixes the bins and what is expected in them, the rest is what windows are drawn from (split
calibration). So the finiteness of the reference, which makes plug-in tests alarm for ever once windows are large, is paid for in
patience: false alarms come later than asked for, never sooner. A window is judged on `judged_rows` of its rows, a 20th of the
reference at the most: then "later" is at most 2.2 times as late (docs/statistics.md, measured).

A feature's statistic is Pearson's chi-square of its bins, brought to a common scale by the cube root (Wilson and Hilferty 1931),
bins that expect fewer than five rows taken together (Cochran 1954). The window's statistic is the greatest of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gyre.stats.bins import Bins, FeatureType

Floats = NDArray[np.float64]

REFERENCE_TIMES: Final = 20
"""So many times the judged rows the reference has."""
FEWEST_ROWS: Final = 100
"""Rows of a window below which deciles say nothing."""
MOST_ROWS: Final = 5000
"""Rows of a window that are judged: with more, only what nobody minds becomes significant too."""
PARTS: Final = 4
"""One part fixes the bins, the others are held out. Windows that are drawn differ from the bins by the chance of both; the fewer
rows are held out, the more the threshold is above what fresh windows need."""
STEP: Final = 1.1
"""Judged rows are FEWEST_ROWS times a power of this: so thresholds can be kept."""
EXPECTED: Final = 5.0
DRAWS_A_WINDOW: Final = 10
FEWEST_DRAWS: Final = 2000
CHUNK: Final = 4_000_000  # cells of a block of draws
KEPT_MAXIMA: Final = 40


class TooSmall(ValueError):
    """The reference cannot tell a false alarm from a true one; the message says what is missing."""

    def __init__(self, rows: int, needed: int) -> None:
        self.rows, self.needed = rows, needed
        super().__init__(
            f"the reference has {rows} rows: to judge windows of {needed // REFERENCE_TIMES} rows with a stated rate of "
            f"false alarms takes {needed}, so {needed - rows} rows are missing"
        )


def judged_rows(rows: int, reference_rows: int) -> int:
    """How many rows of a window are judged; 0 when it has too few. Raises TooSmall."""
    if reference_rows < REFERENCE_TIMES * FEWEST_ROWS:
        raise TooSmall(reference_rows, REFERENCE_TIMES * FEWEST_ROWS)
    most = min(rows, reference_rows // REFERENCE_TIMES, MOST_ROWS)
    if most < FEWEST_ROWS:
        return 0
    steps = int(np.floor(np.log(most / FEWEST_ROWS) / np.log(STEP) + 1e-9))
    return int(np.ceil(FEWEST_ROWS * STEP**steps - 1e-9)) if steps else FEWEST_ROWS


@dataclass(frozen=True, slots=True)
class Reference:
    """`shares`: what is expected in each bin, feature by feature; `held_out`: the bins of the rows that windows are drawn from,
    rows × features."""

    features: tuple[Bins, ...]
    rows: int
    shares: tuple[Floats, ...]
    held_out: NDArray[np.intp]

    @classmethod
    def of(cls, columns: Mapping[str, Sequence[Any]], types: Mapping[str, FeatureType]) -> Reference:
        """`columns`: equally long. Each fourth row fixes the bins, so that rows which lie side by side in time are parted."""
        rows = len(next(iter(columns.values()), ()))
        fixing = np.arange(rows) % PARTS == 0
        features, shares, codes = [], [], []
        for name, values in columns.items():
            given = np.asarray(values, np.float64 if types[name] is FeatureType.NUMERIC else object)
            feature = Bins.of(name, types[name], given[fixing])
            features.append(feature)
            shares.append(expected(feature.counts(given[fixing])))
            codes.append(feature.codes(given[~fixing]))
        held_out = np.stack(codes, axis=1) if codes else np.empty((int((~fixing).sum()), 0), np.intp)
        return cls(tuple(features), rows, tuple(shares), held_out)

    def only(self, names: Sequence[str]) -> Reference:
        """Of these features alone."""
        places = [at for at, feature in enumerate(self.features) if feature.name in names]
        return Reference(
            tuple(self.features[at] for at in places),
            self.rows,
            tuple(self.shares[at] for at in places),
            self.held_out[:, places],
        )


def expected(counts: NDArray[Any]) -> Floats:
    """Shares of the bins; half a row more in each, so that none is impossible."""
    more = np.asarray(counts, np.float64) + 0.5
    return np.asarray(more / more.sum(), np.float64)


def score(counts: NDArray[Any], shares: Floats) -> Any:
    """A feature's statistic for one window (a vector of counts) or many (a row each): about standard normal without drift."""
    rows = counts.sum(axis=-1, keepdims=True)
    groups = pooled(shares, int(rows.flat[0]))
    if len(groups) < 2:
        return np.zeros(counts.shape[:-1])
    seen = np.stack([counts[..., group].sum(axis=-1) for group in groups], axis=-1)
    share = np.array([shares[group].sum() for group in groups])
    freedom = len(groups) - 1
    chi = ((seen - rows * share) ** 2 / (rows * share)).sum(axis=-1)
    spread = 2.0 / (9.0 * freedom)
    return (np.cbrt(chi / freedom) - (1.0 - spread)) / np.sqrt(spread)


def pooled(shares: Floats, rows: int) -> list[list[int]]:
    """The bins that are looked at as one: the rarest together, until five rows are expected in each group."""
    order = np.argsort(shares, kind="stable").tolist()
    rare: list[int] = []
    while order and (rows * shares[order[0]] < EXPECTED or (rare and rows * shares[rare].sum() < EXPECTED)):
        rare.append(order.pop(0))
    return ([rare] if rare else []) + [[at] for at in order]


@dataclass(frozen=True, slots=True)
class Threshold:
    """`value`: what the greatest statistic of a window exceeds once in `windows` windows. `usual`: by feature, the distance that
    chance alone gives on average. `maxima`: the greatest of what was drawn, so that `value` can be checked."""

    rows: int
    windows: int
    seed: int
    draws: int
    value: float
    usual: Mapping[str, float]
    maxima: tuple[float, ...] = ()

    def to_json(self) -> dict[str, Any]:
        numbers = {"rows": self.rows, "windows": self.windows, "seed": self.seed, "draws": self.draws}
        return {**numbers, "value": self.value, "usual": dict(self.usual), "maxima": list(self.maxima)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Threshold:
        """Raises KeyError, TypeError or ValueError for what `to_json` did not write."""
        rows, windows, seed, draws = (int(data[key]) for key in ("rows", "windows", "seed", "draws"))
        usual = {str(name): float(value) for name, value in data["usual"].items()}
        return cls(rows, windows, seed, draws, float(data["value"]), usual, tuple(map(float, data["maxima"])))


def calibrate(reference: Reference, rows: int, windows: int, seed: int) -> Threshold:
    """The threshold for windows of `rows` rows and one false alarm in `windows` of them on average."""
    draws = max(FEWEST_DRAWS, DRAWS_A_WINDOW * windows)
    chance = np.random.default_rng(seed)
    maxima, distances = np.empty(draws), np.zeros(len(reference.features))
    block = max(1, CHUNK // max(1, rows * len(reference.features)))
    for start in range(0, draws, block):
        number = min(block, draws - start)
        chosen = chance.integers(len(reference.held_out), size=(number, rows))
        best = np.full(number, -np.inf)
        for at, (feature, shares) in enumerate(zip(reference.features, reference.shares, strict=True)):
            counts = tabulated(reference.held_out[:, at], chosen, feature.size)
            best = np.maximum(best, score(counts, shares))
            distances[at] += float(np.sum(feature.distance(counts / rows, shares)))
        maxima[start : start + number] = best
    # Of `draws` + 1 windows that are alike, the newest is among the k greatest with probability k / (draws + 1): no more.
    place = max(1, (draws + 1) // windows)
    greatest = np.sort(maxima)[::-1]
    usual = {feature.name: float(total / draws) for feature, total in zip(reference.features, distances, strict=True)}
    kept = tuple(map(float, greatest[: max(place, KEPT_MAXIMA)][:KEPT_MAXIMA]))
    return Threshold(rows, windows, seed, draws, float(greatest[place - 1]), usual, kept)


def tabulated(codes: NDArray[np.intp], chosen: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Counts of the bins for each row of `chosen`."""
    number = len(chosen)
    places = codes[chosen] + (np.arange(number) * size)[:, None]
    return np.bincount(places.ravel(), minlength=number * size).reshape(number, size)


@dataclass(frozen=True, slots=True)
class Finding:
    """One feature of one window. `effect`: the share of rows that has moved, beyond what chance alone moves."""

    feature: str
    statistic: float
    threshold: float
    effect: float

    @property
    def significant(self) -> bool:
        return self.statistic > self.threshold


def judge(
    features: Sequence[Bins], shares: Sequence[Floats], counts: Sequence[NDArray[Any]], threshold: Threshold
) -> tuple[Finding, ...]:
    """Every feature of a window, the most suspect first. `counts`: of the judged rows."""
    found = []
    for feature, share, seen in zip(features, shares, counts, strict=True):
        distance = float(feature.distance(seen / seen.sum(), share))
        # Chance and shift add up like independent errors: where the shift is large, chance hardly adds to the distance.
        effect = sqrt(max(0.0, distance**2 - threshold.usual.get(feature.name, 0.0) ** 2))
        found.append(Finding(feature.name, float(score(np.asarray(seen), share)), threshold.value, effect))
    return tuple(sorted(found, key=lambda one: (-one.statistic, one.feature)))


def drifted(findings: Sequence[Finding], least: float) -> bool:
    """Whether a feature has moved by more than chance explains, and by at least `least`, the effect that somebody minds."""
    return any(one.significant and one.effect >= least for one in findings)
