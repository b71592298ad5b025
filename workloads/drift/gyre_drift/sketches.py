"""KLL sketches of numbers: quantiles of a window in a few kilobytes, which add up to those of many windows.

Apache DataSketches (Karnin, Lang and Liberty 2016): with K, 1.3 % of rank error at 99 % confidence, whatever the number of rows.
What is compared with the reference are exact counts; sketches are for units and for other periods. They are drawn with chance:
two sketches of the same rows are equally good, not equal.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any, Final

import numpy as np
from datasketches import kll_doubles_sketch

K: Final = 200


def sketched(values: np.ndarray) -> Any:
    """Of the finite numbers."""
    sketch = kll_doubles_sketch(K)
    sketch.update(np.asarray(values[np.isfinite(values)], np.float64))
    return sketch


def merged(sketches: Iterable[Any]) -> Any:
    whole = kll_doubles_sketch(K)
    for sketch in sketches:
        whole.merge(sketch)
    return whole


def quantiles(sketch: Any, levels: Iterable[float]) -> list[float]:
    """None of nothing."""
    return [] if sketch.is_empty() else [float(value) for value in sketch.get_quantiles(list(levels))]


def to_text(sketch: Any) -> str:
    return base64.b64encode(sketch.serialize()).decode("ascii")


def from_text(text: str) -> Any:
    """Raises ValueError or RuntimeError for what is no sketch."""
    return kll_doubles_sketch.deserialize(base64.b64decode(text, validate=True))
