"""Rows of a Dataset as requests: which rows, in which order, what a model is asked of them, and what turned out.

Promises   a row that lacks a value the model asks for is left out; of a partition that has more rows than are asked about, every
           k-th in order, so that a month is asked about from its first day to its last.
Never      asks with what the model does not take.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

TEXT: Final = "BYTES"


class ReplayError(Exception):
    """The replay cannot begin; the message names the fix."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. `truth`: a label a row, None where none will ever come; `rows`: the partition they are of."""

    body: bytes
    truth: tuple[float | None, ...] = ()
    rows: str = ""


@dataclass(frozen=True, slots=True)
class Truth:
    """Which column says what turned out: 1 above a value and 0 else, or its value."""

    column: str
    above: float | None = None

    def of(self, table: pa.Table) -> list[float | None]:
        if self.column not in table.column_names:
            raise ReplayError(f"the rows have no column {self.column!r} to take labels from")
        values = table[self.column].cast(pa.float64()).to_pylist()
        return [value if value is None or self.above is None else float(value > self.above) for value in values]


@dataclass(frozen=True, slots=True)
class Scale:
    """A column in another unit, as after a change at its source."""

    partition: str
    column: str
    factor: float

    @classmethod
    def parse(cls, text: str) -> Scale:
        """`month=11:distance=1.609344`. Raises ReplayError."""
        partition, _, rest = text.partition(":")
        column, _, factor = rest.partition("=")
        try:
            return cls(partition, column, float(factor))
        except ValueError:
            raise ReplayError(f"--scale {text!r}: write it like month=11:distance=1.609344") from None

    def applied(self, table: pa.Table) -> pa.Table:
        if self.column not in table.column_names:
            raise ReplayError(f"--scale: {self.partition} has no column {self.column!r}")
        scaled = pc.multiply(table[self.column].cast(pa.float64()), self.factor)
        return table.set_column(table.column_names.index(self.column), self.column, scaled)


def table_of(path: str, partition: str | None = None) -> pa.Table:
    """The rows of a folder of Parquet, or of one of its partitions (`month=05`; `last` is the last by name)."""
    folder = Path(path)
    if partition:
        found = sorted(place for place in folder.rglob("*=*") if place.is_dir())
        chosen = found[-1:] if partition == "last" else [place for place in found if place.name == partition]
        if not chosen:
            raise ReplayError(f"{path} has no partition {partition!r}; there are {[place.name for place in found]}")
        folder = chosen[0]
    try:
        table = ds.dataset(str(folder), format="parquet", exclude_invalid_files=True).to_table()
    except (OSError, pa.ArrowInvalid) as error:
        raise ReplayError(f"{folder}: {error}") from error
    if table.num_rows == 0:
        raise ReplayError(f"{folder} has no rows")
    return table


@dataclass(frozen=True, slots=True)
class Leg:
    """Rows that are asked about for a while: `requests` of them, or without end."""

    name: str
    table: pa.Table
    requests: int | None = None


def legs_of(path: str, partitions: Sequence[str], requests: int, scales: Sequence[Scale]) -> list[Leg]:
    """One partition, or the whole folder, without end; of several, so many requests about each. Raises ReplayError."""
    if unused := [scale.partition for scale in scales if scale.partition not in partitions]:
        raise ReplayError(f"--scale {unused[0]}: that partition is not among --partition {' '.join(partitions)}")
    if len(partitions) < 2 and not scales:
        return [Leg(name, table_of(path, name or None)) for name in (partitions or [""])]
    return [Leg(name, scaled(table_of(path, name), name, scales), requests) for name in partitions]


def scaled(table: pa.Table, partition: str, scales: Sequence[Scale]) -> pa.Table:
    for scale in scales:
        if scale.partition == partition:
            table = scale.applied(table)
    return table


def asked(
    legs: Sequence[Leg], inputs: Sequence[Mapping[str, Any]], rows: int, truth: Truth | None = None
) -> Iterator[Asked]:
    """Leg by leg, `rows` rows a request; a leg begins again at its end. Raises ReplayError at the first request of a leg."""
    for leg in legs:
        yield from _of_leg(leg, inputs, rows, truth)


def _of_leg(leg: Leg, inputs: Sequence[Mapping[str, Any]], rows: int, truth: Truth | None) -> Iterator[Asked]:
    types = {str(one["name"]): str(one["datatype"]) for one in inputs}
    if missing := [name for name in types if name not in leg.table.column_names]:
        raise ReplayError(f"the model asks for {', '.join(missing)}, which the rows do not have")
    whole = leg.table.filter(_present(leg.table, list(types)))
    if whole.num_rows == 0:
        raise ReplayError("no row has a value in every column that the model asks for")
    if leg.requests is not None and leg.requests * rows < whole.num_rows:
        whole = whole.take(pa.array(np.linspace(0, whole.num_rows - 1, leg.requests * rows).astype(np.int64)))
    labels = truth.of(whole) if truth else []
    sent = 0
    while leg.requests is None or sent < leg.requests:
        for start in range(0, whole.num_rows, rows):
            if leg.requests is not None and sent >= leg.requests:
                return
            part = whole.slice(start, rows)
            yield Asked(body_of(part, types), tuple(labels[start : start + rows]), leg.name)
            sent += 1


def _present(table: pa.Table, names: Sequence[str]) -> pa.ChunkedArray | pa.Scalar:
    mask = pa.array(np.ones(table.num_rows, bool))
    for name in names:
        mask = pc.and_(mask, table[name].is_valid())
    return mask


def body_of(part: pa.Table, types: Mapping[str, str]) -> bytes:
    """Open Inference Protocol v2, one tensor a feature."""
    columns = part.select(list(types)).to_pydict()
    tensors = [
        {
            "name": name,
            "shape": [part.num_rows],
            "datatype": datatype,
            "data": [str(value) if datatype == TEXT else value for value in columns[name]],
        }
        for name, datatype in types.items()
    ]
    return json.dumps({"inputs": tensors}).encode()
