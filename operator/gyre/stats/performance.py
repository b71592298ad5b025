"""How good a binary model is, with labels and without: expected from its own probabilities where these are calibrated. Pure.

Promises   with calibrated probabilities and an unchanged concept, the expectation of the metric; with labels
           the metric itself. A model that was never seen to be calibrated gets no estimate.
Never      takes silence for good news: without labels to check the calibration with, nothing is claimed.

CBPE, confidence-based performance estimation, as NannyML has it (nannyml/performance_estimation/confidence_based): the expected
confusion matrix at every threshold, integrated. It sees what a shift of the features does, and not a change of the concept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import pi, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FEWEST_LABELS: Final = 500
GAP: Final = 0.05
"""Expected calibration error up to which probabilities are taken at their word."""
TENTHS: Final = 10
GREATER_IS_BETTER: Final[Mapping[str, bool]] = {"auc": True, "accuracy": True, "logLoss": False, "brier": False}
ALIASES: Final[Mapping[str, str]] = {"loss": "logLoss", "logloss": "logLoss", "log_loss": "logLoss"}


def known(metric: str) -> str:
    """The metric under the name that is used here; empty for one that cannot be estimated."""
    name = ALIASES.get(metric, metric)
    return name if name in GREATER_IS_BETTER else ""


def expected(probabilities: Floats) -> dict[str, float]:
    """What the metrics are on average over labels that come true as often as the probabilities say."""
    p = np.clip(np.asarray(probabilities, np.float64), 1e-12, 1 - 1e-12)
    return {
        "auc": _auc(p, p),
        "accuracy": float(np.maximum(p, 1 - p).mean()),
        "logLoss": float(-(p * np.log(p) + (1 - p) * np.log1p(-p)).mean()),
        "brier": float((p * (1 - p)).mean()),
    }


def realised(probabilities: Floats, labels: Floats) -> dict[str, float]:
    """The metrics on rows whose labels (0 or 1) have come."""
    p, y = np.clip(np.asarray(probabilities, np.float64), 1e-12, 1 - 1e-12), np.asarray(labels, np.float64)
    return {
        "auc": _auc(p, y),
        "accuracy": float(((p >= 0.5) == (y >= 0.5)).mean()),
        "logLoss": float(-(y * np.log(p) + (1 - y) * np.log1p(-p)).mean()),
        "brier": float(((p - y) ** 2).mean()),
    }


def _auc(scores: Floats, positive: Floats) -> float:
    """P(a positive is above a negative), ties half; `positive` may be a probability: a row is then partly both. Else NaN."""
    values, place = np.unique(scores, return_inverse=True)
    up = np.bincount(place, weights=positive, minlength=values.size)
    down = np.bincount(place, weights=1.0 - positive, minlength=values.size)
    below = np.cumsum(down) - down
    whole = up.sum() * down.sum()
    return float((up * (below + down / 2)).sum() / whole) if whole > 0 else float("nan")


@dataclass(frozen=True, slots=True)
class Reliability:
    """Labelled rows by their probability, in tenths: how many, the sum of the probabilities, how many came true. Of two sets of
    rows these add up, so each window keeps its own."""

    rows: tuple[float, ...] = (0.0,) * TENTHS
    sums: tuple[float, ...] = (0.0,) * TENTHS
    positives: tuple[float, ...] = (0.0,) * TENTHS

    @classmethod
    def of(cls, probabilities: Floats, labels: Floats) -> Reliability:
        p, y = np.asarray(probabilities, np.float64), np.asarray(labels, np.float64)
        place = np.clip((p * TENTHS).astype(np.int64), 0, TENTHS - 1)
        return cls(*(_sums(place, weights) for weights in (np.ones_like(p), p, y)))

    def __add__(self, other: Reliability) -> Reliability:
        pairs = zip((self.rows, self.sums, self.positives), (other.rows, other.sums, other.positives), strict=True)
        return Reliability(*(tuple(a + b for a, b in zip(mine, more, strict=True)) for mine, more in pairs))

    @property
    def labels(self) -> int:
        return int(sum(self.rows))

    @property
    def error(self) -> float:
        """The mean distance between probability and share of positives, less what chance gives; 1 of nothing."""
        if not self.labels:
            return 1.0
        error = chance = 0.0
        for rows, total, positive in zip(self.rows, self.sums, self.positives, strict=True):
            if rows:
                mean, share = total / rows, rows / self.labels
                error += share * abs(positive / rows - mean)
                chance += share * sqrt(2 / pi * max(mean * (1 - mean), 0.0) / rows)
        return max(0.0, error - chance)

    @property
    def proven(self) -> bool:
        """Whether the probabilities may be taken at their word."""
        return self.labels >= FEWEST_LABELS and self.error <= GAP

    def to_json(self) -> dict[str, list[float]]:
        return {"rows": list(self.rows), "sums": list(self.sums), "positives": list(self.positives)}

    @classmethod
    def from_json(cls, data: Mapping[str, Sequence[float]]) -> Reliability:
        """Raises KeyError, TypeError or ValueError for what `to_json` did not write."""
        return cls(*(tuple(float(value) for value in data[key]) for key in ("rows", "sums", "positives")))


def _sums(place: NDArray[np.int64], weights: Floats) -> tuple[float, ...]:
    return tuple(map(float, np.bincount(place, weights=weights, minlength=TENTHS)))


def loss(metric: str, before: float, now: float) -> float:
    """By how much the metric is worse than before, 0 to 1; 0 when it is not."""
    worse = before - now if GREATER_IS_BETTER[metric] else now - before
    return float(min(1.0, max(0.0, worse)))
