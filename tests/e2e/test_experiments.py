"""A/B and shadow at the real gateway: callers keep their arm, arms get their share, copies reach the shadow and no client."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.cookies import SimpleCookie

import pytest
import requests
from tests.e2e import serving
from tests.e2e.cluster import Object, condition
from tests.e2e.figures import Figures
from tests.e2e.place import Place
from tests.e2e.serving import HEALTHY, SERVICE

from gyre.adapters.exposition import Traffic
from gyre.adapters.gateway import STATS_PORT, proxy_labels
from gyre.api import gvks

pytestmark = pytest.mark.e2e
OTHER: Object = {**HEALTHY, "note": "as good as the first"}
FAILING: Object = {**HEALTHY, "failing": 0.25}
BROKEN: Object = {**HEALTHY, "failing": 1.0}
METADATA = "/v2/models/toy"
INFER = "/v2/models/toy/infer"
ROW = {"inputs": [{"name": "x", "datatype": "FP64", "shape": [1], "data": [0.5]}]}
UP = 180.0
SIGMAS = 5.0
"""How far off a share may be by chance: once in two million runs."""


@pytest.fixture
def versions(place: Place) -> Place:
    serving.make_versions(place, v1=HEALTHY, other=OTHER, failing=FAILING, broken=BROKEN)
    return place


class Clients:
    """Whoever calls through the gateway, over one connection."""

    def __init__(self, gis: Object) -> None:
        self.base = f"http://{gis['status']['address']}"
        self.host = str(gis["status"]["url"]).split("://", 1)[1].split("/", 1)[0]
        self._session = requests.Session()
        self._session.trust_env = False

    def ask(self, headers: dict[str, str] | None = None) -> requests.Response:
        self._session.cookies.clear()
        return self._session.get(self.base + METADATA, headers={"Host": self.host, **(headers or {})}, timeout=5)

    def infer(self, headers: dict[str, str] | None = None) -> requests.Response:
        self._session.cookies.clear()
        return self._session.post(
            self.base + INFER, json=ROW, headers={"Host": self.host, **(headers or {})}, timeout=10
        )


def version_of(answer: requests.Response) -> str:
    return str(answer.headers.get("x-model-version", f"nobody ({answer.status_code})"))


def split(place: Place, ab: Object) -> Clients:
    """Clients of a service whose two arms both answer."""
    place.apply(serving.service("v1", rollout={"interval": "2s"}, ab=ab))
    serving.until(place, "v1 is stable", lambda gis: serving.stable(gis) == "v1", seconds=UP)
    clients = Clients(place.cluster.get(gvks.INFERENCE_SERVICE, place.name, SERVICE))

    def both() -> bool:
        rules = (place.find(gvks.HTTP_ROUTE, SERVICE) or {}).get("spec", {}).get("rules") or []
        answering = {ref["name"] for rule in rules for ref in rule["backendRefs"]}
        return len(rules) == 3 and len(answering) == 2

    place.cluster.until(f"both arms have callers (v1, {ab['version']})", both, seconds=UP)
    place.until(gvks.INFERENCE_SERVICE, SERVICE, "RouteProgrammed", seconds=UP)
    return clients


def within(found: int, of: int, share: float) -> bool:
    return abs(found - of * share) <= SIGMAS * (of * share * (1 - share)) ** 0.5


# ── A/B ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_caller_with_a_cookie_keeps_its_arm_and_new_callers_are_split_as_told(
    versions: Place, figures: Figures
) -> None:
    clients = split(versions, {"version": "other", "split": 30})
    arms: Counter[str] = Counter()
    moved = 0
    for _ in range(500):
        first = clients.ask()
        cookie = SimpleCookie(first.headers["set-cookie"])["gyre-arm"]
        arms[version_of(first)] += 1
        kept = {"Cookie": f"lang=en; gyre-arm={cookie.value}"}
        for _ in range(2):
            again = clients.ask(kept)
            moved += version_of(again) != version_of(first)
            assert "set-cookie" not in again.headers
    figures.add("A/B by cookie, 30 %: share of new callers to B", 100 * arms["other"] / 500, "%", "30")
    figures.add("A/B by cookie: answers from the other arm, of 1000", moved, "", "0")
    assert set(arms) == {"v1", "other"}
    assert within(arms["other"], 500, 0.30), arms
    assert moved == 0


def test_a_caller_with_a_header_keeps_its_arm_and_ids_are_split_as_told(versions: Place, figures: Figures) -> None:
    ab = {"version": "other", "by": "Header", "name": "x-user-id", "split": 25}
    clients = split(versions, ab)
    users = [str(uuid.uuid4()) for _ in range(600)]
    first = {user: version_of(clients.ask({"x-user-id": user})) for user in users}
    again = {user: version_of(clients.ask({"X-User-Id": user.upper()})) for user in users}
    arms = Counter(first.values())
    figures.add("A/B by header, 25 %: share of 600 ids to B", 100 * arms["other"] / 600, "%", "25")
    figures.add("A/B by header: ids that changed their arm", sum(first[u] != again[u] for u in users), "", "0")
    assert first == again
    assert {user[-1] for user, version in first.items() if version == "other"} == set("0123")
    assert within(arms["other"], 600, 0.25), arms
    assert {version_of(clients.ask()) for _ in range(20)} == {"v1"}


def test_the_arm_that_fails_more_loses_and_nothing_is_switched(versions: Place, figures: Figures) -> None:
    clients = split(versions, {"version": "failing", "split": 50})
    sent: Counter[str] = Counter()

    def decided() -> Object | None:
        for _ in range(40):
            sent[version_of(clients.infer())] += 1
        gis = versions.cluster.get(gvks.INFERENCE_SERVICE, versions.name, SERVICE)
        return gis if gis["status"].get("ab", {}).get("winner") in ("A", "B") else None

    gis = versions.cluster.until("the comparison has a winner", decided, seconds=300, seen=lambda: sent)
    found = gis["status"]["ab"]
    figures.add("A/B, 25 % errors in B: requests until A had won", sum(sent.values()), "")
    assert found["winner"] == "A", found
    assert (found["a"]["version"], found["b"]["version"]) == ("v1", "failing")
    assert found["a"]["errors"] == 0
    assert serving.stable(gis) == "v1"
    assert version_of(clients.ask({"Cookie": "gyre-arm=b"})) == "failing"


def test_callers_of_an_arm_that_is_gone_are_answered_by_the_other(versions: Place, figures: Figures) -> None:
    clients = split(versions, {"version": "other"})
    of_b = {"Cookie": "gyre-arm=b"}
    assert version_of(clients.ask(of_b)) == "other"
    with unschedulable(versions) as gone:
        gone("other")
        versions.cluster.until(
            "A answers for B", lambda: version_of(clients.ask(of_b)) == "v1", seconds=60, seen=lambda: clients.ask(of_b)
        )
        assert "set-cookie" not in clients.ask().headers
        failed = sum(clients.ask(headers).status_code != 200 for headers in (of_b, {}) for _ in range(100))
    figures.add("A/B: failed requests while A answers for B, of 200", failed, "", "0")
    assert failed == 0
    versions.cluster.until("B is back", lambda: version_of(clients.ask(of_b)) == "other", seconds=UP)


# ── shadow ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_shadow_gets_its_percent_and_no_client_ever_hears_of_it(versions: Place, figures: Figures) -> None:
    """The shadow fails every request: an answer of it would be seen."""
    versions.apply(serving.service("v1", shadow={"version": "broken", "percent": 40}))
    serving.until(versions, "v1 is stable", lambda gis: serving.stable(gis) == "v1", seconds=UP)
    versions.cluster.until("copies are made", lambda: mirrors(versions), seconds=UP)
    gis = versions.until(gvks.INFERENCE_SERVICE, SERVICE, "RouteProgrammed", seconds=60)
    clients, before = Clients(gis), copies(versions)
    answers = Counter((answer.status_code, version_of(answer)) for answer in (clients.infer() for _ in range(500)))
    versions.cluster.until("the last copies are answered", at_rest(versions), seconds=30)
    after = copies(versions)
    copied, failed = after.requests - before.requests, after.errors - before.errors
    figures.add("shadow at 40 %: copies of 500 requests", 100 * copied / 500, "%", "40")
    figures.add("shadow that fails always: failures that clients saw", 500 - answers[(200, "v1")], "", "0")
    assert answers == {(200, "v1"): 500}
    assert within(copied, 500, 0.40), copied
    assert failed == copied
    gis = versions.cluster.get(gvks.INFERENCE_SERVICE, versions.name, SERVICE)
    assert condition(gis, "Ready")["status"] == "True"


def test_a_shadow_without_a_single_pod_costs_no_client_anything(versions: Place, figures: Figures) -> None:
    """Envoy Gateway answers 500 to everybody when a mirror's Service has no address: it must never come to that."""
    versions.apply(serving.service("v1", shadow={"version": "other", "percent": 100}))
    serving.until(versions, "v1 is stable", lambda gis: serving.stable(gis) == "v1", seconds=UP)
    versions.cluster.until("copies are made", lambda: mirrors(versions), seconds=UP)
    gis = versions.until(gvks.INFERENCE_SERVICE, SERVICE, "RouteProgrammed", seconds=60)
    with serving.calling(versions) as callers, unschedulable(versions) as gone:
        gone("other")
        seen = len(callers.reports())
        versions.cluster.until("ten more seconds of calls", lambda: len(callers.reports()) >= seen + 10, seconds=60)
        total = callers.total()
    lost = serving.failures(total)
    figures.add("shadow without a pod: requests", total["sent"], "")
    figures.add("shadow without a pod: failed requests", sum(lost.values()), "", "0")
    assert not lost, gis["status"]


def mirrors(place: Place) -> bool:
    rules = (place.find(gvks.HTTP_ROUTE, SERVICE) or {}).get("spec", {}).get("rules") or []
    return any(one["type"] == "RequestMirror" for rule in rules for one in rule.get("filters") or ())


def copies(place: Place) -> Traffic:
    """What the gateway's Envoys have had answered by the shadow, by their own counters."""
    labels = ",".join(f"{key}={value}" for key, value in proxy_labels("gyre-gateway", "gyre").items())
    requests_, errors = 0, 0
    for pod in place.cluster.every(gvks.POD, "", labels):
        url = f"http://{pod['status']['podIP']}:{STATS_PORT}/stats/prometheus"
        for line in requests.get(url, timeout=5).text.splitlines():
            if f"httproute/{place.name}/{SERVICE}/rule/0-mirror-" in line and line.startswith(
                "envoy_cluster_upstream_rq_xx"
            ):
                count = int(float(line.rsplit(" ", 1)[1]))
                requests_ += count
                errors += count if 'envoy_response_code_class="5"' in line else 0
    return Traffic(requests_, errors)


def at_rest(place: Place) -> Callable[[], bool]:
    """Whether nothing was copied since it was asked last."""
    last = -1

    def asked() -> bool:
        nonlocal last
        before, last = last, copies(place).requests
        return before == last

    return asked


@contextmanager
def unschedulable(place: Place) -> Iterator[Callable[[str], None]]:
    """No new pod finds a node; `gone(version)` takes the pods of a version away, until the block ends."""
    nodes = [node["metadata"]["name"] for node in place.cluster.every(gvks.NODE)]

    def gone(version: str) -> None:
        of_version = f"gyre.dev/inferenceservice={SERVICE},gyre.dev/uses-model-version={version}"
        place.kubectl("delete", "pods", "-l", of_version, "--grace-period=0", "--force", "--wait=false")
        place.cluster.until(
            f"no pod of {version} has an address",
            lambda: not [pod for pod in place.every(gvks.POD, of_version) if pod["status"].get("podIP")],
            seconds=60,
        )

    try:
        place.cluster.kubectl("cordon", *nodes)
        yield gone
    finally:
        place.cluster.kubectl("uncordon", *nodes)
