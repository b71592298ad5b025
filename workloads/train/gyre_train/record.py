"""What happened in a run, as a state that events are applied to and progress.json is read from.

Promises   the same events at the same times give the same progress; a metric that is not a finite number never gets in.
Never      does IO or reads a clock: every event carries `at` (milliseconds since the epoch, the head pod's clock).

Events are the methods of `Record`; `hub.py` carries them from workers and controller to the driver.

    Starting ─▶ Verifying ─▶ Restoring ─▶ Running ─▶ Evaluating ─▶ Succeeded | Failed | Parked
                                 ▲           │
                                 └ Recovering┘   a worker was lost
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from gyre_train.contract import METRICS_KEPT, RESTARTS_KEPT, VERSION, FailureClass, RunSpec, State, timestamp
from gyre_train.ledger import Ledger

RATE_WINDOW_MS: Final = 10_000  # steps per second are of the last ten seconds


class Record:
    def __init__(self, spec: RunSpec, head: Mapping[str, str], at: int) -> None:
        self._spec = spec
        self._head = dict(head)
        self._started = at
        self._ledger = Ledger(at)
        self._state: State = "Starting"
        self._step = 0
        self._epoch = 0
        self._total: int | None = None
        self._latest: dict[str, float] = {}
        self._best: dict[str, float] = {}
        self._rate: list[tuple[int, int]] = []  # (ms, step)
        self._checkpoint: dict[str, Any] | None = None
        self._blocked: dict[int, float] = {}  # step of a checkpoint -> seconds the steps stood still for it
        self._restore: dict[str, Any] | None = None
        self._restarts: list[dict[str, Any]] = []
        self._restart_count = 0
        self._lost_at: int | None = None
        self._failure: dict[str, Any] | None = None
        self._artifact: dict[str, Any] | None = None
        self._evaluation: dict[str, Any] | None = None
        self._lineage: dict[str, Any] = {}

    @property
    def state(self) -> State:
        return self._state

    @property
    def step(self) -> int:
        return self._step

    # ── events ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def enter(self, state: State, at: int) -> None:
        self._ledger.advance(at)
        self._state = state

    def lineage(self, lineage: Mapping[str, Any]) -> None:
        self._lineage = dict(lineage)

    def restoring(self, name: str, step: int, at: int) -> None:
        """Workers begin to read a checkpoint."""
        self.enter("Restoring", at)
        self._restore = {"name": name, "step": step, "ok": None, "error": ""}

    def restored(self, name: str, step: int, seconds: float, at: int) -> None:
        """All of a checkpoint was read and fits; steps go on after `step`."""
        self._ledger.advance(at)
        account = self._ledger.account
        if account in ("starting", "recovering"):
            self._ledger.move(account, "checkpointRestore", round(seconds * 1000))
        self._restore = {"name": name, "step": step, "ok": True, "error": ""}
        self._back_to(step)

    def restore_failed(self, name: str, error: str, at: int) -> None:
        self._ledger.advance(at)
        step = self._restore["step"] if self._restore and self._restore["name"] == name else 0
        self._restore = {"name": name, "step": step, "ok": False, "error": error[:500]}

    def fresh(self, at: int) -> None:
        """Workers begin without a checkpoint: whatever was done before is lost."""
        self._ledger.advance(at)
        self._back_to(0)

    def back_to_checkpoint(self, at: int) -> None:
        """After a loss, for a run that does not say what it restored: it can only be the newest checkpoint."""
        if self._lost_at is not None and self._restarts[-1]["toStep"] is None:
            self._ledger.advance(at)
            self._back_to(self._checkpoint["step"] if self._checkpoint else 0)

    def _back_to(self, step: int) -> None:
        self._ledger.resumed_at(step)
        self._step = step
        self._rate.clear()
        if self._lost_at is not None:
            self._restarts[-1]["toStep"] = step

    def stepped(self, step: int, epoch: int, total: int | None, metrics: Mapping[str, Any], at: int) -> None:
        """The newest step that is done, with its metrics."""
        if self._ledger.account != "productive":
            self._resume(at)
        self._ledger.advance(at)
        self._step, self._epoch, self._total = step, epoch, total if total is not None else self._total
        self._rate = [(when, number) for when, number in self._rate if when >= at - RATE_WINDOW_MS] + [(at, step)]
        self.measured(metrics)

    def _resume(self, at: int) -> None:
        self._ledger.enter("productive", at)
        self._state = "Running"
        if self._lost_at is not None:
            self._restarts[-1].update(resumedAt=timestamp(at), secondsLost=round((at - self._lost_at) / 1000, 3))
            self._lost_at = None

    def measured(self, metrics: Mapping[str, Any]) -> None:
        for name, value in metrics.items():
            number = finite(value)
            if number is None or (name not in self._latest and len(self._latest) >= METRICS_KEPT):
                continue
            self._latest[name] = number
            if self._is_best(name, number):
                self._best[name] = number

    def _is_best(self, name: str, number: float) -> bool:
        """Only what has a direction has a best: the objective, and a loss."""
        objective = self._spec.objective
        if objective and objective.metric == name:
            return name not in self._best or objective.better(number, self._best[name])
        return name.split("/")[-1].endswith("loss") and number < self._best.get(name, math.inf)

    def saved(self, step: int, seconds: float, at: int) -> None:
        """Steps stood still for `seconds` while a checkpoint of `step` was written."""
        self._ledger.advance(at)
        self._ledger.move("productive", "checkpointSave", round(seconds * 1000))
        self._ledger.mark(step)
        self._blocked[step] = seconds
        if self._checkpoint and self._checkpoint["step"] == step:
            self._checkpoint["blockedSeconds"] = round(seconds, 3)

    def committed(self, name: str, step: int, *, size: int, digest: str, verified: bool, at: int) -> None:
        """A checkpoint was read back from storage. `size` in bytes."""
        self._ledger.advance(at)
        if self._checkpoint and self._checkpoint["step"] > step:
            return
        self._checkpoint = {
            "name": name,
            "uri": f"{self._spec.storage.uri}/{self._spec.uid}/{name}",
            "step": step,
            "time": timestamp(at),
            "bytes": size,
            "digest": digest,
            "verified": verified,
            "blockedSeconds": round(self._blocked.pop(step, 0.0), 3),
        }
        self._blocked = {later: seconds for later, seconds in self._blocked.items() if later > step}

    def lost(self, cause: str, message: str, at: int) -> None:
        """The worker group is torn down and will start again."""
        if self._lost_at is None:
            self._restart_count += 1
            self._lost_at = at
            self._restarts.append(
                {
                    "at": timestamp(at),
                    "cause": cause,
                    "message": message[:500],
                    "fromStep": self._step,
                    "toStep": None,
                    "resumedAt": None,
                    "secondsLost": None,
                }
            )
            del self._restarts[:-RESTARTS_KEPT]
        self._ledger.enter("recovering", at)
        self._state = "Recovering"

    def failed(self, kind: FailureClass, message: str, at: int) -> None:
        self.enter("Failed", at)
        self._failure = {"class": kind, "message": message, "step": self._step}

    def evaluated(
        self,
        metrics: Mapping[str, Any],
        baseline: Mapping[str, Any] | None,
        rows: int,
        split: str,
        champion: Mapping[str, Any] | None = None,
    ) -> None:
        """`champion`: {"version", "digest", "metrics"} on the same rows, or a "problem" instead of the metrics."""
        kept = all_finite(metrics)
        beside = dict(champion) if champion else None
        if beside and "metrics" in beside:
            beside["metrics"] = all_finite(beside["metrics"])
        self._evaluation = {
            "metrics": kept,
            "baseline": dict(baseline) if baseline else None,
            "champion": beside,
            "rows": rows,
            "split": split,
        }
        self.measured(kept)

    def wrote_artifact(self, artifact: Mapping[str, Any]) -> None:
        self._artifact = dict(artifact)

    # ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def progress(self, at: int) -> dict[str, Any]:
        """progress.json as of `at`."""
        ledger = self._ledger.seconds(at)
        return {
            "version": VERSION,
            "attempt": self._spec.attempt,
            "head": self._head,
            "started": timestamp(self._started),
            "heartbeat": timestamp(self._ledger.now),
            "state": self._state,
            "step": self._step,
            "totalSteps": self._total,
            "epoch": self._epoch,
            "stepsPerSecond": self._steps_per_second(),
            "metrics": {"latest": dict(self._latest), "best": dict(self._best)},
            "checkpoint": dict(self._checkpoint) if self._checkpoint else None,
            "restore": dict(self._restore) if self._restore else None,
            "restarts": [dict(restart) for restart in self._restarts],
            "restartCount": self._restart_count,
            "ledger": ledger,
            "failure": self._failure,
            "artifact": self._artifact,
            "evaluation": self._evaluation,
            "lineage": self._lineage,
        }

    def _steps_per_second(self) -> float | None:
        if len(self._rate) < 2 or self._state != "Running":
            return None
        (first, low), (last, high) = self._rate[0], self._rate[-1]
        return round((high - low) * 1000 / (last - first), 3) if last > first else None


def all_finite(metrics: Mapping[str, Any]) -> dict[str, float]:
    return {name: number for name, value in metrics.items() if (number := finite(value)) is not None}


def finite(value: Any) -> float | None:
    """The value as a number that JSON has, or None: a NaN would make the whole ConfigMap unreadable to strict readers."""
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
