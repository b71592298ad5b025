"""What a Job and its pod tell: how it ended, or why it does not get on. Pure, and in words that name the fix."""

from __future__ import annotations

from datetime import datetime

from gyre.adapters import lastwords
from gyre.adapters.jobs import JobView
from gyre.adapters.lastwords import PATIENCE, Asked, Hitch, Trouble
from gyre.adapters.pods import Exit, PodView
from gyre.kinds.driftmonitor.model import DriftMonitor
from gyre.kinds.driftmonitor.report import Report, read


def ending(dm: DriftMonitor, job: JobView, pods: tuple[PodView, ...], now: datetime) -> Report | Trouble | None:
    """How a Job that is over ended; None while its pod, which has the report, is not to be seen yet."""
    end = lastwords.ending(_asked(dm), job, pods, now)
    if not isinstance(end, Exit):
        return end
    said = read(end.message)
    if job.failed and isinstance(said, Report):
        return Trouble("Internal", f"it gave a report and yet ended with exit code {end.code}; check spec.image")
    return said


def hitch(dm: DriftMonitor, job: JobView, pods: tuple[PodView, ...], now: datetime) -> Hitch | None:
    """Why a Job that is not over does not get on; None when it does, as far as anyone can see."""
    return lastwords.hitch(_asked(dm), job, pods, now)


def _asked(dm: DriftMonitor) -> Asked:
    return Asked(
        where="spec",
        image=dm.spec.image,
        memory=dm.spec.resources.memory,
        timeout=dm.spec.timeout,
        missing="create what is missing",
        claims="see whether the claims of log and reference exist",
    )


__all__ = ["PATIENCE", "ending", "hitch"]
