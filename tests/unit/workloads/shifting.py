"""Months of rows whose rule changes: before July x speaks for yes, from July on it speaks against it and z for it.

An old model is worth less than a coin after the shift; the new rule is harder to learn than the old one was, so the better
model's own figure stays below what the old one reported of its own time.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from gyre_data.digest import of_folder, root
from gyre_train.contract import RunSpec

PER_MONTH = 400
SHIFT = 7
RULES = ((2.5, 0.0), (-0.6, 1.0))
"""Weights of x and z in the log odds, before the shift and after it."""
TABULAR: dict[str, Any] = {
    "target": {"column": "late", "above": 0.5},
    "features": [{"name": "x", "type": "Numeric"}, {"name": "z", "type": "Numeric"}],
    "train": {"dataset": "train"},
    "holdout": {"newest": 0.25},
    "hidden": [],
    "epochs": 6,
    "batchSize": 128,
    "learningRate": 0.05,
    "flavour": "onnx",
}
EXAMPLE_RUN: dict[str, Any] = {
    "version": 1,
    "uid": "u1",
    "job": "ml/delay",
    "attempt": 1,
    "workers": {"count": 1},
}


def write_months(folder: Path, months: range, *, statistics: bool = True) -> None:
    """`<folder>/month=01/part-0.parquet` and so on, a row every hour and a bit."""
    for month in months:
        place = folder / f"month={month:02d}"
        place.mkdir(parents=True)
        pq.write_table(rows_of(month), place / "part-0.parquet", write_statistics=statistics)


def rows_of(month: int) -> pa.Table:
    dice = np.random.default_rng(month)
    x, z = dice.normal(size=(2, PER_MONTH))
    a, b = RULES[month >= SHIFT]
    late = dice.random(PER_MONTH) < 1 / (1 + np.exp(-(a * x + b * z)))
    begin = datetime(2013, month, 1, tzinfo=UTC)
    when = [begin + timedelta(minutes=96 * n) for n in range(PER_MONTH)]
    columns = {"when": pa.array(when, pa.timestamp("s", tz="UTC")), "x": x, "z": z, "late": late.astype(np.float32)}
    return pa.table(columns)


def run(folder: Path, storage: Path, *, uid: str = "u1", champion: Any = None, **parameters: str) -> RunSpec:
    return RunSpec.parse(
        {
            **EXAMPLE_RUN,
            "uid": uid,
            "entrypoint": {"tabular": TABULAR},
            "storage": {"path": str(storage), "uri": "pvc://runs"},
            "datasets": [{"name": "train", "path": str(folder)}],
            "parameters": parameters,
            "champion": champion,
        }
    )


def digest_of(folder: Path) -> str:
    from pyarrow import fs

    return root(of_folder(fs.LocalFileSystem(), str(folder), fs.FileSelector(str(folder), recursive=True)))
