"""From counters to counts: what came between two looks, whatever restarted in between. Pure.

A source is one process that counts one thing at one place. Its key says which: `a/<pod>/<rule>.<backend>` requests and errors at
an Envoy pod, `l<edge>/…` answers and slow ones, at an Envoy or predictor pod, `c/<monitor>` labels and wrong predictions. A key
that ends in `/` only says that a pod was asked before: a backend that is new to it since then began at zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite

from gyre.adapters.counters import Proxy, Server, more
from gyre.adapters.exposition import Traffic
from gyre.kinds.servicelevelobjective.ledger import Ledger
from gyre.kinds.servicelevelobjective.model import Kind, Objective
from gyre.kinds.servicelevelobjective.reasons import Reason


@dataclass(frozen=True, slots=True)
class Readings:
    """Everybody who counts, asked at one time. With a `problem` somebody did not answer, and nothing is to be made of it."""

    at: datetime
    proxies: tuple[Proxy, ...] = ()
    servers: tuple[Server, ...] = ()
    labels: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """(seen, wrong) by DriftMonitor."""
    alive: tuple[str, ...] = ()
    """UIDs of the pods that are there, whether they have answered or not."""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Measure:
    """How an objective is measured. With a `reason` it cannot be, and `message` says what to do."""

    objective: Objective
    what: str = ""
    edge: float | None = None
    reason: Reason | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Between:
    """What came since the last look."""

    counts: Mapping[str, tuple[int, int]]
    """(events, bad) by objective."""
    sources: Mapping[str, tuple[int, ...]]


def measure(objective: Objective, readings: Readings, known: str) -> Measure:
    """`known`: what was counted for it so far."""
    match objective.type:
        case Kind.AVAILABILITY:
            return Measure(objective, "Availability")
        case Kind.ACCURACY:
            monitor = objective.monitor_ref.name if objective.monitor_ref else ""
            if monitor in readings.labels:
                return Measure(objective, f"Accuracy/{monitor}")
            fix = "see kubectl get dm; it does once a window was judged, for answers that are probabilities, and labels 0 or 1"
            message = f"DriftMonitor {monitor!r} does not count labels (status.labels): {fix}"
            return Measure(objective, f"Accuracy/{monitor}", None, Reason.LABELS_MISSING, message)
        case _:
            return _latency(objective, readings, known)


def _latency(objective: Objective, readings: Readings, known: str) -> Measure:
    threshold = objective.threshold.total_seconds() if objective.threshold else 0.0
    edges = sorted({edge for traffic in _timed(readings) for edge, _ in traffic.latency if isfinite(edge)})
    if not edges:
        kept = known.removeprefix("Latency/")
        if known.startswith("Latency/") and float(kept) <= threshold:
            return Measure(objective, known, float(kept))
        message = "nobody tells how long answers take: send requests, through an Envoy Gateway or to gyre's own server"
        return Measure(objective, "", None, Reason.LATENCY_UNKNOWN, message)
    below = [edge for edge in edges if edge <= threshold * (1 + 1e-9)]
    if not below:
        message = f"the finest edge of the histogram is {edges[0]:g}s: set threshold to it or more"
        return Measure(objective, "", None, Reason.LATENCY_UNKNOWN, message)
    return Measure(objective, f"Latency/{below[-1]:g}", below[-1])


def _timed(readings: Readings) -> list[Traffic]:
    """Who tells latency: the gateway, where it does; else our own predictors."""
    gateway = [traffic for proxy in readings.proxies for traffic in proxy.counted.values() if traffic.latency]
    return gateway or [server.counted for server in readings.servers if server.counted.latency]


def between(ledger: Ledger, measures: Iterable[Measure], readings: Readings) -> Between:
    """Nothing is lost or counted twice, but for what a process that is gone has counted since it was asked last."""
    counts: dict[str, tuple[int, int]] = {}
    sources = {
        key: value for key, value in ledger.sources.items() if key.split("/")[1] in {_short(u) for u in readings.alive}
    }
    for each in measures:
        if each.reason is not None:
            continue
        found = dict(_values(each, readings))
        grown = (0, 0)
        for (prefix, uid, created), places in found.items():
            asked = f"{prefix}/{uid}/" in ledger.sources
            young = asked or (created is not None and ledger.counting is not None and created >= ledger.counting)
            gone = [key for key in ledger.sources if key.startswith(f"{prefix}/{uid}/") and not key.endswith("/")]
            for place in {*places, *(key.rpartition("/")[2] for key in gone)}:
                key = f"{prefix}/{uid}/{place}"
                value = places.get(place, (0, 0))
                new = more(ledger.sources.get(key), value, young=young)
                grown = (grown[0] + new[0], grown[1] + new[1])
                sources[key] = value
            sources[f"{prefix}/{uid}/"] = ()
        counts[each.objective.name] = grown
    return Between(counts, sources)


Source = tuple[str, str, datetime | None]
"""(what it counts, whose it is, when that was made)."""


def _values(each: Measure, readings: Readings) -> Iterable[tuple[Source, Mapping[str, tuple[int, int]]]]:
    """What every source has counted, by place."""
    if each.objective.type is Kind.ACCURACY and each.objective.monitor_ref:
        name = each.objective.monitor_ref.name
        yield ("c", _short(name), None), {"0": readings.labels[name]}
    elif each.objective.type is Kind.AVAILABILITY:
        for proxy in readings.proxies:
            told = {_at(place): (traffic.requests, traffic.errors) for place, traffic in proxy.counted.items()}
            yield ("a", _short(proxy.uid), proxy.created), told
    elif each.edge is not None:
        prefix, edges = f"l{each.edge:g}", (each.edge,)
        by_gateway = any(traffic.latency for proxy in readings.proxies for traffic in proxy.counted.values())
        for proxy in readings.proxies if by_gateway else ():
            slow = {_at(place): (t.timed, t.slower(edges)[0]) for place, t in proxy.counted.items()}
            yield (prefix, _short(proxy.uid), proxy.created), slow
        for server in readings.servers if not by_gateway else ():
            counted = server.counted
            yield (prefix, _short(server.uid), server.created), {"0": (counted.timed, counted.slower(edges)[0])}


def _short(uid: str) -> str:
    return uid[:36].replace("/", "-")


def _at(place: tuple[int, int]) -> str:
    return f"{place[0]}.{place[1]}"
