"""Random worlds: whatever happens in whatever order, some things hold at every look.

The walk plays users, nodes, KubeRay, the driver, crashes of the operator and time; the invariants are the promises on the
first page of the kind.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests import make
from tests.unit.trainingjob.bench import Bench

from gyre.api import gvks
from gyre.api.effects import Create
from gyre.api.kind import Outcome
from gyre.kinds.trainingjob.ledger import millis
from gyre.kinds.trainingjob.model import TrainingJob

STATES = ("Starting", "Verifying", "Restoring", "Running", "Recovering", "Evaluating", "Parked", "Succeeded", "Failed")
CLASSES = ("User", "StorageNotWritable", "DatasetChanged", "RestoreFailed", "Framework", "Nonsense")


@st.composite
def words(draw: st.DrawFn) -> make.Object:
    """Something that a driver might say."""
    state = draw(st.sampled_from(STATES))
    step = draw(st.integers(0, 4)) * 100
    said: make.Object = {"state": state, "step": step, "ago": draw(st.sampled_from([0, 1, 40, 200]))}
    if draw(st.booleans()):
        said["checkpoint"] = make.checkpoint(min(step, 80), make.at(draw(st.integers(-50, 500))))
        said["restore"] = {"name": "checkpoint_80", "step": 80, "ok": draw(st.sampled_from([True, False, None]))}
    if state == "Failed":
        said["failure"] = {"class": draw(st.sampled_from(CLASSES)), "message": "boom", "step": step}
    if state == "Succeeded" and draw(st.booleans()):
        said["artifact"] = make.artifact()
    causes = draw(st.lists(st.sampled_from(["WorkerLost", "Preempted", "User", "RestoreFailed"]), max_size=4))
    said["restarts"] = [
        {"at": f"2026-11-23T08:00:{10 + n}Z", "cause": cause, "message": "lost", "fromStep": step, "toStep": 80}
        | ({"resumedAt": "2026-11-23T08:01:00Z", "secondsLost": 3.5} if draw(st.booleans()) else {})
        for n, cause in enumerate(causes)
    ]
    return said


POD_FAULTS: tuple[dict[str, Any], ...] = (
    {"containers": [make.container(waiting="ImagePullBackOff")]},
    {"containers": [make.container(waiting="CreateContainerConfigError")]},
    {"containers": [make.container(died_before=make.oom_killed(make.at(30)), restarts=1)]},
    {"conditions": [make.unschedulable()], "on": "", "containers": []},
    {"conditions": [make.disrupted()]},
    {"phase": "Failed", "reason": "Evicted"},
)
JOB_STATUS = (
    {"jobStatus": "SUCCEEDED", "jobDeploymentStatus": "Complete"},
    {"jobStatus": "STOPPED", "jobDeploymentStatus": "Complete"},
    {"jobStatus": "FAILED", "jobDeploymentStatus": "Failed", "reason": "AppFailed"},
    {"jobDeploymentStatus": "ValidationFailed"},
    {"jobStatus": "RUNNING", "jobDeploymentStatus": "Running"},
)
SPECS = (
    {"suspend": True},
    {"suspend": False},
    {"timeLimit": "20m"},
    {"failurePolicy": {"rules": [{"class": "NodeLost", "retries": 0}]}},
    {"checkpoint": {"every": "5s"}},
)

ACTIONS = st.one_of(
    st.tuples(st.just("wait"), st.sampled_from([0.5, 6, 31, 130, 700, 2000])),
    st.tuples(st.just("pods"), st.integers(0, 2)),
    st.tuples(st.just("says"), words()),
    st.tuples(st.just("pod"), st.tuples(st.booleans(), st.sampled_from(POD_FAULTS))),
    st.tuples(st.just("lose"), st.sampled_from(["head", "worker", "rayjob", "dataset", "claim", "node"])),
    st.tuples(st.just("job"), st.sampled_from(JOB_STATUS)),
    st.tuples(st.just("node"), st.sampled_from([{}, {"ready": False}, {"taints": ("karpenter.sh/disrupted",)}])),
    st.tuples(st.just("spec"), st.sampled_from(SPECS)),
    st.tuples(st.just("gone"), st.none()),
    st.tuples(st.just("crash"), st.integers(0, 6)),
    st.tuples(st.just("mend"), st.none()),
)


def act(bench: Bench, what: str, how: Any) -> None:
    running = bench.find(gvks.CONFIG_MAP, "flights-run") is not None and bench.find(
        gvks.RAY_JOB, f"flights-a{bench.attempt}"
    )
    match what:
        case "wait":
            bench.wait(how)
        case "gone":
            bench.gone()
        case "node":
            bench.put(make.node(**how))
        case "spec":
            bench.edit(**how)
        case "mend":
            for obj in (make.dataset(), make.claim(), make.node()):
                bench.put(obj)
        case "crash":
            bench.step(crash_after=how)
        case "pods" if running:
            bench.pods_up(workers=how)
        case "says" if running:
            bench.says(**how)
        case "job" if running:
            bench.ray_job(**how)
        case "pod" if running:
            head, fault = how
            name = bench.head if head else f"flights-a{bench.attempt}-worker-0"
            bench.put(make.pod(name, attempt=bench.attempt, head=head, **fault))
        case "lose":
            lose(bench, how)


def lose(bench: Bench, what: str) -> None:
    named = {"dataset": (gvks.DATASET, "flights"), "node": (gvks.NODE, "node-1")}
    named["claim"] = (gvks.PERSISTENT_VOLUME_CLAIM, "runs")
    if what in named:
        bench.drop(*named[what])
        return
    for gvk in (gvks.RAY_JOB,) if what == "rayjob" else (gvks.POD,):
        for obj in bench.all(gvk):
            if gvk is gvks.RAY_JOB or (what == "head") == obj["metadata"]["name"].endswith("head"):
                bench.drop(gvk, obj["metadata"]["name"])


def check_decision(bench: Bench) -> None:
    """No run is begun while anything of another is left; no second one for an attempt."""
    left = [
        str(obj["metadata"]["name"]) for gvk in (gvks.RAY_JOB, gvks.RAY_CLUSTER, gvks.POD) for obj in bench.all(gvk)
    ]
    for effect in bench.look().effects:
        if isinstance(effect, Create) and effect.manifest["kind"] == "RayJob":
            name = effect.manifest["metadata"]["name"]
            others = [other for other in left if other != name and not other.startswith(f"{name}-")]
            assert not others, f"{name} is begun while {others} exist"


def check_memory(bench: Bench) -> None:
    assert bench.seen is not None
    ledger = bench.seen.ledger
    if ledger is None:
        return
    assert sum(ledger.totals.values()) == millis(ledger.created, ledger.mark)
    assert min(ledger.totals.values(), default=0) >= 0
    assert len(ledger.attempts) == min(10, ledger.count)
    assert [a.number for a in ledger.attempts] == list(range(ledger.count, 0, -1))[:10][::-1]
    assert all(a.end for a in ledger.attempts[:-1]), "only the newest attempt can be open"
    assert len(bench.all(gvks.RAY_JOB)) <= 1


def check_status(bench: Bench) -> None:
    status = bench.status
    TrainingJob.parse(bench.job)
    assert len(json.dumps(status).encode()) < 16 * 1024
    if goodput := status.get("goodput"):
        assert sum(goodput["milliseconds"].values()) == goodput["wallMilliseconds"]


@settings(max_examples=300, deadline=timedelta(seconds=20), suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ACTIONS, max_size=25))
def test_whatever_happens_the_promises_hold(walk: list[tuple[str, Any]]) -> None:
    bench, final = Bench(), None
    for what, how in walk:
        act(bench, what, how)
        check_decision(bench)
        bench.settle()
        check_memory(bench)
        check_status(bench)
        end = bench.seen.ledger.final if bench.seen and bench.seen.ledger else None
        assert final is None or end is not None, "an end is never taken back"
        if final and end:
            assert (final.end, final.reason, final.message, final.at) == (end.end, end.reason, end.message, end.at)
        final = end
        if final:
            assert bench.decision is not None
            assert bench.decision.outcome in (Outcome.SETTLED, Outcome.FAILED)
            assert bool(bench.all(gvks.MODEL_VERSION)) == (final.end == "Succeeded")
