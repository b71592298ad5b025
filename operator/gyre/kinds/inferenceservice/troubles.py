"""What keeps a version's pods from serving, told from what the cluster shows, in its own words. Pure.

`fatal` is a fault that waiting cannot cure and that is the version's own: its files, its code. An image that cannot be pulled, a
node that has no room, a webhook that is down are not its fault.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from gyre.adapters.counters import Pod
from gyre.adapters.kserve import CONTAINER, PredictorView
from gyre.adapters.pods import CONFIG_FAULTS, PULL_FAULTS, ContainerView, Exit, PodView
from gyre.adapters.workloads import DeploymentView
from gyre.api.terms import clip
from gyre.kinds.inferenceservice.reasons import AT_ONCE, SAID, Reason

LONGEST = 400
RESTARTS = 3
"""Of a container that is not ready: so many are a loop, whatever the kubelet calls it at the moment."""


@dataclass(frozen=True, slots=True)
class Backend:
    """The predictor of one version as it is."""

    name: str
    predictor: PredictorView | None = None
    deployment: DeploymentView | None = None
    pods: tuple[Pod, ...] = ()
    exposed: bool = False
    """Its Kubernetes Service exists."""
    endpoints: int = 0
    """Pods that take requests, by the EndpointSlices."""
    template: str = ""
    """The digest that its pods are to carry; empty for one that nobody needs."""
    stale: bool = False
    """Its predictor is missing, or is not as the spec has it by now."""

    @property
    def ready(self) -> bool:
        return self.endpoints > 0

    @property
    def converged(self) -> bool:
        return self.ready and self.deployment is not None and self.deployment.converged(self.template)


@dataclass(frozen=True, slots=True)
class Trouble:
    reason: Reason
    message: str
    fatal: bool = False


def trouble(backend: Backend) -> Trouble | None:
    """The worst first."""
    pods = [pod.view for pod in backend.pods if not pod.view.deleting]
    return _failed(pods) or _stuck(pods) or _unmade(backend)


def _failed(pods: Iterable[PodView]) -> Trouble | None:
    """A container that ended badly: at once for what cannot change, else when it has come to a loop."""
    for pod in pods:
        main = _main(pod)
        last = _last_exit(main)
        if main is None or last is None or main.ready:
            continue
        reason, said = read(last)
        if reason in AT_ONCE or main.waiting == "CrashLoopBackOff" or main.restarts >= RESTARTS:
            return Trouble(reason, clip(f"pod {pod.name}: {said}", LONGEST), fatal=True)
    return None


def read(end: Exit) -> tuple[Reason, str]:
    """What our server wrote about its end: docs/run-contract.md, section Serving; of others the exit code."""
    try:
        error = json.loads(end.message)["error"]
        cls, message = str(error["class"]), str(error["message"])
    except (ValueError, KeyError, TypeError):
        tail = end.message.strip()[-200:]
        return Reason.CRASHING, f"{end}{f': {tail}' if tail else '; see the log of the pod'}"
    return SAID.get(cls, Reason.CRASHING), message


def _stuck(pods: Iterable[PodView]) -> Trouble | None:
    for pod in pods:
        if held := pod.waiting_on(PULL_FAULTS):
            message = f"pod {pod.name} cannot pull its image: {held.waiting}: {held.waiting_message}"
            return Trouble(Reason.IMAGE_PULL, clip(f"{message}; check spec.runtime and spec.imagePullSecret", LONGEST))
        if held := pod.waiting_on(CONFIG_FAULTS):
            message = f"pod {pod.name} cannot start its container: {held.waiting}: {held.waiting_message}"
            return Trouble(Reason.CONTAINER_CONFIG, clip(message, LONGEST))
        if pod.unschedulable:
            message = f"pod {pod.name} finds no node: {pod.unschedulable}; add a node or lower spec.resources"
            return Trouble(Reason.UNSCHEDULABLE, clip(message, LONGEST))
    return None


TOO_LONG: Final = (
    "shorten the name of the service or of its namespace, or let KServe put dots between them (ingress.domainTemplate in "
    "ConfigMap inferenceservice-config)"
)
"""KServe makes one label of a host name out of both, whether it has an ingress or not (v0.20.0, domainTemplate's default)."""


def _unmade(backend: Backend) -> Trouble | None:
    """No pods at all, and somebody says why."""
    if backend.deployment is not None and backend.deployment.problem:
        message = f"Deployment {backend.deployment.name}: {backend.deployment.problem}"
        return Trouble(Reason.CANNOT_MAKE_PODS, clip(message, LONGEST))
    if backend.predictor is not None and backend.deployment is None and backend.predictor.message:
        fix = TOO_LONG if "no more than 63 characters" in backend.predictor.message else "see spec.runtime"
        message = f"KServe does not make predictor {backend.name}: {clip(backend.predictor.message, 200)}; {fix}"
        return Trouble(Reason.CANNOT_MAKE_PODS, clip(message, LONGEST))
    return None


def _main(pod: PodView) -> ContainerView | None:
    return next((container for container in pod.containers if container.name == CONTAINER), pod.main)


def _last_exit(container: ContainerView | None) -> Exit | None:
    exits = container.exits if container else ()
    return exits[0] if exits else None
