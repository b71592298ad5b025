"""What a Job of ours and its pod tell: how it ended, or why it does not get on. In words that name the field to change.

Promises   the report is read from the termination message of the pod; a message that is no report is a Trouble that quotes it.
Never      raises; takes a Job whose pod is still on its way into our cache for one that said nothing.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from gyre.adapters.jobs import JOB_NAME_LABEL, JobView
from gyre.adapters.pods import CONFIG_FAULTS, PULL_FAULTS, Exit, PodView
from gyre.api import gvks
from gyre.api.durations import format_duration
from gyre.api.effects import Ref
from gyre.api.kind import Reader
from gyre.api.terms import clip

POD_LOST_AFTER: Final = timedelta(minutes=1)
"""How long after the end of a Job its pod may still be on its way into our cache."""
PATIENCE: Final = timedelta(minutes=2)
"""How long a pod may wait for a place, or for its start, before it is worth a word."""


@dataclass(frozen=True, slots=True)
class JobPod:
    job: str
    pod: PodView


@dataclass(frozen=True, slots=True)
class Jobs:
    """The Jobs of an object and their pods."""

    jobs: tuple[JobView, ...] = ()
    pods: tuple[JobPod, ...] = ()

    def job(self, name: str) -> JobView | None:
        return next((job for job in self.jobs if job.name == name), None)

    def pods_of(self, job: str) -> tuple[PodView, ...]:
        return tuple(entry.pod for entry in self.pods if entry.job == job)


async def seen(reader: Reader, *, uid: str, namespace: str, label: str, name: str) -> Jobs:
    """Those that `uid` controls. A pod whose end our watch has missed although its Job is over is asked for live: it holds the
    report."""
    jobs = tuple(JobView.of(job) for job in reader.owned(gvks.JOB, uid))
    over = {job.name for job in jobs if job.over}
    pods = [_pod(pod) for pod in reader.labelled(gvks.POD, namespace, label, name)]
    latest = [await _latest(reader, namespace, entry) if entry.job in over else entry for entry in pods]
    return Jobs(jobs, tuple(latest))


async def _latest(reader: Reader, namespace: str, entry: JobPod) -> JobPod:
    """The pod of a Job that is over, as it is now if it does not look ended."""
    if entry.pod.main and entry.pod.main.ended:
        return entry
    live = await reader.fetch(Ref(gvks.POD, namespace, entry.pod.name))
    return _pod(live) if live is not None and live["metadata"].get("uid") == entry.pod.uid else entry


def _pod(obj: Mapping[str, Any]) -> JobPod:
    labels = obj["metadata"].get("labels") or {}
    return JobPod(str(labels.get(JOB_NAME_LABEL, "")), PodView.of(obj, attempt_label="", node_type_label=""))


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a Job did not do its work: a class and a message that names the fix."""

    cause: str
    message: str


@dataclass(frozen=True, slots=True)
class Hitch:
    """Something that may pass by itself, or once somebody has mended it; the Job goes on then."""

    cause: str
    message: str
    since: datetime | None = None
    """None: it will not pass by itself."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the spec gives the Job, and how to say where."""

    where: str
    """The fields below which `image`, `timeout` and `resources` lie, such as `spec.scan`."""
    image: str
    memory: str
    timeout: timedelta
    missing: str
    """What to do when the container cannot be started."""
    claims: str
    """What else to look at when no node can take the pod."""


def ending(asked: Asked, job: JobView, pods: tuple[PodView, ...], now: datetime) -> Exit | Trouble | None:
    """How the program of a Job that is over ended; None while its pod is not to be seen yet."""
    if job.failed == "DeadlineExceeded":
        took = f"it took longer than {format_duration(asked.timeout)}, waiting for a node and the image included"
        return Trouble("Timeout", f"{took}: raise {asked.where}.timeout")
    if any(pod.oom for pod in pods):
        return Trouble("OutOfMemory", f"raise {asked.where}.resources.memory, now {asked.memory}")
    exits = [pod.main.ended for pod in pods if pod.main and pod.main.ended]
    if exits:
        return max(exits, key=lambda exit: exit.at.timestamp() if exit.at else 0.0)
    if job.ended is not None and now - job.ended < POD_LOST_AFTER:
        return None
    gone = f"Job {job.name} ended ({job.failed or 'Complete'}), but its pod was gone before its report could be read"
    return Trouble("Internal", f"{gone}; it is run again")


def hitch(asked: Asked, job: JobView, pods: tuple[PodView, ...], now: datetime) -> Hitch | None:
    """Why a Job that is not over does not get on; None when it does, as far as anyone can see."""
    for pod in pods:
        if stuck := pod.waiting_on(PULL_FAULTS):
            why = clip(stuck.waiting_message or stuck.waiting, 300)
            return Hitch("ImagePull", f"image {asked.image!r} cannot be had: {why}; fix {asked.where}.image")
        if stuck := pod.waiting_on(CONFIG_FAULTS):
            why = clip(stuck.waiting_message or stuck.waiting, 300)
            return Hitch("CannotStart", f"the container cannot be started: {why}; {asked.missing}")
        if pod.unschedulable:
            why = f"no node can take pod {pod.name}: {clip(pod.unschedulable, 300)}"
            fix = f"lower {asked.where}.resources, add a node, or {asked.claims}"
            return Hitch("Unschedulable", f"{why}; {fix}", pod.unschedulable_since or pod.created or now)
        if pod.phase == "Pending" and pod.node and pod.created and now - pod.created > PATIENCE:
            why = f"pod {pod.name} is on node {pod.node} and has not started"
            return Hitch("SlowStart", f"{why}: see `kubectl describe pod {pod.name}`", pod.created)
    if not pods and job.created and now - job.created > PATIENCE:
        return Hitch("NoPod", f"Job {job.name} has no pod: see `kubectl describe job {job.name}`", job.created)
    return None


def opened(message: str, classes: Collection[str], *, image: str) -> dict[str, Any] | Trouble:
    """The object in a termination message, or the error that it tells. `image`: where the reader finds it."""
    try:
        content = json.loads(message)
    except ValueError:
        return unexpected(message, image=image)
    if not isinstance(content, dict) or content.get("version") != 1:
        return unexpected(message, image=image)
    if isinstance(error := content.get("error"), dict):
        cause = error.get("class")
        known = cause if isinstance(cause, str) and cause in classes else "Internal"
        return Trouble(known, clip(str(error.get("message", "")), 500))
    return content


def unexpected(message: str, *, image: str) -> Trouble:
    quoted = f"it wrote {clip(message.strip(), 200)!r}" if message.strip() else "it wrote nothing"
    return Trouble("Internal", f"the Job gave no report in its termination message: {quoted}; check {image}")
