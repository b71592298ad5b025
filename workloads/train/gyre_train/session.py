"""What a user's script is given: the run it is in, on the head and on every worker.

Promises   works without an operator too: with no run.json a script runs as one worker in ~/gyre-runs.
Never      keeps state in a process that another rank would need.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gyre_train.contract import CheckpointPolicy, RunSpec, Storage, Workers
from gyre_train.loop import Stateful, Steps
from gyre_train.storage import open_storage

RUN_FILE = "/gyre/run/run.json"


class Session:
    """The one run of this process."""

    spec: RunSpec | None = None
    steps: Steps | None = None
    artifact: Path | None = None
    evaluation: tuple[dict[str, float], dict[str, Any] | None, int, str, dict[str, Any] | None] | None = None


def spec() -> RunSpec:
    if Session.spec is None:
        path = Path(os.environ.get("GYRE_RUN_FILE", RUN_FILE))
        Session.spec = RunSpec.load(path) if path.exists() else on_its_own()
    return Session.spec


def on_its_own() -> RunSpec:
    """A run without an operator."""
    folder = os.environ.get("GYRE_STORAGE_PATH") or str(Path.home() / "gyre-runs")
    return RunSpec(
        uid=os.environ.get("GYRE_RUN_NAME", "local"),
        job="local/local",
        attempt=1,
        workers=Workers(),
        storage=Storage(folder, folder),
        checkpoint=CheckpointPolicy(),
    )


# ── on the head ───────────────────────────────────────────────────────────────────────────────────────────────────────


def run(train: Callable[[dict[str, Any]], Any], config: Mapping[str, Any] | None = None) -> Any:
    """Run `train(config)` on every worker of this run, to the end or until it is parked; returns Ray's Result.

    Raises ray.train.TrainingFailedError: for an error in `train` at once, for lost nodes never.
    """
    return trainer(spec(), train, dict(config or {})).fit()


def trainer(run_spec: RunSpec, train: Callable[[dict[str, Any]], Any], config: dict[str, Any]) -> Any:
    from ray.train import CheckpointConfig, FailureConfig, LoggingConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    files, folder = open_storage(run_spec.storage.path, run_spec.storage.s3)
    needs = {"CPU": run_spec.workers.cpu} | ({"GPU": run_spec.workers.gpu} if run_spec.workers.gpu else {})
    remote = run_spec.storage.path.startswith("s3://")

    def on_worker(config: dict[str, Any]) -> Any:
        from gyre_train.session import Session

        Session.spec = run_spec
        return train(config)

    return TorchTrainer(
        on_worker,
        train_loop_config=config,
        # One worker a pod where pods have room for one; on one machine they share it.
        scaling_config=ScalingConfig(
            num_workers=run_spec.workers.count,
            use_gpu=run_spec.workers.gpu > 0,
            resources_per_worker=needs,
            placement_strategy="SPREAD",
        ),
        run_config=RunConfig(
            name=run_spec.uid,
            storage_path=folder,
            storage_filesystem=files if remote else None,
            failure_config=FailureConfig(max_failures=-1),
            logging_config=LoggingConfig(log_level="WARNING"),  # INFO is a line per rank and report
            checkpoint_config=CheckpointConfig(num_to_keep=run_spec.checkpoint.keep),
        ),
    )


def save_artifact(folder: str | Path) -> None:
    """What the run yields, as a folder on the head; without a call it is the newest checkpoint."""
    Session.artifact = Path(folder)


def evaluated(
    metrics: Mapping[str, float],
    *,
    baseline: Mapping[str, Any] | None = None,
    rows: int = 0,
    split: str = "",
    champion: Mapping[str, float] | None = None,
) -> None:
    """What the model is worth on rows it was not trained on. `baseline`: {"name": …, "metrics": {…}}.

    `champion`: the metrics of `gyre_train.champion()` on the same rows. Without them versions are ranked by what each reported
    of rows of its own.
    """
    known = spec().champion
    beside = (
        {"version": known.version, "digest": known.digest, "metrics": dict(champion)} if known and champion else None
    )
    Session.evaluation = (dict(metrics), dict(baseline) if baseline else None, rows, split, beside)


# ── on a worker ───────────────────────────────────────────────────────────────────────────────────────────────────────


def steps(total: int, *, steps_per_epoch: int | None = None, **state: Stateful) -> Steps:
    """The steps still to do, 0-based, of `total`. `state`: what a checkpoint holds, by name."""
    Session.steps = Steps(total, spec().checkpoint, steps_per_epoch=steps_per_epoch, **state)
    return Session.steps


def report(**metrics: float) -> None:
    """The newest metrics of this rank; only rank 0's are shown. Costs nothing: they travel with the next word to the driver."""
    if Session.steps is not None:
        Session.steps.report(**metrics)


def dataset(name: str) -> tuple[Any, str]:
    """(pyarrow file system, folder on it) of a dataset of this run. Raises KeyError."""
    found = spec().dataset(name)
    return open_storage(found.path, found.s3)


def champion() -> tuple[Any, str] | None:
    """(pyarrow file system, folder on it) of the artifact of the version that speaks for the model, to be measured on the same
    rows as the new one; None when there is none, or when it cannot be reached."""
    known = spec().champion
    return open_storage(known.path, known.s3) if known else None


def parameters() -> dict[str, str]:
    """The run's parameters, as strings."""
    return dict(spec().parameters)
