"""Lists of what is good to know and not needed: asked seldom, and never in the way."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from gyre.api.effects import Gvk
from gyre.api.gvks import POD_METRICS
from gyre.api.kind import Object
from gyre.engine.glancing import Glancer
from gyre.kube import errors

OURS = {"app.kubernetes.io/managed-by": "gyre"}


class Server:
    """Counts its lists; answers, or not."""

    def __init__(self) -> None:
        self.seconds, self.asked = 0.0, 0
        self.problem: errors.ApiError | None = None
        self.glancer = Glancer(self.find, monotonic=lambda: self.seconds)

    async def find(self, gvk: Gvk, namespace: str, labels: Mapping[str, str]) -> Sequence[Object]:
        assert (gvk, namespace) == (POD_METRICS, "")
        self.asked += 1
        if self.problem is not None:
            raise self.problem
        return [{"metadata": {"name": f"list-{self.asked}", "labels": dict(labels)}}]

    def glance(self, labels: Mapping[str, str] = OURS) -> Sequence[Object]:
        return asyncio.run(self.glancer.glance(POD_METRICS, labels, max_age=30))


def test_all_who_ask_within_the_time_share_one_list():
    server = Server()
    first = server.glance()
    server.seconds = 30
    assert server.glance() == first
    server.seconds = 31
    assert server.glance() != first
    assert server.asked == 2


def test_another_question_is_another_list():
    server = Server()
    assert server.glance() != server.glance({"a": "b"})
    assert server.asked == 2


def test_an_api_that_is_away_or_not_ours_to_read_is_an_empty_list_and_is_not_asked_again_at_once():
    server = Server()
    for problem in (errors.Unavailable(503, "ServiceUnavailable", "down"), errors.Rejected(403, "Forbidden", "no")):
        server.problem, before = problem, server.asked
        assert server.glance() == ()
        assert server.glance() == ()
        assert server.asked == before + 1
        server.seconds += 31
    server.problem = None
    assert len(server.glance()) == 1
