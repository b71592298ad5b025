"""Pods and nodes as evidence: what is wrong with them, said in their own words.

Read-only views of core/v1 objects; nothing here decides what a fault means. Never raises: a half-written object is a view
with empty fields.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from gyre.api.quantities import parse_quantity

GPU: Final = "nvidia.com/gpu"

PULL_FAULTS: Final = frozenset({"ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull"})
CONFIG_FAULTS: Final = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})


def moment(text: Any) -> datetime | None:
    """An RFC 3339 time, or None for anything else."""
    try:
        parsed = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Exit:
    """How a container ended: now (`state.terminated`) or the time before (`lastState.terminated`)."""

    reason: str
    code: int
    message: str
    at: datetime | None

    def __str__(self) -> str:
        return f"{self.reason or 'ended'} (exit code {self.code})"


@dataclass(frozen=True, slots=True)
class ContainerView:
    name: str
    init: bool
    ready: bool
    running: bool
    waiting: str
    waiting_message: str
    ended: Exit | None
    ended_before: Exit | None
    restarts: int
    image_id: str

    @property
    def exits(self) -> tuple[Exit, ...]:
        return tuple(end for end in (self.ended, self.ended_before) if end is not None)


@dataclass(frozen=True, slots=True)
class PodView:
    name: str
    uid: str
    head: bool
    attempt: int
    node: str
    phase: str
    reason: str
    message: str
    deleting: bool
    ready: bool
    created: datetime | None
    unschedulable: str
    """The scheduler's own words, or empty."""
    unschedulable_since: datetime | None
    disruption: str
    """Reason of a true DisruptionTarget condition: PreemptionByScheduler, EvictionByEvictionAPI, …; or empty."""
    disruption_message: str
    containers: tuple[ContainerView, ...]

    @property
    def main(self) -> ContainerView | None:
        return next((container for container in self.containers if not container.init), None)

    @property
    def oom(self) -> Exit | None:
        exits = (end for container in self.containers for end in container.exits)
        return next((end for end in exits if end.reason == "OOMKilled"), None)

    def waiting_on(self, faults: Iterable[str]) -> ContainerView | None:
        return next((container for container in self.containers if container.waiting in faults), None)

    @classmethod
    def of(cls, obj: Mapping[str, Any], *, attempt_label: str, node_type_label: str) -> PodView:
        metadata, status = obj["metadata"], obj.get("status") or {}
        labels = metadata.get("labels") or {}
        conditions = {entry.get("type"): entry for entry in status.get("conditions") or ()}
        scheduled, target = conditions.get("PodScheduled") or {}, conditions.get("DisruptionTarget") or {}
        stuck = scheduled.get("status") == "False" and scheduled.get("reason") in ("Unschedulable", "SchedulerError")
        disrupted = target.get("status") == "True"
        number = str(labels.get(attempt_label, ""))
        return cls(
            name=metadata["name"],
            uid=metadata.get("uid", ""),
            head=labels.get(node_type_label) == "head",
            attempt=int(number) if number.isascii() and number.isdigit() else 0,
            node=(obj.get("spec") or {}).get("nodeName") or "",
            phase=status.get("phase") or "",
            reason=status.get("reason") or "",
            message=status.get("message") or "",
            deleting=bool(metadata.get("deletionTimestamp")),
            ready=(conditions.get("Ready") or {}).get("status") == "True",
            created=moment(metadata.get("creationTimestamp")),
            unschedulable=(scheduled.get("message") or "not scheduled") if stuck else "",
            unschedulable_since=moment(scheduled.get("lastTransitionTime")) if stuck else None,
            disruption=(target.get("reason") or "DisruptionTarget") if disrupted else "",
            disruption_message=target.get("message") or "" if disrupted else "",
            containers=(
                *(_container(entry, init=False) for entry in status.get("containerStatuses") or ()),
                *(_container(entry, init=True) for entry in status.get("initContainerStatuses") or ()),
            ),
        )


def _container(status: Mapping[str, Any], *, init: bool) -> ContainerView:
    state = status.get("state") or {}
    waiting = state.get("waiting") or {}
    return ContainerView(
        name=status.get("name") or "",
        init=init,
        ready=bool(status.get("ready")),
        running="running" in state,
        waiting=waiting.get("reason") or "",
        waiting_message=waiting.get("message") or "",
        ended=_exit(state.get("terminated")),
        ended_before=_exit((status.get("lastState") or {}).get("terminated")),
        restarts=status.get("restartCount") or 0,
        image_id=status.get("imageID") or "",
    )


def _exit(terminated: Mapping[str, Any] | None) -> Exit | None:
    if terminated is None:
        return None
    code = int(terminated.get("exitCode") or 0)
    at = moment(terminated.get("finishedAt"))
    return Exit(terminated.get("reason") or "", code, terminated.get("message") or "", at)


@dataclass(frozen=True, slots=True)
class NodeView:
    name: str
    ready: bool
    taints: tuple[str, ...]
    cpu: Decimal
    memory: Decimal
    gpu: int

    def fits(self, cpu: Decimal, memory: Decimal, gpu: int) -> bool:
        return self.cpu >= cpu and self.memory >= memory and self.gpu >= gpu

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> NodeView:
        status = obj.get("status") or {}
        room = status.get("allocatable") or {}
        conditions = {entry.get("type"): entry.get("status") for entry in status.get("conditions") or ()}
        return cls(
            name=obj["metadata"]["name"],
            ready=conditions.get("Ready") == "True",
            taints=tuple(taint.get("key", "") for taint in (obj.get("spec") or {}).get("taints") or ()),
            cpu=_amount(room.get("cpu")),
            memory=_amount(room.get("memory")),
            gpu=int(_amount(room.get(GPU))),
        )


def _amount(text: Any) -> Decimal:
    try:
        return parse_quantity(text if isinstance(text, int) else str(text or "0"))
    except ValueError:
        return Decimal(0)


@dataclass(frozen=True, slots=True)
class Notice:
    """A taint that announces the end of a node: how soon at the latest, and whether the provider takes it back."""

    taint: str
    seconds: int
    reclaim: bool


NOTICES: Final = (
    # Taint (a key, or a prefix ending in "/")                   s from now   taken back by the provider
    Notice("aws-node-termination-handler/spot-itn", 120, True),  # 2 min: EC2 spot interruption notice
    Notice("aws-node-termination-handler/", 120, False),  # rebalance, scheduled maintenance
    Notice("cloud.google.com/impending-node-termination", 30, True),  # GKE: graceful termination window of spot
    Notice("kubernetes.azure.com/scheduled-event", 30, True),  # AKS: Preempt gives at least 30 s
    Notice("karpenter.sh/disrupted", 60, False),  # any disruption by Karpenter; drains through evictions
    Notice("karpenter.sh/disruption", 60, False),  # its name before v1
    Notice("ToBeDeletedByClusterAutoscaler", 60, False),  # scale-down, drains through evictions
    Notice("node.kubernetes.io/out-of-service", 10, False),  # an administrator declared the node dead
)


def notice_on(node: NodeView | None) -> Notice | None:
    """The first notice that a node carries, in the order of the table."""
    for notice in NOTICES if node else ():
        for taint in node.taints if node else ():
            if taint == notice.taint or (notice.taint.endswith("/") and taint.startswith(notice.taint)):
                return notice
    return None
