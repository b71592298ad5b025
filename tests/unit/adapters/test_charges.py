"""Pods as runs of containers that cost money, and nodes as places with a price."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from gyre.adapters.charges import amounts_of, owner_of, samples, sightings, what_runs
from gyre.adapters.prices import NodeTerms, place_of, terms_of
from gyre.cost.prices import Book, Capacity, PriceList, Resource

TEN, ELEVEN, NOON = (f"2026-11-02T{hour}:00:00Z" for hour in (10, 11, 12))
BOOK = Book((PriceList("p", "EUR"),))


def pod(*statuses: dict[str, Any], phase: str = "Running", **metadata: Any) -> dict[str, Any]:
    containers = [{"name": "x", "resources": {"requests": {"cpu": "500m", "memory": "1Gi", "nvidia.com/gpu": "2"}}}]
    return {
        "metadata": {"name": "p", "namespace": "ml", "uid": "u", **metadata},
        "spec": {"nodeName": "n", "containers": containers},
        "status": {"phase": phase, "containerStatuses": list(statuses)},
    }


def running(since: str = TEN, **more: Any) -> dict[str, Any]:
    return {"name": "x", "state": {"running": {"startedAt": since}}, **more}


def ended(start: str, end: str) -> dict[str, Any]:
    return {"terminated": {"startedAt": start, "finishedAt": end, "exitCode": 1}}


def seen(obj: dict[str, Any], node: dict[str, Any] | None = None) -> list[Any]:
    return list(sightings([obj], {"n": node} if node else {}, BOOK))


def test_a_container_that_runs_and_the_run_before_it_are_two_runs():
    first, second = seen(pod(running(NOON, lastState=ended(TEN, ELEVEN))))
    assert (first.start.hour, first.end.hour if first.end else None) == (10, 11)
    assert (second.start.hour, second.end) == (12, None)
    assert first.key != second.key


def test_requests_are_cores_gib_and_devices():
    (run,) = seen(pod(running()))
    assert dict(run.amounts) == {
        Resource.CPU: Decimal("0.5"),
        Resource.MEMORY: Decimal(1),
        Resource.ACCELERATOR: Decimal(2),
    }
    assert amounts_of({"cpu": "much", "ephemeral-storage": "1Gi"}) == ()


def test_what_has_not_started_costs_nothing_and_what_is_over_without_a_word_is_not_there():
    assert seen(pod({"name": "x", "state": {"waiting": {"reason": "ImagePullBackOff"}}})) == []
    assert seen(pod(running(), phase="Failed")) == []
    assert seen(pod({"name": "x", "state": ended("1970-01-01T00:00:00Z", TEN)})) == []


def test_a_pod_is_on_the_account_of_the_object_that_it_works_for():
    labels = {"gyre.dev/trainingjob": "flights", "gyre.dev/team": "a"}
    assert owner_of(pod(labels=labels)).kind == "TrainingJob"
    assert owner_of(pod(labels=labels)).team == "a"
    made_by = [{"kind": "Job", "name": "j", "controller": True}]
    assert (owner_of(pod(ownerReferences=made_by)).kind, owner_of(pod()).kind) == ("Job", "Pod")


def test_the_node_says_on_what_terms_and_with_which_device():
    labels = {"eks.amazonaws.com/capacityType": "SPOT", "nvidia.com/gpu.product": "T4"}
    node = {"metadata": {"name": "n", "labels": labels}}
    (run,) = seen(pod(running()), node)
    assert run.place is not None
    assert (run.place.provider, run.place.capacity, run.place.accelerator) == ("p", Capacity.SPOT, "T4")
    assert seen(pod(running()))[0].place is None
    assert place_of(NodeTerms.of(node), Book()).provider == ""


def metrics(at: str = NOON, name: str = "p", **usage: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "ml"},
        "timestamp": at,
        "containers": [{"name": "x", "usage": usage}],
    }


def test_what_a_container_uses_is_told_of_the_run_that_is_on():
    (run,) = seen(pod(running()))
    (sample,) = samples([pod(running())], [metrics(cpu="1500m", memory="512Mi")])
    assert (sample.key, sample.at.hour) == (run.key, 12)
    assert dict(sample.amounts) == {Resource.CPU: Decimal("1.5"), Resource.MEMORY: Decimal("0.5")}


def test_a_zero_that_is_told_is_one_and_what_is_not_told_is_not_known():
    (sample,) = samples([pod(running())], [metrics(cpu="0", memory="much")])
    assert sample.amounts == ((Resource.CPU, Decimal(0)),)


def test_nobody_uses_anything_who_does_not_run_or_is_another():
    for nobody in (
        metrics(at=TEN, cpu="1"),  # before it began
        metrics(name="other", cpu="1"),
        {**metrics(cpu="1"), "timestamp": "yesterday"},
        {**metrics(cpu="1"), "containers": [{"name": "y", "usage": {"cpu": "1"}}]},
    ):
        assert list(samples([pod(running())], [nobody])) == [], nobody
    assert list(samples([pod({"name": "x", "state": ended(TEN, ELEVEN)})], [metrics(cpu="1")])) == []


def test_a_collector_works_for_its_inference_service():
    assert owner_of(pod(labels={"gyre.dev/prediction-log": "flights"})).kind == "InferenceService"


def test_heartbeats_and_readiness_have_nothing_to_do_with_money():
    before = pod(running())
    after = {**before, "status": {**before["status"], "conditions": [{"type": "Ready", "status": "True"}]}}
    assert what_runs(before) == what_runs(after)
    assert what_runs(before) != what_runs(pod(running(), deletionTimestamp=NOON))
    node = {"metadata": {"name": "n"}, "status": {"capacity": {"cpu": "8"}}}
    beating = {**node, "status": {**node["status"], "conditions": [{"type": "Ready", "lastHeartbeatTime": NOON}]}}
    assert terms_of(node) == terms_of(beating)
