"""E-values of counts, as logarithms: likelihood ratios whose expectation under the null hypothesis is one at the most. Pure.

Promises   the product over looks is a test martingale, so it exceeds 1/α with probability α at the most, ever (Ville); so does
           any average of several; nothing here overflows or becomes NaN, for counts up to 2**53 and any share in (0, 1).
Never      rounds: a count of nothing changes nothing.

All of it is arithmetic element by element: with numpy arrays (of simulated runs) in place of numbers it gives arrays. So the
tables of docs/statistics.md are measured on the very code that judges.

Sources: Lindon and Malek, Anytime-valid inference for multinomial count data (NeurIPS 2022, arXiv 2011.03567); Ville, Étude
critique de la notion de collectif (1939); Vovk and Wang, E-values: calibration, combination and applications (2021).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log, log1p
from typing import Any

import numpy as np

Logs = tuple[float, ...]
"""Log-likelihood ratios, one for each alternative."""


def chance(share: float, ratio: float) -> float:
    """That a failed request was the candidate's: qρ / (qρ + 1 − q)."""
    return share * ratio / (share * ratio + 1.0 - share)


def log_ratios(x: int, n: int, share: float, ratios: Sequence[float], against: float) -> Logs:
    """Of `n` failures, `x` the candidate's: log-likelihood ratio of each ρ in `ratios` against ρ0 = `against`.

    With D(ρ) = 1 + q(ρ − 1), p(ρ) = qρ/D(ρ) and 1 − p(ρ) = (1 − q)/D(ρ): the shares cancel, and x·log(ρ/ρ0) − n·log(D(ρ)/D(ρ0))
    is left, which is exact for shares near 0 and 1 too.
    """
    null = _log1p(share * (against - 1.0))
    return tuple(x * log(ratio / against) - n * (_log1p(share * (ratio - 1.0)) - null) for ratio in ratios)


def log_rates(x: int, n: int, rates: Sequence[float], against: float) -> Logs:
    """Of `n` requests, `x` failed: log-likelihood ratio of each rate against `against`; all of them in (0, 1).

    More failures than requests come from counters that were read one after the other: whoever failed has asked.
    """
    passed = _positive(n - x)
    return tuple(x * log(rate / against) + passed * (log1p(-rate) - log1p(-against)) for rate in rates)


def log_mean(values: Sequence[float], weights: Sequence[float] | None = None) -> float:
    """The logarithm of the (weighted) average of exp(values), without leaving the range of a float."""
    shares = weights or [1.0 / len(values)] * len(values)
    shifted = np.asarray([value + log(share) for value, share in zip(values, shares, strict=True)])
    return _plain(np.logaddexp.reduce(shifted, axis=0))


def least(values: Sequence[float]) -> float:
    return _plain(np.minimum.reduce(np.asarray(values), axis=0))


def added(sums: Logs, more: Logs) -> Logs:
    return tuple(a + b for a, b in zip(sums, more, strict=True))


def _log1p(value: Any) -> Any:
    return log1p(value) if isinstance(value, float) else np.log1p(value)


def _positive(value: Any) -> Any:
    return max(value, 0) if isinstance(value, int) else np.maximum(value, 0)


def _plain(value: Any) -> float:
    """A number that JSON knows, where it is one."""
    found: float = value if np.ndim(value) else float(value)
    return found
