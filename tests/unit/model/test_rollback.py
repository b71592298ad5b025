"""When a Model takes its champion back, and when its time is over."""

from __future__ import annotations

import pytest
from tests.unit.model.doings import Story

from gyre.adapters.ranking import champion, withdrawals
from gyre.adapters.versions import ModelVersionView
from gyre.api import gvks
from gyre.api.kind import Outcome
from gyre.api.objective import Goal

BOTH = {"rollback": {"causes": ["ObjectiveExhausted", "JudgeRollback"]}}


def two(**spec) -> Story:
    """Version 2 is the champion, version 1 had the traffic before it."""
    story = Story(**(spec or BOTH))
    story.look()
    story.version(2, "0.75")
    story.service("delay-2", ("Promoted", "delay-2"), ("Deployed", "delay-1"))
    story.look()
    assert story.status["champion"]["name"] == "delay-2"
    return story


def served_by(story: Story) -> str:
    """What a service that tracks the champion takes for it, from the objects alone."""
    (model,) = story.cluster.all(gvks.MODEL)
    views = [ModelVersionView.of(obj) for obj in story.cluster.all(gvks.MODEL_VERSION)]
    found = champion(views, "auc", Goal.MAXIMIZE, withdrawals(model))
    return found.name if found else ""


def test_a_spent_budget_takes_the_champion_back_to_the_version_before_it():
    story = two()
    story.level("RollBack", "delay-2")
    story.look()
    assert story.status["champion"]["name"] == served_by(story) == "delay-1"
    (line,) = story.status["rolledBack"]
    assert (line["version"], line["to"], line["by"]) == ("delay-2", "delay-1", "ServiceLevelObjective/late-level")
    assert any(past["event"] == "TakenBack" and past["version"] == "delay-2" for past in story.status["history"])
    assert "RolledBack" in [note.reason for note in story.cluster.notes]


def test_the_judges_verdict_takes_it_back_too():
    story = two()
    story.service("delay-1", ("RolledBack", "delay-2"), ("Deployed", "delay-1"), quarantined="delay-2")
    story.look()
    assert story.status["champion"]["name"] == "delay-1"
    assert story.status["rolledBack"][0]["by"] == "InferenceService/late"
    assert "more errors" in story.status["rolledBack"][0]["why"]


def test_only_what_the_spec_names_takes_it_back():
    story = two(rollback={"causes": ["JudgeRollback"]})
    story.level("RollBack", "delay-2")
    story.look()
    assert story.status["champion"]["name"] == "delay-2"
    story.level("Freeze", "delay-2")
    story.look()
    assert not story.status["rolledBack"]


def test_a_budget_that_another_version_spent_takes_nobody_back():
    story = two()
    story.level("RollBack", "delay-1")
    story.look()
    assert story.status["champion"]["name"] == "delay-2"


def test_it_goes_no_further_while_the_budget_stays_spent():
    story = two()
    story.level("RollBack", "delay-2")
    story.look()
    version = story.cluster.version
    for _ in range(3):
        story.look(600)
    assert story.cluster.version == version
    assert story.status["champion"]["name"] == "delay-1"


def test_a_later_and_better_version_is_the_champion_again():
    story = two()
    story.level("RollBack", "delay-2")
    story.look()
    story.version(3, "0.72", at=None)
    story.look(60)
    assert served_by(story) == "delay-1"  # of the same second as the taking back: not after it
    story.now = story.now.replace(hour=12)
    story.version(4, "0.72")
    story.look()
    assert story.status["champion"]["name"] == served_by(story) == "delay-4"


def test_without_an_earlier_good_version_it_is_stalled_and_says_the_fix():
    story = Story(**BOTH)
    story.service("delay-1", ("Deployed", "delay-1"), spent="delay-1")
    decision = story.look()
    assert (decision.outcome, decision.reason) == (Outcome.STALLED, "NoWayBack")
    assert "delay-1" in decision.message


def test_it_never_goes_back_to_a_quarantined_version():
    story = two()
    story.service("delay-2", ("Promoted", "delay-2"), ("Deployed", "delay-1"), quarantined="delay-1", spent="delay-2")
    assert story.look().reason == "NoWayBack"
    assert story.status["champion"]["name"] == "delay-2"


def test_whoever_is_released_from_quarantine_may_be_the_champion_again_and_is_taken_back_once_only():
    story = two()
    story.level("RollBack", "delay-2")
    story.look()
    released = {"time": "2026-11-23T09:00:00Z", "event": "Released", "version": "delay-2"}
    (service,) = story.cluster.all(gvks.INFERENCE_SERVICE)
    status = {**service["status"], "history": [released, *service["status"]["history"]]}
    story.put(gvks.INFERENCE_SERVICE, {**service, "status": status})
    story.look()
    assert story.status["champion"]["name"] == "delay-2"
    assert not story.status["rolledBack"]


# ── its time is over ─────────────────────────────────────────────────────────────────────────────────────────────────


def retiring(story: Story) -> tuple[str, list[str]]:
    told = story.status["retire"]
    return told["due"], [each["met"] for each in told["criteria"]]


def test_a_model_that_nobody_uses_for_so_long_is_due_and_nothing_is_deleted():
    story = Story(retire={"criteria": [{"type": "Unused", "after": "30d"}]})
    story.service("delay-1")
    story.look()
    assert retiring(story) == ("No", ["No"])
    story.service("")
    decision = story.look()
    assert decision.after == pytest.approx(30 * 86400, rel=0.01)
    story.look(31 * 86400)
    assert retiring(story) == ("Yes", ["Yes"])
    assert len(story.cluster.all(gvks.MODEL_VERSION)) == 1


def test_a_champion_that_is_too_bad_is_due():
    story = Story(retire={"criteria": [{"type": "WorseThan", "value": "0.72"}]})
    story.look()
    assert retiring(story) == ("Yes", ["Yes"])


def test_a_model_whose_successor_has_been_in_use_is_due_and_one_without_successor_is_unknown():
    story = Story(retire={"criteria": [{"type": "ReplacedFor", "by": "newer", "after": "7d"}]})
    story.look()
    assert retiring(story) == ("Unknown", ["Unknown"])
    status = {"inUse": [{"version": "newer-1", "by": "InferenceService/x"}]}
    story.put(gvks.MODEL, {"metadata": {"name": "newer", "namespace": "ml"}, "spec": {}, "status": status})
    story.look()
    assert retiring(story) == ("No", ["No"])
    story.look(8 * 86400)
    assert retiring(story) == ("Yes", ["Yes"])
