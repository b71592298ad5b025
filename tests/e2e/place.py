"""One namespace and what a test does in it, in a test's own words."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.e2e.cluster import Cluster, Object, brief, condition, is_true

from gyre.api import gvks
from gyre.api.effects import Gvk

JOB_LABEL = "gyre.dev/trainingjob"
ROLE_LABEL = "ray.io/node-type"
START_SECONDS = 180
"""Pods, Ray and torch coming up on two cores that other tests may have left busy."""


@dataclass(frozen=True)
class Place:
    cluster: Cluster
    name: str

    # ── objects ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def apply(self, *manifests: Mapping[str, Any]) -> None:
        self.cluster.apply(*manifests, namespace=self.name)

    def find(self, gvk: Gvk, name: str) -> Object | None:
        return self.cluster.find(gvk, self.name, name)

    def every(self, gvk: Gvk, selector: str = "") -> list[Object]:
        return self.cluster.every(gvk, self.name, selector)

    def kubectl(self, *arguments: str, given: str | None = None) -> str:
        return self.cluster.kubectl("--namespace", self.name, *arguments, given=given)

    def patch(self, gvk: Gvk, name: str, change: Mapping[str, Any]) -> None:
        resource = f"{gvk.plural}.{gvk.group}" if gvk.group else gvk.plural
        self.kubectl("patch", resource, name, "--type=merge", "--patch", json.dumps(change))

    def delete(self, gvk: Gvk, name: str) -> None:
        resource = f"{gvk.plural}.{gvk.group}" if gvk.group else gvk.plural
        self.kubectl("delete", resource, name, "--wait=false")

    # ── a training job ───────────────────────────────────────────────────────────────────────────────────────────────

    def job(self, name: str) -> Object:
        return self.cluster.get(gvks.TRAINING_JOB, self.name, name)

    def pods(self, job: str, role: str = "", attempt: int | None = None) -> list[Object]:
        """Those of a job that are not on their way out."""
        wanted = [f"{JOB_LABEL}={job}", *([f"{ROLE_LABEL}={role}"] if role else [])]
        if attempt is not None:
            wanted.append(f"gyre.dev/attempt={attempt}")
        found = self.every(gvks.POD, ",".join(wanted))
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def head(self, job: str) -> Object:
        (pod,) = self.pods(job, "head")
        return pod

    def ray_jobs(self, job: str) -> list[Object]:
        return [one for one in self.every(gvks.RAY_JOB) if one["metadata"]["name"].startswith(f"{job}-")]

    def kill(self, pod: Object) -> float:
        """Gone at once, as when a machine is lost; returns the moment (time.monotonic)."""
        self.kubectl("delete", "pod", pod["metadata"]["name"], "--grace-period=0", "--force", "--wait=false")
        return time.monotonic()

    # ── waiting ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def job_until(
        self, name: str, what: str, holds: Callable[[Object], object], *, seconds: float, may_fail: bool = False
    ) -> Object:
        """The job as it is when `holds` is true of it for the first time."""

        def probe() -> Object | None:
            job = self.job(name)
            return job if holds(job) else None

        def hopeless() -> str | None:
            job = self.job(name)
            failed = stopped(job) and not may_fail
            return f"it failed: {condition(job, 'Succeeded')['message']}" if failed else None

        what = f"TrainingJob {name}: {what}"
        return self.cluster.until(
            what, probe, seconds=seconds, seen=lambda: situation(self.job(name)), hopeless=hopeless
        )

    def job_trains(self, name: str, *, beyond: int = 0, seconds: float = START_SECONDS) -> Object:
        return self.job_until(name, f"trains beyond step {beyond}", lambda job: step(job) > beyond, seconds=seconds)

    def job_has_checkpoint(self, name: str, *, after: int = 0, seconds: float = START_SECONDS) -> Object:
        """And has gone on from it, so that a loss now costs something."""

        def holds(job: Object) -> bool:
            return checkpoint_step(job) > after and step(job) > checkpoint_step(job)

        return self.job_until(name, f"has a checkpoint after step {after}", holds, seconds=seconds)

    def job_succeeds(self, name: str, *, seconds: float = 300) -> Object:
        """By `kubectl wait`, as a pipeline would."""
        self.job_until(name, "succeeds", lambda job: is_true(job, "Succeeded"), seconds=seconds)
        self.kubectl("wait", "--for=condition=Succeeded", f"trainingjobs.gyre.dev/{name}", "--timeout=5s")
        return self.job(name)

    def until(
        self, gvk: Gvk, name: str, type_: str, status: str = "True", reason: str = "", *, seconds: float
    ) -> Object:
        """An object when its condition has that status (and reason)."""

        def probe() -> Object | None:
            found = self.find(gvk, name)
            one = condition(found, type_)
            return found if one["status"] == status and reason in ("", one["reason"]) else None

        what = f"{gvk.kind} {name}: {type_}={status} {reason}".rstrip()
        return self.cluster.until(what, probe, seconds=seconds, seen=lambda: brief(self.find(gvk, name)))

    def warnings(self, name: str) -> list[Object]:
        """Warning events about an object of that name."""
        return [
            event
            for event in self.every(gvks.EVENT)
            if event["involvedObject"]["name"] == name and event["type"] == "Warning"
        ]


def stopped(job: Mapping[str, Any]) -> bool:
    """It failed, and nothing more will be tried."""
    return condition(job, "Succeeded")["status"] == "False" and is_true(job, "Stalled")


def step(job: Mapping[str, Any]) -> int:
    return int(((job.get("status") or {}).get("progress") or {}).get("step") or 0)


def checkpoint_step(job: Mapping[str, Any]) -> int:
    return int(((job.get("status") or {}).get("checkpoint") or {}).get("step") or 0)


def attempts(job: Mapping[str, Any]) -> list[Object]:
    return list((job.get("status") or {}).get("attempts") or ())


def restarts(job: Mapping[str, Any]) -> list[Object]:
    return list((job.get("status") or {}).get("restarts") or ())


def situation(job: Mapping[str, Any]) -> str:
    status = job.get("status") or {}
    return f"step {step(job)}, checkpoint {checkpoint_step(job)}, attempt {status.get('attempt')}; {brief(job)}"
