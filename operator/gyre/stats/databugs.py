"""Data that are wrong rather than different: nothing to learn from, so nothing to retrain on. Pure, numpy only.

Promises   a bug is named with its feature and with what to look at; what is recognised does not depend on how many rows there
           are beyond chance; a window that is like its reference has none.
Never      calls a shift a bug because it is large: each recogniser asks for the trace of one known fault.

SchemaBreak        a feature of the model is not in the log any more, or has another type
ConstantFeature    one value, where the reference has several and chance would not give one alone
NullRateJump       missing by a tenth of the rows more than in the reference, and by more than chance
UnitChange         the same shape under another unit: miles → kilometres, °F → °C, a factor of 1000, or any constant factor
NewCategories      hardly any value that the reference knows: another spelling, another code table
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import log, sqrt
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gyre.stats.bins import FeatureType

LEVELS: Final = tuple(level / 100 for level in range(1, 100))
"""Of the quantiles that a profile keeps."""
CHANCE: Final = log(1e-9)
NULLS: Final = 0.1
SIGMAS: Final = 5.0
BAND: Final = 0.04
"""By how many shares of rows a shape may differ and still be the same."""
ROUNDING: Final = 0.01
"""By how much a conversion may be rounded."""
LIKE: Final = 0.97
"""Share of the levels that have to fit."""
UNLIKE: Final = 0.6
"""Share of the levels that may fit without any conversion."""
SPREAD: Final = 1.3
"""How much greater than its low quantiles the high ones of a feature are at least, for a factor to tell anything."""
UNNAMED: Final = log(1.5)
"""A factor that belongs to no unit is believed from this on only."""
KNOWN: Final = 0.1
"""Share of a window's categories that the reference knows, below which it is another table."""

Conversion: TypeAlias = tuple[str, float, float]
"""Name, factor, offset."""

CONVERSIONS: Final[tuple[Conversion, ...]] = (
    ("miles → kilometres", 1.609344, 0.0),
    ("nautical miles → kilometres", 1.852, 0.0),
    ("inches → centimetres", 2.54, 0.0),
    ("feet → metres", 0.3048, 0.0),
    ("pounds → kilograms", 0.45359237, 0.0),
    ("gallons → litres", 3.785411784, 0.0),
    ("miles an hour → metres a second", 0.44704, 0.0),
    ("kilometres an hour → metres a second", 1 / 3.6, 0.0),
    ("hPa → inches of mercury", 0.0295299830714, 0.0),
    ("°F → °C", 5 / 9, -160 / 9),
    ("°C → K", 1.0, 273.15),
    ("a factor of 10", 10.0, 0.0),
    ("fractions → per cent", 100.0, 0.0),
    ("a factor of 1000", 1000.0, 0.0),
    ("a factor of a million", 1e6, 0.0),
    ("minutes → seconds, or hours → minutes", 60.0, 0.0),
    ("hours → seconds", 3600.0, 0.0),
    ("days → hours", 24.0, 0.0),
)
"""Each of them the other way round too."""


class Bug(StrEnum):
    SCHEMA_BREAK = "SchemaBreak"
    CONSTANT_FEATURE = "ConstantFeature"
    NULL_RATE_JUMP = "NullRateJump"
    UNIT_CHANGE = "UnitChange"
    NEW_CATEGORIES = "NewCategories"


@dataclass(frozen=True, slots=True)
class DataBug:
    reason: Bug
    feature: str
    message: str


@dataclass(frozen=True, slots=True)
class Profile:
    """What the recognisers know of a feature's values. `quantiles`: at LEVELS, of a number. `greatest`: the share of the most
    frequent value; `known`: of a category, the share of values that the reference has; both among those that are not missing."""

    type: FeatureType
    rows: int
    missing: int
    greatest: float
    quantiles: tuple[float, ...] = ()
    known: float = 1.0

    @classmethod
    def of(
        cls,
        type: FeatureType,
        values: NDArray[Any],
        categories: Sequence[str] = (),
        quantiles: Sequence[float] | None = None,
    ) -> Profile:
        """`quantiles`: those of a sketch, where the exact ones are not wanted."""
        if type is FeatureType.NUMERIC:
            present = np.asarray(values, np.float64)
            present = present[np.isfinite(present)]
            found = (
                quantiles
                if quantiles is not None
                else np.quantile(present, LEVELS, method="inverted_cdf")
                if present.size
                else ()
            )
            known = 1.0
        else:
            present = np.array([value for value in values if value is not None], dtype=np.str_)
            found = ()
            known = float(np.isin(present, list(categories)).mean()) if present.size and len(categories) else 1.0
        greatest = float(np.unique(present, return_counts=True)[1].max() / present.size) if present.size else 0.0
        return cls(type, len(values), len(values) - present.size, greatest, tuple(map(float, found)), known)

    @property
    def present(self) -> int:
        return self.rows - self.missing

    def to_json(self) -> dict[str, Any]:
        return {
            "type": self.type.value,
            "rows": self.rows,
            "missing": self.missing,
            "greatest": self.greatest,
            "quantiles": list(self.quantiles),
            "known": self.known,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Profile:
        """Raises KeyError, TypeError or ValueError for what `to_json` did not write."""
        quantiles = tuple(map(float, data["quantiles"]))
        known, greatest = float(data["known"]), float(data["greatest"])
        return cls(FeatureType(data["type"]), int(data["rows"]), int(data["missing"]), greatest, quantiles, known)


def recognised(reference: Mapping[str, Profile], window: Mapping[str, Profile]) -> tuple[DataBug, ...]:
    """Every bug, in the order of the features; of one feature the first of constant, nulls, unit, categories."""
    found = []
    for name, now in window.items():
        before = reference.get(name)
        if before is None or not now.rows:
            continue
        bug = next((bug for look in RECOGNISERS if (bug := look(name, before, now))), None)
        if bug:
            found.append(bug)
    return tuple(found)


def schema_breaks(wanted: Mapping[str, FeatureType], logged: Mapping[str, FeatureType | None]) -> tuple[DataBug, ...]:
    """`logged`: the type of each column of the log; None for one that is neither a number nor text."""
    found = []
    for name, type in wanted.items():
        if name not in logged:
            what = f"feature {name!r} is not logged any more: see what calls the service, and its features"
            found.append(DataBug(Bug.SCHEMA_BREAK, name, what))
        elif logged[name] is not type:
            now = logged[name] or "neither a number nor text"
            found.append(DataBug(Bug.SCHEMA_BREAK, name, f"feature {name!r} was {type} and is {now} in the log"))
    return tuple(found)


def _constant(name: str, before: Profile, now: Profile) -> DataBug | None:
    if not now.present or now.greatest < 1.0 or not 0.0 < before.greatest < 1.0:
        return None
    if now.present * log(before.greatest) > CHANCE:
        return None
    what = f"{name!r} has one value in all {now.present} rows; in the reference the most frequent one has "
    return DataBug(
        Bug.CONSTANT_FEATURE, name, f"{what}{before.greatest:.1%}: look for a default that is sent in its place"
    )


def _nulls(name: str, before: Profile, now: Profile) -> DataBug | None:
    usual, share = before.missing / max(1, before.rows), now.missing / now.rows
    error = sqrt(max(usual * (1 - usual), 0.25 / now.rows) / now.rows)
    if share - usual < NULLS or share - usual < SIGMAS * error:
        return None
    what = f"{name!r} is missing in {share:.1%} of the rows, in the reference in {usual:.1%}"
    return DataBug(Bug.NULL_RATE_JUMP, name, f"{what}: look for the source that does not deliver")


def _unit(name: str, before: Profile, now: Profile) -> DataBug | None:
    if (
        before.type is not FeatureType.NUMERIC
        or len(before.quantiles) != len(LEVELS)
        or len(now.quantiles) != len(LEVELS)
    ):
        return None
    then, these = np.asarray(before.quantiles), np.asarray(now.quantiles)
    low, high = sorted((abs(then[4]), abs(then[-5])))
    if high < SPREAD * low or fits(then, these, 1.0, 0.0, now.present) > UNLIKE:
        return None
    found = _best(then, these, _conversions(), now.present) or _best(then, these, _factor(then, these), now.present)
    if found is None:
        return None
    title, factor, offset = found
    by = f"×{factor:.4g}" + (f" {'+' if offset > 0 else '−'} {abs(offset):.4g}" if offset else "")
    return DataBug(
        Bug.UNIT_CHANGE,
        name,
        f"{name!r} has the shape of the reference, {by} ({title}): look for a source that changed its unit",
    )


def _categories(name: str, before: Profile, now: Profile) -> DataBug | None:
    if before.type is not FeatureType.CATEGORICAL or now.known >= KNOWN or before.known < 1 - KNOWN:
        return None
    if now.present * log(max(1e-3, 1 - before.known)) > CHANCE:
        return None
    what = f"of {name!r} only {now.known:.1%} of the values are known to the reference"
    return DataBug(Bug.NEW_CATEGORIES, name, f"{what}: look for another spelling or code table")


RECOGNISERS: Final = (_constant, _nulls, _unit, _categories)


def fits(then: NDArray[Any], these: NDArray[Any], factor: float, offset: float, rows: int) -> float:
    """The share of the levels at which the one is the other converted, give or take BAND shares of rows and a rounding: Lévy's
    distance between distributions, so that values which many rows have in common do no harm."""
    slack = int(np.ceil((BAND + 1.0 / sqrt(max(1, rows))) * 100))
    inner = np.arange(slack, len(LEVELS) - slack)
    if not inner.size:
        return 0.0
    meant = then * factor + offset
    room = ROUNDING * np.abs(these[inner])
    above = these[inner] >= np.minimum(meant[inner - slack], meant[inner + slack]) - room
    below = these[inner] <= np.maximum(meant[inner - slack], meant[inner + slack]) + room
    return float((above & below).mean())


def _best(then: NDArray[Any], these: NDArray[Any], conversions: Sequence[Conversion], rows: int) -> Conversion | None:
    fitting = [one for one in conversions if fits(then, these, one[1], one[2], rows) >= LIKE]
    return min(fitting, key=lambda one: _misfit(then, these, one[1], one[2]), default=None)


def _misfit(then: NDArray[Any], these: NDArray[Any], factor: float, offset: float) -> float:
    return float(np.abs(these - (then * factor + offset)).mean())


def _conversions() -> list[Conversion]:
    back = [(_turned(title), 1 / factor, -offset / factor) for title, factor, offset in CONVERSIONS]
    return [*CONVERSIONS, *back]


def _turned(title: str) -> str:
    first, arrow, second = title.partition(" → ")
    return f"{second} → {first}" if arrow else f"{title}, less"


def _factor(then: NDArray[Any], these: NDArray[Any]) -> list[Conversion]:
    """The factor by which the quantiles differ, when there is one and it is far from 1."""
    middle = slice(9, 90)
    usable = np.abs(then[middle]) > 1e-12
    if not usable.all():
        return []
    factor = float(np.median(these[middle] / then[middle]))
    return [("a constant factor", factor, 0.0)] if factor > 0 and abs(log(factor)) >= UNNAMED else []
