"""`python -m gyre_log`: the collector of one InferenceService; docs/prediction-log.md has its environment and what it answers.

Promises   nothing is taken before the journal that another process left was read; SIGTERM stores what is there before it ends.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from datetime import UTC, datetime
from typing import Final

import uvicorn
import uvloop
from prometheus_client import REGISTRY, disable_created_metrics

from gyre_data.termination import tell_error
from gyre_log.application import application
from gyre_log.collector import Collector
from gyre_log.faults import StartError
from gyre_log.journal import Journal
from gyre_log.metrics import Metrics
from gyre_log.settings import Settings, here
from gyre_log.store import Store

log = logging.getLogger("gyre_log")

LEAVE_SECONDS: Final = 20.0
"""To store what is there; the pod's grace period is longer."""
FINISH_SECONDS: Final = 5
"""For requests in flight when the port is closed."""
KEEP_ALIVE_SECONDS: Final = 3700
"""A quiet predictor's connection is kept, or its next batch would fail on it first."""
PATIENCE_SECONDS: Final = 600
"""For the process before this one to let go of the journal."""


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", force=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # process 1 of a container has no default that ends it
    try:
        settings = here()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(settings))
    except StartError as error:
        return tell_error("Internal", str(error))
    except Exception as error:
        log.exception("the collector ends")
        return tell_error("Internal", f"{type(error).__name__}: {error}")
    return 0


async def serve(settings: Settings) -> None:
    """Until SIGTERM."""
    disable_created_metrics()
    journal = await opened(settings)
    collector = Collector(settings, journal, Store(settings.root, settings.s3), Metrics(REGISTRY), now)
    collector.start()
    log.info("to log %s to %s, masking %s", settings.service, settings.uri, settings.masking.mode)
    config = uvicorn.Config(
        application(collector, REGISTRY),
        host="0.0.0.0",  # noqa: S104 - a pod's address
        port=settings.port,
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=FINISH_SECONDS,
    )
    signal.signal(
        signal.SIGTERM, lambda *_: None
    )  # uvicorn leaves by it, and raises it again before what is below is done
    try:
        await uvicorn.Server(config).serve()
    finally:
        await collector.leave(LEAVE_SECONDS)


async def opened(settings: Settings) -> Journal:
    """Waits while the process before this one still has it. Raises StartError."""
    told = False
    for _ in range(PATIENCE_SECONDS):
        try:
            return Journal(settings.journal)
        except BlockingIOError:
            if not told:
                log.info("waiting for the collector before this one to leave %s", settings.journal)
            told = True
            await asyncio.sleep(1)
        except OSError as error:
            raise StartError(
                f"{settings.journal} cannot be written: {error}; check the claim of {settings.uri}, its mode and free space"
            ) from error
    raise StartError(f"another collector has held {settings.journal} for {PATIENCE_SECONDS} s: delete its pod")


def now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    sys.exit(main())
