"""What a TrainingJob runs: the ready-made loop over a table, or a script of the user's. Pure: the API.

The fields of the loop are those of docs/run-contract.md, "Tabular".
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from gyre.api.fields import (
    ConfigMapKeyRef,
    Count,
    Fraction,
    Name,
    Number,
)
from gyre.api.markers import (
    Between,
    ListType,
    MaxItems,
    MaxLength,
    MinLength,
    Pattern,
    Rule,
    exactly_one_of,
)
from gyre.api.model import Schema
from gyre.api.terms import Term

Path = Annotated[
    str,
    MaxLength(512),
    Pattern(r"^([-._a-zA-Z0-9]+(/[-._a-zA-Z0-9]+)*)?$"),
    Rule("!self.matches('(^|/)[.][.](/|$)')", "must stay below its root: leave out `..`"),
]
"""A relative path below a root that is given elsewhere."""
Column = Annotated[str, MinLength(1), MaxLength(128)]


class FeatureType(Term):
    """How a column is read."""

    NUMERIC = "Numeric", "a number, standardized"
    CATEGORICAL = "Categorical", "one of few values, embedded"


class Partition(Term):
    """Which partition of the training data."""

    LAST = "Last", "the newest one, by name"


class Target(Schema):
    """What to predict: yes or no."""

    column: Column
    """The column; rows without a value are left out."""
    above: Number | None = None
    """Yes means greater than this; without it the column holds 0 and 1."""


class Feature(Schema):
    """A column to predict from."""

    name: Column
    """The column."""
    type: FeatureType
    """How it is read."""


class TrainData(Schema):
    """The rows to train on."""

    dataset: Name = "train"
    """A name of spec.datasets."""


Share = Annotated[
    Fraction, Rule("double(self) > 0.0 && double(self) < 1.0", 'give a share between 0 and 1, such as "0.2"')
]


class Holdout(Schema, rules=(exactly_one_of("dataset", "partition", "newest"),)):
    """The rows that are never trained on, and that the model is measured by."""

    dataset: Name | None = None
    """A name of spec.datasets."""
    partition: Partition | None = None
    """A partition of the training data; with a window, of those that have rows in it."""
    newest: Share | None = None
    """The newest share of the rows of the training data, of their window where there is one."""


class Baseline(Schema):
    """What the model is compared with: the frequency of yes among the training rows."""

    by: Annotated[tuple[Column, ...], ListType("atomic"), MaxItems(8)] = ()
    """Per combination of these columns; over all rows when empty."""


class Tabular(Schema):
    """The ready-made loop: a neural network that answers yes or no, from the columns of Parquet files."""

    target: Target
    """What to predict."""
    features: Annotated[tuple[Feature, ...], ListType("map", keys=("name",)), MaxItems(256)] = ()
    """The columns to predict from; when empty, all but the target, `ignore` and times."""
    ignore: Annotated[tuple[Column, ...], ListType("set"), MaxItems(256)] = ()
    """Columns that must not be learnt from: whatever is not known when one predicts."""
    train: TrainData = TrainData()
    """The rows to train on; of a window, with the parameters windowFrom and windowTo, or windowLast (docs/run-contract.md)."""
    time: Column | None = None
    """The column that says when a row was, for windows and `holdout.newest`; by default the only one that holds times."""
    holdout: Holdout | None = None
    """The rows to measure by; without them there is no evaluation."""
    baseline: Baseline | None = None
    """What the model is compared with."""
    hidden: Annotated[tuple[Annotated[int, Between(1, 65536)], ...], ListType("atomic"), MaxItems(16)] = (64, 32)
    """Width of each hidden layer."""
    epochs: Annotated[int, Between(1, 100000)] = 5
    """Passes over the training data."""
    max_steps: Annotated[int, Between(1, 10**9)] | None = None
    """Stop after so many steps, if the epochs have more."""
    batch_size: Annotated[int, Between(1, 1048576)] = 512
    """Rows per step, over all workers together."""
    learning_rate: Number = Decimal("0.001")
    """Highest step size of AdamW; it decays to zero."""
    weight_decay: Number = Decimal(0)
    """Weight decay of AdamW."""
    dropout: Fraction = Decimal(0)
    """Share of units left out at random while training."""
    seed: Count = 0
    """Seed of the order of rows and of the first weights."""


class Image(Schema):
    """A script that is part of the image."""

    path: Annotated[str, MaxLength(512), Pattern(r"^(/[-._a-zA-Z0-9]+)+$")]
    """Its absolute path, such as /app/train.py."""


class Git(Schema):
    """A script at one revision of a git repository."""

    url: Annotated[str, MaxLength(512), Pattern(r"^(https|ssh)://[^\s]+$")]
    """The repository, by https or ssh."""
    revision: Annotated[str, MinLength(1), MaxLength(128), Pattern(r"^[a-zA-Z0-9][-._/a-zA-Z0-9]*$")]
    """A commit (best), tag or branch; the commit that ran is in the lineage."""
    path: Annotated[Path, MinLength(1)]
    """The script, relative to the root of the repository."""


class Script(Schema, rules=(exactly_one_of("configMap", "image", "git"),)):
    """The user's own training function, a Python file."""

    config_map: ConfigMapKeyRef | None = None
    """A file kept in a ConfigMap."""
    image: Image | None = None
    """A file in the image."""
    git: Git | None = None
    """A file in a git repository."""
    args: Annotated[tuple[Annotated[str, MaxLength(1024)], ...], ListType("atomic"), MaxItems(64)] = ()
    """Command line of the script."""


class Entrypoint(Schema, rules=(exactly_one_of("tabular", "script"),)):
    """What runs: the ready-made loop or a script."""

    tabular: Tabular | None = None
    """The ready-made loop over a table."""
    script: Script | None = None
    """A script of the user's."""
