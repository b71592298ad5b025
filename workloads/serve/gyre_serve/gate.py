"""The outermost layer: what may be asked at all, how much of it, what it came to, and when this process may leave.

Promises   every request to the model's predict and infer paths is counted once, with the status its client got, refused and
           failed ones too; every answer carries `x-model-version`, and that of a prediction its `x-request-id`; a body is held
           in memory only up to the limit; while leaving, what still arrives is answered, with `connection: close`.
Never      lets through a path that is not listed here: the SDK's own would let anyone unload the model.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from gyre_log.sampling import REQUEST_ID
from gyre_serve.cloudevents import Exchange
from gyre_serve.emitter import Emitter
from gyre_serve.metrics import Metrics

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Receive, Send], Awaitable[None]]

PLAIN: Final = frozenset({"/", "/metrics", "/v1/models", "/v2", "/v2/models", "/v2/health/live", "/v2/health/ready"})
OF_MODEL: Final = (
    re.compile(r"/v1/models/(?P<model>[^/:]+)(?P<what>:predict)?"),
    re.compile(r"/v2/models/(?P<model>[^/]+)(?:/versions/(?P<version>[^/]+))?(?P<what>/infer|/ready)?"),
)
BODY_SECONDS: Final = 30.0  # for a request to arrive whole
CLIENT_GONE: Final = 499  # nginx's number for a client that left before it was answered

log = logging.getLogger(__name__)


class Gate:
    """An ASGI application around another."""

    def __init__(
        self,
        app: App,
        metrics: Metrics,
        *,
        model: str,
        version: str,
        max_body_bytes: int,
        emitter: Emitter | None = None,
        clock: Callable[[], float] = time.perf_counter,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.app, self.metrics, self.clock, self.wall, self.emitter = app, metrics, clock, wall, emitter
        self.model, self.version, self.max_body_bytes = model, version, max_body_bytes
        self.leaving_since: float | None = None
        self.last_asked = 0.0

    def leave(self) -> None:
        """From now on not ready, but still answering."""
        self.leaving_since = self.clock()

    def may_go(self, quiet: float, longest: float) -> bool:
        """Leaving, and nobody has asked for `quiet` seconds, or they keep asking after `longest`."""
        if self.leaving_since is None:
            return False
        now = self.clock()
        return now - max(self.leaving_since, self.last_asked) >= quiet or now - self.leaving_since >= longest

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"no {scope['type']} here")
        path, counted = self.known(scope["path"])
        name = request_id(scope["headers"]) if counted else ""
        told = self.emitter if counted and self.emitter and self.emitter.wants(name) else None
        answer = Answer(send, self.version, name, closing=self.leaving_since is not None, kept=told is not None)
        whole: bytes | None = None
        began, at = self.clock(), self.wall()
        try:
            if counted:
                self.last_asked = began
            if path is None:
                await answer.error(404, f"{scope['path']} is not served here")
            elif path.endswith("/ready") and self.leaving_since is not None:
                await answer.error(503, "this replica is leaving")
            else:
                whole = await self.body(scope, receive, answer)
                began, at = self.clock(), self.wall()
                if whole is not None:
                    await self.app({**scope, "path": path}, replayed(whole, receive), answer)
        except Exception:
            log.exception("%s %s", scope["method"], scope["path"])
            if not answer.status:
                await answer.error(500, "the prediction failed; the pod's log says more")
        finally:
            if counted:
                code, seconds = answer.status or 500, self.clock() - began
                self.metrics.answered(code, seconds)
                if told is not None:
                    told.offer(Exchange(name, at, code, seconds, whole, tuple(answer.parts)))

    def known(self, path: str) -> tuple[str | None, bool]:
        """(the path as the SDK knows it or None, whether it is a prediction of this model)."""
        if path in PLAIN:
            return path, False
        for pattern in OF_MODEL:
            if match := pattern.fullmatch(path):
                found = match.groupdict()
                what, version = found["what"] or "", found.get("version")
                counted = found["model"] == self.model and what in ("/infer", ":predict")
                if version not in (None, self.version):
                    return None, counted
                return path.replace(f"/versions/{version}", "", 1), counted
        return None, False

    async def body(self, scope: Any, receive: Receive, answer: Answer) -> bytes | None:
        """The whole body, or None when that was answered already."""
        limit = self.max_body_bytes
        too_large = f"the body is larger than {limit} bytes: send fewer rows at once"
        if any(name == b"content-length" and int(value) > limit for name, value in scope["headers"]):
            await answer.error(413, too_large)
            return None
        parts, size = [], 0
        try:
            async with asyncio.timeout(BODY_SECONDS):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        answer.status = CLIENT_GONE
                        return None
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
                    if size > limit:
                        await answer.error(413, too_large)
                        return None
                    if not message.get("more_body"):
                        return b"".join(parts)
        except TimeoutError:
            await answer.error(408, f"the body did not arrive within {BODY_SECONDS:.0f} s")
            return None


class Answer:
    """`send`, with our headers, remembering the status and, if it is to be kept, the body."""

    def __init__(self, send: Send, version: str, request_id: str, *, closing: bool, kept: bool) -> None:
        self.send, self.status, self.kept = send, 0, kept
        self.parts: list[bytes] = []
        self.headers = [(b"x-model-version", version.encode("latin-1"))]
        if request_id:
            self.headers.append((b"x-request-id", request_id.encode("latin-1")))
        if closing:
            self.headers.append((b"connection", b"close"))

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = {**message, "headers": [*message.get("headers", ()), *self.headers]}
        elif self.kept and message["type"] == "http.response.body":
            self.parts.append(message.get("body", b""))
        await self.send(message)

    async def error(self, status: int, text: str) -> None:
        content = json.dumps({"error": text}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
        await self({"type": "http.response.start", "status": status, "headers": headers})
        await self({"type": "http.response.body", "body": content})


def request_id(headers: Any) -> str:
    """The caller's or the gateway's, where there is a sane one."""
    for name, value in headers:
        if name == b"x-request-id" and REQUEST_ID.fullmatch(given := value.decode("latin-1")):
            return given
    return uuid.uuid4().hex


def replayed(whole: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body that was read, then whatever comes."""
    waiting = [{"type": "http.request", "body": whole, "more_body": False}]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again
