"""The prediction log of a service: its collector, how predictors find it, and what is told of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from tests.unit.inferenceservice.worlds import Story, a_service, digest, ready_pod

from gyre.adapters.exposition import dropped_of
from gyre.adapters.kserve import template_of
from gyre.adapters.predictionlog import LOG_LABEL, LogView, Told
from gyre.adapters.storage import BucketPlace, ClaimPlace
from gyre.api import gvks
from gyre.api.effects import Ref
from gyre.kinds.inferenceservice import KIND
from gyre.kinds.inferenceservice.collecting import collector
from gyre.kinds.inferenceservice.ledger import Version
from gyre.kinds.inferenceservice.logged import LOOK_AGAIN
from gyre.kinds.inferenceservice.model import InferenceService
from gyre.kinds.inferenceservice.predictor import predictor as made

Golden = Callable[[str, Any], None]
A = Version("delays-a", digest("a"), "pvc://runs/flights/a", "torch")
LOG = {"uri": "pvc://runs/log"}
S3 = {
    "uri": "s3://logs/predictions",
    "percent": 10,
    "s3": {"endpoint": "http://s3.gyre-store:9000", "region": "eu-1", "credentialsSecret": {"name": "store"}},
    "masking": {"mode": "Hash", "features": ["card", "name"], "keySecretRef": {"name": "salt", "key": "key"}},
    "retention": "30d",
}
SERVICE, DEPLOYMENT = Ref(gvks.SERVICE, "ml", "late-log"), Ref(gvks.DEPLOYMENT, "ml", "late-log")
ADDRESS = "10.2.0.9"


def service(**spec: Any) -> InferenceService:
    return InferenceService.parse(a_service(**spec))


def container(manifest: Mapping[str, Any]) -> Any:
    return manifest["spec"]["predictor"]["containers"][0]


# ── objects ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_collector_of_a_log_on_a_claim(golden: Golden):
    golden("collector_pvc.yaml", list(collector(service(log=LOG))))


def test_the_collector_of_a_masked_log_in_a_bucket(golden: Golden):
    golden("collector_s3.yaml", list(collector(service(log=S3))))


def test_the_agent_of_kserve_logs_for_another_runtime(golden: Golden):
    golden(
        "predictor_logger.yaml",
        made(service(log={**LOG, "auth": "None"}, runtime={"kserve": {"modelFormat": "onnx"}}), A),
    )


def test_without_a_log_no_pod_is_another_than_before():
    assert collector(service()) == ()
    with_log = made(service(log=LOG), A)
    told = {entry["name"]: entry.get("value") for entry in container(with_log)["env"]}
    assert (told["GYRE_LOG_URL"], told["GYRE_LOG_PERCENT"]) == ("http://late-log.ml.svc/events", "100")
    assert "logger" not in with_log["spec"]["predictor"], "our own server tells by itself"
    without = made(service(), A)
    assert not any("LOG" in entry["name"] for entry in container(without)["env"])
    assert template_of(with_log) != template_of(without)


def test_where_the_log_lies_is_no_business_of_the_predictors():
    moved = {**LOG, "uri": "pvc://runs/elsewhere", "masking": {"mode": "Full"}, "retention": "1d"}
    assert template_of(made(service(log=LOG), A)) == template_of(made(service(log=moved), A))


def test_no_secret_is_in_a_collectors_spec():
    text = json.dumps(collector(service(log=S3)))
    assert '"secretKeyRef": {"name": "salt", "key": "key"}' in text
    assert '"secretKeyRef": {"name": "store", "key": "AWS_SECRET_ACCESS_KEY"}' in text
    assert '"automountServiceAccountToken": false' in text


def test_what_waits_for_a_bucket_lies_on_a_claim_where_there_is_one():
    _, deployment = collector(service(log={**S3, "journalClaim": "journal"}))
    volumes = deployment["spec"]["template"]["spec"]["volumes"]
    assert {"name": "journal", "persistentVolumeClaim": {"claimName": "journal"}} in volumes


def test_a_container_of_ones_own_is_logged_by_the_agent_too():
    log = {**LOG, "auth": "None"}
    manifest = made(service(log=log, runtime={"container": {"image": "registry.example/server:3"}}), A)
    assert manifest["spec"]["predictor"]["logger"]["url"] == "http://late-log.ml.svc/"
    assert manifest["spec"]["predictor"]["labels"]["endpoint"] == "delays-a"
    assert not any(entry["name"].startswith("GYRE_LOG") for entry in container(manifest)["env"])


# ── a story ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class Logged(Story):
    """A service with a log; the collector answers with `status` when its pod is up."""

    def __init__(self, **log: Any) -> None:
        super().__init__(a_service(log={**LOG, **log}))
        self.told: dict[str, Any] = {"logged": 0, "lag": 0.0, "problem": ""}
        self.dropped: int | None = 0
        others = self.cluster.answers

        def answers(url: str, headers: Mapping[str, str]) -> tuple[int, str]:
            if f"{ADDRESS}:8080/status" in url:
                return 200, json.dumps(self.told)
            status, text = others(url, headers)
            mine = "" if self.dropped is None else f'\ngyre_log_events_total{{result="dropped"}} {self.dropped}'
            return status, text + mine if ":8080/metrics" in url else text

        self.cluster.answers = answers

    def collector_up(self) -> None:
        self.put(
            gvks.POD, ready_pod("late-log-x", {LOG_LABEL: "late", "app.kubernetes.io/managed-by": "gyre"}, ADDRESS)
        )

    def condition(self, type: str = "LogHealthy") -> tuple[str, str]:
        found = next(one for one in self.status["conditions"] if one["type"] == type)
        return found["status"], found["reason"]

    def message(self) -> str:
        return str(next(one["message"] for one in self.status["conditions"] if one["type"] == "LogHealthy"))


def test_a_log_is_told_of_as_its_collector_and_the_predictors_tell_it():
    story = Logged()
    story.serving()
    assert story.condition() == ("Unknown", "LogNotReadable")
    assert story.condition("Ready") == ("True", "Serving"), "serving does not wait for a log"
    assert "kubectl -n ml get pods -l gyre.dev/prediction-log=late" in story.message()
    assert story.status["log"] == {"uri": "pvc://runs/log", "dropped": 0}
    story.collector_up()
    story.told |= {"logged": 950, "lag": 12.5}
    story.dropped = 50
    decision = story.look(60)
    assert story.condition() == ("True", "Logging")
    assert story.status["log"] == {"uri": "pvc://runs/log", "logged": 950, "dropped": 50, "lag": "0s"}
    assert decision.after is not None
    assert decision.after <= LOOK_AGAIN


def test_a_settled_log_writes_nothing():
    story = Logged()
    story.serving()
    story.collector_up()
    story.look(60)
    before = story.cluster.version, story.status
    story.told["lag"] = 29.0
    story.look(60)
    assert (story.cluster.version, story.status) == before


@pytest.mark.parametrize(
    ("told", "condition", "says"),
    [
        ({"problem": "OSError: NoSuchBucket"}, ("False", "LogNotWritten"), "NoSuchBucket; check"),
        ({"lag": 400.0}, ("False", "LogBehind"), "0:05:00"),
        ({"logged": "many"}, ("Unknown", "LogNotReadable"), "does not tell"),
    ],
)
def test_trouble_of_the_log_is_told_with_its_fix_and_stalls_nothing(
    told: dict[str, Any], condition: tuple[str, str], says: str
):
    story = Logged()
    story.serving()
    story.collector_up()
    story.told |= told
    story.look(60)
    assert story.condition() == condition
    assert says in story.message()
    assert story.condition("Ready") == ("True", "Serving")


def test_a_canary_is_judged_while_the_collector_is_down():
    story = Logged()
    story.serving()
    story.candidate("b")
    for _ in range(60):
        shares = dict(story.backends)
        total = sum(shares.values())
        story.takes(**{letter: (1000 * share // total, 5 * share // total) for letter, share in shares.items()})
        story.programs()
    assert story.ledger.stable is not None
    assert story.ledger.stable.name == "delays-b"
    assert story.condition() == ("Unknown", "LogNotReadable")


def test_what_no_predictor_says_is_not_taken_for_nothing():
    story = Logged()
    story.serving()
    story.dropped = None
    story.look(60)
    assert "dropped" not in story.status["log"]


def test_a_strangers_deployment_of_the_collectors_name_is_left_alone():
    story = Logged()
    story.put(gvks.DEPLOYMENT, {"metadata": {"name": "late-log", "namespace": "ml"}, "spec": {"mine": True}})
    story.serving()
    assert story.condition() == ("False", "LogNameTaken")
    assert story.cluster.objects[DEPLOYMENT]["spec"] == {"mine": True}
    assert story.condition("Ready") == ("True", "Serving")


def test_a_collector_goes_after_the_predictors_were_told_that_there_is_none():
    story = Logged()
    story.serving()
    assert {SERVICE, DEPLOYMENT} <= story.cluster.objects.keys()
    story.edit(log=None)
    story.look(1)
    assert {SERVICE, DEPLOYMENT} <= story.cluster.objects.keys(), "the pods that tell it are still there"
    story.comes_up("a")
    story.look(1)
    assert not {SERVICE, DEPLOYMENT} & story.cluster.objects.keys()
    assert "log" not in story.status
    assert story.condition() == ("Unknown", "Unknown")


def test_a_deleted_collector_comes_back():
    story = Logged()
    story.serving()
    story.drop(gvks.DEPLOYMENT, "late-log")
    story.look(1)
    assert DEPLOYMENT in story.cluster.objects


def test_a_shadows_address_and_a_collector_do_not_know_each_other():
    story = Logged()
    story.edit(shadow={"version": "delays-b"})
    story.serving()
    story.edit(shadow=None)
    story.look(5)
    story.programs()
    story.look(1)
    assert {SERVICE, DEPLOYMENT} <= story.cluster.objects.keys()


def test_a_pod_of_the_collector_wakes_its_service():
    (watch,) = (watch for watch in KIND.watches if watch.gvk == gvks.POD)
    assert watch.keys is not None
    assert list(watch.keys({"metadata": {"namespace": "ml", "labels": {LOG_LABEL: "late"}}})) == [("ml", "late")]


# ── views ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_others_see_where_a_log_lies_and_what_of_it_is_masked():
    view = LogView.of(a_service(log=S3))
    assert view is not None
    assert (view.service, view.namespace, view.uri) == ("late", "ml", "s3://logs/predictions")
    assert (view.masked, view.features, view.percent) == ("Hash", ("card", "name"), 10)
    assert view.place == BucketPlace("logs", "predictions", "http://s3.gyre-store:9000", "eu-1", "store")
    plain = LogView.of(a_service(log=LOG))
    assert plain is not None
    assert (plain.masked, plain.percent, plain.place) == ("None", 100, ClaimPlace("runs", "log"))


@pytest.mark.parametrize("log", [None, {}, {"uri": "file:///x"}, {"percent": 5}, "yes"])
def test_what_is_no_log_is_none(log: Any):
    assert LogView.of({"metadata": {"name": "late"}, "spec": {"log": log}}) is None


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"logged": 1}', '{"logged": "x", "lag": 0, "problem": ""}', "<html>"]
)
def test_a_status_that_is_none_tells_nothing(text: str):
    assert Told.of(text) is None


def test_drops_are_read_from_a_predictors_metrics():
    counted = "".join(
        f'gyre_log_events_total{{result="{name}"}} {count}\n' for name, count in (("sent", 7.0), ("dropped", 3.0))
    )
    assert dropped_of(f"# TYPE gyre_log_events counter\n{counted}") == 3
    assert dropped_of("gyre_inference_requests_total 7\n") is None
