"""What the tabular loop is told: spec.entrypoint.tabular with the run's parameters over it, checked. Pure.

Promises   a wrong field or parameter is named, with what to do; names are those of docs/run-contract.md, "Tabular".
Never      imports torch or reads a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from gyre_train.contract import ContractError, Node, RunSpec
from gyre_train.encoder import Feature
from gyre_train.faults import UserError
from gyre_train.window import PARAMETERS as OF_WINDOW
from gyre_train.window import Window

FLAVOURS: Final = ("torch", "onnx")


@dataclass(frozen=True, slots=True)
class Tabular:
    """spec.entrypoint.tabular (docs/run-contract.md, "Tabular")."""

    target: str
    above: float | None
    features: tuple[Feature, ...]  # empty: automatic
    ignore: tuple[str, ...]
    train: str
    time: str | None  # the column that says when; None: the only one that holds times
    window: Window | None  # None: all rows
    holdout: str | None  # a dataset; None with last_partition: the last partition of `train`
    last_partition: bool
    newest: float | None  # share of the rows of `train` that is held out, the newest ones
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
        target, holdout = node.child("target"), node.maybe("holdout") or Node({}, "holdout")
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
            time=node.get("time", str, None),
            window=Window.of(spec.parameters),
            holdout=holdout.get("dataset", str, None),
            last_partition=holdout.get("lastPartition", bool, False),
            newest=share(holdout.get("newest", float, None)),
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


def share(said: float | None) -> float | None:
    if said is not None and not 0 < said < 1:
        raise ContractError(f"holdout.newest must be between 0 and 1, not {said:g}")
    return said


def from_parameters(parameters: Mapping[str, str]) -> dict[str, Any]:
    """Those that set a field of the loop."""
    unknown = sorted(set(parameters) - set(PARAMETERS) - set(OF_WINDOW))
    if unknown:
        known = ", ".join(sorted({*PARAMETERS, *OF_WINDOW}))
        raise UserError(f"parameter {unknown[0]!r} is not one of the tabular loop's: {known}")
    return {name: PARAMETERS[name](value) for name, value in parameters.items() if name in PARAMETERS}
