"""From ready to gone: a few real predictions, a listening port, and an exit that loses no request.

SIGTERM comes while the gateway may still send requests here: it learns of a pod that leaves a little later. So the port stays
open and every request is answered until nobody has asked for `quiet` seconds; only then is it closed, and what is in flight
is finished. Exit status 0. The pod's preStop sleep makes this rarely needed; its grace period must be longer than both.
"""

from __future__ import annotations

import logging
import signal
from types import FrameType
from typing import Any, Final

import httpx
import uvicorn

from gyre_serve.faults import StartError
from gyre_serve.gate import Gate
from gyre_serve.schema import Schema

log = logging.getLogger(__name__)

WARM_ROUNDS: Final = 3
LEAVE_SECONDS: Final = 12.0  # the longest wait for quiet
FINISH_SECONDS: Final = 10  # for what is in flight when the port is closed
KEEP_ALIVE_SECONDS: Final = 3700
"""Longer than Envoy's idle timeout of an hour (config.cluster.v3 HttpProtocolOptions): the one that closes an idle connection
must be the one that would send the next request on it."""


async def warm(app: Any, model: str, schema: Schema) -> None:
    """Predictions in both protocols, through the application itself. Raises StartError."""
    row = schema.example()
    kinds = {tensor["name"]: tensor["datatype"] for tensor in schema.tensors()}
    inputs = [{"name": name, "shape": [1], "datatype": kinds[name], "data": [row[name]]} for name in row]
    requests = {f"/v1/models/{model}:predict": {"instances": [row]}, f"/v2/models/{model}/infer": {"inputs": inputs}}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://warm"
    ) as client:
        for path, body in [*requests.items()] * WARM_ROUNDS:
            answer = await client.post(path, json=body)
            if answer.status_code != 200:
                raise StartError(
                    "Unreadable", f"the model cannot predict its own training's means: {answer.text[:200]}"
                )


def server(gate: Gate, port: int, quiet: float) -> Server:
    config = uvicorn.Config(
        gate,
        host="0.0.0.0",  # noqa: S104 - a pod's address
        port=port,
        interface="asgi3",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=FINISH_SECONDS,
    )
    return Server(config, gate, quiet)


class Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, gate: Gate, quiet: float) -> None:
        super().__init__(config)
        self.gate, self.quiet = gate, quiet

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first SIGTERM begins the leave, any other signal ends it."""
        if sig == signal.SIGTERM and self.gate.leaving_since is None:
            log.info("leaving, once nobody has asked for %g s", self.quiet)
            self.gate.leave()
        else:
            self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        if self.gate.may_go(self.quiet, LEAVE_SECONDS):
            self.should_exit = True
        return await super().on_tick(counter)
