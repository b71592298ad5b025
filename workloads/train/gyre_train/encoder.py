"""How the columns of a row become the numbers a network takes; all of it is in the artifact's model.json.

Promises   training, evaluation and serving encode with this one function: whatever read the columns, equal values give equal
           inputs, to the bit.
Never      reads a file or knows a table format. Pure, numpy only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

FeatureType = Literal["Numeric", "Categorical"]


@dataclass(frozen=True, slots=True)
class Feature:
    name: str
    type: FeatureType


@dataclass(frozen=True, slots=True)
class Encoder:
    """Numeric: (x - mean) / std, a missing value becomes 0 and, where training rows have such, sets one more input to 1.
    Categorical: the place in the sorted vocabulary + 1; 0 is a value that training has not seen, or a missing one.
    """

    features: tuple[Feature, ...]
    mean: Mapping[str, float]
    std: Mapping[str, float]
    flagged: tuple[str, ...]
    vocabulary: Mapping[str, tuple[str, ...]]

    @property
    def numeric(self) -> list[str]:
        return [feature.name for feature in self.features if feature.type == "Numeric"]

    @property
    def categorical(self) -> list[str]:
        return [feature.name for feature in self.features if feature.type == "Categorical"]

    def encode(self, columns: Mapping[str, np.ndarray], rows: int) -> tuple[np.ndarray, np.ndarray]:
        """(rows × numeric inputs, float32), (rows × categorical features, int64).

        `columns`: for each numeric feature its values, float64, NaN where missing; for each categorical one the places of its
        values, int64.
        """
        numbers, flags = [], []
        for name in self.numeric:
            values = columns[name]
            missing = np.isnan(values)
            numbers.append(np.where(missing, 0.0, (values - self.mean[name]) / self.std[name]))
            if name in self.flagged:
                flags.append(missing.astype(np.float64))
        places = [columns[name] for name in self.categorical]
        wide = np.stack(numbers + flags, axis=1) if numbers else np.empty((rows, 0))
        return wide.astype(np.float32), np.stack(places, axis=1) if places else np.empty((rows, 0), np.int64)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def of_json(raw: Mapping[str, Any]) -> Encoder:
        """Raises KeyError, TypeError or AttributeError for what is no encoder."""
        return Encoder(
            tuple(Feature(**feature) for feature in raw["features"]),
            raw["mean"],
            raw["std"],
            tuple(raw["flagged"]),
            {name: tuple(values) for name, values in raw["vocabulary"].items()},
        )
