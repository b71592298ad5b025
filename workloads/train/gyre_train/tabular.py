"""The ready-made loop: a binary target from a table, by a small network, data parallel.

Promises   every row is used exactly once an epoch, whatever the number of workers; the order depends on seed and epoch
           alone, and the batch on the number of the step: a run that was killed ends with the same weights, to the bit, as
           one that was not (same number of workers, same machine type).
Never      trains on the rows that are held out.

A dataset has to fit into the memory of each worker, encoded: 4 bytes a numeric input and 8 a categorical one, per row.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import torch
from torch import nn

from gyre_train.contract import ContractError, Node, RunSpec
from gyre_train.encoder import Encoder, Feature
from gyre_train.faults import UserError
from gyre_train.network import Network
from gyre_train.storage import open_storage
from gyre_train.table import automatic_features, encode, learn_encoder, partitions, read

FLAVOURS: Final = ("torch", "onnx")
REPORT_STEPS: Final = 20  # the loss is read from the device once per so many steps, as their mean


@dataclass(frozen=True, slots=True)
class Tabular:
    """spec.entrypoint.tabular (docs/run-contract.md, "Tabular")."""

    target: str
    above: float | None
    features: tuple[Feature, ...]  # empty: automatic
    ignore: tuple[str, ...]
    train: str
    holdout: str | None  # a dataset; None with last_partition: the last partition of `train`
    last_partition: bool
    baseline: tuple[str, ...]
    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    dropout: float
    hidden: tuple[int, ...]
    seed: int
    max_steps: int | None
    flavour: str  # of the artifact


# Fields that spec.parameters may set, and what makes a string into one.
PARAMETERS: Final[Mapping[str, Any]] = {
    "epochs": int,
    "batchSize": int,
    "learningRate": float,
    "weightDecay": float,
    "dropout": float,
    "seed": int,
    "maxSteps": int,
    "hidden": lambda text: [int(width) for width in text.split(",")],
    "flavour": str,
}


def parse(spec: RunSpec) -> Tabular:
    """Raises UserError naming the field."""
    try:
        node = Node({**(spec.tabular or {}), **from_parameters(spec.parameters)}, "spec.entrypoint.tabular")
        target, holdout = node.child("target"), node.maybe("holdout")
        features = [
            Feature(child.get("name", str), child.one_of("type", "Numeric", "Categorical"))
            for child in node.children("features")
        ]
        return Tabular(
            target=target.get("column", str),
            above=target.get("above", float, None),
            features=tuple(features),
            ignore=tuple(node.get("ignore", list, [])),
            train=node.child("train").get("dataset", str),
            holdout=holdout.get("dataset", str, None) if holdout else None,
            last_partition=holdout.get("lastPartition", bool, False) if holdout else False,
            baseline=tuple((node.maybe("baseline") or Node({}, "baseline")).get("by", list, [])),
            epochs=node.get("epochs", int, 5),
            batch_size=node.get("batchSize", int, 512),
            learning_rate=node.get("learningRate", float, 1e-3),
            weight_decay=node.get("weightDecay", float, 0.0),
            dropout=node.get("dropout", float, 0.0),
            hidden=tuple(node.get("hidden", list, [64, 32])),
            seed=node.get("seed", int, 0),
            max_steps=node.get("maxSteps", int, None),
            flavour=node.one_of("flavour", *FLAVOURS) if "flavour" in node.raw else FLAVOURS[0],
        )
    except (ContractError, ValueError) as error:
        raise UserError(str(error)) from error


def from_parameters(parameters: Mapping[str, str]) -> dict[str, Any]:
    unknown = sorted(set(parameters) - set(PARAMETERS))
    if unknown:
        raise UserError(f"parameter {unknown[0]!r} is not one of the tabular loop's: {', '.join(sorted(PARAMETERS))}")
    return {name: PARAMETERS[name](value) for name, value in parameters.items()}


@dataclass(frozen=True, slots=True)
class Rows:
    """Encoded rows: numbers (n × inputs, float32), places (n × categorical, int64), truth (n, float32)."""

    numbers: torch.Tensor
    places: torch.Tensor
    truth: torch.Tensor

    def __len__(self) -> int:
        return len(self.truth)


def tables(spec: RunSpec, tabular: Tabular) -> tuple[pa.Table, pa.Table | None, str]:
    """(rows to train on, rows held out, how they were split), without rows that have no target."""
    train = spec.dataset(tabular.train)
    files, folder = open_storage(train.path, train.s3)
    if tabular.last_partition:
        parts = partitions(files, folder)
        if len(parts) < 2:
            raise UserError(
                f"holdout.lastPartition: dataset {tabular.train!r} has {len(parts)} partition; it needs two or more"
            )
        kept, held = read(files, folder, parts[:-1]), read(files, folder, parts[-1:])
        return labelled(kept, tabular), labelled(held, tabular), f"last partition {parts[-1]} of {tabular.train}"
    if tabular.holdout is None:
        return labelled(read(files, folder), tabular), None, ""
    held_data = spec.dataset(tabular.holdout)
    held = read(*open_storage(held_data.path, held_data.s3))
    return labelled(read(files, folder), tabular), labelled(held, tabular), f"dataset {tabular.holdout}"


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


def encoded(table: pa.Table, encoder: Encoder, truth: np.ndarray) -> Rows:
    numbers, places = encode(encoder, table)
    return Rows(torch.from_numpy(numbers), torch.from_numpy(places), torch.from_numpy(truth))


def network(encoder: Encoder, tabular: Tabular) -> Network:
    torch.manual_seed(tabular.seed)
    return Network(encoder, tabular.hidden, tabular.dropout)


def train_worker(config: dict[str, Any]) -> None:
    """`train_loop_per_worker`. `config` is empty: everything is in the session's run.json."""
    import ray.train
    import ray.train.torch

    from gyre_train import session
    from gyre_train.artifact import warm_weights

    spec = session.spec()
    tabular = parse(spec)
    torch.set_num_threads(max(1, int(spec.workers.cpu)))
    context = ray.train.get_context()
    rank, world = context.get_world_rank(), context.get_world_size()
    table, _, _ = tables(spec, tabular)
    encoder = learn_encoder(table, features_of(table, tabular))
    rows = encoded(table, encoder, truth_of(table, tabular))
    model = network(encoder, tabular)
    if spec.warm_start:
        model.load_state_dict(warm_weights(spec.warm_start, spec.storage.s3, encoder))
    device = ray.train.torch.get_device()
    model = ray.train.torch.prepare_model(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=tabular.learning_rate, weight_decay=tabular.weight_decay)
    per_epoch = math.ceil(len(rows) / tabular.batch_size)
    total = min(per_epoch * tabular.epochs, tabular.max_steps or per_epoch * tabular.epochs)
    steps = session.steps(total, steps_per_epoch=per_epoch, model=model, optimizer=optimizer)
    order, of_epoch = torch.empty(0), -1
    running, seen = torch.zeros((), device=device), 0
    for step in steps:
        epoch, batch = divmod(step, per_epoch)
        if epoch != of_epoch:
            order, of_epoch = order_of(len(rows), tabular.seed, epoch), epoch
        whole = order[batch * tabular.batch_size : (batch + 1) * tabular.batch_size]
        if tabular.dropout:
            torch.manual_seed(hash((tabular.seed, step, rank)) & 0x7FFFFFFF)
        running += one_step(model, optimizer, rows, whole, rank, world, device, rate(tabular, step, total))
        seen += 1
        if step == steps.start or (step + 1) % REPORT_STEPS == 0:
            session.report(loss=float(running) / seen)
            running, seen = torch.zeros((), device=device), 0


def order_of(rows: int, seed: int, epoch: int) -> torch.Tensor:
    return torch.randperm(rows, generator=torch.Generator().manual_seed(seed * 1_000_003 + epoch))


def rate(tabular: Tabular, step: int, total: int) -> float:
    """Cosine decay to zero: a function of the step alone, so there is no schedule to save."""
    return tabular.learning_rate * 0.5 * (1 + math.cos(math.pi * step / total))


def one_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    rows: Rows,
    whole: torch.Tensor,
    rank: int,
    world: int,
    device: torch.device,
    learning_rate: float,
) -> torch.Tensor:
    """This rank's share of the batch; the gradient is that of the mean over the whole batch, at any number of workers.

    DistributedDataParallel takes the mean over ranks, so the sum of a share is divided by (whole batch / world).
    """
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
    mine = whole[rank::world]
    logits = model(rows.numbers[mine].to(device), rows.places[mine].to(device))
    total = nn.functional.binary_cross_entropy_with_logits(logits, rows.truth[mine].to(device), reduction="sum")
    loss = total * (world / len(whole))
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return loss.detach()
