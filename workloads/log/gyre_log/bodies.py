"""What the bodies of both inference protocols say: features by column, predictions by row. Pure.

Promises   a number is a number and a category text, one kind for all rows of a request; what cannot be read is an empty answer,
           never an error: whether a body is right is the predictor's business, and its code says so.
Never      more than MOST_ROWS rows or MOST_COLUMNS features; a value that JSON cannot mean (infinity).

    v1   {"instances": [{column: value} | [value, …] | value]}    {"predictions": [p | [p]]}
    v2   {"inputs": [{name, shape, datatype, data}]}              {"outputs": [{…}]}, the first of them
Features without a name are numbered: `0`, `1`, …; of a tensor with k columns `name.0`, `name.1`, …
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from gyre_log.masking import Value

MOST_ROWS: Final = 10_000
MOST_COLUMNS: Final = 512
LONGEST_NAME: Final = 256
LONGEST_VALUE: Final = 1024
WORDS: Final = ("BYTES", "BOOL")


@dataclass(frozen=True, slots=True)
class Table:
    rows: int = 0
    columns: dict[str, list[Value]] = field(default_factory=dict)


def loaded(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def features(body: bytes, categorical: frozenset[str] | None) -> Table:
    """`categorical`: columns that are text whatever they look like; None where the sender does not know."""
    asked = loaded(body)
    if isinstance(asked.get("instances"), list):
        rows, columns = by_rows(asked["instances"])
    elif isinstance(asked.get("inputs"), list):
        rows, columns = by_tensors(asked["inputs"])
    else:
        return Table()
    if not 0 < rows <= MOST_ROWS or len(columns) > MOST_COLUMNS:
        return Table(rows=rows if 0 < rows <= MOST_ROWS else 0)
    words = categorical or frozenset()
    return Table(rows, {name: typed(values, text=name in words) for name, values in sorted(columns.items())})


def by_rows(instances: Sequence[Any]) -> tuple[int, dict[str, list[Any]]]:
    columns: dict[str, list[Any]] = {}
    for at, instance in enumerate(instances[: MOST_ROWS + 1]):
        if isinstance(instance, dict):
            pairs = [(str(name), value) for name, value in instance.items()]
        elif isinstance(instance, list):
            pairs = [(str(place), value) for place, value in enumerate(instance)]
        else:
            pairs = [("0", instance)]
        for name, value in pairs:
            if len(name) > LONGEST_NAME or (name not in columns and len(columns) > MOST_COLUMNS):
                continue
            columns.setdefault(name, [None] * len(instances))[at] = value
    return len(instances), columns


def by_tensors(tensors: Sequence[Any]) -> tuple[int, dict[str, list[Any]]]:
    columns: dict[str, list[Any]] = {}
    rows = 0
    for tensor in tensors[: MOST_COLUMNS + 1]:
        for name, values, datatype in of_tensor(tensor):
            rows = rows or len(values)
            if len(values) != rows or len(name) > LONGEST_NAME:
                continue
            columns[name] = [str_of(value) for value in values] if datatype in WORDS else values
    return rows, columns


def of_tensor(tensor: Any) -> list[tuple[str, list[Any], str]]:
    """(name, values, datatype) of each of its columns."""
    if not isinstance(tensor, dict):
        return []
    name, shape, data = str(tensor.get("name", "")), tensor.get("shape"), tensor.get("data")
    if not isinstance(shape, list) or not isinstance(data, list) or not 1 <= len(shape) <= 2:
        return []
    if not all(type(size) is int and 0 < size <= MOST_ROWS for size in shape):
        return []
    rows, wide = shape[0], shape[1] if len(shape) == 2 else 1
    if wide > MOST_COLUMNS or rows * wide > 100 * MOST_ROWS:
        return []
    flat = [value for row in data for value in row] if data and all(isinstance(row, list) for row in data) else data
    if len(flat) != rows * wide:
        return []
    datatype = str(tensor.get("datatype", ""))
    if wide == 1:
        return [(name, flat, datatype)]
    return [(f"{name}.{place}", flat[place::wide], datatype) for place in range(wide)]


def predictions(body: bytes) -> list[float | None]:
    """One a row; None where it is no single number."""
    answered = loaded(body)
    told = answered.get("predictions")
    if isinstance(told, list):
        values = told
    else:
        outputs = answered.get("outputs")
        columns = of_tensor(outputs[0]) if isinstance(outputs, list) and outputs else []
        values = columns[0][1] if len(columns) == 1 else []
    return [alone(value) for value in values[:MOST_ROWS]]


def alone(value: Any) -> float | None:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return number(value) if isinstance(value, (int, float, bool)) else None


def typed(values: Sequence[Any], *, text: bool) -> list[Value]:
    """Text when any value is, or when it was said to be."""
    if text or any(isinstance(value, (str, bool, list, dict)) for value in values):
        return [str_of(value) for value in values]
    return [number(value) for value in values]


def number(value: Any) -> float | None:
    """Null is a missing value, and so is what a float64 cannot hold."""
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def str_of(value: Any) -> str | None:
    """As the model's own vocabulary spells it (gyre_serve/schema.py); nested values as JSON."""
    if value is None or isinstance(value, str):
        return value if value is None else value[:LONGEST_VALUE]
    if isinstance(value, bool):
        return "true" if value else "false"
    return (str(value) if isinstance(value, (int, float)) else orjson.dumps(value).decode())[:LONGEST_VALUE]
