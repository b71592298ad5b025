"""The driver: one attempt of a TrainingJob, from run.json to a result that the operator can act on.

    verify storage and data ─▶ make Ray's list of checkpoints sound ─▶ train ─▶ evaluate ─▶ artifact

Promises   exits 0 for Succeeded and Parked and 1 for Failed, and the last progress says which and why; a failure names its
           class: the user's code, the data, the storage, the checkpoint, or none of them.
Never      retries the user's code, gives up on lost nodes, trains on data that is not what was pinned, or fails because
           progress could not be delivered.
"""

from __future__ import annotations

import logging
import os
import runpy
import signal
import sys
import tempfile
import threading
import traceback
from pathlib import Path
from typing import Any

from gyre_data.digest import of_folder, root
from gyre_train import checkpoint
from gyre_train.contract import ContractError, FailureClass, RunSpec
from gyre_train.faults import Fault, RestoreFailed, UserError, shorten
from gyre_train.lineage import lineage
from gyre_train.listen import Listener, now
from gyre_train.progress import Pusher, head_from, sink_from
from gyre_train.record import Record
from gyre_train.session import RUN_FILE, Session
from gyre_train.storage import check_writable, open_storage, with_endpoint

log = logging.getLogger("gyre")


class Failed(Exception):
    """The attempt is over. `args`: class, message."""

    def __init__(self, kind: FailureClass, message: str) -> None:
        super().__init__(kind, message)
        self.kind, self.message = kind, message


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    path = os.environ.get("GYRE_RUN_FILE", RUN_FILE)
    try:
        spec = RunSpec.load(path)
    except (OSError, ContractError) as error:
        log.error("run.json cannot be used: %s", error)
        return 1
    return Driver(spec).run()


class Driver:
    def __init__(self, spec: RunSpec) -> None:
        self.spec = spec
        self.record = Record(spec, head_from(os.environ), now())
        self._lock = threading.RLock()  # a signal's last word comes in the thread that may hold it
        fallback = Path(tempfile.gettempdir()) / "gyre-progress" / spec.uid
        self.listener = Listener(self.record, self._lock, lambda: self.pusher.soon(), self._park_now)
        self.pusher = Pusher(
            sink_from(os.environ, fallback), self._progress, self.listener.obey, every=spec.push_every_seconds
        )

    def run(self) -> int:
        self.pusher.start()
        signal.signal(signal.SIGTERM, self._terminated)
        try:
            self._attempt()
            self._enter("Succeeded")
        except Parking:
            self._enter("Parked")
        except Failed as failure:
            self._failed(failure.kind, failure.message)
        except Exception as error:
            log.exception("not foreseen")
            self._failed("Framework", f"{type(error).__name__}: {error}")
        self.listener.stop()
        self.pusher.close()
        log.info("%s at step %d", self.record.state, self.record.step)
        return 1 if self.record.state == "Failed" else 0

    # ── the attempt ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _attempt(self) -> None:
        spec = self.spec
        self._enter("Verifying")
        self.record.lineage(lineage(spec))
        self.files, storage = self._storage()
        self.folder = f"{storage}/{spec.uid}"
        self._verify_data()
        self._enter("Starting")
        self._connect()
        self._prepare_checkpoints()
        self._train()
        self._finish()

    def _storage(self) -> tuple[Any, str]:
        try:
            files, folder = open_storage(self.spec.storage.path, self.spec.storage.s3)
            check_writable(files, f"{folder}/{self.spec.uid}")
        except (OSError, ValueError) as error:
            raise Failed("StorageNotWritable", f"{self.spec.storage.uri}: {error}") from error
        return files, folder

    def _verify_data(self) -> None:
        """Every dataset is what the job pinned, to the byte."""
        from pyarrow import fs

        for data in self.spec.datasets:
            if data.digest is None:
                continue
            try:
                files, folder = open_storage(data.path, data.s3)
                found = root(of_folder(files, folder, fs.FileSelector(folder, recursive=True)))
            except (OSError, ValueError) as error:
                raise Failed(
                    "DatasetChanged", f"dataset {data.name!r} cannot be read at {data.path}: {error}"
                ) from error
            if found != data.digest:
                raise Failed(
                    "DatasetChanged",
                    f"dataset {data.name!r} is {found} now, not {data.digest} as pinned: "
                    "restore the files, or let the Dataset take a new version",
                )

    def _connect(self) -> None:
        import ray

        from gyre_train import hub, watch

        watch.install()
        ray.init(ignore_reinit_error=True, log_to_driver=True)
        self.listener.start(hub.create(), self.files)

    def _prepare_checkpoints(self) -> None:
        import ray

        dropped = checkpoint.prepare(self.files, self.folder, self.spec.checkpoint.quarantined, ray.__version__)
        if dropped:
            log.warning("not resuming from quarantined checkpoints: %s", ", ".join(dropped))

    def _train(self) -> None:
        os.environ |= {"GYRE_RUN_NAME": self.spec.uid, "GYRE_STORAGE_PATH": with_endpoint(self.spec.storage)}
        Session.spec = self.spec
        try:
            if self.spec.script:
                self._run_script(self.spec.script.path, self.spec.script.args)
            else:
                from gyre_train import options, session, tabular

                options.parse(self.spec)
                session.run(tabular.train_worker)
        except UserError as error:
            raise Failed("User", str(error)) from error
        except Exception as error:
            self.listener.settle()
            self._raise(error)
        self.listener.settle()

    def _run_script(self, path: str, args: tuple[str, ...]) -> None:
        sys.argv = [path, *args]
        sys.path.insert(0, str(Path(path).parent))
        try:
            runpy.run_path(path, run_name="__main__")
        except SystemExit as ended:
            if ended.code not in (None, 0):
                raise Failed("User", f"{path} exited with {ended.code}") from ended

    def _raise(self, error: Exception) -> None:
        """What `fit()` or the user's script raised, as the end of this attempt."""
        from ray.train import TrainingFailedError

        from gyre_train.watch import fault_of

        if not isinstance(error, TrainingFailedError):
            if self.spec.script and not isinstance(error, Failed):
                raise Failed("User", user_traceback(error, self.spec.script.path)) from error
            raise error
        fault: Fault = fault_of(error)
        if fault.kind == "Parked":
            raise Parking from error
        if fault.kind == "RestoreFailed":
            raise Failed("RestoreFailed", fault.message) from error
        raise Failed("User" if fault.kind == "User" else "Framework", fault.message) from error

    def _finish(self) -> None:
        self._enter("Evaluating")
        name = checkpoint.latest(self.files, self.folder)
        try:
            if self.spec.tabular is not None:
                from gyre_train.evaluate import finish

                if name is None:
                    raise Failed("Framework", "the run ended without a checkpoint")
                finish(self.spec, name, self.record)
            else:
                self._finish_script(name)
        except RestoreFailed as error:
            self.record.restore_failed(error.name, error.error, now())
            raise Failed("RestoreFailed", str(error)) from error
        except UserError as error:
            raise Failed("User", str(error)) from error

    def _finish_script(self, name: str | None) -> None:
        from gyre_train import artifact

        if Session.evaluation:
            self.record.evaluated(*Session.evaluation)
        with tempfile.TemporaryDirectory(prefix="gyre-") as folder:
            source = Session.artifact or Path(folder)
            if Session.artifact is None:
                if name is None:
                    return
                artifact.from_checkpoint(self.spec, name, source)
            self.record.wrote_artifact(artifact.upload(self.spec, source, self.record.step, "torch"))

    # ── beside it ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _enter(self, state: Any) -> None:
        with self._lock:
            self.record.enter(state, now())
        log.info("%s", state)
        self.pusher.soon()

    def _progress(self) -> dict[str, Any]:
        with self._lock:
            return self.record.progress(now())

    def _failed(self, kind: FailureClass, message: str) -> None:
        log.error("failed (%s): %s", kind, message)
        with self._lock:
            self.record.failed(kind, shorten(message), now())

    def _park_now(self) -> None:
        """From the thread that listens: the main thread waits inside Ray for workers that may never come."""
        self._enter("Parked")
        self.pusher.close()
        os._exit(0)

    def _terminated(self, number: int, frame: Any) -> None:
        """The head pod is going: one last word, and out. Checkpoints are in storage already."""
        self.pusher.close(within=3)
        os._exit(143)


class Parking(Exception):
    """The run stopped behind a checkpoint because the operator asked for it."""


def user_traceback(error: BaseException, script: str) -> str:
    """The traceback from the user's script on: our own frames say nothing to its author."""
    frames = traceback.extract_tb(error.__traceback__)
    first = next((index for index, frame in enumerate(frames) if frame.filename == script), len(frames))
    return "".join(traceback.format_list(frames[first:]) + traceback.format_exception_only(error))
