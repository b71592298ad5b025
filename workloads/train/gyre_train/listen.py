"""Hears what workers and controller post to the hub, and writes it into the record.

Promises   events are applied in the order of their posting; a checkpoint is told only after it was read back from storage.
Never      raises into the run, or reads a checkpoint in the thread that hears: a large one would delay everything else.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, Final

from gyre_train import checkpoint
from gyre_train.contract import Command
from gyre_train.hub import Event
from gyre_train.record import Record

log = logging.getLogger("gyre.listen")

IDLE: Final = ("Starting", "Recovering")
TAKE_SECONDS: Final = 1.0  # how often the hub is emptied; each time costs the head some milliseconds


def now() -> int:
    """Milliseconds since the epoch, on the head."""
    return int(time.time() * 1000)


class Listener:
    """`record` is shared with the thread that pushes progress: it is only touched under `lock`."""

    def __init__(
        self, record: Record, lock: AbstractContextManager[Any], news: Callable[[], None], park: Callable[[], None]
    ) -> None:
        self._record, self._lock, self._news, self._park = record, lock, news, park
        self._hub: Any | None = None
        self._files: Any | None = None
        self._command = Command()
        self._steps_told = False  # whether our own loop runs on the workers
        self._ended = threading.Event()
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="gyre-verify")

    def start(self, hub: Any, files: Any) -> None:
        """`hub`: the actor; `files`: the file system that checkpoints are on."""
        self._hub, self._files = hub, files
        self.obey(self._command)  # what came before there was a hub
        threading.Thread(target=self._listen, name="gyre-hub", daemon=True).start()

    def obey(self, command: Command) -> None:
        """Tell the workers what the operator wants."""
        self._command = command
        if command.park or command.drain:
            log.info("the operator wants: park %s, drain %s", command.park, command.drain)
        if self._hub is not None:
            self._hub.want.remote(command.park, command.drain)

    def park_if_idle(self) -> None:
        """While no worker runs there is nothing to save and nobody to ask: a run that waits for nodes is parked at once."""
        if self._command.park and self._record.state in IDLE:
            self._park()

    def settle(self) -> None:
        """Take what is still on its way, and wait until the last checkpoint was read back."""
        self._take(timeout=30)
        self._reader.submit(lambda: None).result(timeout=600)

    def stop(self) -> None:
        self._ended.set()
        self._reader.shutdown(wait=True)

    # ── events ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _listen(self) -> None:
        while not self._ended.wait(TAKE_SECONDS):
            try:
                self._take(timeout=10)
                self.park_if_idle()
            except Exception as error:
                log.warning("the hub did not answer: %s", error)

    def _take(self, timeout: float) -> None:
        import ray

        if self._hub is not None:
            self.apply(ray.get(self._hub.take.remote(), timeout=timeout))

    def apply(self, events: list[Event]) -> None:
        for event in events:
            with self._lock:
                urgent = self._apply_one(event)
            if urgent:
                self._news()

    def _apply_one(self, event: Event) -> bool:
        """Whether the operator should hear of it at once."""
        record, at, kind = self._record, event["at"], event["kind"]
        if kind == "step":
            before, self._steps_told = record.state, True
            record.stepped(event["step"], event["epoch"], event["total"], event["metrics"], at)
            return record.state != before
        if kind == "saved":
            record.saved(event["step"], event["seconds"], at)
            return False
        if kind == "reported":
            self._reported(event, at)
            return False
        if kind == "restoring":
            record.restoring(event["name"], event["step"], at)
        elif kind == "restored":
            record.restored(event["name"], event["step"], event["seconds"], at)
        elif kind == "restore_failed":
            record.restore_failed(event["name"], event["error"], at)
        elif kind == "fresh":
            record.fresh(at)
        elif kind == "lost":
            record.lost(event["cause"], event["message"], at)
        return True

    def _reported(self, event: Event, at: int) -> None:
        """Ray has a report. A script without our loop counts its steps only here."""
        metrics = dict(event["metrics"])
        step = int(metrics.pop("step", metrics.pop("training_iteration", self._record.step + 1)))
        if not self._steps_told:
            self._record.back_to_checkpoint(at)
            self._record.stepped(step, int(metrics.get("epoch", 0)), None, metrics, at)
            if event["checkpoint"]:
                self._record.saved(step, 0.0, at)
        if event["checkpoint"]:
            self._reader.submit(self._read_back, event["checkpoint"], step, at)

    def _read_back(self, path: str, step: int, at: int) -> None:
        name = path.rstrip("/").rsplit("/", 1)[-1]
        try:
            found = checkpoint.verify(self._files, path)
        except (OSError, ValueError, KeyError) as error:
            log.warning("checkpoint %s cannot be read back: %s", name, error)
            return
        with self._lock:
            self._record.committed(
                name,
                step if found.step is None else found.step,
                size=found.size,
                digest=found.digest,
                verified=found.ok,
                at=at,
            )
        self._news()
