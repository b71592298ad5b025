"""How good predictions are: area under the ROC curve, log loss, and the honest baseline. Pure, numpy only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def auc(truth: np.ndarray, score: np.ndarray) -> float:
    """P(score of a positive > score of a negative), ties counted half (Mann–Whitney U / (P·N)); NaN without both classes."""
    positive = truth.astype(bool)
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives:
        return float("nan")
    _, place, counts = np.unique(score, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    rank = (last - (counts - 1) / 2)[place]  # average rank of a tie, 1-based
    return float((rank[positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def log_loss(truth: np.ndarray, probability: np.ndarray) -> float:
    clipped = np.clip(probability.astype(np.float64), 1e-7, 1 - 1e-7)
    return float(-np.mean(np.where(truth.astype(bool), np.log(clipped), np.log1p(-clipped))))


def of_binary(truth: np.ndarray, probability: np.ndarray) -> dict[str, float]:
    """What a model that answers yes or no is worth on rows whose answers are known."""
    return {
        "auc": auc(truth, probability),
        "logLoss": log_loss(truth, probability),
        "positiveRate": float(truth.mean()),
    }


def rate_by_group(keys: Sequence[np.ndarray], truth: np.ndarray, new_keys: Sequence[np.ndarray]) -> np.ndarray:
    """For each new row the share of positives among training rows of its group; the overall share for a new group."""
    overall = float(truth.mean())
    if not keys:
        return np.full(len(new_keys[0]) if new_keys else 0, overall)
    sums: dict[tuple[object, ...], tuple[int, int]] = {}
    for key, positive in zip(zip(*keys, strict=True), truth.astype(bool), strict=True):
        hits, rows = sums.get(key, (0, 0))
        sums[key] = (hits + int(positive), rows + 1)
    known = {key: hits / rows for key, (hits, rows) in sums.items()}
    return np.array([known.get(key, overall) for key in zip(*new_keys, strict=True)])
