"""Has the attempt ended, and of what? Two tables over what can be seen; the first row with evidence wins. Pure.

Endings says *that* it is over, in the words of whoever said so; Causes looks behind words that name only the symptom
("the head is gone") for the cause ("its node was reclaimed"). What the driver itself says about the program is believed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from gyre.adapters.kuberay import RayJobView
from gyre.adapters.pods import PULL_FAULTS, Exit, NodeView, PodView, moment
from gyre.adapters.run import Progress, Restart
from gyre.kinds.trainingjob.evidence import NOT_STARTED, behind, config_problem, of_node, pull_problem, tail, waited
from gyre.kinds.trainingjob.ledger import Attempt, Notice
from gyre.kinds.trainingjob.parts import Waits
from gyre.kinds.trainingjob.policy import C, FailureClass, class_named

SETTLING: Final = timedelta(seconds=30)
"""After SUCCEEDED, for the driver's last word to arrive."""


@dataclass(frozen=True, slots=True)
class Failure:
    cls: FailureClass
    evidence: str
    step: int | None = None
    """The step that failed, where the program did."""


@dataclass(frozen=True, slots=True)
class Look:
    """One open attempt, as seen now. `progress` is that of this attempt or None."""

    attempt: Attempt
    ray_job: RayJobView | None
    pods: tuple[PodView, ...]
    nodes: Mapping[str, NodeView]
    progress: Progress | None
    notice: Notice | None
    waits: Waits
    now: datetime

    @property
    def head(self) -> PodView | None:
        """The head pod: the one that the driver spoke from, once it has."""
        heads = [pod for pod in self.pods if pod.head]
        known = self.progress.head_uid if self.progress else ""
        return next((pod for pod in heads if not known or pod.uid == known), None)


# ── that it is over ──────────────────────────────────────────────────────────────────────────────────────────────────


def driver_failed(look: Look) -> Failure | None:
    told = look.progress.failure if look.progress else None
    if told is None or look.progress is None or look.progress.state != "Failed":
        return None
    cls = class_named(told.cls) or C.FRAMEWORK
    return Failure(cls, told.message or f"the driver reported {told.cls}", told.step)


def refused_by_kuberay(look: Look) -> Failure | None:
    if look.ray_job and look.ray_job.deployment == "ValidationFailed":
        return Failure(C.FRAMEWORK, f"KubeRay refused RayJob {look.ray_job.name}: {look.ray_job.message}")
    return None


def ray_job_ended_badly(look: Look) -> Failure | None:
    """`Complete` alone means nothing: a stopped job is Complete too."""
    job = look.ray_job
    if job is None or not job.over or job.succeeded:
        return None
    said = job.reason or job.job_status or job.deployment
    step = look.progress.step if look.progress else None
    return Failure(C.FRAMEWORK, f"RayJob {job.name} ended {said}: {tail(job.message)}", step)


def ended_without_a_word(look: Look) -> Failure | None:
    job = look.ray_job
    if job is None or not job.succeeded or (look.progress and look.progress.state in ("Succeeded", "Parked")):
        return None
    if job.ended is not None and look.now < job.ended + SETTLING:
        return None
    said = look.progress.state if look.progress else "nothing"
    return Failure(C.FRAMEWORK, f"RayJob {job.name} SUCCEEDED but the driver's last word was {said!r}")


def succeeded_without_a_model(look: Look) -> Failure | None:
    if look.progress and look.progress.state == "Succeeded" and look.progress.artifact is None:
        return Failure(C.USER, "the run ended well but left no model: report one with the last checkpoint")
    return None


def ray_job_deleted(look: Look) -> Failure | None:
    if look.attempt.ray_job_uid and (look.ray_job is None or look.ray_job.deleting):
        return Failure(C.FRAMEWORK, "the RayJob of the attempt was deleted, and not by gyre")
    return None


def evicted_by_kueue(look: Look) -> Failure | None:
    """Kueue suspends a RayJob to take its place away; KubeRay then deletes the cluster without stopping the job."""
    if look.ray_job and look.ray_job.suspended and look.progress is not None:
        return Failure(C.EVICTED, f"Kueue took the place of RayJob {look.ray_job.name} away (spec.suspend)")
    return None


KILLED_FROM_OUTSIDE: Final = frozenset({137, 143})
"""128+9 and 128+15, the exit codes of a container that a probe or its runtime ended."""


def head_lost(look: Look) -> Failure | None:
    """KubeRay takes 300 s to see this (`RAYJOB_STATUS_CHECK_TIMEOUT_SECONDS`); the pods say it at once."""
    job = look.ray_job
    ran = look.progress is not None or (job is not None and job.deployment == "Running" and not job.suspended)
    if not ran:
        return None
    head = look.head
    if head is None and not look.attempt.head_pod and (look.progress is None or not silent(look, halved=True)):
        return None  # it was never seen: its pod comes on another watch than what speaks of it, perhaps later
    if head is None:
        name = look.progress.head_pod if look.progress else look.attempt.head_pod
        return Failure(C.NODE_LOST, f"the head pod {name} is gone")
    if head.phase in ("Failed", "Succeeded"):
        return Failure(C.NODE_LOST, f"the head pod {head.name} ended {head.phase} {head.reason}".rstrip())
    if (died := died_since(head, look.progress)) is not None:
        cls = C.NODE_LOST if died.code in KILLED_FROM_OUTSIDE else C.FRAMEWORK
        return Failure(cls, f"the head pod {head.name} started again: its container {died}")
    node = look.nodes.get(head.node)
    if head.node and (node is None or not node.ready) and not head.ready and silent(look, halved=True):
        return Failure(C.NODE_LOST, f"node {head.node} of the head pod is {'gone' if node is None else 'not ready'}")
    return None


def died_since(head: PodView, progress: Progress | None) -> Exit | None:
    """The death of the container that the driver ran in. One before it spoke does not matter, unless memory ran out."""
    if head.oom is not None and progress is None:
        return head.oom
    started = progress.started if progress else None
    exits = head.main.exits if head.main else ()
    return next((end for end in exits if started and (end.at is None or end.at >= started)), None)


def image_not_pulled(look: Look) -> Failure | None:
    waiting = next((pod for pod in look.pods if pod.waiting_on(PULL_FAULTS)), None)
    if waiting is None or not waited(waiting.created, look.waits.pull, look.now):
        return None
    return Failure(C.IMAGE_PULL, pull_problem(waiting))


def no_place(look: Look) -> Failure | None:
    stuck = [pod for pod in look.pods if pod.unschedulable]
    late = next((pod for pod in stuck if waited(pod.unschedulable_since, look.waits.schedule, look.now)), None)
    return Failure(C.STOCKOUT, f"pod {late.name} found no node: {late.unschedulable}") if late else None


def never_started(look: Look) -> Failure | None:
    if look.progress is not None or (look.ray_job is not None and look.ray_job.suspended):
        return None
    if any(pod.unschedulable or pod.waiting_on(PULL_FAULTS) for pod in look.pods):
        return None
    if not waited(look.attempt.opened, look.waits.start, look.now):
        return None
    broken = next((pod for pod in look.pods if pod.waiting_on(NOT_STARTED)), None)
    return Failure(C.FRAMEWORK, config_problem(broken) if broken else "the driver did not say anything after its start")


ENDINGS: Final[tuple[Callable[[Look], Failure | None], ...]] = (
    driver_failed,
    refused_by_kuberay,
    succeeded_without_a_model,
    ray_job_ended_badly,
    ended_without_a_word,
    ray_job_deleted,
    evicted_by_kueue,
    head_lost,
    image_not_pulled,
    no_place,
    never_started,
)


# ── what it was ──────────────────────────────────────────────────────────────────────────────────────────────────────

OUT_OF_MEMORY: Final = re.compile(
    r"OutOfMemoryError|CUDA out of memory|running low on memory|oom-kill|OOMKilled|"
    r"Cannot allocate memory|MemoryError",
)
"""torch.OutOfMemoryError, ray.exceptions.OutOfMemoryError, Ray's memory monitor, the kubelet."""

KILLED: Final = re.compile(r"(exit code|exitcode|signal) ?:? ?(137|-9|SIGKILL)\b")
"""128+9: of a process inside a pod that lives on, it was the kernel for want of memory. A whole container is killed for other
reasons too (a probe, the runtime's restart), so there only the kubelet's word OOMKilled counts."""


def classify(look: Look) -> Failure | None:
    """Why the attempt is over, or None while it is not."""
    ending = next((found for rule in ENDINGS if (found := rule(look))), None)
    if ending is None or ending.cls not in (C.FRAMEWORK, C.NODE_LOST, C.USER):
        return ending
    starved = OUT_OF_MEMORY.search(ending.evidence)
    if starved or (ending.cls is not C.NODE_LOST and KILLED.search(ending.evidence)):
        return Failure(C.OUT_OF_MEMORY, ending.evidence, ending.step)
    if ending.cls is C.USER:
        return ending
    cause = (
        behind((look.head,), look.nodes)
        if look.head
        else foretold(look.notice, look.attempt, look.progress) or of_node(look.attempt.head_node, look.nodes)
    )
    return Failure(cause[0], f"{ending.evidence}; {cause[1]}", ending.step) if cause else ending


def foretold(notice: Notice | None, attempt: Attempt, progress: Progress | None) -> tuple[FailureClass, str] | None:
    """A lost head that was announced: the notice is remembered when pod and node are long gone."""
    head = progress.head_pod if progress else attempt.head_pod
    return (notice.cls, notice.evidence) if notice and head in notice.pods else None


def of_restart(restart: Restart, look: Look) -> tuple[FailureClass, str]:
    """The class of a restart inside an attempt: the driver's word, refined by what the pods show."""
    if restart.cause == "RestoreFailed":
        return C.RESTORE_FAILED, restart.message
    if OUT_OF_MEMORY.search(restart.message):
        return C.OUT_OF_MEMORY, restart.message
    if restart.cause == "User":
        return C.USER, restart.message
    alive = {pod.name for pod in look.pods if not pod.deleting and pod.phase == "Running"}
    if look.notice and (restart.cause == "Preempted" or set(look.notice.pods) - alive):
        return look.notice.cls, look.notice.evidence
    workers = tuple(pod for pod in look.pods if not pod.head and not long_over(pod, restart))
    return behind(workers, look.nodes) or (
        (C.EVICTED, restart.message or "a worker was drained")
        if restart.cause == "Preempted"
        else (C.NODE_LOST, restart.message or "a worker was lost")
    )


def long_over(pod: PodView, restart: Restart) -> bool:
    """The pod was OOMKilled, but well before this restart: that was another one."""
    at = moment(restart.key)
    return bool(pod.oom and pod.oom.at and at and pod.oom.at < at - timedelta(minutes=2))


def silent(look: Look, *, halved: bool = False) -> bool:
    limit = look.waits.silence / 2 if halved else look.waits.silence
    return look.progress is None or waited(look.progress.heartbeat, limit, look.now)
