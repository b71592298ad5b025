"""How good a binary model is, with labels and without: expected from its own probabilities where these are calibrated. Pure.

Promises   with calibrated probabilities and an unchanged concept, the expectation of the metric; with labels
           the metric itself. A model that was never seen to be calibrated gets no estimate.
Never      takes silence for good news: without labels to check the calibration with, nothing is claimed.

CBPE, confidence-based performance estimation, as NannyML has it (nannyml/performance_estimation/confidence_based): the expected
confusion matrix at every threshold, integrated. It sees what a shift of the features does, and not a change of the concept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

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
class Calibration:
    """`error`: the mean distance between probability and share of positives, over tenths of the rows, less what chance gives."""

    labels: int
    error: float

    @property
    def proven(self) -> bool:
        return self.labels >= FEWEST_LABELS and self.error <= GAP

    def to_json(self) -> dict[str, Any]:
        return {"labels": self.labels, "error": self.error}


def calibration(probabilities: Floats, labels: Floats) -> Calibration:
    p, y = np.asarray(probabilities, np.float64), np.asarray(labels, np.float64)
    if not p.size:
        return Calibration(0, 1.0)
    order = np.argsort(p, kind="stable")
    error = chance = 0.0
    for part in np.array_split(order, min(TENTHS, p.size)):
        share, mean = len(part) / p.size, float(p[part].mean())
        error += share * abs(float(y[part].mean()) - mean)
        chance += share * float(np.sqrt(2 / np.pi * max(mean * (1 - mean), 0.0) / len(part)))
    return Calibration(int(p.size), max(0.0, error - chance))


def loss(metric: str, before: float, now: float) -> float:
    """By how much the metric is worse than before, 0 to 1; 0 when it is not."""
    worse = before - now if GREATER_IS_BETTER[metric] else now - before
    return float(min(1.0, max(0.0, worse)))
