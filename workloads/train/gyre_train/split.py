"""The rows of a tabular run: which are trained on, which are held out, and what is asked of them.

Promises   the held-out rows are later than the others wherever the split is by time, and the newest part of the window where
           there is one; no row is on both sides. The same data and parameters give the same rows, on every rank.
Never      trains on the rows that are held out; imports torch.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import fs

from gyre_data.digest import data_files
from gyre_train.contract import RunSpec
from gyre_train.encoder import Feature
from gyre_train.faults import UserError
from gyre_train.options import Tabular
from gyre_train.storage import open_storage
from gyre_train.table import automatic_features, partitions, read
from gyre_train.window import INSTANT, Within, instants, over, said, time_column


def tables(spec: RunSpec, tabular: Tabular) -> tuple[pa.Table, pa.Table | None, str]:
    """(rows to train on, rows held out, how they were split), without rows that have no target."""
    train = spec.dataset(tabular.train)
    files, folder = open_storage(train.path, train.s3)
    within = window_of(files, folder, tabular)
    part = f", of the {within}" if within else ""
    if tabular.last_partition:
        kept, held, name = last_partition(files, folder, within, tabular)
        return labelled(kept, tabular), labelled(held, tabular), f"last partition {name} of {tabular.train}{part}"
    rows = inside(read(files, folder, within=within), folder, within)
    if tabular.newest is not None:
        column = within.column if within else time_column(rows.schema, tabular.time)
        kept, held, since = newest(labelled(rows, tabular), column, tabular.newest)
        return kept, held, f"newest {tabular.newest:g} of {tabular.train}, since {said(since)}{part}"
    if tabular.holdout is None:
        return labelled(rows, tabular), None, ""
    held_data = spec.dataset(tabular.holdout)
    held = read(*open_storage(held_data.path, held_data.s3))
    return labelled(rows, tabular), labelled(held, tabular), f"dataset {tabular.holdout}"


def window_of(files: Any, folder: str, tabular: Tabular) -> Within | None:
    """The window over these data; None when all rows are meant."""
    if tabular.window is None:
        return None
    found = data_files(files, folder, fs.FileSelector(folder, recursive=True))
    paths = [info.path for info, path in found if path.endswith(".parquet") and info.size]
    if not paths:
        raise UserError(f"{folder} has no Parquet files")
    return over(tabular.window, files, paths, tabular.time)


def inside(table: pa.Table, folder: str, within: Within | None) -> pa.Table:
    """The same. Raises UserError when the window has none of its rows."""
    if within is not None and not table.num_rows:
        raise UserError(f"no row of {folder} is in the {within}: give a wider one, or newer data")
    return table


def last_partition(files: Any, folder: str, within: Within | None, tabular: Tabular) -> tuple[pa.Table, pa.Table, str]:
    """(rows before it, its rows, its name): the last that has rows in the window."""
    parts = partitions(files, folder)
    found = [(name, table) for name in parts if (table := read(files, folder, [name], within=within)).num_rows]
    if len(found) < 2:
        where = f" with rows in the {within}" if within else ""
        raise UserError(
            f"holdout.lastPartition: dataset {tabular.train!r} has {len(found)} partition{where}; it needs two or more"
        )
    name, held = found[-1]
    kept = pa.concat_tables([table for _, table in found[:-1]], promote_options="permissive").combine_chunks()
    return kept, held, name


def newest(rows: pa.Table, column: str, share: float) -> tuple[pa.Table, pa.Table, datetime]:
    """(the others, the newest share of the rows, since when those are): rows of one time stay together, so it may be more."""
    times = instants(rows, column)
    known = rows.filter(pc.is_valid(times))
    moments = np.sort(times.drop_null().cast(pa.int64()).to_numpy())
    if not len(moments):
        raise UserError(f"no row has a value in time column {column!r}")
    since = moments[min(len(moments) - 1, int(len(moments) * (1 - share)))]
    begin = pa.scalar(int(since), pa.int64()).cast(INSTANT)
    late = pc.greater_equal(instants(known, column), begin)
    kept, held = known.filter(pc.invert(late)), known.filter(late)
    if not kept.num_rows:
        raise UserError(
            f"holdout.newest: more than {1 - share:g} of the rows are of one time in {column!r}: split otherwise"
        )
    return kept, held, begin.as_py()


def labelled(table: pa.Table, tabular: Tabular) -> pa.Table:
    if tabular.target not in table.column_names:
        raise UserError(f"target.column {tabular.target!r} is not in the data; it has {', '.join(table.column_names)}")
    kept = table.filter(table[tabular.target].is_valid())
    if not kept.num_rows:
        raise UserError(f"no row has a value in target.column {tabular.target!r}")
    return kept


def truth_of(table: pa.Table, tabular: Tabular) -> np.ndarray:
    """1.0 and 0.0."""
    values: np.ndarray = table[tabular.target].to_numpy().astype(np.float64)
    if tabular.above is not None:
        return (values > tabular.above).astype(np.float32)
    if not np.isin(values, (0.0, 1.0)).all():
        raise UserError(f"target.column {tabular.target!r} is not 0 and 1 only: give target.above")
    return values.astype(np.float32)


def features_of(table: pa.Table, tabular: Tabular) -> list[Feature]:
    chosen = list(tabular.features) or automatic_features(table.schema, [tabular.target, *tabular.ignore])
    missing = [feature.name for feature in chosen if feature.name not in table.column_names]
    if missing:
        raise UserError(f"feature {missing[0]!r} is not in the data; it has {', '.join(table.column_names)}")
    if any(feature.name == tabular.target for feature in chosen):
        raise UserError(f"the target {tabular.target!r} is among the features")
    return chosen
