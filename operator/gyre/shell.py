"""The only module that imports Kopf: start-up, credentials, watch streams with reconnects, probes, stop.

Promises   every event of a watched kind reaches the engine; Kopf itself writes nothing (no finalizers, annotations or events);
           the process ends, to be started again, when something happens that only a fresh start mends.
Never      decides anything. Kopf's own change handlers, indexes, daemons and timers are not used: docs/decisions/0001-engine.md.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import kopf
from prometheus_client import start_http_server

from gyre.api.effects import Gvk
from gyre.api.kind import Kind
from gyre.engine.engine import Engine, Settings
from gyre.engine.sweep import MANAGED_SELECTOR
from gyre.kube.client import PAGE, KubeApi

log = logging.getLogger("gyre.shell")

IDLE_SECONDS = 0.05
"""How long Kopf's task for an object outlives its last event. Kopf's 5 s keep a task and a tree of dicts for each object of the
first listing at once: 199 MiB instead of 113 with 3609 watched objects (make perf). Ours hands the event on and is done."""


class NoDiffs(kopf.DiffBaseStorage):
    """Kopf computes the essence of an object at each event, for handlers that we do not have. This makes it free."""

    def build(self, *, body: kopf.Body, extra_fields: Any = None) -> kopf.BodyEssence:
        return kopf.BodyEssence()

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        raise AssertionError("gyre has no handlers for which Kopf would store anything")


def configure(settings: kopf.OperatorSettings, watched: Mapping[Gvk, bool]) -> None:
    """Kopf's settings, each for a measured reason (docs/decisions/0001-engine.md)."""
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.peering.standalone = True
    settings.persistence.finalizer = "gyre.dev/kopf"
    settings.persistence.diffbase_storage = NoDiffs()
    settings.watching.chunk_size = PAGE
    settings.queueing.idle_timeout = IDLE_SECONDS
    settings.networking.request_timeout = 30
    for gvk, managed in watched.items():
        if managed:
            settings.watching.label_selectors[gvk.group, gvk.version, gvk.plural] = MANAGED_SELECTOR


def registry_for(engine: Engine, present: Mapping[Gvk, bool]) -> kopf.OperatorRegistry:
    """One stateless handler a kind, whose only act is to hand the raw event to the engine."""
    registry = kopf.OperatorRegistry()
    for gvk in present:
        kopf.on.event(gvk.group, gvk.version, gvk.plural, registry=registry, id=f"{gvk.kind}")(_feed(engine, gvk))
    kopf.on.login(registry=registry)(_login)
    return registry


def _feed(engine: Engine, gvk: Gvk) -> Callable[..., Any]:
    async def feed(event: kopf.RawEvent, **_: Any) -> None:
        engine.event(gvk, event["type"], event["object"])  # type: ignore[arg-type]

    return feed


def _login(**kwargs: Any) -> kopf.ConnectionInfo | None:
    """The same order as our own client's: the pod's service account, else the kubeconfig."""
    return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)


def identity() -> str:
    return f"{os.environ.get('POD_NAME') or socket.gethostname()}_{uuid.uuid4().hex[:8]}"


async def operate(
    kinds: tuple[Kind[Any, Any], ...],
    *,
    namespace: str,
    workers: int,
    metrics_port: int | None,
    probe_port: int | None,
) -> None:
    """Run the operator until it is told to stop. Raises what ended it otherwise."""
    if metrics_port:
        start_http_server(metrics_port)
    api = await KubeApi.connect()
    name = identity()
    engine = Engine(kinds, api, Settings(identity=name, namespace=namespace, workers=workers))
    try:
        await engine.fill()
        watched = {gvk: managed for gvk, managed in engine.routes.watched().items() if gvk not in engine.absent}
        settings = kopf.OperatorSettings()
        configure(settings, watched)
        stop = asyncio.Event()
        streams = asyncio.create_task(
            kopf.operator(
                registry=registry_for(engine, watched),
                settings=settings,
                clusterwide=True,
                standalone=True,
                identity=name,  # type: ignore[arg-type]  # not exported; without one it asks for the user's name, and a pod's user has none
                liveness_endpoint=f"http://0.0.0.0:{probe_port}/healthz" if probe_port else None,
                stop_flag=stop,
            ),
            name="kopf",
        )
        work = asyncio.create_task(engine.run(), name="engine")
        done, _ = await asyncio.wait({streams, work}, return_when=asyncio.FIRST_COMPLETED)
        work.cancel()
        stop.set()
        await asyncio.gather(streams, work, return_exceptions=True)
        for task in done:
            if not task.cancelled() and (problem := task.exception()):
                raise problem
    finally:
        await engine.stop()
        await api.close()


def run(
    kinds: tuple[Kind[Any, Any], ...],
    *,
    namespace: str = "gyre-system",
    workers: int = 16,
    metrics_port: int | None = None,
    probe_port: int | None = None,
) -> int:
    """Run in the foreground; the exit status: 0 when asked to stop, 1 when a fresh start is needed."""
    try:
        # asyncio's own loop: uvloop 0.23.0 closes a socket twice when a connection is given up, and another one that has got its
        # number by then breaks ("File descriptor 37 is used by transport"; MagicStack/uvloop#738). A watch died of that.
        asyncio.run(
            operate(kinds, namespace=namespace, workers=workers, metrics_port=metrics_port, probe_port=probe_port)
        )
    except KeyboardInterrupt:
        return 0
    except BaseException as problem:
        log.critical("gyre stops: %s", _root(problem), exc_info=not isinstance(problem, SystemExit))
        print(f"gyre stops: {_root(problem)}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _root(problem: BaseException) -> BaseException:
    while isinstance(problem, BaseExceptionGroup):
        problem = problem.exceptions[0]
    return problem
