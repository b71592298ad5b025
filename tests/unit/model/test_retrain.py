"""When a Model trains anew, and when it does not."""

from __future__ import annotations

import pytest
from tests.unit.model.doings import LEDGER, MODEL, ON_DRIFT, TEMPLATE, Story

from gyre.api import gvks
from gyre.api.effects import Apply, Create, Ref
from gyre.api.kind import Outcome
from gyre.kinds.model import KIND, model_of_level, model_of_monitor

WORTH = {"worthIt": {"valuePerPoint": "100", "currency": "EUR", "expectedCost": "150"}}


def test_without_a_call_nothing_is_trained():
    story = Story(ON_DRIFT)
    story.drift(drifted=False)
    decision = story.look()
    assert decision.outcome is Outcome.SETTLED
    assert story.jobs == []


def test_drift_makes_one_job_from_the_template_and_the_ledger_is_written_first(golden):
    story = Story({**ON_DRIFT, "window": {"last": "30d"}})
    story.look()
    story.drift()
    story.look()
    assert story.jobs == ["delay-retrain-1"]
    metadata = {k: v for k, v in story.job(1)["metadata"].items() if k not in ("uid", "resourceVersion")}
    golden("training_job.yaml", {**story.job(1), "metadata": metadata})
    assert story.status["retrain"]["lastTrigger"] == "Drift/shift"
    assert story.status["retrain"]["lastOutcome"] == "Running"
    assert story.look().outcome is Outcome.SETTLED


def test_the_ledger_comes_before_the_job_and_is_guarded():
    import asyncio

    from gyre.kinds.model.model import Model

    story = Story(ON_DRIFT)
    story.look()
    story.drift()
    model = Model.parse(story.cluster.objects[MODEL])
    seen = asyncio.run(KIND.gather(story.cluster, model))
    effects = KIND.decide(model, seen, story.now).effects
    ledger, job = (effect for effect in effects if isinstance(effect, Apply | Create))
    assert isinstance(ledger, Apply)
    assert ledger.guard == story.cluster.objects[LEDGER]["metadata"]["resourceVersion"]
    assert isinstance(job, Create)


def test_a_drift_is_answered_once_and_a_new_one_again():
    story = Story({**ON_DRIFT, "cooldown": "1h"})
    story.drift()
    story.look()
    story.ends(1)
    for _ in range(3):
        story.look(86400)
    assert story.jobs == ["delay-retrain-1"]
    story.drift(since="2026-11-25T00:00:00Z")
    story.look()
    assert story.jobs == ["delay-retrain-1", "delay-retrain-2"]


def test_an_occasion_whose_training_failed_calls_again_after_the_cooldown():
    story = Story({**ON_DRIFT, "cooldown": "1h"})
    story.drift()
    story.look()
    story.ends(1, well=False)
    story.look()
    assert story.suppressed == [("Drift/shift", "Cooldown")]
    story.look(3700)
    assert story.jobs == ["delay-retrain-1", "delay-retrain-2"]


def test_a_job_that_is_gone_is_not_made_again():
    story = Story(ON_DRIFT)
    story.drift()
    story.look()
    story.look()
    del story.cluster.objects[Ref(gvks.TRAINING_JOB, "ml", "delay-retrain-1")]
    story.look()
    assert story.jobs == []
    assert story.ledger.last is not None
    assert story.ledger.last.outcome == "Deleted"


def test_never_two_at_once_and_by_hand_waits_for_the_one_that_runs():
    story = Story(ON_DRIFT)
    story.drift()
    story.look()
    story.by_hand("now")
    story.look()
    assert story.jobs == ["delay-retrain-1"]
    story.ends(1)
    story.look()
    assert story.jobs == ["delay-retrain-1", "delay-retrain-2"]
    story.ends(2)
    story.look(86400 * 2)
    assert len(story.jobs) == 2


def test_a_schedule_calls_at_its_times_and_what_was_missed_calls_once():
    story = Story({"triggers": [{"schedule": {"cron": "0 9 * * *", "timeZone": "UTC"}}], "cooldown": "1h"})
    story.look()
    assert story.jobs == []
    assert story.status["retrain"]["next"] == "2026-11-23T09:00:00Z"
    story.look(3 * 86400)
    assert story.jobs == ["delay-retrain-1"]
    story.ends(1)
    story.look()
    assert len(story.jobs) == 1


def test_a_rule_is_asked_about_the_champion():
    story = Story({"triggers": [{"rule": {"name": "low", "cel": "metrics['auc'] < 0.7"}}]})
    story.look()
    assert story.jobs == []
    story = Story({"triggers": [{"rule": {"name": "low", "cel": "metrics['auc'] < 0.72"}}]})
    story.look()
    assert story.jobs == ["delay-retrain-1"]
    assert story.status["retrain"]["lastTrigger"] == "Rule/low"


def test_a_rule_about_a_fact_that_is_missing_is_unknown_and_shown():
    story = Story({"triggers": [{"rule": {"name": "low", "cel": "metrics.f1 < 0.7"}}]})
    story.look()
    assert story.jobs == []
    assert story.suppressed == [("Rule/low", "CallUnknown")]


@pytest.mark.parametrize(
    "trigger",
    [
        {"schedule": {"cron": "0 25 * * *"}},
        {"schedule": {"cron": "0 3 * * *", "timeZone": "Europe/Atlantis"}},
        {"rule": {"name": "r", "cel": "metrics.auc <"}},
        {"rule": {"name": "r", "cel": "metrics.auc"}},
    ],
)
def test_what_says_nothing_is_stalled_with_the_fix(trigger):
    decision = Story({"triggers": [trigger]}).look()
    assert (decision.outcome, decision.reason) == (Outcome.STALLED, "TriggerInvalid")
    assert "spec.retrain.triggers" in decision.message


def test_a_spent_budget_of_a_service_calls_where_it_says_so():
    story = Story({})
    story.service("delay-1", ("Deployed", "delay-1"))
    story.level("Freeze", "delay-1")
    story.look()
    assert story.jobs == []
    story.level("Retrain", "delay-1")
    story.look()
    assert story.status["retrain"]["lastTrigger"] == "Objective/late-level"


def test_a_drift_that_was_not_judged_under_the_newest_spec_trains_nothing():
    story = Story(ON_DRIFT)
    story.drift(known=False)
    story.look()
    assert story.jobs == []
    story.drift()
    story.look()
    assert story.jobs == ["delay-retrain-1"]


def test_broken_data_are_never_trained_on_whoever_calls():
    story = Story(ON_DRIFT)
    story.drift(bug="distance is in kilometres")
    story.by_hand("now")
    story.look()
    assert story.jobs == []
    assert ("Drift/shift", "DataBug") in story.suppressed
    assert ("Annotation", "DataBug") in story.suppressed


def test_quarantined_and_unready_data_are_never_trained_on():
    story = Story(ON_DRIFT)
    story.drift()
    story.dataset(**{"gyre.dev/quarantined": "kilometres"})
    story.look()
    assert story.suppressed == [("Drift/shift", "Quarantined")]
    story.dataset(ready=False)
    story.look()
    assert story.suppressed == [("Drift/shift", "DataNotReady")]
    story.dataset()
    story.look()
    assert story.jobs == ["delay-retrain-1"]


def test_enough_is_enough_until_the_month_turns():
    story = Story({"triggers": [], "maxPerMonth": 1})
    story.by_hand("one")
    story.look()
    story.ends(1)
    story.by_hand("two")
    story.look()
    assert story.suppressed == [("Annotation", "MaxPerMonth")]
    story.look(8 * 86400)
    assert story.jobs == ["delay-retrain-1", "delay-retrain-2"]


@pytest.mark.parametrize(
    ("left", "exhausted", "reason"),
    [("0", True, "BudgetExhausted"), (None, False, "BudgetUnknown"), ("100", False, "BudgetExhausted")],
)
def test_without_money_nothing_is_trained_and_what_is_unknown_is_not_assumed(left, exhausted, reason):
    story = Story({**ON_DRIFT, **WORTH, "budgetRef": {"name": "ml"}})
    story.drift(impact="0.03")
    story.look()
    assert story.suppressed == [("Drift/shift", "BudgetUnknown")]
    story.budget(left, exhausted=exhausted)
    story.look()
    assert story.suppressed == [("Drift/shift", reason)]
    story.budget("500")
    story.look()
    assert story.jobs == ["delay-retrain-1"]


@pytest.mark.parametrize(("impact", "reason"), [("0.01", "NotWorthIt"), ("", "WorthUnknown"), ("0.02", "")])
def test_a_new_version_must_bring_more_than_it_costs_and_both_are_shown(impact, reason):
    story = Story({**ON_DRIFT, **WORTH})
    story.drift(impact=impact)
    story.look()
    assert [line[1] for line in story.suppressed] == ([reason] if reason else [])
    assert story.jobs == ([] if reason else ["delay-retrain-1"])
    shown = story.status["retrain"]["worth"]
    assert shown["cost"] == "150"
    assert shown.get("recovered") == {"0.01": "100.00", "0.02": "200.00"}.get(impact)


def test_drift_below_the_least_impact_does_not_call():
    story = Story({"triggers": [{"drift": {"monitor": "shift", "minImpact": "0.05"}}]})
    story.drift(impact="0.01")
    story.look()
    assert story.jobs == []
    story.drift(impact="0.06")
    story.look()
    assert story.jobs == ["delay-retrain-1"]


def test_why_not_is_written_once():
    story = Story({**ON_DRIFT, "cooldown": "1d"})
    story.drift()
    story.look()
    story.ends(1)
    story.drift(since="2026-11-23T09:00:00Z")
    story.look()
    version = story.cluster.version
    for _ in range(5):
        story.look(60)
    assert story.cluster.version == version


def test_a_version_that_is_no_better_never_becomes_champion_and_the_history_says_so():
    story = Story(ON_DRIFT)
    story.drift()
    story.look()
    story.ends(1)
    story.version(2, "0.69", run="delay-retrain-1")
    story.look(60)
    assert story.status["champion"]["name"] == "delay-1"
    line = next(past for past in story.status["history"] if past["event"] == "Outranked")
    assert (line["version"], line["by"]) == ("delay-2", "TrainingJob/delay-retrain-1")
    assert line["why"] == "auc 0.6900 against 0.7100 of delay-1, each on rows of its own: it is not served"


def retrained(story: Story, auc: str, beside: tuple[int, str]) -> Story:
    """Drift has come, and the version of its retraining measured itself against version 1."""
    story.drift()
    story.look()
    story.ends(1)
    story.version(2, auc, run="delay-retrain-1", beside=beside)
    story.look(60)
    return story


def told(story: Story, event: str) -> str:
    return next((str(past["why"]) for past in story.status["history"] if past["event"] == event), "")


def test_after_a_shift_the_better_version_is_champion_though_its_own_figure_is_lower():
    story = retrained(Story(ON_DRIFT), "0.68", (1, "0.64"))
    assert story.status["champion"]["name"] == story.status["best"]["name"] == "delay-2"
    assert told(story, "Registered") == "auc 0.6800 against 0.6400 of delay-1 on the same rows"
    assert told(story, "Outranked") == ""


def test_worse_than_the_champion_on_the_same_rows_is_never_champion_though_it_reports_more():
    story = retrained(Story(ON_DRIFT), "0.73", (1, "0.74"))
    assert story.status["champion"]["name"] == story.status["best"]["name"] == "delay-1"
    assert told(story, "Outranked") == "auc 0.7300 against 0.7400 of delay-1 on the same rows: it is not served"


def test_a_champion_that_was_not_measured_is_said():
    story = retrained(Story(ON_DRIFT), "0.68", (1, "its files are gone"))
    assert story.status["champion"]["name"] == "delay-1"
    assert told(story, "Registered") == "auc 0.6800; delay-1 was not measured on the same rows: its files are gone"


def test_a_window_in_the_datas_own_time_hands_over_a_length_and_no_clock():
    story = Story({**ON_DRIFT, "window": {"last": "90d", "of": "Data"}})
    story.drift()
    story.look()
    assert story.job(1)["spec"]["parameters"] == {"epochs": "3", "windowLast": "7776000"}


def test_programs_of_ones_own_get_the_window_by_the_names_that_they_know():
    names = {"fromParameter": "begin", "toParameter": "end"}
    story = Story({**ON_DRIFT, "window": {"last": "1d", **names}})
    story.drift()
    story.look()
    parameters = story.job(1)["spec"]["parameters"]
    assert parameters["begin"][:10] == "2026-11-22"
    assert parameters["end"][:10] == "2026-11-23"
    assert set(parameters) == {"epochs", "begin", "end"}


def test_a_ledger_that_cannot_be_read_trains_nothing():
    story = Story(ON_DRIFT)
    story.look()
    story.put(gvks.CONFIG_MAP, {**story.cluster.objects[LEDGER], "data": {"doings.json": "{"}})
    story.drift()
    decision = story.look()
    assert (decision.outcome, decision.reason) == (Outcome.STALLED, "LedgerUnreadable")
    assert story.jobs == []


def test_what_it_depends_on_wakes_it():
    story = Story(ON_DRIFT, retire={"criteria": [{"type": "Unused", "after": "30d"}]})
    story.service("delay-1")
    story.level("Retrain", "delay-1")
    story.drift()
    assert list(model_of_level(story.cluster.all(gvks.SERVICE_LEVEL_OBJECTIVE)[0])) == [("ml", "delay")]
    assert list(model_of_monitor(story.cluster.all(gvks.DRIFT_MONITOR)[0])) == [("ml", "delay")]
    model = KIND.model.parse(story.cluster.objects[MODEL])
    assert {ref.name for ref in KIND.references(model)} == {"flights", "shift"}
    assert TEMPLATE["parameters"] == {"epochs": "3"}
