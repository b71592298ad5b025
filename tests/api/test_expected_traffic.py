"""The API server itself warns of a rollout that the expected traffic cannot decide in time, and says how long it would take."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from tests.api.apiserver import until
from tests.api.cluster import CRD, Cluster
from tests.api.install import apply

from gyre.api.effects import Ref
from gyre.api.gvks import INFERENCE_SERVICE
from gyre.api.schema import crd
from gyre.kinds.inferenceservice import warning
from gyre.kinds.inferenceservice.model import InferenceService
from gyre.kinds.inferenceservice.rulings import policy_of
from gyre.stats.power import rollout_hours

SLOW = {"deadline": "1m", "interval": "10s", "expectedTraffic": {"requestsPerSecond": "2"}}
TIME = re.compile(r"about ([0-9.e+]+) (h|min) pass")


def service(rollout: dict[str, Any], name: str = "flights-late") -> dict[str, Any]:
    return {
        "apiVersion": INFERENCE_SERVICE.api_version,
        "kind": INFERENCE_SERVICE.kind,
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"modelRef": {"name": "flights-late"}, "rollout": rollout},
    }


def warned(cluster: Cluster, rollout: dict[str, Any]) -> tuple[str, InferenceService]:
    """What the API server says to it, and the object as it would be stored."""
    path = f"/apis/{INFERENCE_SERVICE.api_version}/namespaces/default/{INFERENCE_SERVICE.plural}?dryRun=All"
    made = cluster.request("POST", path, service(rollout))
    return cluster.warned, InferenceService.parse(made)


@pytest.fixture(scope="module")
def warns(cluster: Cluster) -> Iterator[Cluster]:
    """With the policy, once it is in force."""
    name = f"{INFERENCE_SERVICE.plural}.{INFERENCE_SERVICE.group}"
    cluster.apply(Ref(CRD, "", name), crd(InferenceService), manager="installer")
    cluster.established([name])
    for manifest in warning.policies():
        apply(cluster, dict(manifest))
    until("the policy is in force", lambda: warned(cluster, SLOW)[0])
    return cluster


def test_a_rollout_that_cannot_be_decided_in_time_is_taken_with_a_warning(warns: Cluster):
    said, gis = warned(warns, SLOW)
    assert gis.spec.rollout.deadline.total_seconds() == 60
    assert "cannot be decided within its deadline of 1m" in said
    assert "at 2 requests/s, of which 0.5 % fail" in said
    assert "onInconclusive (Hold) decides" in said
    assert "Set rollout.deadline to" in said
    assert " or widen rollout.margins." in said


@pytest.mark.parametrize(
    "rollout",
    [
        {},
        {"deadline": "1h", "expectedTraffic": {"requestsPerSecond": "200"}},
        {"deadline": "3d", "expectedTraffic": {"requestsPerSecond": "2"}},
        {"deadline": "1d12h30m", "expectedTraffic": {"requestsPerSecond": "2"}},
    ],
)
def test_nobody_is_warned_of_what_can_be_decided_or_says_no_traffic(warns: Cluster, rollout: dict[str, Any]):
    assert warned(warns, rollout)[0] == ""


def traffic(per_second: str, rate: str, **other: Any) -> dict[str, Any]:
    return {"deadline": "1m", **other, "expectedTraffic": {"requestsPerSecond": per_second, "errorRate": rate}}


GRID = [
    traffic("2", "0.005"),
    traffic("0.1", "0.02", steps=[1, 5]),
    traffic("2", "0.2", steps=[99], margins={"errorRate": "1.05"}),
    traffic("7.5", "0.0001", steps=[3, 40], beta="0.000000000001"),
    traffic("1", "0.0099", steps=[30], margins={"errorFloor": "0.01"}),
    traffic("1", "0.001", margins={"errorRate": "100", "latency": "99.5", "errorFloor": "0"}),
    traffic("3e-1", "0.3", beta="0.5", minRequests=5000),
    traffic("40", "0.005", interval="59s", steps=[1, 2, 3, 50]),
    traffic("1", "0.005", margins={"latency": "1.01"}),
    traffic("5", "0.01", maxBadRequests=200),
    traffic("20", "0.07", minRequests=1),
]


@pytest.mark.parametrize("rollout", GRID, ids=range(len(GRID)))
def test_the_time_is_that_of_the_closed_form(warns: Cluster, rollout: dict[str, Any]):
    said, gis = warned(warns, rollout)
    spec, expected = gis.spec.rollout, gis.spec.rollout.expected_traffic
    assert expected is not None
    hours = rollout_hours(
        policy_of(gis),
        [step / 100 for step in spec.weights],
        spec.interval.total_seconds(),
        float(expected.requests_per_second),
        float(expected.error_rate),
    )
    found = TIME.search(said)
    assert found, said
    if found[2] == "min":
        assert hours * 60 < float(found[1]) <= hours * 60 + 1.01
    else:
        assert float(found[1]) == pytest.approx(hours, rel=0.001, abs=0.051 if hours < 10 else 0.51)


def test_a_wait_beyond_the_longest_deadline_is_said_to_be_one(warns: Cluster):
    said, _ = warned(warns, traffic("0.001", "0.005"))
    assert "No deadline is long enough: widen rollout.margins." in said


def test_traffic_that_never_comes_is_a_warning_and_not_an_error(warns: Cluster):
    said, _ = warned(warns, traffic("1e-300", "0.005"))
    assert "about 1e+06 h pass" in said
