"""The children of a DriftMonitor, as YAML."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.unit.driftmonitor.worlds import NOW, Story, a_dataset, a_monitor, a_service

from gyre.adapters.charges import owner_of
from gyre.adapters.datasets import DatasetView
from gyre.adapters.storage import BucketPlace, ClaimPlace, Place
from gyre.kinds.driftmonitor import desired
from gyre.kinds.driftmonitor.ledger import Ledger
from gyre.kinds.driftmonitor.model import DriftMonitor
from gyre.kinds.driftmonitor.plan import step
from gyre_drift.plan import DatasetReference, Plan, Span

Golden = Callable[[str, Any], None]
STORE = BucketPlace("logs", "p", "http://store:9000", "eu-1", "log-keys")
CLAIM = ClaimPlace("logs", "predictions")
S3 = {"endpoint": "http://store:9000", "credentialsSecret": {"name": "report-keys"}}
LAKE = {"s3": {"bucket": "lake", "prefix": "flights", "endpoint": "http://lake:9000", "credentialsSecret": "lake-keys"}}


def job_of(log: Place = CLAIM, dataset: Any = None, name: str = "flights", **spec: Any) -> Any:
    obj = a_monitor(**spec)
    obj["metadata"]["name"] = name
    dm = DriftMonitor.parse(obj)
    view = DatasetView.of(dataset or a_dataset()) if dm.spec.reference.dataset else None
    asked = desired.Asked(log, view, "auc", {"auc": Decimal("0.7231")})
    return desired.job(dm, step(dm, view, log.uri, Ledger(), NOW), asked)


def plan_of(job: Any) -> Plan:
    env = job["spec"]["template"]["spec"]["containers"][0]["env"]
    return Plan.of(next(entry["value"] for entry in env if entry["name"] == "GYRE_DRIFT_PLAN"))


def test_a_job_on_claims_writes_to_the_log_and_only_reads_the_reference(golden: Golden):
    golden(
        "job_pvc.yaml",
        job_of(features=[{"name": "hour", "type": "Numeric"}, {"name": "carrier", "type": "Categorical"}]),
    )


def test_a_job_on_buckets_has_a_pair_of_keys_for_each(golden: Golden):
    golden("job_s3.yaml", job_of(STORE, a_dataset(source=LAKE), report={"uri": "s3://reports/drift", "s3": S3}))


def test_a_report_in_a_bucket_is_reached_as_the_log_where_nothing_is_said():
    job = job_of(STORE, report={"uri": "s3://reports/drift"})
    plan = plan_of(job)
    assert plan.report is not None
    assert (plan.report.path, plan.report.endpoint) == ("s3://reports/drift", "http://store:9000")
    assert str(job).count("log-keys") == 4


def test_an_empty_ledger(golden: Golden):
    golden("ledger.yaml", desired.ledger(DriftMonitor.parse(a_monitor()), Ledger()))


def test_the_program_reads_what_the_operator_writes():
    plan = plan_of(job_of())
    assert isinstance(plan.reference, DatasetReference)
    assert (plan.monitor, plan.service, plan.windows, plan.min_effect) == ("flights", "flights", 720, 0.05)
    assert (plan.log.path, plan.log.uri) == ("/gyre/log/predictions", "pvc://logs/predictions")
    assert (plan.reference.place.path, plan.reference.version) == ("/gyre/reference/flights", 3)
    assert plan.window.end - plan.window.start == timedelta(hours=1)
    assert (plan.metric, plan.baseline) == ("auc", {"auc": 0.7231})


def test_a_span_of_the_log_is_a_reference_without_a_volume():
    window = {"from": "2026-11-01T00:00:00Z", "to": "2026-11-08T00:00:00Z"}
    job = job_of(reference={"window": window})
    start = datetime(2026, 11, 1, tzinfo=UTC)
    assert plan_of(job).reference == Span(start, start + timedelta(days=7))
    assert [volume["name"] for volume in job["spec"]["template"]["spec"]["volumes"]] == ["log", "tmp"]


def test_a_feature_that_looks_like_a_variable_stays_as_it_is():
    job = job_of(features=[{"name": "$(HOME)", "type": "Numeric"}])
    assert "$" not in json.dumps(job["spec"]["template"]["spec"]["containers"][0]["env"])
    assert list(plan_of(job).features) == ["$(HOME)"]


def test_no_key_is_in_the_plan_or_in_the_ledger():
    text = json.dumps(job_of(STORE, a_dataset(source=LAKE)))
    assert text.count("log-keys") == 2  # named, for each of the two keys
    assert "log-keys" not in str(plan_of(json.loads(text)))


def test_the_pod_has_no_token_and_may_not_write_its_image():
    pod = job_of()["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True
    assert "fsGroup" in pod["securityContext"]


def test_job_names_fit_a_label_for_the_longest_name():
    job = job_of(name="d" * DriftMonitor.definition.max_name)
    assert len(job["metadata"]["name"]) <= 63


def test_the_metric_and_the_baseline_come_from_the_model_and_the_version_that_serves():
    story = Story(service=a_service("s3://logs/p"))
    story.look()
    assert story.plan["metric"] == "auc"
    assert story.plan["baseline"] == {"auc": "0.7231", "logLoss": "0.48"}


def test_the_pods_of_its_jobs_are_on_the_account_of_the_monitor():
    obj = a_monitor()
    obj["metadata"]["labels"] = {"gyre.dev/team": "a", "gyre.dev/drift-monitor": "somebody-else", "unrelated": "x"}
    dm = DriftMonitor.parse(obj)
    view = DatasetView.of(a_dataset())
    made = desired.job(dm, step(dm, view, CLAIM.uri, Ledger(), NOW), desired.Asked(CLAIM, view, "auc", {}))
    for labels in (made["metadata"]["labels"], made["spec"]["template"]["metadata"]["labels"]):
        assert (labels["gyre.dev/team"], labels["gyre.dev/drift-monitor"]) == ("a", dm.name)
        assert "unrelated" not in labels
        payer = owner_of({"metadata": {"namespace": dm.namespace, "labels": labels}})
        assert (payer.kind, payer.name, payer.team) == ("DriftMonitor", dm.name, "a")
