"""A spent budget keeps new versions out, and nobody from going back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.unit.inferenceservice.worlds import NS, Story

from gyre.api import gvks
from gyre.api.kind import Outcome
from gyre.kinds.inferenceservice import service_of_level
from gyre.kinds.inferenceservice.decide import frozen
from gyre.kinds.inferenceservice.ledger import Version


def level(story: Story, *, spent: bool = True, action: str = "Freeze", service: str = "late") -> Any:
    conditions = [{"type": "Exhausted", "status": "True" if spent else "False"}]
    objective = {"name": "availability", "type": "Availability", "target": "99"}
    spec = {"serviceRef": {"name": service}, "objectives": [objective], "onExhausted": action}
    status = {"conditions": conditions, "budget": {"remaining": "-0.20"}}
    obj = {"metadata": {"name": "late-level", "namespace": NS}, "spec": spec, "status": status}
    return story.put(gvks.SERVICE_LEVEL_OBJECTIVE, obj)


def serving_a() -> Story:
    return Story().serving()


def test_no_rollout_begins_while_the_budget_is_spent_and_the_message_names_it():
    story = serving_a()
    level(story)
    story.ask_for("b")
    decision = story.look()
    assert (decision.outcome, decision.reason) == (Outcome.WAITING, "Frozen")
    assert "late-level (budget left: -0.20)" in decision.message
    assert story.ledger.rollout is None


def test_it_begins_when_there_is_budget_again():
    story = serving_a()
    level(story)
    story.ask_for("b")
    story.look()
    level(story, spent=False)
    assert story.look().reason != "Frozen"
    assert story.ledger.rollout is not None


def test_only_an_objective_that_says_freeze_of_this_service_freezes():
    for more in ({"action": "RollBack"}, {"action": "None"}, {"service": "other"}, {"spent": False}):
        story = serving_a()
        level(story, **more)
        story.ask_for("b")
        assert story.look().reason != "Frozen"


def test_the_first_version_is_no_experiment():
    story = Story()
    level(story)
    assert story.look().reason != "Frozen"
    assert story.ledger.rollout is not None


def test_a_version_that_had_the_traffic_before_may_always_come_back():
    """Version a was served, b was promoted, and a is no longer warm when b has spent the budget."""
    story = serving_a()
    b, a = Version("delays-b", "sha256:" + "b" * 64, "pvc://runs/b", "torch"), story.ledger.stable
    assert a is not None
    level(story)
    story.ask_for("b")
    assert frozen(story.service, story.seen, story.ledger, story.now) is not None
    story.ask_for("a")
    after = replace(story.ledger, stable=b, warm=())
    assert frozen(story.service, story.seen, after, story.now) is None


def test_a_change_of_the_level_wakes_the_service():
    assert list(service_of_level(level(Story()))) == [(NS, "late")]
