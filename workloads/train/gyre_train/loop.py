"""The loop of a worker: steps that survive their machine.

    for step in gyre_train.steps(total=5000, model=model, optimizer=optimizer):
        loss = ...
        gyre_train.report(loss=loss.item())

Promises   starts after the step of the newest good checkpoint; all ranks write a checkpoint after the same step, by steps, by
           time, before a node leaves, when the operator asks, and at the end; a park or a leaving node ends the loop
           on every rank after the same step, behind a checkpoint.
Never      makes the ranks talk at every step: they agree every half second when to talk next; saves from any rank but 0
           (state is the same on all ranks: data parallel).
"""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from gyre_train.checkpoint import check_local, claimed_step, write_manifest
from gyre_train.contract import CheckpointPolicy
from gyre_train.faults import LeavingNode, Parked, RestoreFailed
from gyre_train.hub import Line

log = logging.getLogger("gyre.loop")

AGREE_SECONDS: Final = (
    0.5  # how often the ranks agree; a command waits for two agreements: one asks, the next has the answer
)
LOOK_SECONDS: Final = 1.0  # how often they ask Ray for a notice of preemption; as often as Ray itself looks
SPACING_SECONDS: Final = 2.0  # between two checkpoints by time: Ray takes one report per poll of its controller
GRACE_SECONDS: Final = 25.0  # a notice without a deadline: Kubernetes gives 30 s by default
STATE: Final = "state.pt"


class Stateful(Protocol):
    def state_dict(self) -> Any: ...

    def load_state_dict(self, state: Any) -> Any: ...


class Steps:
    """The numbers of the steps to do, 0-based. Iterate once, on every rank alike."""

    def __init__(
        self, total: int, policy: CheckpointPolicy, *, steps_per_epoch: int | None = None, **state: Stateful
    ) -> None:
        import ray.train

        self.total, self._policy, self._per_epoch = total, policy, steps_per_epoch
        self._state: Mapping[str, Stateful] = state
        self._first_rank = ray.train.get_context().get_world_rank() == 0
        self._line = Line()
        self._metrics: dict[str, Any] = {}
        self._saved_at = time.monotonic()
        self._saved_step: int | None = None
        self._looked_at = 0.0
        self._noticed: Any | None = None
        self._leave_at: float | None = None
        self._save_seconds = 0.0
        self._done: set[str] = set()  # ids of commands that were carried out
        self.start = self._restore()

    # ── the loop ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def __iter__(self) -> Iterator[int]:
        self._agree_next, self._agreed = self.start + 1, (self.start, time.monotonic())
        for step in range(self.start, self.total):
            yield step
            if step + 1 == self._agree_next:
                self._agree(step + 1)
        if self._saved_step != self.total:
            self._save(self.total)

    def report(self, **metrics: float) -> None:
        """The newest metrics; they travel with the next word to the driver, not now."""
        self._metrics.update(metrics)

    def _agree(self, done: int) -> None:
        """All ranks: what to do after step `done`, and after which step to ask again."""
        from ray.train.collective import broadcast_from_rank_zero

        plan = broadcast_from_rank_zero(self._plan(done) if self._first_rank else None)
        notice = plan["look"] and self._look()
        if plan["save"] or plan["leave"] or notice:
            self._save(done)
        if plan["leave"] and self._first_rank:
            self._line.post("lost", cause="Preempted", message="left a node before its deadline")
        if plan["park"] or plan["leave"]:
            self._until_registered()
        if plan["park"]:
            raise Parked(plan["park"])
        if plan["leave"]:
            raise LeavingNode(f"left before the deadline of a node: {self._noticed}")
        self._agree_next = plan["next"]

    def _until_registered(self) -> None:
        """Ray drops a report that its controller has not polled when a rank raises: wait until it has."""
        import ray.train

        ray.train.get_all_reported_checkpoints(consistency_mode=ray.train.CheckpointConsistencyMode.COMMITTED)

    def _plan(self, done: int) -> dict[str, Any]:
        """Rank 0's decision."""
        now = time.monotonic()
        wanted = self._line.wanted()  # the answer to what was said half a second ago
        self._say(done)
        new = {kind: given for kind, given in wanted.items() if given and given not in self._done}
        self._done.update(given for given in new.values() if given)
        every = self._policy.every_steps
        by_steps = bool(every) and done % every == 0
        by_time = bool(self._policy.every_seconds) and now - self._saved_at >= max(
            self._policy.every_seconds, SPACING_SECONDS
        )
        look = now - self._looked_at >= LOOK_SECONDS
        if look:
            self._looked_at = now
        return {
            "save": by_steps or by_time or bool(new),
            "park": new.get("park"),
            "look": look,
            "leave": self._leave_at is not None and time.time() >= self._leave_at,
            "next": self._next(done, now),
        }

    def _next(self, done: int, now: float) -> int:
        """The step half a second away at the pace since the last agreement, but never beyond a checkpoint by steps."""
        last, then = self._agreed
        self._agreed = (done, now)
        pace = (done - last) / max(now - then, 1e-6)
        step = done + max(1, round(pace * AGREE_SECONDS))
        every = self._policy.every_steps
        return min(step, (done // every + 1) * every) if every else step

    def _say(self, done: int) -> None:
        epoch = done // self._per_epoch if self._per_epoch else 0
        self._line.post("step", step=done, epoch=epoch, total=self.total, metrics=dict(self._metrics))

    # ── a node that leaves ────────────────────────────────────────────────────────────────────────────────────────────

    def _look(self) -> bool:
        """Whether there is a new notice; Ray gives every rank the same answer. Only rank 0's `_leave_at` counts."""
        import ray.train

        info = ray.train.get_preemption_info()
        if info is None or info == self._noticed:
            return False
        self._noticed = info
        deadline = info.deadline_ms / 1000 if info.deadline_ms else time.time() + GRACE_SECONDS
        self._leave_at = deadline - max(3.0, 3 * self._save_seconds)  # time for one more save
        log.warning(
            "notice of preemption for ranks %s: checkpoint now, leaving in %.1f s",
            info.preempted_ranks,
            self._leave_at - time.time(),
        )
        return True

    # ── checkpoints ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _save(self, done: int) -> None:
        """All ranks; returns when the checkpoint is in storage and reported."""
        import ray.train

        began = time.monotonic()
        metrics = {**self._metrics, "step": done}
        if self._saved_step == done:
            return
        if self._first_rank:
            with tempfile.TemporaryDirectory(prefix="gyre-") as folder:
                self._write(Path(folder), done)
                ray.train.report(metrics, checkpoint=ray.train.Checkpoint.from_directory(folder))
        else:
            ray.train.report(metrics)
        self._saved_step, self._saved_at = done, time.monotonic()
        self._save_seconds = self._saved_at - began
        if self._first_rank:
            self._say(done)
            self._line.post("saved", step=done, seconds=self._save_seconds)

    def _write(self, folder: Path, done: int) -> None:
        import torch

        torch.save({name: unwrapped(item).state_dict() for name, item in self._state.items()}, folder / STATE)
        write_manifest(folder, done)

    def _restore(self) -> int:
        """The step to go on from; every rank loads the checkpoint by itself. Raises RestoreFailed."""
        import ray.train

        checkpoint = ray.train.get_checkpoint()
        if checkpoint is None:
            if self._first_rank:
                self._line.post("fresh", total=self.total)
            return 0
        name, began = checkpoint.path.rstrip("/").rsplit("/", 1)[-1], time.monotonic()
        try:
            with checkpoint.as_directory() as folder:
                if self._first_rank:
                    self._line.post("restoring", name=name, step=claimed_step(Path(folder)))
                step = check_local(Path(folder), name)
                self._load(Path(folder), name)
        except RestoreFailed as failure:
            self._line.post("restore_failed", name=name, error=failure.error)
            raise
        if self._first_rank:
            self._line.post("restored", name=name, step=step, seconds=time.monotonic() - began)
        self._saved_step = step
        return step

    def _load(self, folder: Path, name: str) -> None:
        import torch

        try:
            state = torch.load(folder / STATE, map_location="cpu", weights_only=True)
            for key, item in self._state.items():
                unwrapped(item).load_state_dict(state[key])
        except Exception as error:  # whatever does not load is a checkpoint that does not restore
            raise RestoreFailed(name, f"{type(error).__name__}: {error}") from error


def unwrapped(item: Any) -> Any:
    """The model inside DistributedDataParallel and the like, so that a checkpoint loads at any world size."""
    return getattr(item, "module", item)
