"""Asks everybody who counts: the Envoy pods of the gateway, and our own predictors for their finer histograms.

A part of `observe.py`: it reads, and decides only whom to ask. Who does not answer makes the whole reading useless for a look,
and is named: half a reading would take the silent one's requests for none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from gyre.adapters.exposition import Traffic, of_predictor, of_route
from gyre.adapters.gateway import cluster_prefix, proxy_labels, stats_url
from gyre.adapters.pods import PodView
from gyre.api import gvks
from gyre.api.kind import Reader
from gyre.kinds.inferenceservice import desired
from gyre.kinds.inferenceservice.counting import CANDIDATE, STABLE, Proxy, Readings, Server
from gyre.kinds.inferenceservice.model import InferenceService
from gyre.kinds.inferenceservice.parts import OwnServer
from gyre.kinds.inferenceservice.predictor import PORT
from gyre.kinds.inferenceservice.troubles import Pod

__all__ = ["CANDIDATE", "STABLE", "readings"]

NEVER: Final = datetime.min.replace(tzinfo=UTC)
KEEP_SECONDS: Final = 1.0
"""Looks that follow each other at once ask once."""


async def readings(
    reader: Reader, gis: InferenceService, pods: Mapping[str, Sequence[Pod]], *, fresh: bool
) -> Readings | None:
    """`pods` by role; none where the gateway alone is to tell.

    `fresh`: an answer from before now would be taken for the zero of a new weight.
    """
    age = 0.0 if fresh else KEEP_SECONDS
    proxies, times, problem = await _proxies(reader, gis, age)
    servers: tuple[Server, ...] = ()
    if isinstance(gis.spec.runtime.chosen, OwnServer):
        servers, asked, silent = await _servers(reader, pods, age)
        times, problem = [*times, *asked], problem or silent
    if not times:
        return Readings(NEVER, problem=problem)
    return Readings(min(times), proxies, servers, problem)


async def _proxies(reader: Reader, gis: InferenceService, age: float) -> tuple[tuple[Proxy, ...], list[datetime], str]:
    namespace, name, _ = desired.through(gis)
    found = await reader.find(gvks.POD, "", proxy_labels(namespace, name))
    prefix = cluster_prefix(gis.namespace, gis.name)
    proxies, times, problem = [], [], ""
    for obj in found:
        view, address = PodView.of(obj, attempt_label="", node_type_label=""), (obj.get("status") or {}).get("podIP")
        if view.deleting or not view.ready or not address:
            continue
        url = stats_url(str(address), gis.namespace, gis.name)
        answer = await reader.ask(url, max_age=age)
        times.append(answer.at)
        if answer.ok:
            proxies.append(Proxy(view.uid, view.created, of_route(answer.text, prefix)))
        else:
            problem = problem or f"Envoy pod {view.name} does not tell its counters: {answer.error or answer.status}"
    if not proxies and not problem:
        problem = f"no Envoy pod of Gateway {namespace}/{name} is ready, so nobody counts its requests"
    return tuple(proxies), times, problem


async def _servers(
    reader: Reader, pods: Mapping[str, Sequence[Pod]], age: float
) -> tuple[tuple[Server, ...], list[datetime], str]:
    servers, times, problem = [], [], ""
    for role, those in pods.items():
        for pod in (pod for pod in those if pod.answers):
            host = f"[{pod.address}]" if ":" in pod.address else pod.address
            answer = await reader.ask(f"http://{host}:{PORT}/metrics", max_age=age)
            times.append(answer.at)
            if answer.ok:
                counted = of_predictor(answer.text).get(pod.version, Traffic())
                servers.append(Server(pod.view.uid, pod.view.created, role, counted))
            else:
                problem = problem or f"pod {pod.view.name} does not tell its metrics: {answer.error or answer.status}"
    return tuple(servers), times, problem
