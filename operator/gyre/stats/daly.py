"""How often to save a checkpoint: Daly's second-order optimum.

J. T. Daly, "A higher order estimate of the optimum checkpoint interval for restart dumps", FGCS 22 (2006), eq. 37:

    τ = √(2δM) · [1 + ⅓·√(δ/2M) + ⅑·(δ/2M)] − δ    for δ < 2M,    τ = M    otherwise

δ is the time that a save *blocks* training (an upload in the background is not δ), M the mean time between failures of
the whole gang, about that of one node divided by the number of nodes. All in the same unit; Young's older √(2δM) is the
first factor. Pure.
"""

from __future__ import annotations

from math import sqrt


def interval(save: float, mtbf: float) -> float:
    """The work between two saves that wastes least. Raises ValueError unless both are positive."""
    if save <= 0 or mtbf <= 0:
        raise ValueError(f"save cost {save} and mean time between failures {mtbf} must be positive")
    ratio = save / (2 * mtbf)
    if ratio >= 1:
        return mtbf
    return sqrt(2 * save * mtbf) * (1 + sqrt(ratio) / 3 + ratio / 9) - save


def waste(save: float, mtbf: float, every: float, restart: float = 0.0) -> float:
    """The share of time lost when saving every `every`: to saving, to work done twice, to restarting. First order."""
    return save / every + every / (2 * mtbf) + restart / mtbf
