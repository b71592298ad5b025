"""`gyre why` tells what objects say, says what is missing and what would make it known, and asks nobody but the API server."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from tests.unit.inferenceservice.test_rollout import steadily
from tests.unit.inferenceservice.test_rulings import failing, promoted
from tests.unit.inferenceservice.worlds import GIS, LEDGER, NOW, Story
from tests.unit.reading import Cluster
from tests.unit.why.worlds import DATA, JOB, MODEL, NS, RUN, VERSION, Answers, changed, looked, serving, trained

from gyre.__main__ import main
from gyre.api import gvks
from gyre.api.effects import Ref
from gyre.api.gvks import COST_BUDGET as BUDGET
from gyre.api.gvks import DRIFT_MONITOR
from gyre.api.gvks import SERVICE_LEVEL_OBJECTIVE as OBJECTIVE
from gyre.kube.errors import ApiError
from gyre.why import asked, named
from gyre.why.answer import Answer, known
from gyre.why.traffic import parsed, served
from gyre.why.view import view


def ask(cluster: Cluster, ref: Ref, at: datetime | None = None, **answers: Any) -> Answer:
    return asyncio.run(asked(Answers(cluster, **answers), ref, at, verify=False))


def says(answer: Answer) -> dict[str, Any]:
    """By section, as JSON has it."""
    said: dict[str, Any] = json.loads(json.dumps(answer.to_json()))
    return said


# ── what is told ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_endpoint_leads_to_its_version_its_data_its_image_its_code_and_its_run():
    said = says(ask(serving().cluster, GIS))
    assert said["serving"]["version"] == "flights-ffffffff"
    assert said["serving"]["askedBy"] == "Model/flights"
    assert said["serving"]["since"] == "2026-11-23T08:00:05Z"
    version = said["version"]
    assert version["metrics"] == {"auc": "0.71", "logLoss": "0.5", "loss": "0.39"}
    assert version["baseline"] == {"name": "frequency by carrier", "auc": "0.6"}
    (data,) = version["datasets"]
    assert data == {"name": "flights", "version": 1, "digest": "sha256:" + "a" * 64, "role": "train", "now": "the same"}
    assert version["image"]["digest"] == "sha256:" + "e" * 64
    assert version["code"] == {"sha256": "d" * 64}
    assert version["parameters"] == {"batch": "64", "learningRate": "0.01"}
    assert said["run"]["trainingJob"] == "flights"
    assert said["run"]["checkpoint"]["name"] == "checkpoint_80"


def test_a_version_is_told_beside_the_champion_of_its_time_on_the_same_rows():
    said = says(ask(trained(beside="0.64"), MODEL))
    assert said["champion"]["champion"] == "flights-ffffffff"
    assert said["champion"]["ranked"] == {
        "flights-cccccccc": "0.75",
        "flights-ffffffff": "auc 0.7100 against 0.6400 of flights-cccccccc on the same rows",
    }
    beside = says(ask(trained(beside="0.64"), VERSION))["version"]["champion"]
    assert beside == {"version": "flights-cccccccc", "auc": "0.64"}


def test_the_last_promotion_is_told_with_its_evidence_counts_and_thresholds():
    said = says(ask(promoted().cluster, GIS))["decision"]
    assert (said["verdict"], said["version"], said["insteadOf"]) == ("Promoted", "delays-b", "delays-a")
    assert said["thresholds"] == {"worse": "20", "fine": "20"}
    assert float(said["eValues"]["fine"]) >= 20.0
    assert [row["weight"] for row in said["weights"]] == ["10%", "25%", "50%"]
    assert sum(row["requests"] for row in said["weights"]) == 3700
    assert said["policy"] == {"alpha": 0.05, "beta": 0.05, "minRequests": 50}


def test_a_rollback_is_told_although_the_other_version_serves():
    said = says(ask(failing().cluster, GIS))
    assert said["serving"]["version"] == "delays-a"
    assert (said["decision"]["verdict"], said["decision"]["version"]) == ("RolledBack", "delays-b")
    assert said["decision"]["because"].startswith("MoreErrors")


def test_a_model_tells_its_champion_and_what_the_others_have():
    cluster = trained()
    other = json.loads(json.dumps(cluster.objects[VERSION]))
    other["metadata"].update(name="flights-00000000", uid="u2")
    other["spec"]["metrics"]["auc"] = "0.69"
    other["spec"]["lineage"]["run"]["finished"] = "2026-11-23T09:00:00Z"
    cluster.put(gvks.MODEL_VERSION, other)
    looked(cluster, MODEL)
    said = says(ask(cluster, MODEL))["champion"]
    assert said["champion"] == "flights-ffffffff"
    assert said["ranked"] == {"flights-ffffffff": "0.71", "flights-00000000": "0.69"}
    assert said["objective"] == "auc, Maximize"
    before = says(ask(cluster, MODEL, datetime(2026, 11, 23, 8, 30, tzinfo=UTC)))["champion"]
    assert before["ranked"]["flights-ffffffff"] == "0.71"
    assert before["champion"] == "flights-ffffffff"


def test_a_version_and_a_job_tell_who_serves_them():
    cluster = serving().cluster
    for ref in (VERSION, JOB):
        (place,) = says(ask(cluster, ref))["serving"]["services"]
        assert place["service"] == "late"
    assert says(ask(trained(), VERSION))["serving"]["services"] == {"unknown": "no service gives it traffic now"}


def test_attempts_are_told_with_their_failures():
    said = says(ask(trained(attempts=2), JOB))["run"]
    assert [(row["number"], row["result"]) for row in said["attempts"]] == [(1, "Failed"), (2, "Succeeded")]
    assert said["attempts"][0]["class"] == "Framework"
    assert said["failures"] == {"Framework": 1}


def test_data_that_have_moved_on_since_are_said_to():
    cluster = serving().cluster
    status = cluster.objects[DATA]["status"]
    newer = {**status, "current": {**status["current"], "version": 2, "digest": "sha256:" + "c" * 64}}
    (data,) = says(ask(changed(cluster, DATA, status=newer), GIS))["version"]["datasets"]
    assert data["now"] == "version 2"


# ── what is around it ────────────────────────────────────────────────────────────────────────────────────────────────


def put(cluster: Cluster, gvk: Any, name: str, spec: Any, status: Any) -> None:
    metadata = {"name": name, **({"namespace": NS} if gvk.namespaced else {})}
    cluster.put(gvk, {"metadata": metadata, "spec": spec, "status": status})


def test_drift_objectives_budgets_and_retraining_are_told_when_somebody_watches():
    cluster = serving().cluster
    worst = [{"feature": "distance", "statistic": "0.41", "threshold": "0.2", "effect": "1.6"}]
    put(
        cluster,
        DRIFT_MONITOR,
        "flights",
        {"modelRef": {"name": "flights"}},
        {"drifted": True, "since": "2026-11-23T07:00:00Z", "worst": worst, "windowsSeen": 40},
    )
    exhausted = {"type": "Exhausted", "status": "False", "message": "42 % of the budget is left"}
    slo = {"conditions": [exhausted], "budget": {"remaining": "0.42"}}
    put(cluster, OBJECTIVE, "late", {"serviceRef": {"name": "late"}}, slo)
    money = {"spent": "12.50", "left": "87.50", "currency": "EUR", "action": "None"}
    owners = [{"kind": "TrainingJob", "namespace": NS, "name": "flights", "cost": "3.20"}]
    put(cluster, BUDGET, "team", {"scope": {"namespaces": [NS]}}, {**money, "owners": owners})
    put(cluster, BUDGET, "others", {"scope": {"namespaces": ["elsewhere"]}}, money)
    put(cluster, BUDGET, "labelled", {"scope": {"labels": {"gyre.dev/team": "x"}}}, money)
    model = cluster.objects[MODEL]
    told = {"lastTrigger": "Drift", "lastTime": "2026-11-23T07:10:00Z", "lastJob": "flights-retrain-1"}
    suppressed = [{"trigger": "Schedule", "why": "cooldown"}]
    status = {**model["status"], "retrain": {**told, "suppressed": suppressed}}
    cluster.put(gvks.MODEL, {**model, "status": status})
    around = says(ask(cluster, GIS))["around"]
    assert around["drift"][0]["worst"] == worst[0]
    assert around["drift"][0]["drifted"] is True
    assert around["objectives"][0]["budgetLeft"] == "0.42"
    assert around["objectives"][0]["exhausted"] == "False"
    assert around["budgets"] == [{"name": "team", **money}], "those of others say nothing about it"
    assert around["cost"] == {"run": "3.20", "currency": "EUR", "by": "team"}
    assert around["lastTrigger"] == {"trigger": "Drift", "time": "2026-11-23T07:10:00Z", "job": "flights-retrain-1"}
    assert around["suppressed"] == suppressed


def test_a_budget_and_a_monitor_that_were_not_looked_at_say_nothing_good():
    cluster = serving().cluster
    put(cluster, DRIFT_MONITOR, "flights", {"modelRef": {"name": "flights"}}, {})
    put(cluster, OBJECTIVE, "late", {"serviceRef": {"name": "late"}}, {})
    around = says(ask(cluster, GIS))["around"]
    assert "unknown" in around["drift"][0]["drifted"]
    assert "unknown" in around["objectives"][0]["budgetLeft"]


def test_who_watches_another_service_has_nothing_to_say():
    cluster = serving().cluster
    put(cluster, OBJECTIVE, "other", {"serviceRef": {"name": "other"}}, {"budget": {"remaining": "0.1"}})
    put(cluster, DRIFT_MONITOR, "other", {"modelRef": {"name": "other"}}, {"drifted": True})
    around = says(ask(cluster, GIS))["around"]
    assert "create one" in around["objectives"]["unknown"]
    assert "create one" in around["drift"]["unknown"]


# ── what is missing ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("gone", [LEDGER, MODEL, VERSION, JOB, RUN, DATA])
@pytest.mark.parametrize("ref", [GIS, MODEL, VERSION, JOB])
def test_whatever_is_gone_the_rest_is_told_and_the_gap_is_named(ref: Ref, gone: Ref):
    cluster = serving().cluster
    del cluster.objects[gone]
    if gone == ref:
        with pytest.raises(LookupError, match="does not exist"):
            ask(cluster, ref)
        return
    answer = ask(cluster, ref)
    for section in answer.sections:
        for fact in section.facts:
            assert bool(fact.unknown) != (fact.value not in (None, "", [], {})), f"{section.name}.{fact.name}"


def test_who_may_not_read_an_object_learns_which_and_what_he_lacks():
    said = says(ask(serving().cluster, GIS, forbidden=(gvks.CONFIG_MAP, gvks.TRAINING_JOB, gvks.MODEL_VERSION)))
    assert said["serving"]["version"] == {"unknown": "you may not get configmaps: ask for a Role with that verb"}
    assert "you may not get configmaps" in said["version"]["modelVersion"]["unknown"]
    assert said["serving"]["url"] == "http://late.ml.gyre.local"


def test_an_api_server_that_is_away_is_an_error_and_not_an_answer():
    with pytest.raises(ApiError, match="etcd has no leader"):
        ask(serving().cluster, GIS, down=True)


def test_a_service_that_was_never_looked_at_says_so():
    said = says(ask(Story().cluster, GIS))
    assert "does not exist" in said["serving"]["version"]["unknown"]


def test_a_version_registered_by_hand_says_what_it_lacks():
    said = says(ask(promoted().cluster, GIS))
    assert "spec.lineage.datasets" in said["version"]["datasets"]["unknown"]
    assert "registered by hand" in said["run"]["trainingJob"]["unknown"]


# ── at a time ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_at_each_time_the_version_is_told_that_had_the_traffic_then():
    story = promoted()
    first, last = story.ledger.history[0].at, story.ledger.history[-1].at
    second = timedelta(seconds=1)
    assert "no version had taken the traffic yet" in served(story.ledger, first - second).unknown
    assert served(story.ledger, first).version == "delays-a"
    on_trial = served(story.ledger, last - second)
    assert on_trial.version == "delays-a"
    assert on_trial.trial is not None
    assert on_trial.trial.candidate.name == "delays-b"
    assert served(story.ledger, last).version == "delays-b"
    assert served(story.ledger, last).trial is None
    said = says(ask(story.cluster, GIS, last - second))
    assert said["at"] == "2026-11-23T08:01:09Z"
    assert said["serving"]["version"] == "delays-a"
    assert said["serving"]["candidate"]["version"] == "delays-b"
    assert said["version"]["name"] == "delays-a"
    assert "around" not in said, "how it is now says nothing of then"
    assert says(ask(story.cluster, GIS, last))["decision"]["verdict"] == "Promoted"
    assert "unknown" in says(ask(story.cluster, GIS, last - second))["decision"]["verdict"]


def test_who_was_asked_back_while_it_was_warm_is_told_too():
    story = promoted()
    story.programs()
    story.look(1)
    story.ask_for("a")
    story.look(30)
    assert story.history[0] == ("Switched", "a")
    assert served(story.ledger, story.now).version == "delays-a"
    assert served(story.ledger, story.now - timedelta(seconds=10)).version == "delays-b"


def test_before_the_oldest_entry_that_is_kept_nothing_is_claimed():
    story = promoted()
    ledger = story.ledger
    for number in range(25):
        ledger = ledger.with_stable(ledger.stable, story.now, warm_until=None)  # type: ignore[arg-type]
        ledger = ledger.noted(story.now + timedelta(hours=number), ledger.history[-1].event, ledger.stable, "", "")  # type: ignore[arg-type]
    assert "the history keeps 20 entries" in served(ledger, NOW - timedelta(days=1)).unknown
    during = ledger.rulings[0].at - timedelta(seconds=1)
    assert served(ledger, during).version == "delays-a", "a ruling knows whom its candidate was compared with"


@pytest.mark.parametrize("text", ["yesterday", "", "12", "2026-13-01T00:00:00Z"])
def test_what_is_no_time_is_refused_with_an_example(text: str):
    with pytest.raises(ValueError, match="2026-11-23T08:00:00Z"):
        parsed(text, NOW)


def test_a_time_that_has_not_come_is_refused():
    with pytest.raises(ValueError, match="has not come yet"):
        parsed("2027-01-01T00:00:00Z", NOW)


@given(st.text(max_size=40))
def test_no_text_but_a_time_is_taken_for_one(text: str):
    try:
        assert parsed(text, NOW) <= NOW
    except ValueError:
        return


def test_a_time_with_another_offset_is_the_same_moment():
    assert parsed("2026-11-23T09:00:00+02:00", NOW) == datetime(2026, 11, 23, 7, tzinfo=UTC)


# ── how it is asked and said ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("what", ["gis/late", "inferenceservices/late", "InferenceService/late", "GIS/late"])
def test_it_is_named_as_kubectl_does(what: str):
    assert named(what, NS) == GIS


@pytest.mark.parametrize("what", ["dset/flights", "late", "gis/", "", "pod/x"])
def test_what_is_not_explained_is_refused_before_the_cluster_is_asked(what: str):
    answer = CliRunner().invoke(main, ["why", what])
    assert answer.exit_code == 1
    assert "NAME" in answer.output
    assert "Traceback" not in answer.output


def test_a_fact_that_is_zero_or_no_is_known():
    assert known("restarts", 0, "nobody knows").unknown == ""
    assert known("drifted", False, "nobody knows").value is False
    assert known("metrics", {}, "nobody knows").unknown == "nobody knows"


def test_the_terminal_shows_every_fact_and_every_gap():
    answer = ask(serving().cluster, GIS)
    console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(view(answer))
    text = console.export_text()
    for section in answer.sections:
        assert section.name in text
        for fact in section.facts:
            assert "".join(f" {c.lower()}" if c.isupper() else c for c in fact.name) in text
    assert "unknown: no CostBudget covers it: create one whose spec.scope does" in text


def test_only_what_leads_somewhere_is_read():
    api = Answers(serving().cluster)
    asyncio.run(asked(api, GIS, None, verify=True))
    assert len(api.asked) < 20
    assert not [verb for verb in api.asked if verb.split()[0] not in ("get", "list")]
    assert not [what for what in api.asked if "secrets" in what]


def test_a_long_rollout_with_a_restarted_gateway_is_still_told():
    story = Story().serving().candidate()
    steadily(story, looks=1)
    story.counts.clear()
    steadily(story)
    assert says(ask(story.cluster, GIS))["decision"]["verdict"] == "Promoted"
