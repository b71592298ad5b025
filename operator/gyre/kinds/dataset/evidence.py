"""What a Job and its pod tell: how it ended, or why it does not get on. Pure, and in words that name the fix."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gyre.adapters import lastwords
from gyre.adapters.jobs import JobView
from gyre.adapters.lastwords import PATIENCE, Asked, Hitch, Trouble
from gyre.adapters.pods import Exit, PodView
from gyre.kinds.dataset.model import Dataset
from gyre.kinds.dataset.plan import Role, Step
from gyre.kinds.dataset.report import Report, read


@dataclass(frozen=True, slots=True)
class Prepared:
    """The prepare Job ended well; what it wrote is for the scan to say."""


def ending(
    ds: Dataset, step: Step, job: JobView, pods: tuple[PodView, ...], now: datetime
) -> Report | Trouble | Prepared | None:
    """How a Job that is over ended; None while its pod, which has the report, is not to be seen yet."""
    end = lastwords.ending(_asked(ds, step), job, pods, now)
    if not isinstance(end, Exit):
        return end
    if job.complete and step.role is Role.PREPARE:
        return Prepared()
    said = read(end.message)
    if job.failed and step.role is Role.PREPARE and not end.message.strip().startswith("{"):
        return Trouble("Internal", f"the program {end}: …{end.message.strip()[-300:]}")
    if job.failed and isinstance(said, Report):
        return Trouble("Internal", f"it gave a report and yet ended with exit code {end.code}; check its image")
    return said


def hitch(ds: Dataset, step: Step, job: JobView, pods: tuple[PodView, ...], now: datetime) -> Hitch | None:
    """Why a Job that is not over does not get on; None when it does, as far as anyone can see."""
    return lastwords.hitch(_asked(ds, step), job, pods, now)


def _asked(ds: Dataset, step: Step) -> Asked:
    spec = (ds.spec.prepare if step.role is Role.PREPARE else None) or ds.spec.scan
    return Asked(
        where=f"spec.{step.role}",
        image=spec.image,
        memory=spec.resources.memory,
        timeout=spec.timeout,
        missing="create what is missing or fix the spec",
        claims="see why the claim is not bound",
    )


__all__ = ["PATIENCE", "Prepared", "ending", "hitch"]
