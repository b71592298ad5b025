"""The policy of a TrainingJob, told as stories: each one is a world, played through, and what must be true at its end."""

from __future__ import annotations

import json

import pytest
from tests import make
from tests.unit.trainingjob.bench import Bench, Refused

from gyre.api import gvks
from gyre.api.kind import Outcome

CKPT = make.checkpoint(80, make.at(15))


def names(bench: Bench, *gvk_list: object) -> list[str]:
    return sorted(f"{ref.gvk.kind}/{ref.name}" for ref in bench.objects if ref.gvk in gvk_list)


RUNNERS = (gvks.RAY_JOB, gvks.SERVICE_ACCOUNT, gvks.ROLE, gvks.ROLE_BINDING)


# ── starting ─────────────────────────────────────────────────────────────────────────────────────────────────────────


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


# ── failing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_lost_head_is_written_down_cleared_away_and_resumed_from_the_last_checkpoint() -> None:
    bench = Bench().started()
    bench.says(step=100, checkpoint=CKPT)
    bench.settle()
    bench.drop(gvks.POD, bench.head)
    assert bench.settle().reason == "Clearing"
    assert bench.status["attempts"][0]["class"] == "NodeLost"
    assert bench.status["attempts"][0]["toStep"] == 100
    assert names(bench, gvks.RAY_JOB) == ["RayJob/flights-a1"], "nothing new while the old one goes"
    bench.gone()
    assert bench.settle().reason == "BackingOff"
    bench.wait(6)
    decision = bench.settle()
    assert decision.reason == "Starting"
    assert "from the checkpoint at step 80" in "".join(note.message for note in bench.notes)
    assert names(bench, gvks.RAY_JOB) == ["RayJob/flights-a2"]


@pytest.mark.parametrize("crash", range(3))
def test_killed_while_closing_no_attempt_record_is_lost_and_none_is_counted_twice(crash: int) -> None:
    bench = Bench().started()
    bench.drop(gvks.POD, bench.head)
    bench.step(crash_after=crash)
    bench.settle()
    bench.gone()
    bench.settle()
    assert bench.ledger()["failures"] == {"NodeLost": 1}
    assert len(bench.ledger()["attempts"]) == 1


def test_a_syntax_error_is_the_users_and_is_not_retried() -> None:
    bench = Bench().started()
    traceback = '  File "/gyre/code/train.py", line 3\n    def f(:\n          ^\nSyntaxError: invalid syntax'
    bench.says("Failed", step=0, failure={"class": "User", "message": traceback, "step": 0})
    decision = bench.settle()
    assert (decision.outcome, decision.reason) == (Outcome.FAILED, "NotRetried")
    assert "SyntaxError: invalid syntax" in decision.message
    assert bench.status["attempts"][0]["class"] == "User"
    bench.gone()
    bench.settle()
    assert not names(bench, *RUNNERS), "credentials vanish with the run"


def test_the_same_step_crashing_three_times_is_a_poisoned_step() -> None:
    bench = Bench().started()
    for _ in range(3):
        bench.says("Failed", step=1240, failure={"class": "User", "message": "ValueError: nan", "step": 1240})
        decision = bench.settle()
        bench.gone()
        if decision.outcome is Outcome.FAILED:
            break
        bench.wait(60)
        bench.settle()
        bench.pods_up()
        bench.settle()
    assert (decision.outcome, decision.reason) == (Outcome.FAILED, "PoisonStep")
    assert "step 1240 crashed 3 times" in decision.message
    assert bench.attempt == 3


def test_losing_nodes_at_the_same_step_poisons_nothing() -> None:
    bench = Bench().started()
    for _ in range(4):
        bench.says(step=1240)
        bench.settle()
        bench.drop(gvks.POD, bench.head)
        bench.settle()
        bench.gone()
        bench.wait(700)
        bench.settle()
        bench.pods_up()
    assert bench.ledger()["failures"] == {"NodeLost": 4}
    assert bench.attempt == 5


def test_each_class_has_its_own_retries() -> None:
    rules = [{"class": "NodeLost", "retries": 0}]
    bench = Bench(
        make.training_job(failurePolicy={"rules": rules}), make.dataset(), make.claim(), make.node()
    ).started()
    bench.drop(gvks.POD, bench.head)
    decision = bench.settle()
    assert (decision.outcome, decision.reason) == (Outcome.FAILED, "RetriesSpent")
    assert "NodeLost came once, 0 retries allowed" in decision.message


def test_the_wait_before_a_retry_doubles() -> None:
    bench, waits = Bench().started(), []
    for _ in range(3):
        bench.drop(gvks.POD, bench.head)
        bench.settle()
        bench.gone()
        waits.append(round(bench.settle().after or 0))
        bench.wait(30)
        bench.settle()
        bench.pods_up()
        bench.says(step=5)
    assert waits == [5, 10, 20]


def test_a_checkpoint_that_fails_to_restore_twice_is_quarantined() -> None:
    bench = Bench().started()
    restore = {"name": "checkpoint_80", "step": 80, "ok": False, "error": "hash differs"}
    for _ in range(2):
        failure = {"class": "RestoreFailed", "message": "checkpoint_80: hash differs", "step": 80}
        bench.says("Failed", step=80, checkpoint=CKPT, restore=restore, failure=failure)
        bench.settle()
        bench.gone()
        bench.wait(60)
        bench.settle()
        bench.pods_up()
    run = json.loads(bench.run_map()["data"]["run.json"])
    assert run["checkpoint"]["quarantined"] == ["checkpoint_80"]
    assert bench.status["checkpoint"]["quarantined"] == ["checkpoint_80"]
    assert bench.ledger()["attempts"][-1].get("from_step", 0) == 0


def test_a_silent_run_gets_the_benefit_of_the_doubt_and_is_then_a_hang() -> None:
    bench = Bench().started()
    bench.wait(121)
    assert bench.settle().reason != "AttemptFailed"
    assert bench.ledger()["suspicion"], "that the API server can be reached is proved by a write"
    bench.wait(20)
    bench.settle()
    assert "failures" not in bench.ledger()
    bench.wait(11)
    bench.settle()
    assert bench.ledger()["failures"] == {"Hang": 1}


def test_a_run_that_speaks_again_is_no_hang() -> None:
    bench = Bench().started()
    bench.wait(121)
    bench.settle()
    bench.says(step=130)
    bench.wait(60)
    assert bench.settle().reason == "Running"
    assert "failures" not in bench.ledger()


def test_a_deleted_ray_job_is_not_silently_made_again() -> None:
    bench = Bench().started()
    bench.drop(gvks.RAY_JOB, "flights-a1")
    bench.settle()
    assert bench.status["attempts"][0]["class"] == "Framework"
    assert "not by gyre" in bench.status["attempts"][0]["evidence"]


def test_the_time_limit_counts_over_all_attempts() -> None:
    job = make.training_job(timeLimit="100s")
    bench = Bench(job, make.dataset(), make.claim(), make.node()).started()
    bench.drop(gvks.POD, bench.head)
    bench.settle()
    bench.gone()
    bench.wait(10)
    bench.settle()
    bench.pods_up()
    bench.wait(60)
    bench.says(step=120)
    assert bench.settle().outcome is Outcome.PROGRESSING
    bench.wait(11)
    decision = bench.settle()
    assert (decision.outcome, decision.reason) == (Outcome.FAILED, "OutOfTime")
    assert "over 2 attempts" in decision.message
    assert bench.status["attempts"][1]["class"] == "Timeout"


def test_finish_by_holds_even_before_the_first_attempt() -> None:
    job = make.training_job(finishBy="2026-11-23T08:00:30Z")
    bench = Bench(job, make.dataset(ready=False), make.claim())
    assert bench.settle().outcome is Outcome.WAITING
    bench.wait(30)
    assert bench.settle().reason == "OutOfTime"
    assert bench.settle().outcome is Outcome.FAILED


def test_parked_time_does_not_count_for_the_time_limit() -> None:
    job = make.training_job(timeLimit="100s")
    bench = Bench(job, make.dataset(), make.claim(), make.node()).started()
    bench.edit(suspend=True)
    bench.settle()
    bench.says("Parked", step=100, checkpoint=CKPT)
    bench.settle()
    bench.gone()
    assert bench.settle().reason == "Parked"
    bench.wait(1000)
    bench.settle()
    bench.edit(suspend=False)
    assert bench.settle().reason == "Starting"


# ── parking ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_suspend_asks_for_a_checkpoint_first_then_parks_and_thaws() -> None:
    bench = Bench().started()
    bench.edit(suspend=True)
    assert bench.settle().reason == "Parking"
    assert json.loads(bench.run_map()["data"]["command.json"])["park"] == {"id": "park-1"}
    assert names(bench, gvks.RAY_JOB), "not before the checkpoint"
    bench.says("Parked", step=110, checkpoint=make.checkpoint(110, bench.now))
    bench.settle()
    bench.gone()
    decision = bench.settle()
    assert (decision.outcome, decision.reason) == (Outcome.WAITING, "Parked")
    assert bench.status["attempts"][0]["result"] == "Parked"
    bench.wait(500)
    bench.edit(suspend=False)
    bench.settle()
    assert names(bench, gvks.RAY_JOB) == ["RayJob/flights-a2"]
    assert bench.ledger()["totals"]["parked"] == 500_000
    assert bench.ledger().get("failures", {}) == {}
    assert json.loads(bench.run_map()["data"]["command.json"])["park"] is None


def test_a_run_that_cannot_save_is_parked_after_a_stated_wait() -> None:
    bench = Bench().started()
    bench.says(step=100, checkpoint=CKPT)
    bench.edit(suspend=True)
    bench.settle()
    bench.wait(60)
    bench.says(step=200, checkpoint=CKPT)
    bench.wait(60)
    bench.settle()
    assert bench.status["attempts"][0]["result"] == "Parked"
    assert "step 80" in bench.status["attempts"][0]["evidence"]


def test_a_job_created_suspended_runs_nothing_and_counts_its_time_as_parked() -> None:
    bench = Bench(make.training_job(suspend=True), make.dataset(), make.claim())
    assert bench.settle().reason == "Parked"
    bench.wait(100)
    bench.edit(suspend=False)
    bench.settle()
    assert bench.ledger()["totals"] == {"parked": 100_000, "queued": 1000}


def test_suspend_taken_back_in_time_lets_the_run_go_on() -> None:
    bench = Bench().started()
    bench.edit(suspend=True)
    bench.settle()
    bench.edit(suspend=False)
    assert bench.settle().reason == "Running"
    assert json.loads(bench.run_map()["data"]["command.json"])["park"] is None


# ── losing workers ───────────────────────────────────────────────────────────────────────────────────────────────────

LOST = {
    "at": "2026-11-23T08:00:30Z",
    "cause": "WorkerLost",
    "message": "node died",
    "fromStep": 100,
    "toStep": None,
    "resumedAt": None,
    "secondsLost": None,
}


def test_a_worker_lost_inside_an_attempt_is_counted_told_and_shown() -> None:
    bench = Bench().started()
    bench.wait(15)
    bench.says("Recovering", step=100, restarts=[LOST], restartCount=1)
    assert bench.settle().reason == "Recovering"
    back = {**LOST, "toStep": 80, "resumedAt": "2026-11-23T08:00:50Z", "secondsLost": 20.5}
    bench.wait(15)
    bench.says(step=90, restarts=[back], restartCount=1)
    bench.settle()
    assert [reason for reason in bench.told() if reason in ("WorkerLost", "Recovered")] == ["WorkerLost", "Recovered"]
    shown = bench.status["restarts"][0]
    assert (shown["class"], shown["fromStep"], shown["toStep"], shown["secondsLost"]) == ("NodeLost", 100, 80, 20)
    assert bench.status["failures"] == {"NodeLost": 1}


def test_a_worker_that_ran_out_of_memory_is_told_from_its_pod() -> None:
    bench = Bench().started()
    killed = make.container("ray-worker", died_before=make.oom_killed(make.at(28)), restarts=1)
    bench.put(make.pod("flights-a1-worker-0", containers=[killed]))
    bench.wait(15)
    bench.says("Recovering", step=100, restarts=[LOST], restartCount=1)
    bench.settle()
    assert bench.status["restarts"][0]["class"] == "OutOfMemory"


def test_workers_that_crash_three_times_at_one_step_poison_it_inside_the_attempt() -> None:
    bench = Bench().started()
    crashes = [{**LOST, "at": f"2026-11-23T08:00:3{n}Z", "cause": "User", "message": "boom"} for n in range(3)]
    bench.wait(15)
    bench.says("Recovering", step=100, restarts=crashes, restartCount=3)
    decision = bench.settle()
    assert (decision.outcome, decision.reason) == (Outcome.FAILED, "PoisonStep")


def test_a_taint_on_a_workers_node_is_passed_on_with_a_deadline() -> None:
    bench = Bench().started()
    bench.put(make.pod("flights-a1-worker-0", on="spot-1"))
    bench.put(make.node("spot-1", taints=("aws-node-termination-handler/spot-itn",)))
    bench.settle()
    drain = json.loads(bench.run_map()["data"]["command.json"])["drain"]
    assert drain["pods"] == ["flights-a1-worker-0"]
    assert drain["deadline"] == make.stamp(make.at(21 + 120))
    assert "PreemptionNotice" in bench.told()


def test_a_head_that_goes_after_a_notice_was_reclaimed_even_when_all_evidence_is_gone() -> None:
    bench = Bench().started()
    bench.put(make.node("node-1", taints=("cloud.google.com/impending-node-termination",)))
    bench.settle()
    bench.drop(gvks.NODE, "node-1")
    bench.drop(gvks.POD, bench.head)
    bench.settle()
    assert bench.status["attempts"][0]["class"] == "SpotReclaim"


# ── troubles shown at once ───────────────────────────────────────────────────────────────────────────────────────────


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


# ── succeeding ───────────────────────────────────────────────────────────────────────────────────────────────────────


def succeeded(bench: Bench) -> Bench:
    bench.says("Succeeded", step=5000, artifact=make.artifact(), evaluation=make.EVALUATION, checkpoint=CKPT)
    bench.ray_job(jobStatus="SUCCEEDED", jobDeploymentStatus="Complete")
    return bench


def test_a_success_leaves_one_version_and_nothing_that_runs() -> None:
    bench = succeeded(Bench().started())
    bench.settle()
    bench.gone()
    decision = bench.settle()
    assert (decision.outcome, decision.reason) == (Outcome.SETTLED, "Succeeded")
    assert names(bench, gvks.MODEL_VERSION) == ["ModelVersion/flights-ffffffff"]
    assert not names(bench, *RUNNERS)
    assert bench.status["modelVersion"] == "flights-ffffffff"
    assert bench.condition("Succeeded")["status"] == "True"
    assert "ownerReferences" not in bench.all(gvks.MODEL_VERSION)[0]["metadata"], "it outlives the job"


@pytest.mark.parametrize("crash", range(4))
def test_killed_anywhere_in_the_end_there_is_one_version(crash: int) -> None:
    bench = succeeded(Bench().started())
    bench.step(crash_after=crash)
    bench.step(crash_after=crash)
    bench.settle()
    assert len(bench.all(gvks.MODEL_VERSION)) == 1
    assert bench.ledger()["final"]["published"] is True


def test_a_version_that_was_deleted_after_the_end_stays_deleted() -> None:
    bench = succeeded(Bench().started())
    bench.settle()
    bench.drop(gvks.MODEL_VERSION, "flights-ffffffff")
    bench.settle()
    assert not bench.all(gvks.MODEL_VERSION)


def test_complete_alone_is_no_success() -> None:
    bench = Bench().started()
    bench.ray_job(jobStatus="STOPPED", jobDeploymentStatus="Complete")
    bench.settle()
    assert bench.status["attempts"][0]["result"] == "Failed"
    assert not bench.all(gvks.MODEL_VERSION)


def test_a_model_reported_just_before_the_head_was_lost_is_a_success() -> None:
    bench = Bench().started()
    bench.says("Succeeded", step=5000, artifact=make.artifact())
    bench.drop(gvks.POD, bench.head)
    bench.settle()
    assert bench.all(gvks.MODEL_VERSION)


def test_a_success_waits_for_the_drivers_last_word() -> None:
    bench = Bench().started()
    bench.ray_job(jobStatus="SUCCEEDED", jobDeploymentStatus="Complete", rayJobInfo={"endTime": make.second(bench.now)})
    decision = bench.settle()
    assert decision.reason == "Running"
    assert decision.after is not None
    assert decision.after <= 30.1
    bench.wait(31)
    bench.settle()
    assert bench.status["attempts"][0]["class"] == "Framework"


def test_a_finished_job_goes_when_its_time_is_up_and_its_version_stays() -> None:
    job = make.training_job(ttl={"afterFinished": "1h"})
    bench = succeeded(Bench(job, make.dataset(), make.claim(), make.node()).started())
    bench.settle()
    bench.gone()
    assert bench.settle().after == pytest.approx(3600, abs=1)
    bench.wait(3601)
    decision = bench.look()
    assert [str(effect.ref) for effect in decision.effects if hasattr(effect, "ref")] == ["TrainingJob team-a/flights"]


def test_the_pods_of_a_failed_job_can_be_kept_for_a_look() -> None:
    job = make.training_job(ttl={"pods": "10m"})
    bench = Bench(job, make.dataset(), make.claim(), make.node()).started()
    bench.says("Failed", failure={"class": "User", "message": "SyntaxError", "step": 0})
    assert bench.settle().after == pytest.approx(600, abs=1)
    assert names(bench, *RUNNERS) == ["RayJob/flights-a1"], "the token is gone, the pods are not"
    bench.wait(601)
    bench.settle()
    bench.gone()
    assert not names(bench, gvks.RAY_JOB)
