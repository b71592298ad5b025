"""What a version's model may be asked, and its encoding: rows or tensors in, arrays out, or a reason that names the field.

Promises   a request is either encoded exactly as training encoded its rows, or refused with the field, what was expected and
           what was given; columns are neither guessed, cast from text, nor ignored.
Never      trusts the shape of anything it is given. Pure, numpy only.

A null is a missing value, which the encoder knows; so is, for a category, a value that training has not seen.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from gyre_serve.faults import Refused
from gyre_train.encoder import Encoder

FAR: Final = 1e9
"""Standard deviations from the mean of training beyond which no number can be meant, and float32 may overflow inside."""

SHOWN: Final = 60  # characters of a given value in a message
LISTED: Final = 400  # characters of the list of columns

FLOATS: Final = ("FP32", "FP64")
INTEGERS: Final = ("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64")
DATATYPES: Final[Mapping[str, tuple[str, ...]]] = {
    "Numeric": FLOATS + INTEGERS,
    "Categorical": ("BYTES", "BOOL", *INTEGERS),
}
VALUES: Final[Mapping[str, tuple[str, frozenset[type]]]] = {
    **dict.fromkeys(FLOATS, ("a number", frozenset({int, float}))),
    **dict.fromkeys(INTEGERS, ("a whole number", frozenset({int}))),
    "BYTES": ("text", frozenset({str})),
    "BOOL": ("true or false", frozenset({bool})),
}
INSTANCE_VALUES: Final[Mapping[str, tuple[str, frozenset[type]]]] = {
    "Numeric": ("a number", frozenset({int, float})),
    "Categorical": ("text, a whole number, true or false", frozenset({str, int, bool})),
}
NULL: Final = type(None)


@dataclass(frozen=True, slots=True)
class Tensor:
    """One input of an Open Inference Protocol request, as it was given."""

    name: Any
    shape: Any
    datatype: Any
    data: Any


Columns = Mapping[str, Sequence[Any]]


class Schema:
    """The columns of one model."""

    def __init__(self, encoder: Encoder, max_rows: int) -> None:
        self.encoder, self.max_rows = encoder, max_rows
        self.types = {feature.name: feature.type for feature in encoder.features}
        self.places = {
            name: {value: place for place, value in enumerate(encoder.vocabulary[name], start=1)}
            for name in encoder.categorical
        }

    def of_instances(self, body: Any) -> Columns:
        """`{"instances": [{column: value}]}`. Raises Refused."""
        rows = body.get("instances") if isinstance(body, dict) else None
        if not isinstance(rows, list):
            raise Refused(f'the body must be {{"instances": [{{column: value}}]}}, one object a row, not {shown(body)}')
        self.check_rows(len(rows))
        for at, row in enumerate(rows):
            if not isinstance(row, dict):
                raise Refused(f"instances[{at}]: expected an object with {self.known()}, got {shown(row)}")
            if row.keys() != self.types.keys():
                raise Refused(f"instances[{at}]: {self.difference(row)}")
        columns = {name: [row[name] for row in rows] for name in self.types}
        for name, kind in self.types.items():
            check_values(name, columns[name], *INSTANCE_VALUES[kind])
        return columns

    def of_tensors(self, tensors: Sequence[Tensor]) -> Columns:
        """One tensor a column, all of the same length. Raises Refused."""
        columns: dict[str, Sequence[Any]] = {}
        for tensor in tensors:
            if not isinstance(tensor.name, str) or tensor.name not in self.types:
                raise Refused(f"input {shown(tensor.name)}: the model has no such column; it takes {self.known()}")
            if tensor.name in columns:
                raise Refused(f"input {shown(tensor.name)} is given twice")
            columns[tensor.name] = self.column(tensor)
        if columns.keys() != self.types.keys():
            raise Refused(self.difference(columns))
        lengths = {name: len(values) for name, values in columns.items()}
        if len(set(lengths.values())) > 1:
            raise Refused(f"inputs must have the same number of rows, got {', '.join(map(pair, lengths.items()))}")
        self.check_rows(next(iter(lengths.values()), 0))
        return columns

    def column(self, tensor: Tensor) -> Sequence[Any]:
        place, allowed = f"input {shown(tensor.name)}", DATATYPES[self.types[tensor.name]]
        if tensor.datatype not in allowed:
            raise Refused(f"{place}: expected datatype {' or '.join(allowed)}, got {shown(tensor.datatype)}")
        shape, data = tensor.shape, tensor.data
        if not isinstance(shape, list) or not fits(shape):
            raise Refused(f"{place}: expected shape [rows] or [rows, 1], got {shown(shape)}")
        if not isinstance(data, list):
            raise Refused(f"{place}: expected data as a list, got {shown(data)}")
        if len(data) != shape[0]:
            raise Refused(f"{place}: shape {shown(shape)} needs {shape[0]} values, got {len(data)}")
        if len(shape) == 2 and data and all(isinstance(value, list) and len(value) == 1 for value in data):
            data = [value for (value,) in data]
        check_values(tensor.name, data, *VALUES[tensor.datatype])
        return data

    def encode(self, columns: Columns) -> tuple[np.ndarray, np.ndarray]:
        """The arrays that a network takes. Raises Refused."""
        rows = len(next(iter(columns.values()), ()))
        arrays = {name: self.numbers(name, columns[name]) for name in self.encoder.numeric}
        for name in self.encoder.categorical:
            known = self.places[name]
            arrays[name] = np.array([known.get(text(value), 0) for value in columns[name]], np.int64)
        return self.encoder.encode(arrays, rows)

    def numbers(self, name: str, values: Sequence[Any]) -> np.ndarray:
        """float64, NaN where null."""
        try:
            array = np.array([math.nan if value is None else value for value in values], np.float64)
        except OverflowError:
            array = np.array([math.nan if value is None else as_float(value) for value in values], np.float64)
        given = np.array([value is not None for value in values], np.bool_)
        infinite = ~np.isfinite(array) & given
        if infinite.any():
            at = int(infinite.argmax())
            raise Refused(
                f"{name}, row {at}: expected a finite number, or null if it is missing, got {shown(values[at])}"
            )
        far = np.abs(array - self.encoder.mean[name]) > FAR * self.encoder.std[name]
        if far.any():
            at = int(far.argmax())
            raise Refused(
                f"{name}, row {at}: expected a number within {FAR:.0e} standard deviations of training's mean "
                f"{self.encoder.mean[name]:.4g}, got {shown(values[at])}"
            )
        return array

    def check_rows(self, rows: int) -> None:
        if not 1 <= rows <= self.max_rows:
            raise Refused(f"expected 1 to {self.max_rows} rows, got {rows}")

    def difference(self, given: Iterable[str]) -> str:
        given = set(given)
        unknown, missing = sorted(given - set(self.types)), [name for name in self.types if name not in given]
        if missing:
            return f"column {shown(missing[0])} is missing; the model takes {self.known()}"
        return f"column {shown(unknown[0])} is unknown; the model takes {self.known()}"

    def known(self) -> str:
        names = ", ".join(self.types)
        return names if len(names) <= LISTED else names[:LISTED] + "..."

    def tensors(self) -> list[dict[str, Any]]:
        """The inputs, as the protocol's model metadata has them."""
        kinds = {"Numeric": "FP64", "Categorical": "BYTES"}
        return [{"name": name, "datatype": kinds[kind], "shape": [-1]} for name, kind in self.types.items()]

    def example(self) -> dict[str, Any]:
        """A row in the middle of training's: means, and the first category of each column."""
        mean, vocabulary = self.encoder.mean, self.encoder.vocabulary
        return {
            name: mean[name] if kind == "Numeric" else next(iter(vocabulary[name]), None)
            for name, kind in self.types.items()
        }


def check_values(name: str, values: Sequence[Any], wanted: str, allowed: frozenset[type]) -> None:
    if set(map(type, values)) <= allowed | {NULL}:
        return
    at = next(at for at, value in enumerate(values) if type(value) not in allowed and value is not None)
    raise Refused(f"{name}, row {at}: expected {wanted}, or null if it is missing, got {shown(values[at])}")


def fits(shape: Sequence[Any]) -> bool:
    whole = all(type(size) is int and size >= 0 for size in shape)
    return whole and (len(shape) == 1 or (len(shape) == 2 and shape[1] == 1))


def text(value: str | int | bool | None) -> str | None:
    """A category as the vocabulary spells it: as Arrow casts it to a string."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else value


def as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def pair(item: tuple[str, int]) -> str:
    return f"{item[0]} {item[1]}"


def shown(value: Any) -> str:
    """A value of a request in a message: JSON, ASCII, cut."""
    try:
        found = json.dumps(value, default=lambda other: type(other).__name__)
    except (ValueError, RecursionError):
        found = type(value).__name__
    return found if len(found) <= SHOWN else found[: SHOWN - 1] + "..."
