"""What a Model tells of its versions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.modelversion.versions import NOW, a_model, a_version
from tests.unit.reading import Cluster

from gyre.api import gvks
from gyre.api.effects import Ref
from gyre.api.kind import Decision, Outcome
from gyre.kinds.model import KIND, model_of_service, model_of_version
from gyre.kinds.model.desired import policies
from gyre.kinds.model.model import MAX_HISTORY, ModelStatus

MODEL = Ref(gvks.MODEL, "ml", "delay")
AUC = {"metric": "auc", "goal": "Maximize"}


def look(model: Any, *versions: Any, services: tuple[Any, ...] = ()) -> tuple[Decision, Any]:
    cluster = Cluster()
    cluster.put(gvks.MODEL, model)
    for version in versions:
        cluster.put(gvks.MODEL_VERSION, version)
    for service in services:
        cluster.put(gvks.INFERENCE_SERVICE, service)
    decision = cluster.look(KIND, MODEL, NOW)
    return decision, cluster.objects[MODEL]["status"]


def version(number: int, auc: str | None, **more: Any) -> Any:
    return a_version(f"delay-{number}", auc=auc, finished=f"2026-11-23T07:{number:02d}:00Z", **more)


def truth(status: Any) -> dict[str, str]:
    return {c["type"]: c["status"] for c in status["conditions"]}


def test_an_empty_model_is_settled_so_that_what_fills_it_may_come():
    decision, status = look(a_model())
    assert (decision.outcome, decision.reason) == (Outcome.SETTLED, "NoVersion")
    assert status["versions"] == 0
    assert truth(status) == {"Ready": "True", "VersionAvailable": "False", "Evaluated": "False", "InUse": "False"}


def test_the_latest_is_the_one_whose_run_finished_last_whatever_the_names():
    _, status = look(a_model(), version(1, "0.7"), version(12, "0.6"), version(3, "0.8"))
    assert status["latest"]["name"] == "delay-12"
    assert [past["version"] for past in status["history"]] == ["delay-12", "delay-3", "delay-1"]


def test_the_metric_shown_is_the_champions_whatever_the_latest_reports():
    versions = [ready(version(1, "0.7")), ready(version(2, "0.9")), ready(version(3, None))]
    _, status = look(a_model(objective=AUC), *versions)
    assert (status["champion"]["name"], status["headline"]) == ("delay-2", "auc 0.9000")


def test_without_a_champion_the_metric_shown_is_the_latests():
    _, status = look(a_model(objective=AUC), version(1, "0.7"))
    assert "champion" not in status
    assert status["headline"] == "auc 0.7000"


def test_the_best_is_by_the_objective_and_there_is_none_without_one():
    versions = version(1, "0.7"), version(2, "0.9"), version(3, "0.8")
    assert "best" not in look(a_model(), *versions)[1]
    assert look(a_model(objective=AUC), *versions)[1]["best"] == {"name": "delay-2", "value": "0.9"}
    least = {"metric": "auc", "goal": "Minimize"}
    assert look(a_model(objective=least), *versions)[1]["best"]["name"] == "delay-1"


def test_of_equal_versions_the_earliest_is_the_best():
    _, status = look(a_model(objective=AUC), version(2, "0.9"), version(1, "0.90"))
    assert status["best"]["name"] == "delay-1"


def test_an_objective_that_no_version_reports_is_stalled_and_names_what_is_reported():
    decision, _ = look(a_model(objective={"metric": "acu", "goal": "Maximize"}), version(1, "0.7"))
    assert (decision.outcome, decision.reason) == (Outcome.STALLED, "MetricUnknown")
    assert "they report auc, loss: fix spec.objective.metric" in decision.message


def test_a_latest_version_without_the_metric_is_not_evaluated():
    _, status = look(a_model(objective=AUC), version(1, "0.7"), version(2, None))
    assert truth(status)["Evaluated"] == "False"
    assert status["best"]["name"] == "delay-1"


def test_versions_in_use_are_named_with_their_users():
    used = version(1, "0.7", status={"inUseBy": [{"kind": "TrainingJob", "name": "next"}]})
    _, status = look(a_model(), used)
    assert status["inUse"] == [{"version": "delay-1", "by": "TrainingJob/next"}]
    assert truth(status)["InUse"] == "True"


def test_a_version_that_is_being_deleted_no_longer_counts():
    going = version(2, "0.9")
    going["metadata"]["deletionTimestamp"] = "2026-11-23T08:00:00Z"
    _, status = look(a_model(objective=AUC), version(1, "0.7"), going)
    assert (status["versions"], status["best"]["name"]) == (1, "delay-1")


def test_a_changed_version_wakes_its_model():
    assert list(model_of_version(version(1, None))) == [("ml", "delay")]


def ready(obj: Any) -> Any:
    condition = {"type": "Ready", "status": "True", "reason": "Registered", "observedGeneration": 1}
    return {**obj, "status": {"observedGeneration": 1, "conditions": [condition]}}


def service(name: str, *history: tuple[str, str, str]) -> Any:
    """An InferenceService of the Model; `history`: (minute, event, version), oldest first."""
    lines = [
        {"time": f"2026-11-23T08:{minute}:00Z", "event": event, "version": version, "by": "argocd", "why": "evidence"}
        for minute, event, version in reversed(history)
    ]
    metadata = {"name": name, "namespace": "ml", "generation": 1}
    return {"metadata": metadata, "spec": {"modelRef": {"name": "delay"}}, "status": {"history": lines}}


def test_the_champion_is_the_best_that_is_ready_and_without_an_objective_the_latest():
    versions = ready(version(1, "0.7")), version(2, "0.9"), ready(version(3, "0.6"))
    assert look(a_model(objective=AUC), *versions)[1]["champion"]["name"] == "delay-1"
    assert look(a_model(), *versions)[1]["champion"]["name"] == "delay-3"
    assert "champion" not in look(a_model(objective={**AUC, "metric": "typo"}), *versions)[1]
    assert "champion" not in look(a_model())[1]


def test_history_says_who_did_what_with_a_version_when_and_why():
    first = service("late", ("05", "Deployed", "delay-1"), ("20", "Promoted", "delay-2"))
    second = service("early", ("10", "RolledBack", "delay-2"))
    _, status = look(a_model(), version(1, "0.7"), version(2, "0.8"), services=(first, second))
    told = [(past["event"], past["version"], past.get("service")) for past in status["history"]]
    assert told == [
        ("Promoted", "delay-2", "late"),
        ("RolledBack", "delay-2", "early"),
        ("Deployed", "delay-1", "late"),
        ("Registered", "delay-2", None),
        ("Registered", "delay-1", None),
    ]
    newest = status["history"][0]
    assert (newest["by"], newest["why"], newest["time"]) == ("argocd", "evidence", "2026-11-23T08:20:00Z")


def test_a_service_wakes_its_model():
    assert list(model_of_service(service("late"))) == [("ml", "delay")]
    assert list(model_of_service({"metadata": {"name": "x"}})) == [("", "")]


def test_the_policy_on_deletion(golden: Callable[[str, Any], None]):
    golden("policies.yaml", list(policies()))


METRICS = st.dictionaries(st.sampled_from(["auc", "loss", "x"]), st.decimals(-1000, 1000, places=6).map(str))


@given(st.lists(METRICS, max_size=15), st.sampled_from([None, "auc", "nothing"]))
def test_any_set_of_versions_gives_a_status_that_the_api_server_takes(metrics: list[dict[str, str]], objective: Any):
    spec = {"objective": {"metric": objective, "goal": "Maximize"}} if objective else {}
    versions = [version(number, None) for number in range(len(metrics))]
    for obj, reported in zip(versions, metrics, strict=True):
        obj["spec"]["metrics"] = reported
    _, status = look(a_model(**spec), *versions)
    assert status["versions"] == len(versions)
    assert len(status.get("history", ())) <= MAX_HISTORY
    assert ModelStatus.model_validate(status).to_dict() == status
