"""A new version takes over on evidence, a bad one goes back, and clients notice neither; through the real Envoy."""

from __future__ import annotations

import json
import random
import time
from datetime import datetime

import pytest
from tests.e2e import serving
from tests.e2e.cluster import Object, condition
from tests.e2e.figures import Figures
from tests.e2e.place import Place
from tests.e2e.serving import HEALTHY, Weights, ask_for, calling, canary, failures, history, stable
from tests.e2e.test_recovery import kill_operator

from gyre.api import gvks

pytestmark = pytest.mark.e2e
GOOD: Object = {**HEALTHY, "note": "as good as the first"}
ERRORS: Object = {**HEALTHY, "failing": 0.05}
SLOW: Object = {**HEALTHY, "milliseconds": 27.0}
BROKEN: Object = {**HEALTHY, "failing": 1.0}
DECIDED_SECONDS = 600
"""Generous: at RATE a verdict is a matter of one or two minutes."""
REAPPLIED_SECONDS = 120
EVERY_SECONDS = 5


@pytest.fixture
def served(place: Place) -> Place:
    """Version v1 has the traffic; the others are registered."""
    serving.make_versions(place, v1=HEALTHY, good=GOOD, errors=ERRORS, slow=SLOW, broken=BROKEN)
    place.apply(serving.service("v1"))
    serving.serves(place, "v1")
    return place


def rolled_back(version: str) -> object:
    return lambda gis: history(gis)[:1] == [("RolledBack", version)] and not canary(gis)


def test_a_good_version_is_promoted_step_by_step_and_nobody_notices(served: Place, figures: Figures) -> None:
    weights = Weights()
    with calling(served) as callers:
        began = time.monotonic()
        ask_for(served, "good")
        serving.until(
            served, "good is promoted", lambda gis: stable(gis) == "good", seconds=DECIDED_SECONDS, see=weights
        )
        gis = serving.serves(served, "good")
        figures.add("canary: asked to promoted", time.monotonic() - began, "s")
        served.cluster.until(
            "all callers hear of it",
            lambda: set(callers.reports()[-1]["versions"]) == {"good"},
            seconds=60,
        )

        # Back by one field, while the old version is still warm.
        back = time.monotonic()
        ask_for(served, "v1")
        serving.until(served, "v1 again", lambda gis: stable(gis) == "v1", seconds=60)
        serving.serves(served, "v1", seconds=60)
        figures.add("manual rollback to the warm version", time.monotonic() - back, "s", "seconds")

        # A pod of the version in service is replaced.
        (pod,) = [p for p in predictors(served) if served_version(p) == "v1"]
        served.kubectl("delete", "pod", pod["metadata"]["name"], "--wait=false")
        served.cluster.until(
            "another pod serves",
            lambda: [
                p
                for p in predictors(served)
                if served_version(p) == "v1" and p["metadata"]["uid"] != pod["metadata"]["uid"] and ready(p)
            ],
            seconds=120,
        )
        total = callers.total()
    assert weights.seen == sorted(weights.seen), f"weights went back: {weights.seen}"
    assert [w for w in weights.seen if w] == [20, 50], weights.seen
    assert history(gis)[0] == ("Promoted", "good")
    figures.add("promotion, rollback, pod replacement: requests", total["sent"], "")
    lost = failures(total)
    figures.add("promotion, rollback, pod replacement: failed requests", sum(lost.values()), "", "0")
    assert not lost


@pytest.mark.parametrize(("bad", "what"), [("errors", "5 % errors"), ("slow", "+50 % latency")])
def test_a_bad_version_is_rolled_back_and_quarantined(served: Place, figures: Figures, bad: str, what: str) -> None:
    weights = Weights()
    with calling(served) as callers:
        ask_for(served, bad)
        serving.until(served, "the canary gets traffic", lambda gis: serving.weight(gis) > 0, seconds=180, see=weights)
        began = time.monotonic()
        gis = serving.until(served, "it is rolled back", rolled_back(bad), seconds=DECIDED_SECONDS, see=weights)
        figures.add(f"{what}: first traffic to rolled back", time.monotonic() - began, "s")
        serving.serves(served, "v1", seconds=60)
        served.cluster.until(
            "nobody hears of it any more", lambda: set(callers.reports()[-1]["versions"]) == {"v1"}, seconds=60
        )
        decided = datetime.fromisoformat(gis["status"]["history"][0]["time"]).timestamp()
        heard = serving.last_answer(callers.reports(), bad)
        figures.add(
            f"{what}: verdict to its last answer (looks every 2 s, reports every 1 s)", max(0.0, heard - decided), "s"
        )
        total = callers.total()
    assert weights.seen == sorted(weights.seen), f"weights went back before the verdict: {weights.seen}"
    assert serving.quarantined(gis) == [bad]
    # Until here `gis` was of the moment of the verdict, when the gateway had not confirmed the route yet.
    gis = serving.until(
        served, "is told", lambda gis: condition(gis, "Ready")["reason"] == "RevisionQuarantined", seconds=60
    )
    assert condition(gis, "Available")["status"] == "True"
    assert bad in condition(gis, "Ready")["message"]
    spoilt = sum(n for status, n in total["versions"][bad].items() if status != "200")
    figures.add(f"{what}: requests that the bad version failed", spoilt, "", f"of {total['sent']}")
    lost = failures(total, but=(bad,))
    figures.add(f"{what}: other failed requests", sum(lost.values()), "", "0")
    assert not lost
    assert any(event["reason"] == "RolledBack" for event in served.warnings(serving.SERVICE))


def test_a_manifest_that_failed_can_be_applied_again_and_again_without_effect(served: Place, figures: Figures) -> None:
    """As Argo CD or Flux does it: server-side apply of the same manifest, whatever happened meanwhile."""
    manifest = json.dumps(serving.service("broken"))
    with calling(served) as callers:
        served.kubectl(
            "apply", "--server-side", "--field-manager=gitops", "--force-conflicts", "-f", "-", given=manifest
        )
        serving.until(served, "it is rolled back", rolled_back("broken"), seconds=DECIDED_SECONDS)
        serving.serves(served, "v1", seconds=60)
        served.cluster.until(
            "nobody hears of it any more", lambda: set(callers.reports()[-1]["versions"]) == {"v1"}, seconds=60
        )
        since, times = time.time(), 0
        until = time.monotonic() + REAPPLIED_SECONDS
        while time.monotonic() < until:
            served.kubectl(
                "apply", "--server-side", "--field-manager=gitops", "--force-conflicts", "-f", "-", given=manifest
            )
            times += 1
            assert serving.routed(served) == {"v1": 100}
            time.sleep(EVERY_SECONDS)
        later = [report for report in callers.reports() if report["at"] > since + 1]
        heard = sum(sum(report["versions"].get("broken", {}).values()) for report in later)
    figures.add(f"bad manifest applied {times} times: requests that came to it", heard, "", "0")
    assert heard == 0
    gis = served.cluster.get(gvks.INFERENCE_SERVICE, served.name, serving.SERVICE)
    assert [event for event, _ in history(gis)] == ["RolledBack", "Deployed"]
    assert serving.quarantined(gis) == ["broken"]


def test_an_operator_that_is_killed_again_and_again_comes_to_the_same_verdict(served: Place, figures: Figures) -> None:
    weights, chance, kills = Weights(), random.Random(11), 0
    with calling(served) as callers:
        ask_for(served, "good")
        serving.until(served, "the canary gets traffic", lambda gis: serving.weight(gis) > 0, seconds=180, see=weights)
        until = time.monotonic() + DECIDED_SECONDS
        gis: Object = {}
        while time.monotonic() < until:
            kill_operator(served)
            kills += 1
            pause = time.monotonic() + chance.uniform(15, 35)
            while time.monotonic() < pause and stable(gis) != "good":
                gis = served.cluster.get(gvks.INFERENCE_SERVICE, served.name, serving.SERVICE)
                weights(gis)
                time.sleep(0.5)
            if stable(gis) == "good":
                break
        serving.serves(served, "good")
        total = callers.total()
    figures.add("operator killed in mid-rollout", kills, "x")
    assert stable(gis) == "good"
    assert [w for w in weights.seen if w] == [20, 50], weights.seen
    assert [event for event, _ in history(gis)] == ["Promoted", "Deployed"]
    assert not failures(total)


def test_the_gateway_costs_little(served: Place, figures: Figures) -> None:
    """The predictor directly and through the gateway, at the same load, in turns."""
    route = served.find(gvks.HTTP_ROUTE, serving.SERVICE) or {}
    backend, _ = route["spec"]["rules"][0]["backendRefs"]  # both places name the only version
    address = served.kubectl("get", "service", backend["name"], "-o", "jsonpath={.spec.clusterIP}")
    found: dict[str, list[Object]] = {"direct": [], "gateway": []}
    for turn in range(3):
        for how in ("direct", "gateway") if turn % 2 else ("gateway", "direct"):
            url = f"http://{address}" if how == "direct" else ""
            with calling(served, url=url, pod=f"{how}-{turn}") as callers:
                served.cluster.until(
                    "20 seconds of calls", lambda callers=callers: len(callers.reports()) >= 20, seconds=120
                )
                found[how].append(callers.total())
    for quantile in ("p50", "p99"):
        middle = {how: sorted(total[quantile] for total in totals)[1] for how, totals in found.items()}
        for how, value in middle.items():
            figures.add(f"{how}: {quantile} at {serving.RATE:.0f} requests/s", 1000 * value, "ms")
        figures.add(f"gateway ÷ direct: {quantile}", middle["gateway"] / middle["direct"], "")
    assert all(not failures(total) for totals in found.values() for total in totals)


def predictors(place: Place) -> list[Object]:
    return place.every(gvks.POD, f"gyre.dev/inferenceservice={serving.SERVICE}")


def served_version(pod: Object) -> str:
    return str(pod["metadata"]["labels"].get("gyre.dev/uses-model-version", ""))


def ready(pod: Object) -> bool:
    return any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", ()))
