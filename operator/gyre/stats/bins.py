"""Values of a feature as counts in bins that the reference has fixed. Pure, numpy only.

Promises   every value falls into exactly one bin, a missing one and one that the reference never had included; the same
           reference gives the same bins; JSON and back is exact.
Never      looks at a window to choose a bin: what is compared was fixed before.

Numeric: bins end at the reference's deciles, or at its values where it has few, with a bin below the least and one above the
greatest of them. Categorical: a bin a category, of the most frequent ones, and one for all others. The last bin: the missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import inf, nextafter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Codes = NDArray[np.intp]

DECILES: Final = tuple(tenth / 10 for tenth in range(1, 10))
FEW_VALUES: Final = 12
"""A number with so few values is counted value by value."""
MOST_CATEGORIES: Final = 64


class FeatureType(StrEnum):
    NUMERIC = "Numeric"
    CATEGORICAL = "Categorical"


@dataclass(frozen=True, slots=True)
class Bins:
    """`edges`: upper ends, included, of a number's bins; what exceeds the last edge has a bin too."""

    name: str
    type: FeatureType
    edges: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str, type: FeatureType, values: Sequence[Any] | NDArray[Any]) -> Bins:
        """From the reference's values: float64 with NaN for missing, or text with None."""
        if type is FeatureType.NUMERIC:
            return cls(name, type, edges=_edges(np.asarray(values, np.float64)))
        known, counts = np.unique([value for value in values if value is not None], return_counts=True)
        frequent = sorted(zip(-counts, known.tolist(), strict=True))[:MOST_CATEGORIES]
        return cls(name, type, categories=tuple(sorted(str(category) for _, category in frequent)))

    @property
    def size(self) -> int:
        return (len(self.edges) if self.type is FeatureType.NUMERIC else len(self.categories)) + 2

    def codes(self, values: Sequence[Any] | NDArray[Any]) -> Codes:
        """The bin of each value."""
        if self.type is FeatureType.NUMERIC:
            numbers = np.asarray(values, np.float64)
            found = np.searchsorted(np.asarray(self.edges), numbers, side="left")
            return np.where(np.isnan(numbers), self.size - 1, found).astype(np.intp)
        places: dict[Any, int] = {category: place for place, category in enumerate(self.categories)}
        places[None] = self.size - 1
        return np.fromiter((places.get(value, self.size - 2) for value in values), np.intp, len(values))

    def counts(self, values: Sequence[Any] | NDArray[Any]) -> Counts:
        return np.bincount(self.codes(values), minlength=self.size).astype(np.int64)

    def distance(self, shares: NDArray[Any], others: NDArray[Any]) -> Any:
        """The share of rows that lies elsewhere than it should, 0 to 1: the greatest difference of the distribution functions
        (Kolmogorov-Smirnov) over the bins of a number, the total variation of categories; missing ones count in both."""
        if self.type is FeatureType.CATEGORICAL:
            return np.abs(shares - others).sum(axis=-1) / 2
        difference = shares - others
        running = np.abs(np.cumsum(difference[..., :-1], axis=-1)).max(axis=-1)
        return np.maximum(running, np.abs(difference[..., -1]))

    def to_json(self) -> dict[str, Any]:
        bounds = (
            {"edges": list(self.edges)} if self.type is FeatureType.NUMERIC else {"categories": list(self.categories)}
        )
        return {"name": self.name, "type": self.type.value, **bounds}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Bins:
        """Raises KeyError, TypeError or ValueError for what `to_json` did not write."""
        edges = tuple(float(edge) for edge in data.get("edges", ()))
        return cls(data["name"], FeatureType(data["type"]), edges, tuple(map(str, data.get("categories", ()))))

    def labels(self) -> tuple[str, ...]:
        """What each bin holds, for people."""
        if self.type is FeatureType.CATEGORICAL:
            return (*self.categories, "other", "missing")
        ends = [f"≤ {edge:.4g}" for edge in self.edges]
        return (*ends, f"> {self.edges[-1]:.4g}" if self.edges else "any", "missing")


def _edges(values: NDArray[np.float64]) -> tuple[float, ...]:
    known = values[np.isfinite(values)]
    if not known.size:
        return ()
    distinct = np.unique(known)
    if distinct.size <= FEW_VALUES:
        return (nextafter(float(distinct[0]), -inf), *map(float, distinct))
    return tuple(dict.fromkeys(map(float, np.quantile(known, DECILES, method="inverted_cdf"))))
