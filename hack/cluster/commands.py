"""Other programs: run to their end, with one sentence and the last lines of output when they fail.

Promises   an interrupted `up` leaves no builder behind: each command is a process group that `cancel` ends.
Never      uses a shell.
"""

import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from cluster.layout import Refused

_running: set[subprocess.Popen[bytes]] = set()
_guard = threading.Lock()
_cancelled = threading.Event()


class Failed(Refused):
    """A command ended with another status than 0."""


def run(
    argv: Sequence[str | Path],
    *,
    given: bytes | None = None,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    log: Path | None = None,
) -> str:
    """Run to the end and return what it wrote; with `log`, everything goes there instead.

    `environment` is added to ours. Raises Failed with the last lines of output.
    """
    if _cancelled.is_set():
        raise Refused("stopped before it began")
    words = [str(word) for word in argv]
    sink = log.open("wb") if log else None
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE if given is not None else subprocess.DEVNULL,
            stdout=sink or subprocess.PIPE,
            stderr=subprocess.STDOUT if sink else subprocess.PIPE,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise Failed(f"{words[0]} is not installed") from error
    finally:
        if sink:
            sink.close()
    with _guard:
        _running.add(process)
    try:
        output, complaint = process.communicate(given)
    finally:
        with _guard:
            _running.discard(process)
    if process.returncode == 0:
        return (output or b"").decode(errors="replace")
    said = log.read_bytes() if log else (complaint or b"") + (output or b"")
    tail = "\n".join(said.decode(errors="replace").strip().splitlines()[-15:])
    where = f" (all of it in {log})" if log else ""
    raise Failed(f"`{' '.join(words)[:160]}` ended with status {process.returncode}{where}:\n{tail}")


def tried(argv: Sequence[str | Path]) -> str | None:
    """What it wrote, or None if it failed or does not exist."""
    try:
        return run(argv)
    except Refused:
        return None


def cancel() -> None:
    """End every command that is still running, and begin no other."""
    _cancelled.set()
    with _guard:
        for process in _running:
            try:
                os.killpg(process.pid, signal.SIGTERM)
            except ProcessLookupError:
                continue


def cancelled() -> bool:
    """For those who wait for something else than a command."""
    return _cancelled.is_set()
