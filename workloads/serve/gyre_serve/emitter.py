"""Sends what was predicted to the log's collector, behind the back of inference.

Promises   `offer` takes no lock that anybody holds while sending, reads and copies no body, and returns at once whatever the
           collector does; the queue is bounded in number and bytes, and what finds it full is dropped and counted; what was
           queued is sent at least once, or counted as dropped when the process ends without having got rid of it.
Never      raises into a request; sends a request that the sampling leaves out.

    offered ──▶ queued ──▶ sent        the collector has said that it is durable
        └──▶ dropped ◀──┘              no room; refused for good; or left over at the end
"""

from __future__ import annotations

import http.client
import json
import logging
import threading
from collections import deque
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry, Counter

from gyre_log.sampling import chosen
from gyre_serve.cloudevents import BATCH, Exchange, Origin, batch

log = logging.getLogger(__name__)

MOST: Final = 500  # exchanges in a batch
MOST_BYTES: Final = 256 << 10  # of a batch, so that making it holds the interpreter for a millisecond at the most
LINGER_SECONDS: Final = 0.1  # for a batch to fill
BACK_OFF: Final = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
POST_SECONDS: Final = 5.0
FOR_GOOD: Final = (400, 413, 415)  # sent again it would be refused again; not 401: the token may yet come


class Post(Protocol):
    def __call__(self, content: bytes) -> tuple[int, bytes]:
        """(status, body) of the answer. Raises OSError or HTTPException."""


class Emitter:
    def __init__(
        self, origin: Origin, post: Post, registry: CollectorRegistry, *, percent: int, most: int, most_bytes: int
    ) -> None:
        self.origin, self.post, self.percent = origin, post, percent
        self.most, self.most_bytes = most, most_bytes
        self.queue: deque[Exchange] = deque()  # its append and popleft need no lock
        self.put_bytes = self.taken_bytes = 0  # each is written by one thread only
        self.put = self.taken = 0
        self.hand: list[Exchange] = []
        self.wake, self.closing, self.over = threading.Event(), threading.Event(), threading.Event()
        events = Counter("gyre_log_events", "Logged requests, by what became of them", ("result",), registry=registry)
        self.queued, self.sent, self.dropped = (events.labels(result) for result in ("queued", "sent", "dropped"))
        self.thread = threading.Thread(target=self.run, name="gyre-log", daemon=True)

    # ── in the event loop ────────────────────────────────────────────────────────────────────────────────────────────

    def wants(self, request_id: str) -> bool:
        return chosen(request_id, self.percent)

    def offer(self, exchange: Exchange) -> None:
        size = exchange.size
        full = self.put - self.taken >= self.most or self.put_bytes - self.taken_bytes + size > self.most_bytes
        if full or self.closing.is_set():
            self.dropped.inc()
            return
        self.put += 1
        self.put_bytes += size
        self.queue.append(exchange)
        self.queued.inc()
        if not self.wake.is_set():
            self.wake.set()

    # ── in a thread of its own ───────────────────────────────────────────────────────────────────────────────────────

    def run(self) -> None:
        while not self.over.is_set():
            self.wake.clear()
            self.fill()
            if self.hand:
                self.deliver()
            elif self.closing.is_set():
                return
            else:
                self.wake.wait()
                self.closing.wait(LINGER_SECONDS)

    def fill(self) -> None:
        size = 0
        while self.queue and len(self.hand) < MOST and (not self.hand or size + self.queue[0].size <= MOST_BYTES):
            self.hand.append(self.queue.popleft())
            size += self.hand[-1].size

    def deliver(self) -> None:
        """Until it is there, refused for good, or over. What is in hand counts as queued until then."""
        try:
            content = batch(self.origin, self.hand)
        except Exception:  # a defect of ours is a gap in the log, not the end of it
            log.exception("%d requests cannot be told of", len(self.hand))
            return self.done(0)
        failures = 0
        while not self.over.is_set():
            problem = ""
            try:
                status, answer = self.post(content)
            except (OSError, http.client.HTTPException) as error:
                problem = f"{type(error).__name__}: {error}"
            else:
                if 200 <= status < 300:
                    return self.done(len(self.hand) - refused(answer, len(self.hand)))
                problem = f"{status} {answer[:200]!r}"
                if status in FOR_GOOD:
                    log.warning("the prediction log does not take %d requests: %s", len(self.hand), problem)
                    return self.done(0)
            if failures == 0:
                log.warning("the prediction log cannot be reached, to be tried again: %s", problem)
            pause = BACK_OFF[min(failures, len(BACK_OFF) - 1)]
            failures += 1
            self.over.wait(BACK_OFF[0] if self.closing.is_set() else pause)
        return None

    def done(self, sent: int) -> None:
        """So many of those in hand are safe."""
        self.sent.inc(sent)
        self.dropped.inc(len(self.hand) - sent)
        for exchange in self.hand:
            self.taken += 1
            self.taken_bytes += exchange.size
        self.hand = []

    # ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        self.thread.start()

    def close(self, seconds: float) -> None:
        """Sends what is left, for so long at the most; the rest is counted as dropped."""
        self.closing.set()
        self.wake.set()
        self.thread.join(seconds)
        self.over.set()
        if self.thread.is_alive():
            self.thread.join(POST_SECONDS)
        if left := self.put - self.taken:
            self.dropped.inc(left)
            log.warning("%d requests are not in the prediction log: it could not be reached in %g s", left, seconds)


def refused(answer: bytes, whole: int) -> int:
    """How many the collector took note of and will not keep. It counts halves."""
    try:
        told: Any = json.loads(answer)["refused"]
        return min(whole, (int(told) + 1) // 2)
    except (ValueError, KeyError, TypeError):
        return 0


def shown(token: str) -> dict[str, str]:
    """Nothing while there is no such file, or none that can be sent: it is for the collector to refuse."""
    try:
        text = Path(token).read_text().strip() if token else ""
    except (OSError, ValueError):
        return {}
    return {"authorization": f"Bearer {text}"} if text and text.isascii() and text.isprintable() else {}


def to(url: str, token: str = "") -> Post:
    """Posts to one address over one connection that is kept; only http, as the collector is in the cluster. `token`: the file
    that has it, read each time: it may come after the process has begun, and change."""
    place = urlsplit(url)
    kept: list[http.client.HTTPConnection] = []

    def post(content: bytes) -> tuple[int, bytes]:
        connection = (
            kept.pop() if kept else http.client.HTTPConnection(place.hostname or "", place.port, timeout=POST_SECONDS)
        )
        try:
            connection.request("POST", place.path or "/", content, {"content-type": BATCH, **shown(token)})
            response = connection.getresponse()
            answer = response.read()
        except BaseException:
            connection.close()
            raise
        kept.append(connection)
        return response.status, answer

    return post
