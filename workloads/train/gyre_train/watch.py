"""What the driver sees of Ray Train, and who may retry.

Promises   every trainer started in the driver's process, ours or the user's own, is watched and judged by the same policy:
           a lost node is retried without limit, an error of the user's code never.
Never      changes what is trained.

Two places of Ray Train 2.60.0 are used. The callback is its own interface (RAY_TRAIN_CALLBACKS; train/v2/_internal/
callbacks/env_callback.py). The policy has no such interface: `FailureConfig` counts user exceptions and lost nodes alike
(failure_handling/default.py), so `install` replaces the factory that trainers ask for their policy.
"""

from __future__ import annotations

import logging
import os
from typing import Any, Final

import ray.train.v2.api.data_parallel_trainer as trainers
from ray.exceptions import RayError
from ray.train.v2._internal.exceptions import WorkerGroupStartupFailedError, WorkerGroupStartupTimeoutError
from ray.train.v2._internal.execution.callback import ControllerCallback, ReportCallback, WorkerGroupCallback
from ray.train.v2._internal.execution.failure_handling import FailureDecision, FailurePolicy
from ray.train.v2.api.exceptions import ControllerError, PreemptionError, TrainingFailedError, WorkerGroupError

from gyre_train.faults import Fault, classify, message_of, shorten
from gyre_train.hub import Line

log = logging.getLogger("gyre.watch")

CALLBACKS: Final = "RAY_TRAIN_CALLBACKS"
# A run that never reports anything between losses will not do so the sixth time either: its nodes are healthy and it is not.
LOSSES_WITHOUT_PROGRESS: Final = 5


class Counter:
    """Losses since the last report, shared by callback and policy: both live in the controller's process."""

    losses = 0


def install() -> None:
    """Watch and judge every trainer that this process starts from now on."""
    name = f"{Watch.__module__}.{Watch.__qualname__}"
    known = [given for given in os.environ.get(CALLBACKS, "").split(",") if given]
    if name not in known:
        os.environ[CALLBACKS] = ",".join([*known, name])
    trainers.create_failure_policy = Policy


class Watch(ControllerCallback, ReportCallback, WorkerGroupCallback):  # type: ignore[misc]
    """Tells the driver what the controller sees. Runs in the controller."""

    def __init__(self) -> None:
        self._line: Line | None = None

    def _post(self, kind: str, **event: Any) -> None:
        try:
            self._line = self._line or Line()
            self._line.post(kind, **event)
        except Exception:  # watching must not end what is watched
            log.exception("the driver could not be told %s", kind)

    def before_worker_group_start(self, worker_group_context: Any) -> None:
        self._post("group", workers=worker_group_context.num_workers)

    def after_report(self, training_report: Any, metrics: list[dict[str, Any]]) -> None:
        Counter.losses = 0
        checkpoint = training_report.checkpoint
        numbers = {
            name: value for name, value in (metrics[0] if metrics else {}).items() if isinstance(value, int | float)
        }
        self._post("reported", checkpoint=checkpoint.path if checkpoint else None, metrics=numbers)


class Policy(FailurePolicy):  # type: ignore[misc]
    """Retry what is not the code's fault, for ever; raise what is, at once."""

    def __init__(self, failure_config: Any) -> None:
        super().__init__(failure_config)
        self._line: Line | None = None

    def make_decision(self, training_failed_error: TrainingFailedError) -> FailureDecision:
        fault = fault_of(training_failed_error)
        decision = self._decide(fault, training_failed_error)
        log.warning("[gyre] %s: %s\n%s", decision.value, fault.kind, fault.message)
        if decision is FailureDecision.RETRY and not waits_for_nodes(training_failed_error):
            self._line = self._line or Line()
            self._line.post("lost", cause=fault.kind, message=shorten(fault.message, 500))
        return decision

    def _decide(self, fault: Fault, error: TrainingFailedError) -> FailureDecision:
        if waits_for_nodes(error):
            return FailureDecision.RETRY
        if fault.kind not in ("WorkerLost", "Preempted"):
            return FailureDecision.RAISE
        Counter.losses += 1
        return FailureDecision.RETRY if Counter.losses <= LOSSES_WITHOUT_PROGRESS else FailureDecision.RAISE


def waits_for_nodes(error: TrainingFailedError) -> bool:
    """Workers could not be placed in time; the operator sees the pods and decides how long to wait for them."""
    return isinstance(error, ControllerError) and isinstance(error.controller_failure, WorkerGroupStartupTimeoutError)


def fault_of(error: BaseException) -> Fault:
    """The fault behind what `fit()` raises."""
    if isinstance(error, PreemptionError):
        return Fault("Preempted", str(error))
    if isinstance(error, WorkerGroupError):
        return classify(error.worker_failures, str(error))
    if isinstance(error, ControllerError):
        inner = error.controller_failure
        # An actor of Ray Train's own beside the workers dies with their node, or of the same lack of memory.
        if isinstance(inner, WorkerGroupStartupFailedError | RayError):
            return Fault("WorkerLost", message_of(inner, ""))
        return Fault("Framework", shorten(f"{type(inner).__name__}: {inner}"))
    return Fault("Framework", shorten(f"{type(error).__name__}: {error}"))
