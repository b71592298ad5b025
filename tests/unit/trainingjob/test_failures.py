"""The classification, as a table: what can be seen of an open attempt, and what it is taken for."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from tests import make

from gyre.adapters import run
from gyre.adapters.kuberay import NODE_TYPE_LABEL, RayJobView
from gyre.adapters.pods import NodeView, PodView
from gyre.kinds.trainingjob.failures import Look, classify, of_restart
from gyre.kinds.trainingjob.ledger import Attempt, Notice
from gyre.kinds.trainingjob.names import ATTEMPT_LABEL
from gyre.kinds.trainingjob.parts import Waits
from gyre.kinds.trainingjob.policy import DEFAULTS, FIXES, C, FailureClass

HEAD = "flights-a1-head"
ATTEMPT = Attempt(number=1, opened=make.at(0), ray_job_uid="uid-rj", head_pod=HEAD, head_node="node-1")


def said(**more: Any) -> run.Progress:
    text = json.dumps(make.progress(started=make.at(10), heartbeat=make.at(50), head=HEAD, **more))
    parsed = run.parse(text)
    assert parsed is not None
    return parsed


def ray_job(**status: Any) -> RayJobView:
    meta = make.metadata("flights-a1", uid="uid-rj", labels={ATTEMPT_LABEL: "1"})
    standing = {"jobStatus": "RUNNING", "jobDeploymentStatus": "Running"}
    return RayJobView.of({"metadata": meta, "spec": {}, "status": standing | status}, attempt_label=ATTEMPT_LABEL)


def pod(name: str = HEAD, **more: Any) -> PodView:
    head = name == HEAD
    return PodView.of(make.pod(name, head=head, **more), attempt_label=ATTEMPT_LABEL, node_type_label=NODE_TYPE_LABEL)


def node(name: str = "node-1", **more: Any) -> dict[str, NodeView]:
    return {name: NodeView.of(make.node(name, **more))}


WELL = Look(ATTEMPT, ray_job(), (pod(),), node(), said(step=100), None, Waits(), make.at(55))


def head(**more: Any) -> dict[str, Any]:
    return {"pods": (pod(**more),)}


def died(reason: str = "Error", code: int = 1, at: float = 40) -> make.Object:
    return {"reason": reason, "exitCode": code, "finishedAt": make.second(make.at(at))}


def failed(cls: str, message: str = "boom", step: int = 7) -> dict[str, Any]:
    return {"progress": said(state="Failed", step=step, failure={"class": cls, "message": message, "step": step})}


LATE = {"now": make.at(3600)}
PULLING = make.container(waiting="ImagePullBackOff", message="not found")

TABLE: tuple[tuple[str, dict[str, Any], FailureClass | None, str], ...] = (
    # what is seen                       of a healthy attempt, changed                     class     evidence
    ("nothing wrong", {}, None, ""),
    ("the program raised", failed("User", "ValueError: nan"), C.USER, "ValueError: nan"),
    ("the GPU is full", failed("User", "torch.OutOfMemoryError: CUDA out of memory"), C.OUT_OF_MEMORY, "CUDA"),
    ("storage", failed("StorageNotWritable", "Permission denied"), C.STORAGE_NOT_WRITABLE, "Permission"),
    ("data changed", failed("DatasetChanged", "train"), C.DATASET_CHANGED, "train"),
    ("restore", failed("RestoreFailed", "checkpoint_1"), C.RESTORE_FAILED, "checkpoint_1"),
    ("a class of tomorrow", failed("Unheard", "hm"), C.FRAMEWORK, "hm"),
    ("failed, but not yet said so", {"progress": said(state="Running", failure={"class": "User"})}, None, ""),
    ("KubeRay refused", {"ray_job": ray_job(jobDeploymentStatus="ValidationFailed", message="no")}, C.FRAMEWORK, "no"),
    ("the job failed", {"ray_job": ray_job(jobStatus="FAILED", message="exit 1: last line")}, C.FRAMEWORK, "last line"),
    ("killed by the kernel", {"ray_job": ray_job(jobStatus="FAILED", message="exit code 137")}, C.OUT_OF_MEMORY, "137"),
    (
        "stopped is Complete",
        {"ray_job": ray_job(jobStatus="STOPPED", jobDeploymentStatus="Complete")},
        C.FRAMEWORK,
        "STOPPED",
    ),
    (
        "Complete is Complete",
        {"ray_job": ray_job(jobStatus="", jobDeploymentStatus="Complete")},
        C.FRAMEWORK,
        "Complete",
    ),
    ("the RayJob is gone", {"ray_job": None}, C.FRAMEWORK, "deleted, and not by gyre"),
    (
        "not made yet",
        {"ray_job": None, "attempt": replace(ATTEMPT, ray_job_uid=""), "progress": None, "pods": ()},
        None,
        "",
    ),
    ("no model", {"progress": said(state="Succeeded")}, C.USER, "left no model"),
    ("the head is gone", {"pods": ()}, C.NODE_LOST, f"the head pod {HEAD} is gone"),
    ("a head that was not seen yet", {"pods": (), "attempt": replace(ATTEMPT, head_pod="")}, None, ""),
    ("not seen, not heard either", {"pods": (), "attempt": replace(ATTEMPT, head_pod=""), "progress": None}, None, ""),
    (
        "not seen, and silent",
        {"pods": (), "attempt": replace(ATTEMPT, head_pod=""), **LATE},
        C.NODE_LOST,
        f"the head pod {HEAD} is gone",
    ),
    ("gone with its node", {"pods": (), "nodes": {}}, C.NODE_LOST, "its node node-1 is gone"),
    ("node not ready", {"pods": (), "nodes": node(ready=False)}, C.NODE_LOST, "its node node-1 is not ready"),
    ("another head", {"progress": replace(said(), head_uid="uid-before")}, C.NODE_LOST, "is gone"),
    (
        "the head's container was killed, and not for memory",
        head(containers=[make.container(died_before=died("Error", 137))]),
        C.NODE_LOST,
        "exit code 137",
    ),
    (
        "head OOMKilled",
        head(containers=[make.container(died_before=died("OOMKilled", 137))]),
        C.OUT_OF_MEMORY,
        "OOMKilled",
    ),
    (
        "OOM before it spoke",
        head(containers=[make.container(died_before=died("OOMKilled", 137))]) | {"progress": None},
        C.OUT_OF_MEMORY,
        "OOMKilled",
    ),
    ("head restarted", head(containers=[make.container(died_before=died())]), C.FRAMEWORK, "started again"),
    ("restarted before it spoke", head(containers=[make.container(died_before=died(at=5))]), None, ""),
    ("evicted", head(phase="Failed", reason="Evicted", message="low on ephemeral-storage"), C.EVICTED, "ephemeral"),
    ("preempted", head(phase="Failed", conditions=[make.disrupted("PreemptionByScheduler")]), C.EVICTED, "Preemption"),
    (
        "spot, seen in time",
        head(phase="Failed") | {"nodes": node(taints=("aws-node-termination-handler/spot-itn",))},
        C.SPOT_RECLAIM,
        "spot-itn",
    ),
    (
        "scaled down",
        head(phase="Failed") | {"nodes": node(taints=("ToBeDeletedByClusterAutoscaler",))},
        C.EVICTED,
        "ToBe",
    ),
    (
        "reclaimed, pod gone",
        {"pods": (), "nodes": node(taints=("cloud.google.com/impending-node-termination",))},
        C.SPOT_RECLAIM,
        "impending",
    ),
    (
        "foretold",
        {"pods": (), "nodes": {}, "notice": Notice("d", (HEAD,), C.SPOT_RECLAIM, "taint x", make.at(90))},
        C.SPOT_RECLAIM,
        "taint x",
    ),
    (
        "foretold of another",
        {"pods": (), "notice": Notice("d", ("w",), C.SPOT_RECLAIM, "x", make.at(90))},
        C.NODE_LOST,
        "gone",
    ),
    ("Kueue took it", {"ray_job": replace(ray_job(), suspended=True)}, C.EVICTED, "Kueue"),
    ("Kueue waits", {"ray_job": replace(ray_job(), suspended=True), "progress": None, "pods": ()} | LATE, None, ""),
    ("no image yet", head(containers=[PULLING]) | {"progress": None}, None, ""),
    ("no image", head(containers=[PULLING]) | {"progress": None} | LATE, C.IMAGE_PULL, "ImagePullBackOff: not found"),
    ("no place yet", {"pods": (pod(), pod("w", conditions=[make.unschedulable()]))}, None, ""),
    ("no place", {"pods": (pod(), pod("w", conditions=[make.unschedulable()]))} | LATE, C.STOCKOUT, "Insufficient cpu"),
    ("never spoke", {"progress": None} | LATE, C.FRAMEWORK, "did not say anything"),
    (
        "cannot be made",
        head(containers=[make.container(waiting="CreateContainerConfigError", message="no key")])
        | {"progress": None}
        | LATE,
        C.FRAMEWORK,
        "no key",
    ),
)


@pytest.mark.parametrize(("changes", "cls", "evidence"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_what_is_seen_and_what_it_is_taken_for(
    changes: dict[str, Any], cls: FailureClass | None, evidence: str
) -> None:
    found = classify(replace(WELL, **changes))
    assert (found.cls if found else None) == cls
    assert evidence in (found.evidence if found else "")


def test_a_failed_driver_names_the_step_that_failed() -> None:
    found = classify(replace(WELL, **failed("User", step=1240)))
    assert found is not None
    assert found.step == 1240


@pytest.mark.parametrize(
    ("restart", "changes", "cls"),
    [
        ({"cause": "WorkerLost"}, {}, C.NODE_LOST),
        ({"cause": "Preempted"}, {}, C.EVICTED),
        ({"cause": "User", "message": "KeyError"}, {}, C.USER),
        ({"cause": "User", "message": "MemoryError"}, {}, C.OUT_OF_MEMORY),
        ({"cause": "RestoreFailed"}, {}, C.RESTORE_FAILED),
        ({"cause": "Preempted"}, {"notice": Notice("d", ("w",), C.SPOT_RECLAIM, "t", make.at(9))}, C.SPOT_RECLAIM),
        ({"cause": "WorkerLost"}, {"nodes": node(ready=False), "pods": (pod(), pod("w"))}, C.NODE_LOST),
        ({"cause": "WorkerLost"}, {"pods": (pod(), pod("w", reason="Evicted"))}, C.EVICTED),
    ],
)
def test_a_restart_inside_an_attempt_is_refined_by_what_the_pods_show(
    restart: make.Object, changes: dict[str, Any], cls: FailureClass
) -> None:
    spoken = said(restarts=[{"at": "2026-11-23T08:00:45Z", "fromStep": 9, **restart}])
    assert of_restart(spoken.restarts[0], replace(WELL, **changes))[0] == cls


def test_every_class_has_a_budget_and_a_fix() -> None:
    assert set(DEFAULTS) == set(FIXES) == set(FailureClass)
