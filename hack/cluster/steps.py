"""A table of steps, run as early as what each one needs allows, with the time each one took.

Promises   two steps that need nothing of each other run at once; the first failure ends the others and is what is told.
"""

import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TextIO

from cluster import commands
from cluster.layout import Refused

PATIENCE = 30.0
"""Seconds without a finished step after which the waiting is explained."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to bring about. `run` finds out by itself whether it is there already, and returns a remark."""

    name: str
    run: Callable[[], str]
    needs: tuple[str, ...] = ()


def ready(steps: Sequence[Step], begun: set[str], done: set[str]) -> list[Step]:
    """The steps that can begin now, in the table's order."""
    return [step for step in steps if step.name not in begun and set(step.needs) <= done]


def unknown_needs(steps: Sequence[Step]) -> set[str]:
    """Names that are needed and that no step of the table has."""
    return {need for step in steps for need in step.needs} - {step.name for step in steps}


def run_all(steps: Sequence[Step], out: TextIO = sys.stderr) -> float:
    """Run the table and return the seconds it took."""
    if missing := unknown_needs(steps):
        raise AssertionError(f"steps that nobody takes: {missing}")
    began = time.monotonic()
    width = max(len(step.name) for step in steps)
    done: set[str] = set()
    running: dict[Future[tuple[str, float]], Step] = {}
    begun: dict[str, float] = {}
    with ThreadPoolExecutor(max_workers=len(steps)) as pool:
        try:
            while len(done) < len(steps):
                for step in ready(steps, set(begun), done):
                    begun[step.name] = time.monotonic()
                    running[pool.submit(_timed, step)] = step
                if not running:
                    raise AssertionError("the steps need each other in a circle")
                finished, _ = wait(running, timeout=PATIENCE, return_when=FIRST_COMPLETED)
                for future in finished:
                    step = running.pop(future)
                    remark, took = future.result()
                    done.add(step.name)
                    print(f"  {took:6.1f} s  {step.name:<{width}}  {remark}".rstrip(), file=out, flush=True)
                if not finished:
                    now = time.monotonic()
                    waiting = ", ".join(f"{step.name} ({now - begun[step.name]:.0f} s)" for step in running.values())
                    print(f"     …      waiting for {waiting}", file=out, flush=True)
        except BaseException:
            commands.cancel()
            raise
    return time.monotonic() - began


def _timed(step: Step) -> tuple[str, float]:
    began = time.monotonic()
    try:
        remark = step.run()
    except Refused as error:
        raise Refused(f"{step.name}: {error}") from error
    return remark, time.monotonic() - began


def together(calls: Sequence[Callable[[], object]]) -> None:
    """Call all at once and wait for all; the first error is raised."""
    threads = []
    errors: list[BaseException] = []

    def guarded(call: Callable[[], object]) -> None:
        try:
            call()
        except Exception as error:
            errors.append(error)

    for call in calls:
        thread = threading.Thread(target=guarded, args=(call,))
        thread.start()
        threads.append(thread)
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
