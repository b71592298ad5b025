"""The client against a small local HTTP server: what it sends, and what it makes of the answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from kubernetes.aio.client import ApiClient, Configuration

from gyre.api.effects import Ref
from gyre.api.gvks import CONFIG_MAP, NODE, TRAINING_JOB
from gyre.kube import client, errors
from gyre.kube.client import KubeApi
from gyre.kube.paths import KindOf, collection, single

C = Ref(CONFIG_MAP, "ns", "c")
Story = Callable[[KubeApi], Awaitable[Any]]


class Server:
    """Answers with what it was given, in order, and remembers what it was asked."""

    def __init__(self, *answers: web.StreamResponse | float) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str, dict[str, str], Any]] = []

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        text = await request.text()
        self.asked.append((request.method, request.path_qs, dict(request.headers), json.loads(text) if text else None))
        answer = self.answers.pop(0)
        if isinstance(answer, float):
            await asyncio.sleep(answer)
            return web.Response()
        return answer

    def tell(self, story: Story) -> Any:
        async def whole() -> Any:
            app = web.Application()
            app.router.add_route("*", "/{path:.*}", self._answer)
            runner = web.AppRunner(app, shutdown_timeout=0.1)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            port = runner.addresses[0][1]
            configuration = Configuration(host=f"http://127.0.0.1:{port}")
            configuration.api_key = {"BearerToken": "Bearer secret"}
            api = KubeApi(ApiClient(configuration))
            try:
                return await story(api)
            finally:
                await api.close()
                await runner.cleanup()

        return asyncio.run(whole())


def ok(body: Any) -> web.Response:
    return web.json_response(body)


def refused(status: int, reason: str, **headers: str) -> web.Response:
    return web.json_response({"kind": "Status", "reason": reason, "message": "words"}, status=status, headers=headers)


OBJECT = {"metadata": {"name": "c", "namespace": "ns", "resourceVersion": "1"}}


def test_get_reads_one_object_with_the_token() -> None:
    server = Server(ok(OBJECT))
    assert server.tell(lambda api: api.get(C)) == OBJECT
    method, path, headers, body = server.asked[0]
    assert (method, path, body) == ("GET", "/api/v1/namespaces/ns/configmaps/c", None)
    assert headers["Authorization"] == "Bearer secret"


def test_apply_is_forced_and_names_its_manager() -> None:
    server = Server(ok(OBJECT))
    server.tell(lambda api: api.apply(Ref(TRAINING_JOB, "ns", "t"), {"a": 1}, manager="gyre-x", subresource="status"))
    method, path, headers, body = server.asked[0]
    assert method == "PATCH"
    assert path == "/apis/gyre.dev/v1alpha1/namespaces/ns/trainingjobs/t/status?fieldManager=gyre-x&force=true"
    assert headers["Content-Type"].startswith("application/apply-patch+yaml")
    assert body == {"a": 1}


def test_create_and_replace_name_their_manager() -> None:
    server = Server(ok(OBJECT), ok(OBJECT))

    async def story(api: KubeApi) -> None:
        await api.create(C, {"a": 1}, manager="gyre-x")
        await api.replace(C, {"a": 2}, manager="gyre-x")

    server.tell(story)
    assert [(method, path, body) for method, path, _, body in server.asked] == [
        ("POST", "/api/v1/namespaces/ns/configmaps?fieldManager=gyre-x", {"a": 1}),
        ("PUT", "/api/v1/namespaces/ns/configmaps/c?fieldManager=gyre-x", {"a": 2}),
    ]


def test_delete_carries_the_uid_and_returns_what_is_left() -> None:
    server = Server(ok(OBJECT))
    assert server.tell(lambda api: api.delete(C, uid="u1")) == OBJECT
    method, path, _, body = server.asked[0]
    assert (method, path) == ("DELETE", "/api/v1/namespaces/ns/configmaps/c")
    assert body["preconditions"] == {"uid": "u1"}
    assert body["propagationPolicy"] == "Background"


def test_a_list_is_read_in_chunks_and_its_items_know_their_kind() -> None:
    server = Server(
        ok({"metadata": {"continue": "t&k"}, "items": [OBJECT]}),
        ok({"metadata": {"resourceVersion": "9"}, "items": [OBJECT]}),
    )

    async def story(api: KubeApi) -> list[dict[str, Any]]:
        return [item async for item in api.list(CONFIG_MAP, selector="a=b")]

    items = server.tell(story)
    assert [(item["apiVersion"], item["kind"]) for item in items] == [("v1", "ConfigMap")] * 2
    assert [path for _, path, _, _ in server.asked] == [
        "/api/v1/configmaps?limit=100&labelSelector=a%3Db",
        "/api/v1/configmaps?limit=100&labelSelector=a%3Db&continue=t%26k",
    ]


def test_a_metadata_list_asks_for_metadata() -> None:
    server = Server(ok({"metadata": {}, "items": []}))

    async def story(api: KubeApi) -> None:
        assert [item async for item in api.list(NODE, metadata_only=True)] == []

    server.tell(story)
    assert "as=PartialObjectMetadataList" in server.asked[0][2]["Accept"]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refused(404, "NotFound"), errors.NotFound),
        (refused(409, "Conflict"), errors.Conflict),
        (refused(422, "Invalid"), errors.Rejected),
        (refused(503, "ServiceUnavailable"), errors.Unavailable),
        (web.Response(status=502, text="<html>bad gateway"), errors.Unavailable),
    ],
    ids=str,
)
def test_a_refusal_becomes_its_error_and_is_not_tried_again(answer: web.Response, kind: type[errors.ApiError]) -> None:
    server = Server(answer)
    with pytest.raises(kind):
        server.tell(lambda api: api.get(C))
    assert len(server.asked) == 1


def test_too_many_requests_says_when_to_come_back() -> None:
    server = Server(web.json_response({"reason": "TooManyRequests"}, status=429, headers={"Retry-After": "3"}))
    with pytest.raises(errors.Unavailable) as caught:
        server.tell(lambda api: api.get(C))
    assert caught.value.retry_after == 3.0


def test_no_answer_in_time_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "REQUEST_SECONDS", 0.05)
    with pytest.raises(errors.Unavailable):
        Server(5.0).tell(lambda api: api.get(C))


def test_no_server_is_unavailable() -> None:
    async def story() -> None:
        api = KubeApi(ApiClient(Configuration(host="http://127.0.0.1:1")))
        try:
            await api.get(C)
        finally:
            await api.close()

    with pytest.raises(errors.Unavailable):
        asyncio.run(story())


def test_paths_of_core_group_and_cluster_scoped_kinds() -> None:
    assert collection(NODE) == "/api/v1/nodes"
    assert single(Ref(NODE, "", "n")) == "/api/v1/nodes/n"
    assert collection(TRAINING_JOB, "ns") == "/apis/gyre.dev/v1alpha1/namespaces/ns/trainingjobs"


def test_the_address_of_a_manifest_comes_from_its_own_words() -> None:
    kind_of = KindOf((CONFIG_MAP, NODE))
    assert kind_of.ref({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "ns"}}) == C
    assert (
        kind_of.ref({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n", "namespace": "x"}}).namespace == ""
    )
