"""What a Job and its pod tell: how it ended, or why it does not get on. Pure, and in words that name the fix."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from gyre.adapters.jobs import JobView
from gyre.adapters.pods import CONFIG_FAULTS, PULL_FAULTS, PodView
from gyre.api.durations import format_duration
from gyre.api.terms import clip
from gyre.kinds.driftmonitor.model import DriftMonitor
from gyre.kinds.driftmonitor.report import Report, Trouble, read

POD_LOST_AFTER: Final = timedelta(minutes=1)
"""How long after the end of a Job its pod may still be on its way into our cache."""
PATIENCE: Final = timedelta(minutes=2)
"""How long a pod may wait for a place, or for its start, before it is worth a word."""


@dataclass(frozen=True, slots=True)
class Hitch:
    """Something that may pass by itself, or once somebody has mended it; the Job goes on then."""

    cause: str
    message: str
    since: datetime | None = None
    """None: it will not pass by itself."""


def ending(dm: DriftMonitor, job: JobView, pods: tuple[PodView, ...], now: datetime) -> Report | Trouble | None:
    """How a Job that is over ended; None while its pod, which has the report, is not to be seen yet."""
    if job.failed == "DeadlineExceeded":
        took = f"it took longer than {format_duration(dm.spec.timeout)}, waiting for a node and the image included"
        return Trouble("Timeout", f"{took}: raise spec.timeout")
    if any(pod.oom for pod in pods):
        return Trouble("OutOfMemory", f"raise spec.resources.memory, now {dm.spec.resources.memory}")
    exits = [pod.main.ended for pod in pods if pod.main and pod.main.ended]
    if not exits:
        if job.ended is not None and now - job.ended < POD_LOST_AFTER:
            return None
        gone = (
            f"Job {job.name} ended ({job.failed or 'Complete'}), but its pod was gone before its report could be read"
        )
        return Trouble("Internal", f"{gone}; it is run again")
    end = max(exits, key=lambda exit: exit.at.timestamp() if exit.at else 0.0)
    said = read(end.message)
    if job.failed and isinstance(said, Report):
        return Trouble("Internal", f"it gave a report and yet ended with exit code {end.code}; check spec.image")
    return said


def hitch(dm: DriftMonitor, job: JobView, pods: tuple[PodView, ...], now: datetime) -> Hitch | None:
    """Why a Job that is not over does not get on; None when it does, as far as anyone can see."""
    for pod in pods:
        if stuck := pod.waiting_on(PULL_FAULTS):
            why = clip(stuck.waiting_message or stuck.waiting, 300)
            return Hitch("ImagePull", f"image {dm.spec.image!r} cannot be had: {why}; fix spec.image")
        if stuck := pod.waiting_on(CONFIG_FAULTS):
            why = clip(stuck.waiting_message or stuck.waiting, 300)
            return Hitch("CannotStart", f"the container cannot be started: {why}; create what is missing")
        if pod.unschedulable:
            why = f"no node can take pod {pod.name}: {clip(pod.unschedulable, 300)}"
            fix = "lower spec.resources, add a node, or see whether the claims of log and reference exist"
            return Hitch("Unschedulable", f"{why}; {fix}", pod.unschedulable_since or pod.created or now)
        if pod.phase == "Pending" and pod.node and pod.created and now - pod.created > PATIENCE:
            why = f"pod {pod.name} is on node {pod.node} and has not started"
            return Hitch("SlowStart", f"{why}: see `kubectl describe pod {pod.name}`", pod.created)
    if not pods and job.created and now - job.created > PATIENCE:
        return Hitch("NoPod", f"Job {job.name} has no pod: see `kubectl describe job {job.name}`", job.created)
    return None
