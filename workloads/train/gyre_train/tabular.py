"""The ready-made loop: a binary target from a table, by a small network, data parallel.

Promises   every row is used exactly once an epoch, whatever the number of workers; the order depends on seed and epoch
           alone, and the batch on the number of the step: a run that was killed ends with the same weights, to the bit, as
           one that was not (same number of workers, same machine type).
Never      trains on the rows that are held out.

A dataset has to fit into the memory of each worker, encoded: 4 bytes a numeric input and 8 a categorical one, per row.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import pyarrow as pa
import torch
from torch import nn

from gyre_train.encoder import Encoder
from gyre_train.network import Network
from gyre_train.options import Tabular, parse
from gyre_train.split import features_of, tables, truth_of
from gyre_train.table import encode, learn_encoder

REPORT_STEPS: Final = 20  # the loss is read from the device once per so many steps, as their mean


@dataclass(frozen=True, slots=True)
class Rows:
    """Encoded rows: numbers (n × inputs, float32), places (n × categorical, int64), truth (n, float32)."""

    numbers: torch.Tensor
    places: torch.Tensor
    truth: torch.Tensor

    def __len__(self) -> int:
        return len(self.truth)


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
    optimizer = optimizer_of(model, tabular)
    per_epoch, total = lengths(len(rows), tabular)
    steps = session.steps(total, steps_per_epoch=per_epoch, model=model, optimizer=optimizer)
    fit(model, optimizer, rows, tabular, steps, session.report, rank=rank, world=world, device=device)


class Numbers(Protocol):
    """The steps still to do: `range`, or `loop.Steps`."""

    @property
    def start(self) -> int: ...

    def __iter__(self) -> Any: ...


def optimizer_of(model: nn.Module, tabular: Tabular) -> torch.optim.Optimizer:
    return torch.optim.AdamW(model.parameters(), lr=tabular.learning_rate, weight_decay=tabular.weight_decay)


def lengths(rows: int, tabular: Tabular) -> tuple[int, int]:
    """(steps an epoch, steps in all)."""
    per_epoch = math.ceil(rows / tabular.batch_size)
    return per_epoch, min(per_epoch * tabular.epochs, tabular.max_steps or per_epoch * tabular.epochs)


def fit(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    rows: Rows,
    tabular: Tabular,
    steps: Numbers,
    report: Callable[..., None],
    *,
    rank: int = 0,
    world: int = 1,
    device: Any = "cpu",
) -> None:
    """This rank's part of the steps."""
    per_epoch, total = lengths(len(rows), tabular)
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
            report(loss=float(running) / seen)
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
