"""Long-running processes: started detached, known by pid *and* start time, stopped by nothing but that.

Promises   a process is ours only if the kernel says that this pid began when we started it; a reused pid is left alone.
Never      takes a process for ours by its name alone.
"""

import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster.layout import Refused

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Identity:
    """A process, unmistakably: `born` is its start in clock ticks since boot, as /proc/<pid>/stat has it.

    `orders` is a checksum of its arguments and its configuration file, as they were when it started.
    """

    pid: int
    born: int
    orders: str


def born(pid: int) -> int | None:
    """When this process began, or None if there is none, or only a zombie of it."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat[stat.rindex(")") + 2 :].split()
    return None if fields[0] in "ZX" else int(fields[19])


def resident_mib(pid: int) -> float:
    """Memory that is really in RAM, in MiB; 0 for a process that is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def age_seconds(pid: int) -> float:
    """Seconds since the process began."""
    uptime = float(Path("/proc/uptime").read_text().split()[0])
    began = born(pid)
    return uptime - began / TICKS if began is not None else 0.0


@dataclass(frozen=True, slots=True)
class Daemon:
    """One process with its log and pid file."""

    name: str
    argv: tuple[str, ...]
    pid_file: Path
    log: Path
    reads: Path | None = None

    def orders(self) -> str:
        """A checksum of what it is told now."""
        text = self.reads.read_text() if self.reads else ""
        return hashlib.sha256(json.dumps([self.argv, text]).encode()).hexdigest()

    def running(self) -> Identity | None:
        """The process that we started, if it still lives."""
        try:
            noted = json.loads(self.pid_file.read_text())
            identity = Identity(int(noted["pid"]), int(noted["born"]), str(noted.get("orders", "")))
        except (OSError, ValueError, KeyError):
            return None
        return identity if born(identity.pid) == identity.born else None

    def start(self) -> str:
        """Start it, unless it runs with just these arguments and this configuration."""
        identity = self.running()
        if identity is not None:
            if identity.orders == self.orders():
                return "runs"
            self.stop()
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/"
            )
        began = born(process.pid)
        if began is None:
            raise Refused(f"{self.name} ended at once:\n{self.tail()}")
        noted = {"pid": process.pid, "born": began, "orders": self.orders()}
        scratch = self.pid_file.with_suffix(".new")
        scratch.write_text(json.dumps(noted))
        os.replace(scratch, self.pid_file)
        return "started again" if identity is not None else "started"

    def stop(self, grace: float = 15.0) -> None:
        """Ask it to end, wait, insist."""
        identity = self.running()
        if identity is not None:
            end(((identity.pid, identity.born),), grace)
        self.pid_file.unlink(missing_ok=True)

    def tail(self, lines: int = 12) -> str:
        """The last lines of its log."""
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""


def strays(program: str, folder: Path) -> list[tuple[int, int]]:
    """(pid, born) of processes that run this program on this folder, though their pid file is lost.

    Both words are needed: a program of that name on another folder is somebody else's.
    """
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        began = born(int(entry.name))
        if began is not None and runs_on(words, program, folder):
            found.append((int(entry.name), began))
    return found


def runs_on(words: Sequence[str], program: str, folder: Path) -> bool:
    """Is this command line this program's, with an argument below this folder?"""
    return words[0] == program and any(f"{folder}/" in word for word in words[1:])


def end(processes: Sequence[tuple[int, int]], grace: float) -> None:
    """End these (pid, born), all at once: SIGTERM, and SIGKILL for those that outlast the grace."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        living = [(pid, began) for pid, began in processes if born(pid) == began]
        for pid, _ in living:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
        deadline = time.monotonic() + (grace if number == signal.SIGTERM else 5.0)
        while any(born(pid) == began for pid, began in living) and time.monotonic() < deadline:
            time.sleep(0.02)
