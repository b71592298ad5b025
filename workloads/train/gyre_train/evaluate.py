"""The end of a tabular run: what the model is worth on rows it has not seen, beside its champion, and its artifact.

Promises   the weights are those of the last checkpoint, read back from storage and checked; the baseline sees exactly the
           rows the model was trained on, the champion exactly the rows that the model is measured by.
Never      reports a metric of training rows as if it were of held-out ones; fails because of the champion.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from pyarrow import fs

from gyre_train import against, artifact
from gyre_train.checkpoint import check_local
from gyre_train.contract import RunSpec
from gyre_train.encoder import Encoder
from gyre_train.loop import STATE
from gyre_train.options import Tabular, parse
from gyre_train.record import Record
from gyre_train.score import auc, log_loss, of_binary, rate_by_group
from gyre_train.split import features_of, tables, truth_of
from gyre_train.storage import open_storage
from gyre_train.table import as_strings, learn_encoder
from gyre_train.tabular import Rows, encoded, network

BATCH = 65_536


def finish(spec: RunSpec, checkpoint: str, record: Record) -> None:
    """Evaluate the run's last checkpoint and write its artifact. Raises RestoreFailed, UserError, OSError."""
    tabular = parse(spec)
    table, held, split = tables(spec, tabular)
    encoder = learn_encoder(table, features_of(table, tabular))
    model = network(encoder, tabular)
    step, weights = final_weights(spec, checkpoint)
    model.load_state_dict(weights)
    if held is not None:
        truth = truth_of(held, tabular)
        metrics = of_binary(truth, predict(model, encoded(held, encoder, truth)))
        beside = against.measured(spec, held, truth, tabular)
        record.evaluated(metrics, baseline(table, held, truth, tabular), held.num_rows, split, beside)
    record.wrote_artifact(write(spec, weights, encoder, tabular, step))


def final_weights(spec: RunSpec, checkpoint: str) -> tuple[int, dict[str, Any]]:
    files, storage = open_storage(spec.storage.path, spec.storage.s3)
    with tempfile.TemporaryDirectory(prefix="gyre-") as folder:
        fs.copy_files(
            f"{storage}/{spec.uid}/{checkpoint}",
            folder,
            source_filesystem=files,
            destination_filesystem=fs.LocalFileSystem(),
        )
        step = check_local(Path(folder), checkpoint)
        return step, torch.load(Path(folder) / STATE, map_location="cpu", weights_only=True)["model"]


def predict(model: torch.nn.Module, rows: Rows) -> np.ndarray:
    """Probabilities, float64."""
    model.eval()
    with torch.inference_mode():
        slices = [slice(at, at + BATCH) for at in range(0, len(rows), BATCH)]
        parts = [torch.sigmoid(model(rows.numbers[part], rows.places[part])) for part in slices]
    result: np.ndarray = torch.cat(parts).double().numpy()
    return result


def baseline(table: pa.Table, held: pa.Table, truth: np.ndarray, tabular: Tabular) -> dict[str, Any]:
    """How often it was so for rows of the same group while training; without groups, how often at all."""

    def keys(of: pa.Table) -> list[np.ndarray]:
        return [as_strings(of, name).to_numpy() for name in tabular.baseline] or [np.zeros(of.num_rows)]

    expected = rate_by_group(keys(table), truth_of(table, tabular), keys(held))
    name = f"frequency by {', '.join(tabular.baseline)}" if tabular.baseline else "overall frequency"
    return {"name": name, "metrics": {"auc": auc(truth, expected), "logLoss": log_loss(truth, expected)}}


def write(spec: RunSpec, weights: dict[str, Any], encoder: Encoder, tabular: Tabular, step: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="gyre-") as folder:
        artifact.write_tabular(Path(folder), weights, encoder, tabular)
        return artifact.upload(spec, Path(folder), step, tabular.flavour)
