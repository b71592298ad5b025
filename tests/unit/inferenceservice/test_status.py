"""What people read of a service: kstatus, the columns, the bounds of a status."""

from __future__ import annotations

import json
from dataclasses import replace

from tests.unit.inferenceservice.test_rollout import steadily
from tests.unit.inferenceservice.worlds import GIS, Story, a_service

from gyre.api.kind import Decision
from gyre.api.kstatus import Verdict, compute
from gyre.kinds.inferenceservice.ledger import KEPT_HISTORY, Ledger, Quarantined, Version
from gyre.kinds.inferenceservice.model import InferenceService
from gyre.kinds.inferenceservice.report import Happened, InferenceServiceStatus
from gyre.kinds.inferenceservice.status import summarize
from gyre.kinds.inferenceservice.words import e_value, percent


def verdict(story: Story) -> Verdict:
    return compute(story.cluster.objects[GIS]).verdict


def test_tools_read_each_state_right():
    story = Story()
    story.look()
    assert verdict(story) is Verdict.IN_PROGRESS
    story.serving()
    story.look()
    assert verdict(story) is Verdict.CURRENT
    story.candidate()
    assert verdict(story) is Verdict.IN_PROGRESS
    story.takes(a=(180, 0), b=(20, 20))
    story.programs()
    story.look(1)
    story.gone()
    story.look(1)
    assert verdict(story) is Verdict.FAILED


def test_the_columns_of_a_rollout():
    story = Story().serving().candidate()
    story.takes(a=(900, 4), b=(100, 2))
    status = story.status
    assert status["stable"]["version"] == "delays-a"
    assert status["canary"]["version"] == "delays-b"
    assert (status["canary"]["weight"], status["canary"]["step"]) == ("10%", "1 of 3")
    assert status["evidence"]["summary"].startswith("bad ")
    assert "/20 good " in status["evidence"]["summary"]
    assert status["url"] == "http://late.ml.gyre.local"
    assert status["address"] == "10.0.0.7"
    assert status["evidence"]["canary"] == {"requests": 100, "errors": 2}


def test_a_settled_service_has_no_canary_in_its_columns():
    story = Story().serving().candidate()
    steadily(story)
    story.programs()
    story.look(1)
    assert "canary" not in story.status
    assert "evidence" not in story.status


def test_every_condition_is_reported_on_every_visit():
    story = Story()
    story.look()
    types = {entry["type"] for entry in story.status["conditions"]}
    known = {"Ready", "Available", "RouteProgrammed", "CanaryHealthy", "MetricsAvailable", "WeightsHonoured"}
    assert known | {"AccessVerified"} <= types


def test_a_service_without_auth_says_that_anybody_may_call():
    story = Story().serving()
    story.look()
    condition = story.condition("AccessVerified")
    assert (condition["status"], condition["reason"]) == ("Unknown", "NoAuth")


def test_a_service_is_not_called_well_before_strangers_are_refused():
    story = Story(a_service(auth={"apiKey": {"secrets": [{"name": "team-a"}]}})).serving()
    decision = story.look()
    assert str(decision.reason) == "AccessUnverified"
    assert decision.after == 2.0
    assert story.condition("AccessVerified")["status"] == "Unknown"


def test_a_status_never_outgrows_its_bounds():
    story = Story().serving()
    ledger: Ledger = story.ledger
    long = Version("x" * 63, "sha256:" + "d" * 64, "pvc://runs/x")
    for _ in range(2 * KEPT_HISTORY):
        ledger = ledger.noted(story.now, Happened.PROMOTED, long, "m" * 500, "w" * 5000)
    ledger = ledger.started(long, story.now, "b" * 500)
    bad = tuple(Quarantined(f"sha256:{n:064x}", "x" * 63, story.now, "DigestMismatch", "m" * 400) for n in range(32))
    seen = story.seen
    assert seen.memory is not None
    seen = replace(seen, memory=replace(seen.memory, ledger=replace(ledger, quarantined=bad)))
    service = InferenceService.parse(story.cluster.objects[GIS])
    status = summarize(service, seen, Decision.stalled("Inconclusive", "m" * 900), story.now)
    assert len(json.dumps(status).encode()) < 16 * 1024
    assert InferenceServiceStatus.model_validate(status).to_dict() == status


def test_words_are_short():
    assert [percent(weight) for weight in (100, 125, 1)] == ["10%", "12.5%", "0.1%"]
    assert [e_value(log) for log in (-50.0, -1.0, 0.0, 2.5, 6.0, 700.0)] == ["0.0", "0.4", "1.0", "12", "403", "999"]
