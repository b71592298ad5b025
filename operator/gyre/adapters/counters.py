"""Asks everybody who counts a service's requests, and makes differences of what they say.

Promises   who does not answer is named, and then the whole reading is useless: half of one would take the silent one's requests
           for none; a process that begins anew counts from zero, and nothing that it counted before is counted again.
Never      decides anything; remembers anything: the last values are the ledger of whoever asks.

    last value known, now more      the difference
    last value known, now less      the process began anew: all that it has
    unknown, younger than counting  all that it has
    unknown, older                  nothing: its past belongs to nobody
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gyre.adapters.exposition import Traffic, of_predictor, of_route
from gyre.adapters.gateway import cluster_prefix, proxy_labels, stats_url
from gyre.adapters.pods import PodView
from gyre.adapters.versions import USES_MODEL_VERSION
from gyre.api import gvks
from gyre.api.kind import Reader

Place = tuple[int, int]
"""(rule, backend) of a route."""


@dataclass(frozen=True, slots=True)
class Pod:
    """A predictor pod and where it listens."""

    view: PodView
    address: str
    version: str
    """The ModelVersion on its label."""

    @property
    def answers(self) -> bool:
        return self.view.ready and not self.view.deleting and bool(self.address)

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> Pod:
        view = PodView.of(obj, attempt_label="", node_type_label="")
        version = (obj["metadata"].get("labels") or {}).get(USES_MODEL_VERSION, "")
        return cls(view, str((obj.get("status") or {}).get("podIP") or ""), str(version))


@dataclass(frozen=True, slots=True)
class Proxy:
    """An Envoy pod that has answered."""

    uid: str
    created: datetime | None
    counted: Mapping[Place, Traffic]


@dataclass(frozen=True, slots=True)
class Server:
    """A predictor pod that has answered; `role` is whatever the asker calls it."""

    uid: str
    created: datetime | None
    role: str
    counted: Traffic


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking: those who answered, when each was asked, and who did not answer."""

    proxies: tuple[Proxy, ...] = ()
    servers: tuple[Server, ...] = ()
    times: tuple[datetime, ...] = ()
    problem: str = ""
    alive: tuple[str, ...] = ()
    """UIDs of all pods that are there, whether they answer or not: the values of the others need not be kept."""


async def ask_proxies(reader: Reader, gateway: tuple[str, str], route: tuple[str, str], age: float) -> Asked:
    """The Envoy pods of a Gateway about one route; both as (namespace, name). Answers up to `age` seconds old will do."""
    found = await reader.find(gvks.POD, "", proxy_labels(*gateway))
    prefix = cluster_prefix(*route)
    proxies, times, problem = [], [], ""
    for obj in found:
        view, address = PodView.of(obj, attempt_label="", node_type_label=""), (obj.get("status") or {}).get("podIP")
        if view.deleting or not view.ready or not address:
            continue
        answer = await reader.ask(stats_url(str(address), *route), max_age=age)
        times.append(answer.at)
        if answer.ok:
            proxies.append(Proxy(view.uid, view.created, of_route(answer.text, prefix)))
        else:
            problem = problem or f"Envoy pod {view.name} does not tell its counters: {answer.error or answer.status}"
    if not proxies and not problem:
        problem = f"no Envoy pod of Gateway {'/'.join(gateway)} is ready, so nobody counts its requests"
    return Asked(tuple(proxies), (), tuple(times), problem, tuple(str(obj["metadata"]["uid"]) for obj in found))


async def ask_servers(reader: Reader, pods: Mapping[str, Sequence[Pod]], port: int, age: float) -> Asked:
    """Predictor pods by role; those that are not ready are not asked."""
    servers, times, problem = [], [], ""
    for role, those in pods.items():
        for pod in (pod for pod in those if pod.answers):
            host = f"[{pod.address}]" if ":" in pod.address else pod.address
            answer = await reader.ask(f"http://{host}:{port}/metrics", max_age=age)
            times.append(answer.at)
            if answer.ok:
                counted = of_predictor(answer.text).get(pod.version, Traffic())
                servers.append(Server(pod.view.uid, pod.view.created, role, counted))
            else:
                problem = problem or f"pod {pod.view.name} does not tell its metrics: {answer.error or answer.status}"
    alive = tuple(pod.view.uid for those in pods.values() for pod in those)
    return Asked((), tuple(servers), tuple(times), problem, alive)


def more(before: tuple[int, ...] | None, now: tuple[int, ...], *, young: bool) -> tuple[int, ...]:
    """What a source has counted since its last known value. `young`: it was made after counting began."""
    if before is None:
        return now if young else (0,) * len(now)
    if len(before) != len(now) or any(new < old for new, old in zip(now, before, strict=True)):
        return now
    return tuple(new - old for new, old in zip(now, before, strict=True))
