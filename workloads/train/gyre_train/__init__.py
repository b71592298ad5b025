"""Training that survives its machines: the driver of a TrainingJob, and a few names for a script of your own.

    import gyre_train

    def train(config):                                   # runs on every worker
        model, optimizer = …
        for step in gyre_train.steps(total=5000, model=model, optimizer=optimizer):
            loss = …
            gyre_train.report(loss=loss.item())

    gyre_train.run(train)                                # runs on the head

`steps` resumes, writes checkpoints and parks; the state given to it by name (`state_dict`/`load_state_dict`) is what a
checkpoint holds. Derive a batch from the number of its step, and a run that was killed ends as one that was not.

After `run`, `evaluated(metrics, champion=…)` tells what the model is worth on held-out rows, and what the version is worth there
that speaks for the model so far; its artifact is where `champion()` says.

A script that uses Ray Train alone works as well: take GYRE_RUN_NAME and GYRE_STORAGE_PATH for its RunConfig.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gyre_train.session import champion, dataset, evaluated, parameters, report, run, save_artifact, steps

__all__ = ["champion", "dataset", "evaluated", "parameters", "report", "run", "save_artifact", "steps"]


def __getattr__(name: str) -> Any:
    """Lazily, so that the pure parts can be used where neither Ray nor torch is installed."""
    if name in __all__:
        from gyre_train import session

        return getattr(session, name)
    raise AttributeError(f"module 'gyre_train' has no attribute {name!r}")
