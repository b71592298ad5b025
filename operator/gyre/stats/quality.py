"""Does a model err more often than it did? An e-detector on labelled predictions, looked at after every window. Pure.

Promises   while the share of errors is at `usual` or below, the expected number of windows until an alarm is at least `windows`,
           without any simulation, for any dependence on what was looked at before (Shin, Ramdas and Rinaldo, arXiv 2203.03532).
Never      forgets: the state is one number, and it is recomputed from the counts of the windows.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import log, sqrt
from typing import Final

from gyre.stats.eprocess import log_mean, log_rates

TIMES: Final = (1.1, 1.25, 1.5, 2.0, 3.0)
"""Alternatives: how many times as often as usual it errs."""
HIGHEST: Final = 0.999


def usual_rate(errors: int, labels: int) -> float:
    """The share of errors that is taken for usual: the upper end of its 99 % interval (Wilson 1927), since it was counted on so
    many rows and no more."""
    z, share = 2.326, errors / labels
    middle = (share + z * z / (2 * labels)) / (1 + z * z / labels)
    half = z / (1 + z * z / labels) * sqrt(share * (1 - share) / labels + z * z / (4 * labels * labels))
    return min(HIGHEST, middle + half)


def step(before: float, errors: int, labels: int, usual: float) -> float:
    """The logarithm of the detector after one more window: M = max(M, 1) · e."""
    rates = [min(HIGHEST, usual * times) for times in TIMES if usual * times < HIGHEST]
    if not labels or not rates or not 0.0 < usual < HIGHEST:
        return before
    return max(before, 0.0) + log_mean(log_rates(errors, labels, rates, usual))


def evidence(counts: Iterable[tuple[int, int]], usual: float) -> float:
    """From the (errors, labels) of all windows, oldest first."""
    value = 0.0
    for errors, labels in counts:
        value = step(value, errors, labels, usual)
    return value


def threshold(windows: int) -> float:
    """The logarithm at which it alarms."""
    return log(windows)
