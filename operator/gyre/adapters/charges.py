"""Pods as runs of containers that cost money: when each started and ended, for whom, where, what it kept free and what it used.

The times are the kubelet's own, of the present run of a container and of the one before it. Never raises; a container that has
not started costs nothing yet, and one whose pod is over without saying when is not there (the meter then closes its run).

What is used comes from `metrics.k8s.io`: cores as the mean of a short time up to its timestamp (15 s with metrics-server), the
working set as it was then. What it does not say, devices among them, is not known; a zero that it says is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from gyre.adapters.pods import moment
from gyre.adapters.predictionlog import LOG_LABEL
from gyre.adapters.prices import DEVICES, NodeTerms, place_of
from gyre.api.accounts import COST_CENTER, PROJECT, TEAM
from gyre.api.quantities import parse_quantity
from gyre.cost.bill import EXACT, Owner
from gyre.cost.prices import Book, Place, Resource
from gyre.cost.spans import Amounts, Sighting, run_key
from gyre.cost.usage import Sample

GIB: Final = Decimal(2**30)

WORKS_FOR: Final = (
    ("gyre.dev/trainingjob", "TrainingJob"),
    ("gyre.dev/inferenceservice", "InferenceService"),
    (LOG_LABEL, "InferenceService"),
    ("gyre.dev/dataset", "Dataset"),
    ("gyre.dev/drift-monitor", "DriftMonitor"),
)
"""Labels of pods that say for which object of ours they work; others go by the controller that made them."""


def sightings(
    pods: Iterable[Mapping[str, Any]], nodes: Mapping[str, Mapping[str, Any]], prices: Book
) -> Iterator[Sighting]:
    """Every run of a container that these pods tell of. `nodes` by name."""
    places: dict[str, Place | None] = {}
    for pod in pods:
        name = str((pod.get("spec") or {}).get("nodeName") or "")
        if name not in places:
            node = nodes.get(name)
            places[name] = place_of(NodeTerms.of(node), prices) if node is not None else None
        yield from _of_pod(pod, name, places[name])


def of_nodes(nodes: Iterable[Mapping[str, Any]], prices: Book) -> Iterator[Sighting]:
    """Nodes as runs of their own, whole, since they joined."""
    for obj in nodes:
        node = NodeTerms.of(obj)
        born = moment(node.born) if node.born else None
        if born is not None:
            owner = Owner("", "Node", node.name)
            yield Sighting(
                node.uid, "", born, None, owner, node.name, place_of(node, prices), amounts_of(node.capacity)
            )


def samples(pods: Iterable[Mapping[str, Any]], told: Iterable[Mapping[str, Any]]) -> Iterator[Sample]:
    """What the containers that run use, as PodMetrics tell it. One that is older than the run is about another."""
    by_name = {_name(metrics): metrics for metrics in told}
    for pod in pods:
        metrics = by_name.get(_name(pod))
        at = _time(metrics, "timestamp") if metrics is not None else None
        if metrics is None or at is None:
            continue
        used = {str(one.get("name", "")): one.get("usage") or {} for one in metrics.get("containers") or ()}
        for one in (pod.get("status") or {}).get("containerStatuses") or ():
            name, start = str(one.get("name", "")), _time((one.get("state") or {}).get("running"), "startedAt")
            if start is not None and start < at and name in used:
                uid = str((pod.get("metadata") or {}).get("uid", ""))
                yield Sample(run_key(uid, name, start), at, _used(used[name]))


def _used(told: Mapping[str, Any]) -> Amounts:
    found = []
    for name, resource, unit in (("cpu", Resource.CPU, Decimal(1)), ("memory", Resource.MEMORY, GIB)):
        try:
            found.append((resource, EXACT.divide(parse_quantity(str(told[name])), unit)))
        except (KeyError, ValueError):
            continue
    return tuple(found)


def _name(obj: Mapping[str, Any]) -> tuple[str, str]:
    metadata = obj.get("metadata") or {}
    return str(metadata.get("namespace", "")), str(metadata.get("name", ""))


def what_runs(pod: Mapping[str, Any]) -> object:
    """What of a pod has to do with money: containers that start and end, where, and on whose account."""
    status, metadata = pod.get("status") or {}, pod.get("metadata") or {}
    told = (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ()))
    runs = tuple((one.get("name"), tuple(_runs(one))) for one in told)
    return (
        metadata.get("uid"),
        metadata.get("deletionTimestamp"),
        metadata.get("labels"),
        (pod.get("spec") or {}).get("nodeName"),
        status.get("phase"),
        runs,
    )


def owner_of(pod: Mapping[str, Any]) -> Owner:
    metadata = pod.get("metadata") or {}
    labels = metadata.get("labels") or {}
    kind, name = next(((kind, str(labels[label])) for label, kind in WORKS_FOR if labels.get(label)), ("", ""))
    if not kind:
        controllers = (owner for owner in metadata.get("ownerReferences") or () if owner.get("controller"))
        maker = next(controllers, {"kind": "Pod", "name": metadata.get("name", "")})
        kind, name = str(maker.get("kind", "")), str(maker.get("name", ""))
    accounts = (str(labels.get(label, "")) for label in (PROJECT, TEAM, COST_CENTER))
    return Owner(str(metadata.get("namespace", "")), kind, name, *accounts)


def amounts_of(requests: Mapping[str, Any]) -> Amounts:
    """What is kept free: cores, GiB, devices; zeros left out."""
    sums = {Resource.CPU: Decimal(0), Resource.MEMORY: Decimal(0), Resource.ACCELERATOR: Decimal(0)}
    for name, text in requests.items():
        try:
            amount = parse_quantity(text if isinstance(text, int) else str(text))
        except ValueError:
            continue
        if name == "cpu":
            sums[Resource.CPU] += amount
        elif name == "memory":
            sums[Resource.MEMORY] += EXACT.divide(amount, GIB)
        elif name in DEVICES:
            sums[Resource.ACCELERATOR] += amount
    return tuple((resource, amount) for resource, amount in sums.items() if amount)


def _of_pod(pod: Mapping[str, Any], node: str, place: Place | None) -> Iterator[Sighting]:
    metadata, spec, status = (pod.get(part) or {} for part in ("metadata", "spec", "status"))
    asked = {
        container.get("name"): (container.get("resources") or {}).get("requests") or {}
        for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ()))
    }
    leaving = _time(metadata, "deletionTimestamp")
    over, owner, uid = status.get("phase") in ("Succeeded", "Failed"), owner_of(pod), str(metadata.get("uid", ""))
    for told in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        name = str(told.get("name", ""))
        for start, end in _runs(told):
            if end is None and over:
                continue
            yield Sighting(uid, name, start, end, owner, node, place, amounts_of(asked.get(name, {})), leaving)


def _runs(told: Mapping[str, Any]) -> Iterator[tuple[datetime, datetime | None]]:
    state, before = told.get("state") or {}, (told.get("lastState") or {}).get("terminated")
    for ended in (before, state.get("terminated")):
        start, end = _time(ended, "startedAt"), _time(ended, "finishedAt")
        if start is not None and end is not None:
            yield start, max(start, end)
    running = _time(state.get("running"), "startedAt")
    if running is not None:
        yield running, None


def _time(said: Any, field: str) -> datetime | None:
    """The kubelet writes 1970 where it does not know."""
    found = moment(said[field]) if isinstance(said, Mapping) and said.get(field) else None
    return found.replace(microsecond=0) if found is not None and found.year > 1970 else None
