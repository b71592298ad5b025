"""The outermost layer alone, message by message: what it lets through, what it counts, when it lets the process go."""

import asyncio
import itertools
import json

import pytest
from prometheus_client import CollectorRegistry
from tests.unit.workloads.served import INFER, PREDICT

from gyre_serve.gate import CLIENT_GONE, Gate
from gyre_serve.metrics import EDGES, STEP, Metrics


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


class Behind:
    """What is behind the gate: remembers what it was asked, takes its time, answers or fails."""

    def __init__(self, clock, fails=False, status=200):
        self.clock, self.fails, self.status, self.asked = clock, fails, status, []

    async def __call__(self, scope, receive, send):
        message = await receive()
        self.asked.append((scope["path"], message["body"], message["more_body"]))
        self.clock.now += 0.25
        if self.fails:
            raise RuntimeError("out of luck")
        await send({"type": "http.response.start", "status": self.status, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


class World:
    def __init__(self, **behind):
        self.clock, self.registry = Clock(), CollectorRegistry()
        self.behind = Behind(self.clock, **behind)
        metrics = Metrics(self.registry, "late", "late-1")
        self.gate = Gate(self.behind, metrics, model="late", version="late-1", max_body_bytes=10, clock=self.clock)

    def ask(self, path, *messages, method="POST", headers=()):
        """(status, headers, text) of the answer; (0, {}, "") without one."""
        waiting, sent = list(messages) or [{"type": "http.request", "body": b"{}"}], []

        async def receive():
            self.clock.now += 1
            return waiting.pop(0)

        async def send(message):
            sent.append(message)

        asyncio.run(
            self.gate({"type": "http", "method": method, "path": path, "headers": list(headers)}, receive, send)
        )
        if not sent:
            return 0, {}, ""
        return sent[0]["status"], dict(sent[0]["headers"]), b"".join(message["body"] for message in sent[1:]).decode()

    def counted(self):
        """{code: requests} of all that was counted but the zero at the start."""
        samples = {
            sample.labels["code"]: sample.value
            for family in self.registry.collect()
            for sample in family.samples
            if sample.name == "gyre_inference_requests_total"
        }
        return {code: value for code, value in samples.items() if value}

    def value(self, name, **labels):
        return self.registry.get_sample_value(name, {"model": "late", "model_version": "late-1", **labels})


def chunk(body, more=True):
    return {"type": "http.request", "body": body, "more_body": more}


def test_a_prediction_is_counted_once_with_its_version_in_metrics_and_header():
    world = World()
    status, headers, text = world.ask(PREDICT, chunk(b"{"), chunk(b"}", more=False))
    assert (status, headers[b"x-model-version"], text) == (200, b"late-1", "ok")
    assert world.behind.asked == [(PREDICT, b"{}", False)]
    assert world.counted() == {"200": 1}


def test_the_time_begins_when_the_request_is_whole():
    world = World()
    world.ask(INFER, *[chunk(b"x")] * 8, chunk(b"", more=False))
    assert world.value("gyre_inference_seconds_sum") == pytest.approx(0.25)


def test_the_counter_is_there_before_the_first_request():
    assert World().value("gyre_inference_requests_total", code="200") == 0


def test_the_edges_of_the_histogram_grow_by_a_quarter():
    assert EDGES[0] == 0.0001
    assert 10 < EDGES[-1] < 12.5
    assert all(abs(after / before - STEP) < 0.001 for before, after in itertools.pairwise(EDGES))


def test_a_failure_behind_the_gate_is_answered_and_counted_as_500():
    world = World(fails=True)
    status, headers, text = world.ask(INFER)
    assert (status, headers[b"x-model-version"]) == (500, b"late-1")
    assert json.loads(text) == {"error": "the prediction failed; the pod's log says more"}
    assert world.counted() == {"500": 1}


def test_a_body_that_says_it_is_too_large_is_refused_unread():
    world = World()
    status, _, text = world.ask(INFER, headers=[(b"content-length", b"11")])
    assert (status, json.loads(text)["error"]) == (413, "the body is larger than 10 bytes: send fewer rows at once")
    assert (world.behind.asked, world.counted()) == ([], {"413": 1})


def test_a_body_that_turns_out_too_large_is_refused():
    world = World()
    assert world.ask(INFER, chunk(b"12345"), chunk(b"123456"), chunk(b"never asked for"))[0] == 413
    assert (world.behind.asked, world.counted()) == ([], {"413": 1})


def test_a_body_of_exactly_the_limit_is_taken():
    world = World()
    assert world.ask(INFER, chunk(b"1234567890", more=False), headers=[(b"content-length", b"10")])[0] == 200


def test_a_client_that_leaves_before_its_request_is_whole_is_counted_as_gone():
    world = World()
    assert world.ask(INFER, chunk(b"{"), {"type": "http.disconnect"}) == (0, {}, "")
    assert (world.behind.asked, world.counted()) == ([], {str(CLIENT_GONE): 1})


@pytest.mark.parametrize(
    "path",
    [
        "/v2/repository/models/late/unload",
        "/v1/models/late:explain",
        "/openai/v1/completions",
        "/docs",
        "/v2/models/late/",
    ],
)
def test_what_is_not_on_the_list_is_not_there(path):
    world = World()
    status, _, text = world.ask(path)
    assert (status, json.loads(text)) == (404, {"error": f"{path} is not served here"})
    assert (world.behind.asked, world.counted()) == ([], {})


def test_this_version_may_be_named_in_the_path_and_no_other():
    world = World()
    assert world.ask("/v2/models/late/versions/late-1/infer")[0] == 200
    assert world.ask("/v2/models/late/versions/late-2/infer")[0] == 404
    assert [path for path, *_ in world.behind.asked] == [INFER]
    assert world.counted() == {"200": 1, "404": 1}


@pytest.mark.parametrize(
    "path", ["/metrics", "/v2/models/late/ready", "/v2/models/late", "/v2/models/other/infer", "/"]
)
def test_what_is_no_prediction_of_this_model_is_not_counted(path):
    world = World()
    assert world.ask(path)[0] == 200
    assert world.counted() == {}


def test_who_leaves_is_not_ready_and_answers_all_the_same():
    world = World()
    world.gate.leave()
    assert world.ask("/v2/models/late/ready", method="GET")[0] == 503
    assert world.ask("/v2/health/ready", method="GET")[0] == 503
    status, headers, _ = world.ask(PREDICT)
    assert (status, headers[b"connection"]) == (200, b"close")


def test_who_stays_keeps_connections_open():
    assert b"connection" not in World().ask(PREDICT)[1]


def test_one_leaves_when_nobody_has_asked_for_a_while():
    world = World()
    assert not world.gate.may_go(2, 10)
    world.gate.leave()
    world.clock.now += 1.9
    assert not world.gate.may_go(2, 10)
    world.ask(PREDICT)
    assert not world.gate.may_go(2, 10)
    world.clock.now += 2
    assert world.gate.may_go(2, 10)


def test_probes_do_not_keep_one_from_leaving():
    world = World()
    world.gate.leave()
    world.clock.now += 2
    world.ask("/v2/models/late/ready", method="GET")
    assert world.gate.may_go(2, 10)


def test_one_leaves_at_last_even_if_they_keep_asking():
    world = World()
    world.gate.leave()
    world.clock.now += 9
    world.gate.last_asked = world.clock.now
    assert not world.gate.may_go(2, 10)
    world.clock.now += 1
    assert world.gate.may_go(2, 10)
