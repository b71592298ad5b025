"""What a predictor tells of its requests, and that telling never keeps a request waiting.

Structural, not timed: the collector of these tests does not answer before the test lets it; a request that waited for it would
wait for ever.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from tests.unit.log.collecting import BATCHED, NOW, World

from gyre_log.sampling import chosen
from gyre_serve import emitter as module
from gyre_serve.cloudevents import Exchange, Origin
from gyre_serve.emitter import Emitter, shown, to
from gyre_serve.gate import Gate
from gyre_serve.metrics import Metrics

ORIGIN = Origin("late", "late-1", "pod-1", ("carrier", "weekday"))
PREDICT = "/v1/models/late:predict"
BODY = b'{"instances": [{"hour": 8, "carrier": "UA", "weekday": 1}]}'
SAFE = (202, b'{"accepted": 2, "duplicates": 0, "refused": 0}')


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINGER_SECONDS", 0.0)
    monkeypatch.setattr(module, "BACK_OFF", (0.001,))


class Collector:
    """Answers as it is told, once it is let; remembers what it was sent."""

    def __init__(self, *answers: Any) -> None:
        self.answers, self.sent = list(answers), list[list[dict[str, Any]]]()
        self.let, self.asked = threading.Event(), threading.Event()

    def __call__(self, content: bytes) -> tuple[int, bytes]:
        self.asked.set()
        assert self.let.wait(30)
        answer = self.answers.pop(0) if self.answers else SAFE
        self.sent.append(json.loads(content))
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return]

    @property
    def ids(self) -> list[str]:
        return [event["id"] for events in self.sent for event in events[::2]]


class Logging:
    def __init__(self, *answers: Any, percent: int = 100, most: int = 1000, most_bytes: int = 1 << 24) -> None:
        self.collector, self.registry = Collector(*answers), CollectorRegistry()
        self.emitter = Emitter(ORIGIN, self.collector, self.registry, percent=percent, most=most, most_bytes=most_bytes)

    def offer(self, *names: str, size: int = 10) -> None:
        for name in names:
            self.emitter.offer(Exchange(name, NOW.timestamp(), 200, 0.001, b'"' + b"x" * size + b'"', (b"{}",)))

    def end(self, seconds: float = 30) -> None:
        self.collector.let.set()
        self.emitter.close(seconds)

    @property
    def counted(self) -> tuple[int, int, int]:
        """(queued, sent, dropped)."""
        name = "gyre_log_events_total"
        found = [self.registry.get_sample_value(name, {"result": result}) for result in ("queued", "sent", "dropped")]
        return tuple(int(value or 0) for value in found)  # type: ignore[return-value]


# ── never waits ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def behind(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b'{"predictions": ', "more_body": True})
    await send({"type": "http.response.body", "body": b"[0.25]}"})


def ask(gate: Gate, *, path: str = PREDICT, headers: Any = (), body: bytes = BODY) -> dict[bytes, bytes]:
    """The headers of its answer."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": body}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(gate({"type": "http", "method": "POST", "path": path, "headers": list(headers)}, receive, send))
    return dict(sent[0]["headers"])


def gate_of(emitter: Emitter | None, app: Callable[..., Any] = behind) -> Gate:
    metrics = Metrics(CollectorRegistry(), "late", "late-1")
    return Gate(
        app,
        metrics,
        model="late",
        version="late-1",
        max_body_bytes=1000,
        emitter=emitter,
        clock=lambda: 5.0,
        wall=NOW.timestamp,
    )


def test_requests_are_answered_while_the_collector_does_not_answer_and_the_queue_is_full():
    world = Logging(most=3)
    world.emitter.start()
    gate = gate_of(world.emitter)
    for _ in range(20):
        assert b"x-request-id" in ask(gate)
        world.collector.asked.wait(30)  # from the first on, the sending thread hangs in the collector
    assert world.counted == (3, 0, 17)
    world.end()
    assert world.counted == (3, 3, 17)


def test_nobody_holds_a_lock_of_the_emitter_while_it_sends():
    """What `offer` touches: a deque, numbers that one thread writes, counters and an event that nobody holds."""
    world = Logging()
    world.emitter.start()
    world.offer("a")
    assert world.collector.asked.wait(30)
    world.offer(*map(str, range(500)))
    assert world.counted == (501, 0, 0)
    world.end()
    assert world.counted == (501, 501, 0)


def test_the_bytes_that_wait_are_bounded_too():
    world = Logging(most_bytes=10_000)
    world.offer(*"abcdef", size=2000)
    assert world.counted == (3, 0, 3)


def test_room_comes_back_when_the_collector_does():
    world = Logging(most=2)
    world.offer("a", "b", "c")
    world.emitter.start()
    world.collector.let.set()
    for name in ("d", "e"):
        while world.emitter.put != world.emitter.taken:
            world.collector.asked.wait(0.001)
        world.offer(name)
    world.end()
    assert world.collector.ids == ["a", "b", "d", "e"]
    assert world.counted == (4, 4, 1)


# ── sent at least once ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "trouble", [ConnectionRefusedError(), TimeoutError(), (503, b""), (429, b""), (404, b""), (302, b"")]
)
def test_what_may_go_well_later_is_sent_again(trouble: Any):
    world = Logging(trouble, trouble)
    world.offer("a", "b")
    world.emitter.start()
    world.end()
    assert world.collector.ids == ["a", "b"] * 3
    assert world.counted == (2, 2, 0)


@pytest.mark.parametrize("status", [400, 413, 415])
def test_what_will_never_be_taken_is_dropped_and_what_comes_after_it_is_sent(status: int, monkeypatch: Any):
    monkeypatch.setattr(module, "MOST", 1)
    world = Logging((status, b"no"))
    world.offer("a", "b")
    world.emitter.start()
    world.end()
    assert world.counted == (2, 1, 1)


def test_what_the_collector_took_note_of_and_will_not_keep_is_dropped():
    world = Logging((202, b'{"accepted": 2, "duplicates": 0, "refused": 2}'))
    world.offer("a", "b")
    world.emitter.start()
    world.end()
    assert world.counted == (2, 1, 1)


def test_what_cannot_be_sent_before_the_end_is_counted_as_dropped(monkeypatch: Any):
    world = Logging(*[ConnectionRefusedError()] * 100_000)
    world.offer("a", "b")
    world.emitter.start()
    world.end(seconds=0.05)
    assert world.counted == (2, 0, 2)
    world.offer("c")
    assert world.counted == (2, 0, 3), "the end is the end"


def test_a_batch_is_bounded(monkeypatch: Any):
    monkeypatch.setattr(module, "MOST_BYTES", 5_000)
    world = Logging()
    world.offer(*"abcd", size=1000)
    world.offer("large", size=20_000)
    world.emitter.start()
    world.end()
    assert [[event["id"] for event in events[::2]] for events in world.collector.sent] == [
        ["a", "b"],
        ["c", "d"],
        ["large"],
    ]


# ── what is told ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_id_of_a_request_is_the_callers_where_it_is_sane_and_goes_back_in_the_answer():
    gate = gate_of(None)
    assert ask(gate, headers=[(b"x-request-id", b"caller-7")])[b"x-request-id"] == b"caller-7"
    made = ask(gate, headers=[(b"x-request-id", b"../\xff")])[b"x-request-id"]
    assert len(made) == 32
    assert made != ask(gate)[b"x-request-id"]
    assert len(ask(gate, headers=[(b"x-request-id", b"x" * 200)])[b"x-request-id"]) == 32


def test_only_the_chosen_are_told_of():
    world = Logging(percent=50)
    gate, names = gate_of(world.emitter), [f"r{at}" for at in range(40)]
    for name in names:
        ask(gate, headers=[(b"x-request-id", name.encode())])
    world.emitter.start()
    world.end()
    assert world.collector.ids == [name for name in names if chosen(name, 50)]


def test_what_is_no_prediction_is_not_told_of():
    world = Logging()
    ask(gate_of(world.emitter), path="/v2/health/live")
    assert world.counted == (0, 0, 0)


def test_a_prediction_arrives_in_the_log_as_it_was_asked_and_answered(tmp_path: Path):
    """From the gate through the emitter into the collector and its Parquet."""
    world = Logging()
    gate = gate_of(world.emitter)
    ask(gate, headers=[(b"x-request-id", b"good")])
    ask(gate, headers=[(b"x-request-id", b"large"), (b"content-length", b"5000")])
    ask(gate_of(world.emitter, broken), headers=[(b"x-request-id", b"wrong")], body=b"{")
    world.emitter.start()
    world.end()
    log = World(tmp_path)

    async def story(log: World) -> None:
        for events in world.collector.sent:
            told = await log.client.post("/events", content=json.dumps(events), headers=BATCHED)
            assert told.json() == {"accepted": 6, "duplicates": 0, "refused": 0}

    log.run(story)
    good, large, wrong = log.rows
    assert [row["code"] for row in log.rows] == [200, 413, 500]
    assert good == {
        "id": "good-0",
        "time": NOW,
        "service": "late",
        "version": "late-1",
        "code": 200,
        "seconds": 0.0,
        "in.carrier": "UA",
        "in.hour": 8.0,
        "in.weekday": "1",
        "prediction": 0.25,
        "masked": "None",
    }
    assert (large["prediction"], wrong["prediction"]) == (None, None)


async def broken(scope: Any, receive: Any, send: Any) -> None:
    raise RuntimeError("out of luck")


def test_the_token_is_shown_as_it_is_now_and_its_absence_breaks_nothing(tmp_path: Path):
    token = tmp_path / "token"
    assert shown("") == shown(str(token)) == {}
    token.write_text("a-token-of-22-letters-\n")
    assert shown(str(token)) == {"authorization": "Bearer a-token-of-22-letters-"}
    token.write_text("another-one")
    assert shown(str(token)) == {"authorization": "Bearer another-one"}
    for unsendable in (b"", b"two\nlines", b"\xff\xfe", "é".encode()):
        token.write_bytes(unsendable)
        assert shown(str(token)) == {}


def test_what_is_refused_for_want_of_a_token_waits_for_it():
    """The Secret may come to the pod after the process has begun."""
    world = Logging((401, b"{}"), (401, b"{}"))
    ask(gate_of(world.emitter), headers=[(b"x-request-id", b"r1")])
    world.emitter.start()
    world.end()
    assert world.collector.ids == ["r1"] * 3
    assert world.counted == (1, 1, 0)


def test_a_connection_is_kept_and_made_anew_when_it_breaks():
    """Over real sockets."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    seen: list[tuple[str, Any, bytes]] = []

    class Server(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["content-length"]))
            seen.append((self.path, self.client_address, content))
            self.send_response(202)
            self.send_header("content-length", "2")
            if content == b"last":
                self.send_header("connection", "close")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    server.block_on_close = False  # a kept connection has a thread that nobody waits for
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    post = to(f"http://127.0.0.1:{server.server_port}/events")
    assert post(b"a") == post(b"last") == post(b"b") == (202, b"{}")
    server.shutdown()
    server.server_close()
    thread.join()
    assert [content for _, _, content in seen] == [b"a", b"last", b"b"]
    assert seen[0][:2] == seen[1][:2] != seen[2][:2]
    assert seen[0][0] == "/events"
