"""What pods and nodes bear witness to, said in the cluster's own words. Pure.

A cause is told from the first row of CAUSES that finds something; the order goes from the rarest witness to the commonest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from gyre.adapters.pods import CONFIG_FAULTS, PULL_FAULTS, NodeView, PodView, notice_on
from gyre.kinds.trainingjob.policy import C, FailureClass

NOT_STARTED: Final = CONFIG_FAULTS | {"CrashLoopBackOff"}
NODE_GONE: Final = "DeletionByPodGC"
"""A pod bound to a node that no longer exists (k8s.io/kubernetes/pkg/controller/podgc): no eviction, a lost node."""


def oom_killed(pods: Iterable[PodView]) -> str | None:
    pod = next((pod for pod in pods if pod.oom), None)
    return f"pod {pod.name} was OOMKilled ({pod.oom})" if pod else None


def evicted(pods: Iterable[PodView]) -> str | None:
    for pod in pods:
        if pod.reason in ("Evicted", "Preempting", "Preempted", "Terminated"):
            return f"pod {pod.name} was {pod.reason}: {pod.message}"
        if pod.disruption and pod.disruption != NODE_GONE:
            return f"pod {pod.name} was disrupted by {pod.disruption}: {pod.disruption_message}"
    return None


def reclaimed(pods: Iterable[PodView], nodes: Mapping[str, NodeView]) -> str | None:
    for pod in pods:
        notice = notice_on(nodes.get(pod.node))
        if notice and notice.reclaim:
            return f"node {pod.node} of pod {pod.name} is taken back: taint {notice.taint}"
    return None


def drained(pods: Iterable[PodView], nodes: Mapping[str, NodeView]) -> str | None:
    for pod in pods:
        notice = notice_on(nodes.get(pod.node))
        if notice:
            return f"node {pod.node} of pod {pod.name} is drained: taint {notice.taint}"
    return None


def node_lost(pods: Iterable[PodView], nodes: Mapping[str, NodeView]) -> str | None:
    for pod in pods:
        node = nodes.get(pod.node)
        if pod.disruption == NODE_GONE:
            return f"node {pod.node} of pod {pod.name} is gone: {pod.disruption_message}"
        if pod.reason in ("NodeLost", "NodeShutdown") or (pod.node and (node is None or not node.ready)):
            return f"node {pod.node} of pod {pod.name} is {'gone' if node is None else 'not ready'}"
    return None


CAUSES: Final[tuple[tuple[FailureClass, Callable[[tuple[PodView, ...], Mapping[str, NodeView]], str | None]], ...]] = (
    (C.SPOT_RECLAIM, reclaimed),
    (C.OUT_OF_MEMORY, lambda pods, _: oom_killed(pods)),
    (C.EVICTED, lambda pods, _: evicted(pods)),
    (C.EVICTED, drained),
    (C.NODE_LOST, node_lost),
)


def behind(pods: Iterable[PodView], nodes: Mapping[str, NodeView]) -> tuple[FailureClass, str] | None:
    seen = tuple(pods)
    found = ((cls, evidence(seen, nodes)) for cls, evidence in CAUSES)
    return next(((cls, text) for cls, text in found if text), None)


def of_node(name: str, nodes: Mapping[str, NodeView]) -> tuple[FailureClass, str] | None:
    """What became of the node that a pod was on which is gone."""
    node, notice = nodes.get(name), notice_on(nodes.get(name))
    if notice:
        return C.SPOT_RECLAIM if notice.reclaim else C.EVICTED, f"its node {name} has the taint {notice.taint}"
    if name and (node is None or not node.ready):
        return C.NODE_LOST, f"its node {name} is {'gone' if node is None else 'not ready'}"
    return None


def pull_problem(pod: PodView) -> str:
    container = pod.waiting_on(PULL_FAULTS)
    said = f"{container.waiting}: {container.waiting_message}" if container else "the image"
    return f"pod {pod.name} cannot pull its image: {said}"


def config_problem(pod: PodView) -> str:
    container = pod.waiting_on(NOT_STARTED)
    last = f" {container.exits[0]}" if container and container.exits else ""
    said = f"{container.waiting}: {container.waiting_message}{last}" if container else "not known"
    return f"pod {pod.name} cannot start its container: {said}"


def waited(since: datetime | None, limit: timedelta, now: datetime) -> bool:
    return since is not None and now >= since + limit


def tail(text: str, limit: int = 700) -> str:
    """The end of a log says most."""
    return text if len(text) <= limit else "…" + text[-limit:]
