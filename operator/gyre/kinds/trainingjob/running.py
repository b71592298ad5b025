"""What is said while an attempt is open: trouble with its pods at once, else how far it is. Pure.

Every rule has the form (job, seen, now) -> Decision | None and says nothing while no attempt is open. Both name every child
of the attempt, so that what somebody deleted comes back.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from gyre.adapters.pods import PULL_FAULTS, PodView
from gyre.api.kind import Decision
from gyre.api.quantities import parse_quantity
from gyre.cost.prices import Book
from gyre.kinds.trainingjob import desired, endings
from gyre.kinds.trainingjob.closing import deadline, look_at
from gyre.kinds.trainingjob.costs import next_entry
from gyre.kinds.trainingjob.evidence import NOT_STARTED, config_problem, pull_problem
from gyre.kinds.trainingjob.failures import SETTLING, Look
from gyre.kinds.trainingjob.ledger import Ledger
from gyre.kinds.trainingjob.model import TrainingJob
from gyre.kinds.trainingjob.observe import Observed
from gyre.kinds.trainingjob.reasons import Reason

LOOK_AGAIN: Final = 15.0
"""Seconds between looks when no moment is known at which time alone would change the decision."""


def trouble(job: TrainingJob, seen: Observed, now: datetime) -> Decision | None:
    """What keeps an open attempt from running, said at once; whether it is a failure, time will tell."""
    look, ledger = look_at(job, seen, now), seen.ledger
    if look is None or ledger is None:
        return None
    effects, after = desired.running(job, ledger, seen.seen_version), next_look(job, look, ledger, now, seen.prices)
    if pulling := next((pod for pod in look.pods if pod.waiting_on(PULL_FAULTS)), None):
        message = f"{pull_problem(pulling)}; check spec.image and spec.imagePullSecret"
        return Decision.stalled(Reason.IMAGE_PULL, message, *effects, after=after)
    if look.progress is None and (broken := next((pod for pod in look.pods if pod.waiting_on(NOT_STARTED)), None)):
        return Decision.stalled(Reason.CONTAINER_CONFIG, config_problem(broken), *effects, after=after)
    if stuck := next((pod for pod in look.pods if pod.unschedulable), None):
        if too_large := larger_than_any_node(job, seen, stuck):
            return Decision.stalled(Reason.REQUESTS_TOO_LARGE, too_large, *effects, after=after)
        message = f"pod {stuck.name} finds no node: {stuck.unschedulable}"
        return Decision.waiting(Reason.UNSCHEDULABLE, message, *effects, after=after)
    return None


def larger_than_any_node(job: TrainingJob, seen: Observed, pod: PodView) -> str | None:
    """Asked only once the scheduler gave up: a cluster autoscaler may yet bring a larger node, so the attempt stays."""
    asked = job.spec.head if pod.head else job.spec.resources
    cpu, memory = parse_quantity(asked.cpu), parse_quantity(asked.memory)
    gpu = 0 if pod.head else job.spec.resources.gpu
    if not seen.nodes or any(node.fits(cpu, memory, gpu) for node in seen.nodes.values()):
        return None
    most = f"cpu {max(n.cpu for n in seen.nodes.values())}, memory {max(n.memory for n in seen.nodes.values())}, "
    most += f"gpu {max(n.gpu for n in seen.nodes.values())}"
    path = "spec.head" if pod.head else "spec.resources"
    wants = f"cpu {asked.cpu}, memory {asked.memory}, gpu {gpu}"
    return f"no node can hold one pod of {path} ({wants}; the largest has {most}): ask for less or add a larger node"


def running(job: TrainingJob, seen: Observed, now: datetime) -> Decision | None:
    look, ledger = look_at(job, seen, now), seen.ledger
    if look is None or ledger is None:
        return None
    effects, after = desired.running(job, ledger, seen.seen_version), next_look(job, look, ledger, now, seen.prices)
    reason, message = _what_runs(job, look, ledger)
    if reason is Reason.QUEUED:
        return Decision.waiting(reason, message, *effects, after=after)
    return Decision.progressing(reason, message, *effects, after=after)


def _what_runs(job: TrainingJob, look: Look, ledger: Ledger) -> tuple[Reason, str]:
    spoken, number = look.progress, ledger.count
    if ledger.park:
        return Reason.PARKING, f"attempt {number} writes a checkpoint and stops"
    if look.ray_job and look.ray_job.suspended and spoken is None:
        return Reason.QUEUED, f"attempt {number} waits for LocalQueue {job.spec.queue}"
    if spoken is None or spoken.state in ("Starting", "Verifying", "Restoring"):
        said = {"Verifying": "checking the data's digest", "Restoring": "loading the last checkpoint"}
        return Reason.STARTING, f"attempt {number} is starting{_doing(said, spoken.state if spoken else '')}"
    if spoken.state == "Recovering":
        return Reason.RECOVERING, f"attempt {number} lost workers and starts them again"
    if spoken.state == "Evaluating":
        return Reason.EVALUATING, f"attempt {number} has trained: it measures the model and writes its artifact"
    return Reason.RUNNING, f"attempt {number} is training"


def _doing(said: dict[str, str], state: str) -> str:
    return f": {said[state]}" if state in said else ""


def next_look(job: TrainingJob, look: Look, ledger: Ledger, now: datetime, prices: Book) -> float | None:
    """Seconds to the earliest moment at which time alone changes the decision."""
    moments = [limit[0]] if (limit := deadline(job, ledger)) else []
    spoken, waits, ended = look.progress, look.waits, look.ray_job.ended if look.ray_job else None
    if ended is not None:
        moments.append(ended + SETTLING)
    if spoken is None:
        moments.append(look.attempt.opened + waits.start)
    elif spoken.heartbeat:
        moments.append(spoken.heartbeat + (SETTLING if spoken.state == "Succeeded" else waits.silence))
    if ledger.suspicion and spoken and spoken.heartbeat:
        moments.append(ledger.suspicion.at + endings.BENEFIT_OF_DOUBT)
    if ledger.park_deadline:
        moments.append(ledger.park_deadline)
    if entry := next_entry(job, ledger, prices):
        moments.append(entry)
    moments += [pod.unschedulable_since + waits.schedule for pod in look.pods if pod.unschedulable_since]
    moments += [pod.created + waits.pull for pod in look.pods if pod.created and pod.waiting_on(PULL_FAULTS)]
    ahead = [(moment - now).total_seconds() for moment in moments if moment > now]
    return min(ahead) + 0.05 if ahead else LOOK_AGAIN
