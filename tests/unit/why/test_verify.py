"""`gyre why --verify` computes each decision again, and notices what somebody changed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from tests import make
from tests.unit.inferenceservice.test_rulings import crashing, failing, promoted
from tests.unit.inferenceservice.worlds import GIS, LEDGER
from tests.unit.reading import Cluster
from tests.unit.trainingjob.bench import Bench
from tests.unit.why.worlds import (
    JOB,
    MODEL,
    NS,
    RUN,
    SCANS,
    VERSION,
    Answers,
    changed,
    gvk_of,
    moved,
    rewritten,
    serving,
    trained,
)

from gyre.api import gvks
from gyre.api.effects import Ref
from gyre.why import asked
from gyre.why.answer import Answer, Check, Outcome

EQUAL, DIFFERS, CANNOT = Outcome.EQUAL, Outcome.DIFFERS, Outcome.CANNOT


def verified(cluster: Cluster, ref: Ref = GIS) -> Answer:
    return asyncio.run(asked(Answers(cluster), ref, None, verify=True))


def of(answer: Answer, begins: str) -> Check:
    assert answer.checks is not None
    return next(check for check in answer.checks if check.what.startswith(begins))


def test_a_whole_life_computes_again_to_what_was_decided():
    answer = verified(serving().cluster)
    assert answer.checks is not None
    assert answer.holds
    assert {check.what: check.outcome for check in answer.checks} == {
        "Deployed flights-ffffffff at 2026-11-23T08:00:05Z": CANNOT,
        "traffic of flights-ffffffff": EQUAL,
        "champion of Model flights": EQUAL,
        "best of Model flights": EQUAL,
        "files of flights-ffffffff": EQUAL,
        "spec of flights-ffffffff": EQUAL,
        "data flights@v1": EQUAL,
        "time of TrainingJob flights": EQUAL,
        "checkpoint checkpoint_80": CANNOT,
    }


@pytest.mark.parametrize(("tell", "begins"), [(promoted, "Promoted delays-b"), (failing, "RolledBack delays-b")])
def test_verdicts_of_the_judge_compute_again(tell: Callable[[], Any], begins: str):
    assert of(verified(tell().cluster), begins).outcome is EQUAL


def test_what_pods_showed_cannot_be_computed_again_and_is_no_contradiction():
    answer = verified(crashing().cluster)
    assert of(answer, "RolledBack").outcome is CANNOT
    assert answer.holds


def test_a_verdict_whose_evidence_is_not_kept_cannot_be_computed_again():
    cluster = promoted().cluster
    data = dict(cluster.objects[LEDGER]["data"])
    del data["rulings.json"]
    cluster.objects[LEDGER] = {**cluster.objects[LEDGER], "data": data}
    answer = verified(cluster)
    assert of(answer, "Promoted").outcome is CANNOT
    assert answer.holds


def evidence(ledger: Any) -> None:
    ledger[0]["rollout"]["evidence"]["fine"][0][0] += 0.5


def verdict(ledger: Any) -> None:
    ledger["history"][-1]["event"] = "RolledBack"


def traffic(ledger: Any) -> None:
    ledger["stable"]["digest"] = "sha256:" + "c" * 64


def artifact(progress: Any) -> None:
    progress["artifact"]["digest"] = "sha256:" + "9" * 64


def metric(progress: Any) -> None:
    progress["evaluation"]["metrics"]["auc"] = 0.72


def pin(pins: Any) -> None:
    pins[0]["digest"] = "sha256:" + "9" * 64


def scan(ledger: Any) -> None:
    ledger["entries"][0]["digest"] = "sha256:" + "9" * 64


def row(ledger: Any) -> None:
    ledger["totals"]["productive"] += 1


def step(progress: Any) -> None:
    progress["checkpoint"]["step"] = 79


@pytest.mark.parametrize(
    ("tell", "ref", "key", "change", "begins"),
    [
        (promoted, LEDGER, "rulings.json", evidence, "Promoted delays-b"),
        (promoted, LEDGER, "rollout.json", traffic, "traffic of"),
        (serving, LEDGER, "rollout.json", traffic, "files of"),
        (serving, RUN, "progress.json", artifact, "spec of"),
        (serving, RUN, "progress.json", metric, "spec of"),
        (serving, RUN, "pins.json", pin, "data flights"),
        (serving, SCANS, "ledger.json", scan, "data flights"),
        (serving, RUN, "attempts.json", row, "time of"),
        (serving, RUN, "progress.json", step, "checkpoint"),
    ],
)
def test_what_somebody_changed_differs(tell: Callable[[], Any], ref: Ref, key: str, change: Any, begins: str):
    cluster = tell().cluster
    assert verified(cluster).holds
    answer = verified(rewritten(cluster, ref, key, change))
    assert not answer.holds
    assert of(answer, begins).outcome is DIFFERS, of(answer, begins).why


def test_a_history_that_names_another_event_has_no_ruling():
    answer = verified(rewritten(promoted().cluster, LEDGER, "rollout.json", verdict))
    assert of(answer, "RolledBack delays-b").outcome is CANNOT
    assert of(answer, "traffic of").outcome is DIFFERS


def test_a_status_that_names_another_champion_than_the_metrics_do_differs():
    cluster = trained()
    worse = json.loads(json.dumps(cluster.objects[VERSION]))
    worse["metadata"].update(name="flights-00000000", uid="u2")
    worse["spec"]["metrics"]["auc"] = "0.69"
    cluster.put(gvks.MODEL_VERSION, worse)
    status = {"champion": {"name": "flights-00000000", "digest": "sha256:" + "f" * 64}}
    answer = verified(changed(cluster, MODEL, status=status), MODEL)
    assert of(answer, "champion").outcome is DIFFERS
    assert "flights-ffffffff" in of(answer, "champion").why


@pytest.mark.parametrize(("beside", "name"), [("0.64", "flights-ffffffff"), ("0.72", "flights-cccccccc")])
def test_ranking_on_the_same_rows_computes_again(beside: str, name: str):
    cluster = trained(beside=beside)
    assert cluster.objects[MODEL]["status"]["champion"]["name"] == name
    answer = verified(cluster, MODEL)
    assert answer.holds
    assert of(answer, "champion of Model flights").outcome is EQUAL
    assert of(answer, "best of Model flights").outcome is EQUAL


def better_champion(progress: Any) -> None:
    progress["evaluation"]["champion"]["metrics"]["auc"] = 0.72


def test_another_figure_of_the_champion_than_the_run_has_told_differs():
    cluster = trained(beside="0.64")
    assert verified(cluster, VERSION).holds
    check = of(verified(rewritten(cluster, RUN, "progress.json", better_champion), VERSION), "spec of")
    assert check.outcome is DIFFERS
    assert "evaluation" in check.why


def test_a_status_of_an_older_spec_is_not_held_against_anybody():
    cluster = changed(trained(), MODEL, metadata={"generation": 2})
    assert of(verified(cluster, MODEL), "champion").outcome is CANNOT


def test_a_job_of_the_same_name_is_not_taken_for_the_one_that_made_it():
    cluster = changed(serving().cluster, JOB, metadata={"uid": "another"})
    check = of(verified(cluster), "spec of")
    assert check.outcome is CANNOT
    assert "another one by now" in check.why


@pytest.mark.parametrize("gone", [MODEL, VERSION, JOB, RUN, SCANS, LEDGER])
def test_what_is_gone_is_no_contradiction(gone: Ref):
    cluster = serving().cluster
    del cluster.objects[gone]
    answer = verified(cluster)
    assert answer.holds
    assert any(check.outcome is CANNOT for check in answer.checks or ())


@pytest.mark.parametrize("ref", [MODEL, VERSION, JOB])
def test_a_model_a_version_and_a_job_are_verified_as_well(ref: Ref):
    answer = verified(serving().cluster, ref)
    assert answer.holds
    assert of(answer, "spec of").outcome is EQUAL


# ── jobs that failed ─────────────────────────────────────────────────────────────────────────────────────────────────


def failed(cls: str, *, times: int, step: int = 100, **spec: Any) -> Cluster:
    bench = Bench(make.training_job(**spec), make.dataset(version=1), make.claim(), make.node()).started()
    for number in range(times):
        bench.says("Failed", failure={"class": cls, "message": "it broke", "step": step})
        bench.settle()
        bench.gone()
        if number < times - 1:
            bench.wait(3600)
            bench.started()
    bench.settle()
    cluster = Cluster()
    kept = (gvks.TRAINING_JOB, gvks.CONFIG_MAP)
    for obj in moved([obj for ref, obj in bench.objects.items() if ref.gvk in kept]):
        cluster.objects[Ref(gvk_of(obj), NS, obj["metadata"]["name"])] = obj
    return cluster


NO_RETRY = {"rules": [{"class": "Framework", "retries": 0}]}


@pytest.mark.parametrize(
    ("cluster", "reason"),
    [
        (lambda: failed("Framework", times=1, failurePolicy=NO_RETRY), "RetriesSpent"),
        (lambda: failed("User", times=1, step=0), "NotRetried"),
        (lambda: failed("User", times=3, failurePolicy={"rules": [{"class": "User", "retries": 9}]}), "PoisonStep"),
        (lambda: failed("Framework", times=1, timeLimit="10s"), "OutOfTime"),
    ],
)
def test_why_there_was_no_other_attempt_computes_again(cluster: Callable[[], Cluster], reason: str):
    check = of(verified(cluster(), JOB), "end of TrainingJob")
    assert reason in check.what
    assert check.outcome is EQUAL, check.why


def test_fewer_failures_than_the_retries_allow_differ():
    def fewer(ledger: Any) -> None:
        ledger["failures"] = {}

    cluster = rewritten(failed("Framework", times=1, failurePolicy=NO_RETRY), RUN, "attempts.json", fewer)
    assert of(verified(cluster, JOB), "end of TrainingJob").outcome is DIFFERS
