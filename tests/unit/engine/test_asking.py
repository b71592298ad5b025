"""Questions over HTTP, against a small local server: what comes back, what is kept, what is never done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from gyre.api.kind import Answer
from gyre.engine import asking
from gyre.engine.asking import Asker

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
CALLER = web.RequestKey("caller", str)
"""The other end of the connection: a request has lost it once it is answered."""
Story = Callable[[Asker, str, "Clock"], Awaitable[Any]]


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def tell(story: Story, *, text: str = "up 1\n", status: int = 200, wait: float = 0.0) -> tuple[Any, list[web.Request]]:
    """What the story returned, and the requests that the server got."""
    asked: list[web.Request] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request)
        request[CALLER] = str(request.transport and request.transport.get_extra_info("peername"))
        await asyncio.sleep(wait)
        return web.Response(status=status, text=text, headers={"Location": "/elsewhere"})

    async def whole() -> Any:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        clock = Clock()
        asker = Asker(now=lambda: NOON, monotonic=clock)
        try:
            return await story(asker, f"http://127.0.0.1:{runner.addresses[0][1]}/metrics", clock)
        finally:
            await asker.close()
            await runner.cleanup()

    return asyncio.run(whole()), asked


def test_an_answer_has_status_text_and_the_time_of_the_question():
    answer, asked = tell(lambda asker, url, _: asker.ask(url, {"Host": "flights.example"}))
    assert answer == Answer(200, "up 1\n", "", NOON)
    assert answer.ok
    assert asked[0].headers["Host"] == "flights.example"


def test_a_refusal_and_a_redirect_are_answers():
    for status in (401, 302, 503):
        answer, asked = tell(lambda asker, url, _: asker.ask(url), status=status)
        assert answer.status == status
        assert not answer.ok
        assert len(asked) == 1, "a redirect is not followed"


def test_a_young_answer_is_given_again_and_an_old_one_is_not():
    async def story(asker: Asker, url: str, clock: Clock) -> None:
        for seconds, age in ((0.0, 5.0), (4.0, 5.0), (5.1, 5.0), (5.1, 0.0)):
            clock.seconds = seconds
            await asker.ask(url, max_age=age)

    _, asked = tell(story)
    assert len(asked) == 2, "at 0 and at 5.1 s"


def test_answers_to_other_headers_are_kept_apart():
    async def story(asker: Asker, url: str, clock: Clock) -> None:
        await asker.ask(url, {"x-api-key": "a"}, max_age=9.0)
        await asker.ask(url, {"x-api-key": "b"}, max_age=9.0)

    _, asked = tell(story)
    assert len(asked) == 2


def test_each_question_is_a_new_callers_and_not_one_on_a_connection_that_was_open_before():
    async def story(asker: Asker, url: str, clock: Clock) -> None:
        for seconds in (0.0, 1.0, 2.0):
            clock.seconds = seconds
            await asker.ask(url)

    _, asked = tell(story)
    assert len({request[CALLER] for request in asked}) == len(asked) == 3


def test_silence_is_an_answer_that_says_why(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(asking, "LIMIT_SECONDS", 0.05)
    answer, _ = tell(lambda asker, url, _: asker.ask(url), wait=1.0)
    assert (answer.status, answer.error) == (0, "no answer within 0.05 s")


def test_nobody_there_and_no_address_are_answers_that_say_why():
    for url, word in (("http://127.0.0.1:1/metrics", "Connect"), ("nonsense", "Error"), ("http://[::bad/", "Error")):
        answer, _ = tell(lambda asker, _url, _clock, url=url: asker.ask(url))
        assert answer.status == 0
        assert word in answer.error or "Invalid" in answer.error, answer.error


def test_half_an_answer_is_none(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(asking, "LONGEST", 1000)
    answer, _ = tell(lambda asker, url, _: asker.ask(url), text="x" * 1001)
    assert (answer.status, answer.text, answer.error) == (0, "", "an answer of more than 1000 bytes")
    answer, _ = tell(lambda asker, url, _: asker.ask(url), text="x" * 1000)
    assert answer.text == "x" * 1000


def test_a_gateway_is_asked_for_the_name_in_the_host_header():
    assert asking._tls("https://10.0.0.1:8443/x", {"host": "flights.ml:443"})["server_hostname"] == "flights.ml"
    assert "server_hostname" not in asking._tls("https://flights.ml/x", {"host": "other"})
    assert "ssl" not in asking._tls("http://10.0.0.1/x", {"host": "flights.ml"})
