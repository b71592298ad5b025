"""`python -m gyre_serve`: verify, load, warm up, serve; docs/serve-contract.md has the environment and what it answers.

Promises   nothing listens before the artifact was verified, loaded and has predicted; whatever prevents that is one JSON on the
           termination log and exit status 1.
Never      imports a library before it is needed: a wrong digest is told before torch is read from disk.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import time
import warnings
from types import FrameType
from typing import TYPE_CHECKING, Final

import uvloop

from gyre_data.termination import tell_error
from gyre_serve.artifact import fetch
from gyre_serve.faults import StartError
from gyre_serve.processors import threads
from gyre_serve.settings import Settings

if TYPE_CHECKING:
    from gyre_serve.emitter import Emitter
    from gyre_serve.schema import Schema
    from gyre_serve.server import Server

log = logging.getLogger("gyre_serve")

LOG_SECONDS: Final = 5.0
"""For the last of the prediction log, when everybody was answered."""


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it would tell of each warming request
    warnings.filterwarnings("ignore", "ORJSONResponse")  # the SDK's business, not the reader's
    signal.signal(signal.SIGTERM, at_once)  # process 1 of a container has no default that ends it
    try:
        settings = Settings.of(os.environ)
        log.info("to serve %s as version %s of %s", settings.artifact, settings.version, settings.model)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(settings))
    except StartError as error:
        return tell_error(error.kind, error.message)
    except Exception as error:
        log.exception("not served")
        return tell_error("Internal", f"{type(error).__name__}: {error}")
    return 0


def at_once(sig: int, frame: FrameType | None) -> None:
    sys.exit(0)


async def serve(settings: Settings) -> None:
    """Until SIGTERM. Raises StartError."""
    server = await prepared(settings)
    emitter = server.gate.emitter
    try:
        if emitter is not None:
            emitter.start()
        await server.serve()
    except SystemExit as error:
        if not server.started:
            raise StartError("Internal", f"port {settings.port} cannot be listened on: is it taken?") from error
        raise
    finally:
        if emitter is not None:
            emitter.close(LOG_SECONDS)


async def prepared(settings: Settings) -> Server:
    watch = Stopwatch()
    processors = threads(os.environ)
    artifact = fetch(settings)
    watch.lap("verified")
    from gyre_serve.networks import load

    encoder, network = load(artifact, processors)
    watch.lap("loaded")
    from prometheus_client import REGISTRY, disable_created_metrics

    from gyre_serve.application import application
    from gyre_serve.gate import Gate
    from gyre_serve.metrics import Metrics
    from gyre_serve.predictor import Predictor
    from gyre_serve.schema import Schema
    from gyre_serve.server import server, warm

    watch.lap("imported")
    disable_created_metrics()
    schema = Schema(encoder, settings.max_rows)
    predictor = Predictor(settings.model, settings.version, artifact.description["flavour"], schema, network)
    app = application(predictor, REGISTRY)
    await warm(app, settings.model, schema)
    watch.lap("warm")
    log.info("%s is %s (%s); %d threads; %s", settings.model, settings.version, settings.digest, processors, watch)
    gate = Gate(
        app,
        Metrics(REGISTRY, settings.model, settings.version),
        model=settings.model,
        version=settings.version,
        max_body_bytes=settings.max_body_bytes,
        emitter=emitter_of(settings, schema) if settings.log_url else None,
    )
    return server(gate, settings.port, settings.quiet_seconds)


def emitter_of(settings: Settings, schema: Schema) -> Emitter:
    from prometheus_client import REGISTRY

    from gyre_serve.cloudevents import Origin
    from gyre_serve.emitter import Emitter, to

    categorical = tuple(name for name, kind in schema.types.items() if kind == "Categorical")
    return Emitter(
        Origin(settings.model, settings.version, socket.gethostname(), categorical),
        to(settings.log_url, settings.log_token),
        REGISTRY,
        percent=settings.log_percent,
        most=settings.log_queue,
        most_bytes=settings.log_queue_bytes,
    )


class Stopwatch:
    """Where the time to readiness goes, in one line of the log."""

    def __init__(self) -> None:
        self.last, self.laps = time.perf_counter(), [("started", time.process_time())]

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps.append((name, now - self.last))
        self.last = now

    def __str__(self) -> str:
        return ", ".join(f"{name} {seconds:.2f} s" for name, seconds in self.laps)


if __name__ == "__main__":
    sys.exit(main())
