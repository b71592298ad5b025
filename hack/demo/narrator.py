"""How the demo talks: numbered steps, the real command of each, elapsed times, and a table of them at the end.

Every command shown is the command run. A step that fails ends the demo with one sentence and exit status 1.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.rule import Rule
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
POLL_SECONDS = 1.0


class Trouble(Exception):
    """One sentence for the person who runs the demo."""


class Narrator:
    def __init__(self, namespace: str) -> None:
        self.console = Console(highlight=False, soft_wrap=True)
        self.namespace = namespace
        self.kubectl = f"kubectl -n {namespace}"
        self.environment = dict(os.environ)
        self.environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{self.environment.get('PATH', '')}"
        self._steps: list[tuple[str, float]] = []

    @contextmanager
    def step(self, title: str, why: str) -> Iterator[None]:
        self.console.print()
        self.console.print(Rule(f"[bold]{len(self._steps) + 1}. {title}", align="left"))
        self.console.print(f"[dim]{why}[/]")
        started = time.monotonic()
        yield
        seconds = time.monotonic() - started
        self._steps.append((title, seconds))
        self.console.print(f"[green]✓[/] {title} [dim]({seconds:.0f} s)[/]")

    def summary(self) -> None:
        table = Table(title="Time per step", title_justify="left", box=None)
        table.add_column("step")
        table.add_column("seconds", justify="right")
        for title, seconds in self._steps:
            table.add_row(title, f"{seconds:.0f}")
        table.add_row("[bold]together", f"[bold]{sum(seconds for _, seconds in self._steps):.0f}")
        self.console.print(table)

    def run(self, command: str, *, show: bool = True, output: bool = True) -> None:
        """Run a command line from the repository's root, its output as it comes."""
        if show:
            self.console.print(f"[cyan]$ {command}[/]", markup=True)
        kept = subprocess.PIPE if not output else None
        done = subprocess.run(
            ["/bin/bash", "-c", f"set -o pipefail; {command}"],
            cwd=ROOT,
            env=self.environment,
            check=False,
            stdout=kept,
            stderr=subprocess.STDOUT if kept else None,
            text=True,
        )
        if done.returncode:
            raise Trouble(f"`{command}` ended with status {done.returncode}. {(done.stdout or '').strip()[-600:]}")

    def refused(self, command: str, word: str) -> None:
        """Run a command line that the API server must refuse, saying `word`; show what it says."""
        self.console.print(f"[cyan]$ {command if len(command) < 200 else command[:160] + '…'}[/]", markup=True)
        done = subprocess.run(
            ["/bin/bash", "-c", f"set -o pipefail; {command}"],
            cwd=ROOT,
            env=self.environment,
            check=False,
            capture_output=True,
            text=True,
        )
        self.console.print(f"  {done.stderr.strip()}", markup=False)
        if done.returncode == 0 or word not in done.stderr:
            raise Trouble(f"that should have been refused because of {word}; it said: {done.stdout.strip()[-300:]}")

    def ask(self, command: str) -> str:
        """The standard output of a command that only reads."""
        done = subprocess.run(
            shlex.split(command), cwd=ROOT, env=self.environment, check=False, capture_output=True, text=True
        )
        if done.returncode:
            raise Trouble(f"`{command}`: {done.stderr.strip()[-600:]}")
        return done.stdout

    def see(self, what: str) -> dict[str, Any]:
        """One object, or `{}` when it does not exist."""
        text = self.ask(f"kubectl -n {self.namespace} get {what} --ignore-not-found -o json")
        return dict(json.loads(text)) if text.strip() else {}

    def watch(
        self, what: str, until: Callable[[dict[str, Any]], bool], tell: Callable[[dict[str, Any]], str], minutes: float
    ) -> dict[str, Any]:
        """Look once a second, say each change, until the object is as wanted. Ends early when it is Stalled for good."""
        deadline, said = time.monotonic() + 60 * minutes, ""
        while time.monotonic() < deadline:
            seen = self.see(what)
            line = tell(seen) if seen else "does not exist yet"
            if line != said:
                stamp = time.strftime("%H:%M:%S")
                self.console.print(f"  [dim]{stamp}[/] {line}", markup=True)
                said = line
            if seen and until(seen):
                return seen
            if failed(seen):
                raise Trouble(f"{what} failed: {condition(seen, 'Stalled').get('message') or said}")
            time.sleep(POLL_SECONDS)
        raise Trouble(f"{what} was not there after {minutes:.0f} minutes; last seen: {said}")


def condition(obj: dict[str, Any], kind: str) -> dict[str, Any]:
    for one in obj.get("status", {}).get("conditions") or ():
        if one["type"] == kind:
            return dict(one)
    return {}


def told(obj: dict[str, Any], kind: str = "Ready") -> str:
    """What a condition says, in a line."""
    found = condition(obj, kind)
    return f"{found.get('reason', 'not looked at yet')}: {found.get('message', '')}"


def step_of(job: dict[str, Any]) -> int:
    """The last step of a TrainingJob, 0 before the first."""
    return int((job.get("status", {}).get("progress") or {}).get("step") or 0)


def true(obj: dict[str, Any], kind: str) -> bool:
    return condition(obj, kind).get("status") == "True"


def failed(obj: dict[str, Any]) -> bool:
    return condition(obj, "Succeeded").get("status") == "False" and true(obj, "Stalled")
