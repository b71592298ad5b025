"""TrainingJobs as those who pay for them see them."""

from __future__ import annotations

from typing import Any

from gyre.adapters.trainings import ran
from gyre.cost.estimate import Run

NOON = "2026-11-02T12:00:00Z"


def job(succeeded: str = "True", goodput: Any = None, model: Any = None, **status: Any) -> dict[str, Any]:
    rows = {"productive": 3_000_000, "queued": 40_000, "parked": 60_000}
    known = {"wallMilliseconds": 3_700_000, "milliseconds": rows} if goodput is None else goodput
    return {
        "metadata": {"name": "j1", "namespace": "ml", "uid": "u"},
        "spec": {"model": {"name": model}} if model else {},
        "status": {
            "conditions": [{"type": "Succeeded", "status": succeeded}],
            "completionTime": NOON,
            "goodput": known,
            **status,
        },
    }


def test_a_run_took_the_time_in_which_it_held_pods():
    assert ran(job(model="flights")) == ("ml/flights", Run(1793620800, "u", 3600))
    named = ran(job())
    assert named is not None
    assert named[0] == "ml/j1", "a job that names no model makes one of its own name"


def test_what_has_not_succeeded_or_does_not_say_how_long_it_took_is_no_run():
    for nothing in (
        job("False"),
        job("Unknown"),
        job(completionTime=None),
        job(goodput={}),
        job(goodput={"wallMilliseconds": 100, "milliseconds": {"queued": 100}}),
        {"metadata": {"name": "j1"}},
    ):
        assert ran(nothing) is None, nothing
