"""kstatus' verdicts, and that our standard conditions are read as we mean them."""

from __future__ import annotations

from typing import Any

import pytest

from gyre.api.kind import Decision
from gyre.api.kstatus import Verdict, compute
from gyre.api.outcomes import standard


def an_object(*conditions: tuple[str, str], observed: int | None = 2, **metadata: Any) -> dict[str, Any]:
    status: dict[str, Any] = {"conditions": [{"type": t, "status": s, "message": f"{t} {s}"} for t, s in conditions]}
    if observed is not None:
        status["observedGeneration"] = observed
    return {"kind": "Sample", "metadata": {"generation": 2, **metadata}, "status": status}


CASES: dict[str, tuple[dict[str, Any] | None, Verdict]] = {
    "an object that does not exist": (None, Verdict.NOT_FOUND),
    "one without any status": ({"metadata": {"generation": 1}}, Verdict.CURRENT),
    "one that nobody has looked at": (an_object(observed=-1), Verdict.IN_PROGRESS),
    "one whose change was not seen yet": (an_object(("Ready", "True"), observed=1), Verdict.IN_PROGRESS),
    "one that is ready": (an_object(("Ready", "True")), Verdict.CURRENT),
    "one that is not ready": (an_object(("Ready", "False")), Verdict.IN_PROGRESS),
    "one of which nothing is known": (an_object(("Ready", "Unknown")), Verdict.IN_PROGRESS),
    "one that is stalled": (an_object(("Ready", "False"), ("Stalled", "True")), Verdict.FAILED),
    "one that is reconciling": (an_object(("Ready", "True"), ("Reconciling", "True")), Verdict.IN_PROGRESS),
    "one that is not stalled any more": (an_object(("Stalled", "False"), ("Ready", "True")), Verdict.CURRENT),
    "both, where the first listed wins": (an_object(("Stalled", "True"), ("Reconciling", "True")), Verdict.FAILED),
    "one with conditions that nobody knows": (an_object(("Fresh", "False")), Verdict.CURRENT),
    "one that is being deleted": (an_object(("Stalled", "True"), deletionTimestamp="now"), Verdict.TERMINATING),
    "one that observes no generations": (an_object(("Ready", "True"), observed=None), Verdict.CURRENT),
    "one that cannot be read": ({"metadata": {}, "status": {"conditions": [{"status": "True"}]}}, Verdict.UNKNOWN),
}


@pytest.mark.parametrize("name", CASES)
def test_the_verdict_on(name: str):
    obj, verdict = CASES[name]
    assert compute(obj).verdict is verdict


def test_the_message_is_that_of_the_condition_that_decided():
    assert compute(an_object(("Ready", "False"), ("Stalled", "True"))).message == "Stalled True"
    assert compute(an_object(observed=1)).message == "Sample generation is 2, but latest observed generation is 1"


OUTCOMES = {
    "settled": (Decision.settled("Done", ""), Verdict.CURRENT),
    "progressing": (Decision.progressing("Busy", ""), Verdict.IN_PROGRESS),
    "waiting": (Decision.waiting("DatasetNotReady", ""), Verdict.IN_PROGRESS),
    "stalled": (Decision.stalled("DatasetMissing", ""), Verdict.FAILED),
    "failed": (Decision.failed("UserError", ""), Verdict.FAILED),
}


@pytest.mark.parametrize("name", OUTCOMES)
@pytest.mark.parametrize("bounded", [True, False])
def test_every_outcome_is_read_as_it_is_meant(name: str, bounded: bool):
    decision, verdict = OUTCOMES[name]
    conditions = standard(decision, 2, bounded=bounded)
    obj = {
        "metadata": {"generation": 2},
        "status": {"observedGeneration": 2, "conditions": [c.to_dict() for c in conditions]},
    }
    assert compute(obj).verdict is verdict
    assert ("Succeeded" in {c.type for c in conditions}) is bounded
    assert all(c.reason == decision.reason and c.observed_generation == 2 for c in conditions)


def test_a_stalled_kind_that_ends_may_still_succeed_and_a_failed_one_may_not():
    stalled, failed = (
        {c.type: c.status.value for c in standard(OUTCOMES[name][0], 1, bounded=True)} for name in ("stalled", "failed")
    )
    assert (stalled["Succeeded"], failed["Succeeded"]) == ("Unknown", "False")
