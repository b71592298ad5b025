"""Performance with and without labels, and the detector of lost quality."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gyre.stats import performance, quality
from gyre.stats.performance import Reliability


def drawn(rows: int, seed: int = 1, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities, and labels that come true as often as they say."""
    chance = np.random.default_rng(seed)
    p = 1 / (1 + np.exp(-chance.normal(shift - 1, 1.2, rows)))
    return p, (chance.random(rows) < p).astype(np.float64)


@pytest.mark.parametrize("shift", [-1.5, 0.0, 1.0])
def test_with_calibrated_probabilities_the_expectation_is_what_labels_show_later(shift: float):
    p, y = drawn(60_000, shift=shift)
    without, with_labels = performance.expected(p), performance.realised(p, y)
    for metric in performance.GREATER_IS_BETTER:
        assert without[metric] == pytest.approx(with_labels[metric], abs=0.01), metric


def test_auc_counts_ties_half():
    assert performance.realised(np.array([0.1, 0.5, 0.5, 0.9]), np.array([0, 0, 1, 1]))["auc"] == pytest.approx(0.875)
    assert performance.realised(np.full(4, 0.5), np.array([0, 1, 0, 1]))["auc"] == 0.5
    assert np.isnan(performance.realised(np.array([0.5]), np.array([1.0]))["auc"])


def test_calibration_is_proven_by_labels_and_by_nothing_else():
    p, y = drawn(5_000)
    assert Reliability.of(p, y).proven
    assert not Reliability.of(p[:400], y[:400]).proven
    assert not Reliability.of(np.clip(p + 0.25, 0, 1), y).proven
    assert not Reliability().proven


def test_the_reliability_of_windows_adds_up_and_survives_json():
    p, y = drawn(2_000)
    whole = Reliability.of(p[:700], y[:700]) + Reliability.of(p[700:], y[700:])
    assert whole.error == pytest.approx(Reliability.of(p, y).error)
    assert Reliability.from_json(json.loads(json.dumps(whole.to_json()))) == whole


def test_a_loss_is_what_is_worse_whichever_way_the_metric_goes():
    assert performance.loss("auc", 0.75, 0.70) == pytest.approx(0.05)
    assert performance.loss("auc", 0.70, 0.75) == 0.0
    assert performance.loss("logLoss", 0.4, 0.5) == pytest.approx(0.1)
    assert performance.loss("logLoss", 0.4, 9.0) == 1.0


@pytest.mark.parametrize(("metric", "known"), [("loss", "logLoss"), ("auc", "auc"), ("rmse", ""), ("", "")])
def test_metrics_that_cannot_be_estimated_are_not(metric: str, known: str):
    assert performance.known(metric) == known


def test_a_model_that_errs_as_usual_is_left_alone_for_far_longer_than_asked_for():
    chance, usual, windows = np.random.default_rng(2), 0.2, 50
    rates = [quality.evidence([(int(x), 200) for x in chance.binomial(200, usual, 400)], usual) for _ in range(20)]
    runs = sum(value >= quality.threshold(windows) for value in rates)
    assert runs <= 2


def test_a_model_that_errs_half_as_often_again_is_found_within_some_windows():
    usual = quality.usual_rate(2_000, 10_000)
    assert 0.2 < usual < 0.21
    chance, value, taken = np.random.default_rng(1), 0.0, 0
    while value < quality.threshold(1_000):
        value, taken = quality.step(value, int(chance.binomial(200, 0.3)), 200, usual), taken + 1
    assert taken <= 6


@given(counts=st.lists(st.tuples(st.integers(0, 100), st.integers(100, 200)), max_size=20))
def test_the_detector_is_recomputed_from_the_counts_of_the_windows(counts: list[tuple[int, int]]):
    value = 0.0
    for errors, labels in counts:
        value = quality.step(value, errors, labels, 0.2)
    assert quality.evidence(counts, 0.2) == value
    assert np.isfinite(value)


def test_a_window_without_labels_changes_nothing():
    assert quality.step(1.5, 0, 0, 0.2) == 1.5
