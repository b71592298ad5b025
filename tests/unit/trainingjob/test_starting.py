"""How a TrainingJob starts, and what keeps it from starting: stories over a little world."""

from __future__ import annotations

import json

import pytest
from tests import make
from tests.unit.trainingjob.bench import RUNNERS, Bench, Refused, names

from gyre.api import gvks
from gyre.api.kind import Outcome


def test_a_job_whose_data_are_ready_starts_with_the_ledger_before_anything_else() -> None:
    bench = Bench()
    effects = bench.look().effects
    kinds = [type(effect).__name__ + " " + effect.manifest["kind"] for effect in effects if hasattr(effect, "manifest")]
    assert kinds == ["Create ConfigMap", "Apply ServiceAccount", "Apply Role", "Apply RoleBinding", "Create RayJob"]


def test_a_job_that_has_started_and_sees_nothing_new_writes_nothing() -> None:
    bench = Bench().started()
    writes = bench.writes
    bench.wait(1)
    assert not bench.step()
    assert bench.writes == writes


def test_a_missing_dataset_is_waited_for_and_then_named_with_the_fix() -> None:
    bench = Bench(make.training_job(), make.claim(), make.node())
    assert bench.settle().outcome is Outcome.WAITING
    bench.wait(61)
    decision = bench.settle()
    assert (decision.outcome, decision.reason) == (Outcome.STALLED, "DatasetMissing")
    assert "'flights' does not exist: create it or fix spec.datasets[train].ref.name" in decision.message
    assert not names(bench, *RUNNERS)


def test_nothing_starts_on_data_that_may_still_change() -> None:
    bench = Bench(make.training_job(), make.dataset(ready=False), make.claim())
    assert bench.settle().reason == "DatasetNotReady"
    assert not names(bench, *RUNNERS)


def test_the_data_of_a_started_job_stay_what_they_were() -> None:
    bench = Bench().started()
    bench.put(make.dataset(version=4, letter="9"))
    bench.drop(gvks.POD, bench.head)
    bench.settle()
    bench.gone()
    bench.wait(10)
    bench.settle()
    run = json.loads(bench.run_map()["data"]["run.json"])
    assert (run["attempt"], run["datasets"][0]["digest"]) == (2, make.digest("a"))


@pytest.mark.parametrize(
    ("spec", "reason", "says"),
    [
        (
            {"storage": {"pvc": {"claimName": "nowhere"}}},
            "StorageMissing",
            "create it or fix spec.storage.pvc.claimName",
        ),
        ({"entrypoint": make.script("absent")}, "CodeMissing", "ConfigMap 'absent' does not exist"),
        ({"entrypoint": make.script("code", "other.py")}, "CodeMissing", "has no key 'other.py', only ['train.py']"),
        ({"queue": "gold"}, "UnknownQueue", "create it, fix spec.queue, or install Kueue"),
        ({"warmStart": {"modelVersion": {"name": "gone"}}}, "WarmStartMissing", "fix spec.warmStart.modelVersion.name"),
    ],
)
def test_what_the_spec_names_and_is_not_there_stalls_the_job_with_the_fix(
    spec: make.Object, reason: str, says: str
) -> None:
    code = make.config_map("code", **{"train.py": "print()"})
    bench = Bench(make.training_job(**spec), make.dataset(), make.claim(), make.node(), code)
    decision = bench.settle()
    assert (decision.outcome, decision.reason) == (Outcome.STALLED, reason)
    assert says in decision.message
    assert decision.after is not None, "nobody watches it, so it has to be looked at again"
    assert not names(bench, *RUNNERS)


def test_two_secrets_for_one_set_of_keys_stall_the_job() -> None:
    s3 = {"bucket": "runs", "credentialsSecret": {"name": "one"}}
    data = make.dataset(s3={"bucket": "data", "credentialsSecret": "two"})
    bench = Bench(make.training_job(storage={"s3": s3}), data)
    assert bench.settle().reason == "CredentialsConflict"


def test_children_of_a_deleted_namesake_are_waited_for() -> None:
    old = Bench()
    old.settle()
    leftover = old.find(gvks.RAY_JOB, "flights-a1")
    assert leftover is not None
    bench = Bench(make.training_job(uid="uid-new"), make.dataset(), make.claim(), leftover)
    assert bench.settle().reason == "WaitingForNamesake"
    bench.drop(gvks.RAY_JOB, "flights-a1")
    assert bench.settle().reason == "Starting"


def test_pods_of_a_deleted_namesake_are_waited_for() -> None:
    bench = Bench(
        make.training_job(), make.dataset(), make.claim(), make.node(), make.pod("flights-a7-head", attempt=7)
    )
    assert bench.settle().reason == "Clearing"
    assert not names(bench, gvks.RAY_JOB)


def test_a_ledger_edited_by_hand_is_never_taken_for_an_empty_one() -> None:
    bench = Bench().started()
    config = bench.run_map()
    bench.put({**config, "data": {**config["data"], "attempts.json": "{"}})
    decision = bench.settle()
    assert (decision.outcome, decision.reason) == (Outcome.STALLED, "LedgerUnreadable")
    assert names(bench, gvks.RAY_JOB) == ["RayJob/flights-a1"]


def test_a_stale_view_of_the_ledger_is_refused_before_a_second_run_is_made() -> None:
    bench = Bench().started()
    bench.drop(gvks.POD, bench.head)
    decision = bench.look()
    bench.says(step=101)
    with pytest.raises(Refused):
        bench.carry_out(decision.effects[0])


def test_a_view_from_before_the_ledger_makes_nothing_twice() -> None:
    bench = Bench()
    stale = bench.look()
    bench.started()
    before = bench.run_map()
    for effect in stale.effects:
        bench.carry_out(effect)
    assert bench.run_map() == before
    assert names(bench, gvks.RAY_JOB) == ["RayJob/flights-a1"]


@pytest.mark.parametrize("crash", range(6))
def test_killed_between_any_two_writes_the_start_ends_with_one_run(crash: int) -> None:
    bench = Bench()
    bench.step(crash_after=crash)
    bench.settle()
    assert names(bench, gvks.RAY_JOB) == ["RayJob/flights-a1"]
    assert bench.ledger()["count"] == 1
    assert len(names(bench, *RUNNERS)) == 4


def starting(*pods: make.Object, **spec: object) -> Bench:
    bench = Bench(make.training_job(**spec), make.dataset(), make.claim(), make.node())
    bench.settle()
    for pod in pods:
        bench.put(pod)
    bench.wait(3)
    return bench


def test_an_image_that_cannot_be_pulled_is_shown_at_once_and_fails_after_its_wait() -> None:
    waiting = make.container(waiting="ImagePullBackOff", message="Back-off pulling image")
    bench = starting(make.pod("flights-a1-head", head=True, ready=False, phase="Pending", containers=[waiting]))
    decision = bench.settle()
    assert (decision.outcome, decision.reason) == (Outcome.STALLED, "ImagePullBackOff")
    assert "check spec.image" in decision.message
    assert bench.condition("PodsReady")["reason"] == "ImagePullBackOff"
    assert decision.after == pytest.approx(600 - 4, abs=1)
    bench.wait(600)
    assert bench.settle().reason == "RetriesSpent"
    assert bench.status["attempts"][0]["class"] == "ImagePull"


def test_an_image_that_arrives_after_all_lets_the_job_go_on() -> None:
    waiting = make.container(waiting="ErrImagePull")
    bench = starting(make.pod("flights-a1-head", head=True, containers=[waiting]))
    assert bench.settle().outcome is Outcome.STALLED
    bench.pods_up()
    bench.says(step=1)
    assert bench.settle().reason == "Running"


def test_a_pod_without_a_node_is_shown_and_becomes_a_stockout_after_its_wait() -> None:
    pod = make.pod(
        "flights-a1-worker-0",
        on="",
        phase="Pending",
        ready=False,
        containers=[],
        conditions=[make.unschedulable(make.at(2))],
    )
    bench = starting(pod)
    decision = bench.settle()
    assert (decision.outcome, decision.reason) == (Outcome.WAITING, "Unschedulable")
    assert "Insufficient cpu" in decision.message
    bench.wait(900)
    bench.settle()
    assert bench.status["attempts"][0]["class"] == "Stockout"


def test_requests_larger_than_any_node_stall_the_job_with_what_there_is() -> None:
    pod = make.pod("flights-a1-worker-0", on="", containers=[], conditions=[make.unschedulable()])
    decision = starting(pod, resources={"cpu": "64", "gpu": 1}).settle()
    assert (decision.outcome, decision.reason) == (Outcome.STALLED, "RequestsTooLarge")
    assert "cpu 64" in decision.message
    assert "the largest has cpu 8" in decision.message


def test_a_container_that_cannot_be_made_is_shown_with_the_kubelets_words() -> None:
    waiting = make.container(waiting="CreateContainerConfigError", message='secret "keys" not found')
    decision = starting(make.pod("flights-a1-head", head=True, containers=[waiting])).settle()
    assert (decision.outcome, decision.reason) == (Outcome.STALLED, "ContainerConfigError")
    assert 'secret "keys" not found' in decision.message


def test_a_driver_that_never_speaks_fails_the_attempt() -> None:
    bench = Bench()
    bench.settle()
    bench.pods_up()
    bench.wait(1801)
    bench.settle()
    assert bench.status["attempts"][0]["class"] == "Framework"
