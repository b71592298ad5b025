"""Rows for the tabular loop: Parquet files to tensors, the same on every rank and at every restart.

Promises   the order of rows is the order of files by path and rows in them; statistics and vocabularies come from the rows
           that are trained on, alone; a column that cannot be a feature is named, with what to do.
Never      looks at the rows that are held out to prepare the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import fs

from gyre_data.digest import data_files
from gyre_train.encoder import Encoder, Feature
from gyre_train.faults import UserError
from gyre_train.window import Within, span_of

VOCABULARY_LIMIT: Final = 10_000


def encode(encoder: Encoder, table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """The rows of a table as `Encoder.encode` gives them."""
    columns = {name: as_floats(table, name) for name in encoder.numeric}
    for name in encoder.categorical:
        found = pc.index_in(as_strings(table, name), value_set=pa.array(encoder.vocabulary[name], pa.string()))
        columns[name] = pc.fill_null(found, -1).to_numpy(zero_copy_only=False).astype(np.int64) + 1
    return encoder.encode(columns, table.num_rows)


def learn_encoder(table: pa.Table, features: Sequence[Feature]) -> Encoder:
    mean, std, flagged, vocabulary = {}, {}, [], {}
    for feature in features:
        if feature.type == "Numeric":
            values = as_floats(table, feature.name)
            known = values[~np.isnan(values)]
            mean[feature.name] = float(known.mean()) if known.size else 0.0
            std[feature.name] = (float(known.std()) if known.size else 0.0) or 1.0
            if known.size < values.size:
                flagged.append(feature.name)
        else:
            seen = pc.unique(as_strings(table, feature.name)).drop_null().to_pylist()
            if len(seen) > VOCABULARY_LIMIT:
                raise UserError(
                    f"feature {feature.name!r} has {len(seen)} different values, more than {VOCABULARY_LIMIT}: "
                    "leave it out, or make it Numeric"
                )
            vocabulary[feature.name] = tuple(sorted(seen))
    return Encoder(tuple(features), mean, std, tuple(flagged), vocabulary)


def automatic_features(schema: pa.Schema, leave_out: Sequence[str]) -> list[Feature]:
    """Every column but the target, the ignored and the times: numbers are Numeric, texts and flags Categorical."""
    kinds: list[Feature] = []
    for field in schema:
        if field.name in leave_out or pa.types.is_temporal(field.type):
            continue
        numeric = pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
        kinds.append(Feature(field.name, "Numeric" if numeric else "Categorical"))
    return kinds


def partitions(files: Any, folder: str) -> list[str]:
    """The partition folders below `folder` (the part of the path before the file's name), sorted; [""] when flat."""
    found = data_files(files, folder, fs.FileSelector(folder, recursive=True))
    return sorted({path.rpartition("/")[0] for info, path in found if info.size and path.endswith(".parquet")})


def read(
    files: Any,
    folder: str,
    only: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    within: Within | None = None,
) -> pa.Table:
    """The Parquet files below `folder` in the order of their paths; `only`: of these partitions; `within`: of a window, which
    may have none of their rows. Raises UserError.

    Columns of the path (`month=01`) are added as text where the files lack them.
    """
    parts = []
    for info, path in data_files(files, folder, fs.FileSelector(folder, recursive=True)):
        place = path.rpartition("/")[0]
        if path.endswith(".parquet") and (only is None or place in only):
            table = rows_of(files, info.path, within)
            for part in place.split("/"):
                key, _, value = part.partition("=")
                if value and key not in table.column_names:
                    table = table.append_column(key, pa.array([value] * table.num_rows, pa.string()))
            parts.append(select(table, columns, folder))
    if not parts:
        raise UserError(f"{folder} has no Parquet files" + (f" in {list(only)}" if only is not None else ""))
    return pa.concat_tables(parts, promote_options="permissive").combine_chunks()


def rows_of(files: Any, path: str, within: Within | None) -> pa.Table:
    """Of one file. One that lies outside of the window is not read: its footer says so."""
    if within is None:
        return pq.read_table(path, filesystem=files, partitioning=None)
    if not within.may_hold(span_of(files, path, within.column)):
        return pq.read_schema(path, filesystem=files).empty_table()
    return within.of(pq.read_table(path, filesystem=files, partitioning=None))


def select(table: pa.Table, columns: Sequence[str] | None, folder: str) -> pa.Table:
    if columns is None:
        return table
    missing = [name for name in columns if name not in table.column_names]
    if missing:
        raise UserError(f"{folder} has no column {missing[0]!r}; it has {', '.join(table.column_names)}")
    return table.select(list(dict.fromkeys(columns)))


def as_floats(table: pa.Table, name: str) -> np.ndarray:
    try:
        values: np.ndarray = pc.cast(table[name], pa.float64()).to_numpy().astype(np.float64)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise UserError(
            f"feature {name!r} is {table[name].type}, not a number: make it Categorical or leave it out"
        ) from error
    return values


def as_strings(table: pa.Table, name: str) -> pa.ChunkedArray:
    return pc.cast(table[name], pa.string())
