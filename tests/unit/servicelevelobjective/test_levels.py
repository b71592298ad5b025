"""A ServiceLevelObjective from its first look to a spent budget and back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.driftmonitor.worlds import Story as Monitor
from tests.unit.driftmonitor.worlds import a_monitor
from tests.unit.servicelevelobjective.levels import (
    AVAILABLE,
    FAST,
    LEDGER,
    NOW,
    NS,
    RIGHT,
    RULE,
    SLO,
    Story,
    a_level,
)

from gyre.adapters.objectives import ObjectiveView
from gyre.api import gvks
from gyre.api.kind import Outcome
from gyre.kinds.servicelevelobjective.desired import prometheus_rule
from gyre.kinds.servicelevelobjective.model import ServiceLevelObjective


def begun(*objectives, **spec) -> Story:
    """One look back at what had been counted before: the zero."""
    story = Story(*objectives, **spec)
    story.came(5000, 50)
    story.look()
    return story


def test_what_was_counted_before_belongs_to_nobody():
    story = begun()
    assert story.counted() == (0, 0)
    assert story.truth()["Exhausted"] == "Unknown"
    assert "remaining" not in story.status["budget"]


def test_without_traffic_it_waits_and_says_for_what():
    decision = Story(serving="").look()
    assert (decision.outcome, decision.reason) == (Outcome.WAITING, "NotServed")


def test_without_its_service_it_is_stalled():
    story = Story(serviceRef={"name": "nobody"})
    decision = story.look()
    assert (decision.outcome, decision.reason) == (Outcome.STALLED, "ServiceMissing")
    assert "spec.serviceRef.name" in decision.message


def test_half_of_the_allowed_failures_leave_half_of_the_budget():
    story = begun()
    story.came(1000, 5)
    decision = story.look()
    assert decision.reason == "WithinBudget"
    assert story.status["budget"] == {"remaining": "0.50", "objective": "availability 99%", "burn": "0.5x"}
    assert story.truth()["Ready"] == "True"
    assert story.truth()["Exhausted"] == story.truth()["Burning"] == "False"


def test_a_spent_budget_is_told_once_and_blames_who_had_the_traffic():
    story = begun(onExhausted="Freeze")
    story.came(1000, 30)
    assert story.look().reason == "BudgetExhausted"
    story.came(10)
    story.look()
    assert story.told().count("BudgetExhausted") == 1
    view = ObjectiveView.of(story.cluster.objects[SLO])
    assert (view.exhausted, view.action, view.version, view.service) == (True, "Freeze", "delays-a", "late")
    assert view.remaining == "-1.97"


def test_a_page_comes_before_the_budget_is_spent():
    """A month with good days behind it, and then an hour in which every sixth request fails."""
    story = begun(window="28d")
    story.came(5_000_000, 5_000)
    story.look(280)
    story.look(7200)
    for _ in range(12):
        story.came(10_000, 1_650)
        decision = story.look(280)
    assert decision.reason == "BurnRateHigh"
    assert story.truth()["Burning"] == "True"
    assert story.truth()["Exhausted"] == "False"
    assert story.told() == ["BurnRateHigh"]


def test_few_events_burn_and_exhaust_nothing():
    story = begun(minEvents=500)
    story.came(10, 9)
    decision = story.look()
    assert decision.reason == "TooFewEvents"
    assert "10 events in the window, and it takes 500" in decision.message
    assert story.truth()["Burning"] == "False"
    assert story.truth()["Exhausted"] == "Unknown"


def test_the_budget_comes_back_when_the_window_has_passed():
    story = begun()
    story.came(1000, 30)
    story.look()
    story.came(10_000)
    assert story.look(3000).reason == "BudgetExhausted" or "BudgetRecovered" in story.told()
    story.came(1000)
    story.look(3700)
    assert story.told()[-1] == "BudgetRecovered"
    assert ObjectiveView.of(story.cluster.objects[SLO]).version == ""


def test_a_version_that_comes_later_is_not_blamed_for_what_was_spent_before_it():
    story = begun(onExhausted="RollBack")
    story.came(1000, 300)
    story.look()
    story.serves("delays-b")
    story.came(1000)
    story.look()
    assert story.status["version"] == "delays-a"


def test_a_version_under_which_it_burns_anew_is_blamed():
    story = begun(onExhausted="RollBack")
    story.came(1000, 300)
    story.look()
    story.serves("delays-b")
    for _ in range(12):
        story.came(2000)
        story.look(100)
    assert story.truth()["Burning"] == "False"
    story.came(5000, 4000)
    story.look()
    assert story.status["version"] == "delays-b"


def test_who_does_not_answer_is_waited_for_and_nothing_is_lost():
    story = begun()
    story.came(500, 1)
    story.silent.add("10.0.0.1")
    assert story.look().reason == "CountsUnavailable"
    story.came(500, 1)
    story.silent.clear()
    story.look()
    assert story.counted() == (1000, 2)


def test_a_spent_budget_stays_spent_while_nobody_can_be_asked():
    story = begun(onExhausted="Freeze")
    story.came(1000, 100)
    story.look()
    story.silent.add("10.0.0.1")
    story.look()
    assert ObjectiveView.of(story.cluster.objects[SLO]).exhausted


def test_a_restarted_envoy_counts_from_zero_and_nothing_twice():
    story = begun()
    story.came(700, 7)
    story.look()
    story.counts["10.0.0.1"] = {"0/backend/0": (40, 4)}
    story.look()
    assert story.counted() == (740, 11)


def test_a_new_envoy_pod_counts_whole_and_one_that_goes_is_forgotten():
    story = begun()
    story.envoy("10.0.0.2", created=NOW + timedelta(seconds=15))
    story.came(300, 3, address="10.0.0.2")
    story.look()
    assert story.counted() == (300, 3)
    story.gone("10.0.0.2")
    story.came(100)
    story.look()
    assert story.counted() == (400, 3)
    assert not any("envoy-2" in key for key in story.ledger.sources)


def test_a_backend_that_leaves_the_route_and_comes_back_counts_from_zero():
    story = begun()
    story.came(100, 1, place="0/backend/1")
    story.look()
    del story.counts["10.0.0.1"]["0/backend/1"]
    story.look()
    story.came(60, place="0/backend/1")
    story.look()
    assert story.counted() == (160, 1)


def test_latency_is_counted_by_the_next_edge_below_the_threshold():
    story = Story(FAST)
    story.slow["10.0.0.1"] = (0, 0, 0)
    story.came(1)
    story.look()
    story.slow["10.0.0.1"] = (500, 950, 1000)
    story.look()
    assert story.counted("fast") == (1000, 50)
    assert story.status["objectives"][0]["edge"] == "200ms"
    assert story.status["budget"]["remaining"] == "0.50"


def test_a_threshold_finer_than_the_histogram_is_unknown_and_says_the_fix():
    story = Story({**FAST, "threshold": "50ms"})
    story.slow["10.0.0.1"] = (500, 950, 1000)
    decision = story.look()
    assert (decision.outcome, decision.reason) == (Outcome.WAITING, "LatencyUnknown")
    assert "set threshold to it or more" in decision.message
    assert story.truth()["Exhausted"] == "Unknown"


def test_accuracy_without_labels_is_unknown_and_with_them_is_counted():
    story = Story(RIGHT)
    decision = story.look()
    assert (decision.outcome, decision.reason) == (Outcome.WAITING, "LabelsMissing")

    def monitor(seen: int, wrong: int) -> None:
        told = {"labels": {"seen": seen, "wrong": wrong}}
        story.put(gvks.DRIFT_MONITOR, {"metadata": {"name": "late-drift", "namespace": NS}, "status": told})

    monitor(1000, 700)
    story.look()
    monitor(1400, 800)
    assert story.look().reason == "BudgetExhausted"
    assert story.counted("right") == (400, 100)


def test_accuracy_burns_by_what_a_drift_monitor_tells_of_itself():
    """The seam: the status that the monitor's kind has written, under docs/drift-contract.md."""
    story, watch = Story(RIGHT), Monitor(a_monitor())

    def counted(seen: int, wrong: int) -> None:
        watch.look(3600)
        watch.judged(labels={"rows": 1, "errors": 0, "book": "b", "seen": seen, "wrong": wrong})
        story.put(gvks.DRIFT_MONITOR, {"metadata": {"name": "late-drift", "namespace": NS}, "status": watch.status})

    counted(0, 0)
    story.look()
    counted(400, 100)
    assert story.look().reason == "BudgetExhausted"
    assert story.counted("right") == (400, 100)
    counted(400, 100)
    story.look()
    assert story.counted("right") == (400, 100), "a window without labels adds nothing"


def test_another_meaning_begins_another_count():
    story = Story(FAST)
    story.slow["10.0.0.1"] = (500, 950, 1000)
    story.look()
    story.slow["10.0.0.1"] = (600, 1000, 1100)
    story.look()
    story.put(gvks.SERVICE_LEVEL_OBJECTIVE, a_level({**FAST, "threshold": "100ms"}))
    story.look()
    assert story.counted("fast") == (0, 0)
    story.slow["10.0.0.1"] = (600, 1000, 1110)
    story.look()
    assert story.counted("fast") == (10, 10)


def test_a_ledger_that_cannot_be_read_is_never_taken_for_a_whole_budget():
    story = begun()
    held = story.cluster.objects[LEDGER]
    story.put(gvks.CONFIG_MAP, {**held, "data": {"budget.json": "{"}})
    decision = story.look()
    assert (decision.outcome, decision.reason) == (Outcome.STALLED, "LedgerUnreadable")


def test_without_news_nothing_is_written():
    story = begun()
    story.came(1000, 5)
    story.look()
    version = story.cluster.version
    story.look(400)
    status = dict(story.status)
    for _ in range(5):
        story.look(5)
    assert story.cluster.version == version
    assert story.status == status


def test_rules_for_prometheus_are_written_only_where_it_is_installed(golden):
    story = begun(AVAILABLE, FAST)
    assert RULE not in story.cluster.objects
    definition = "prometheusrules.monitoring.coreos.com"
    story.put(gvks.CUSTOM_RESOURCE_DEFINITION, {"metadata": {"name": definition}})
    story.look()
    assert RULE in story.cluster.objects
    level = a_level(AVAILABLE, FAST, window="28d")
    golden("prometheus_rule.yaml", prometheus_rule(ServiceLevelObjective.parse(level), {"fast": 0.2}))


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.integers(0, 400),
            st.floats(0, 1),
            st.sampled_from(["", "", "restart", "silent", "operator", "second", "leaves"]),
        ),
        min_size=1,
        max_size=25,
    )
)
def test_whatever_restarts_every_request_is_counted_once(steps):
    story = begun(minEvents=1)
    total = bad = waiting = 0
    for requests, share, event in steps:
        if event == "restart":
            story.look(1)
            story.counts["10.0.0.1"] = {}
            story.look(1)
        elif event == "second" and "10.0.0.2" not in story.counts:
            story.envoy("10.0.0.2", created=story.now)
        elif event == "leaves":
            story.look(1)
            story.counts["10.0.0.1"].pop("0/backend/1", None)
            story.look(1)
        errors = round(requests * share)
        address = "10.0.0.2" if requests % 2 and "10.0.0.2" in story.counts else "10.0.0.1"
        story.came(requests, errors, address=address, place=f"0/backend/{requests % 3 // 2}")
        total, bad = total + requests, bad + errors
        if event == "silent":
            story.silent.add("10.0.0.1")
            waiting += 1
        story.look(5)
        story.silent.clear()
    story.look(5)
    assert story.counted() == (total, bad)


@pytest.mark.parametrize("objective", [AVAILABLE, FAST, RIGHT])
def test_its_status_stays_small(objective):
    import json

    story = begun(*[{**objective, "name": f"n{n}"} for n in range(5)], window="90d")
    for n in range(400):
        story.came(100, n % 7)
        story.look(300)
    assert len(json.dumps(story.status)) < 16_384
    assert len(json.dumps(story.cluster.objects[LEDGER]["data"])) < 60_000


def test_the_rules_can_be_printed_with_the_edge_that_is_counted():
    import asyncio

    from gyre.kube.errors import NotFound
    from gyre.levels import rules

    class Live:
        async def get(self, ref):
            if ref not in story.cluster.objects:
                raise NotFound(404, "NotFound", str(ref))
            return story.cluster.objects[ref]

    story = Story(FAST)
    story.slow["10.0.0.1"] = (1, 2, 3)
    assert 'le="250"' in asyncio.run(rules(Live(), NS, SLO.name))["spec"]["groups"][0]["rules"][0]["expr"]
    story.look()
    assert 'le="200"' in asyncio.run(rules(Live(), NS, SLO.name))["spec"]["groups"][0]["rules"][0]["expr"]
    with pytest.raises(LookupError, match="does not exist"):
        asyncio.run(rules(Live(), NS, "nobody"))
