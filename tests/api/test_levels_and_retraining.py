"""What a real API server makes of ServiceLevelObjectives and of a Model's own doings: refusals, examples, statuses."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.api.apiserver import REPOSITORY, ApiServer, binaries
from tests.api.cluster import Cluster, Refused
from tests.unit.model.doings import ON_DRIFT, TEMPLATE
from tests.unit.model.doings import Story as ModelStory
from tests.unit.servicelevelobjective.levels import AVAILABLE, FAST, RIGHT
from tests.unit.servicelevelobjective.levels import Story as LevelStory

from gyre.api import gvks
from gyre.api.effects import Gvk, Ref
from gyre.api.schema import crd
from gyre.kinds.model import KIND as MODEL
from gyre.kinds.servicelevelobjective import KIND as LEVEL

pytestmark = [pytest.mark.api, pytest.mark.xdist_group("levels-and-retraining")]

LEVEL_SPEC: dict[str, Any] = {"serviceRef": {"name": "late"}, "objectives": [AVAILABLE]}
AUC = {"metric": "auc", "goal": "Maximize"}
MODEL_SPEC: dict[str, Any] = {"objective": AUC, "retrain": {"template": TEMPLATE}}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    server = ApiServer(tmp_path_factory.mktemp("levels"), binaries())
    server.start()
    try:
        cluster = Cluster(server)
        for kind in (MODEL, LEVEL):
            cluster.create(gvks.CUSTOM_RESOURCE_DEFINITION, crd(kind.model))
        cluster.established([f"{kind.gvk.plural}.gyre.dev" for kind in (MODEL, LEVEL)])
        cluster.namespace("ml")
        yield cluster
    finally:
        server.destroy()


def a(gvk: Gvk, name: str, spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "ml"}
    return {"apiVersion": gvk.api_version, "kind": gvk.kind, "metadata": metadata, "spec": copy.deepcopy(spec)}


def stored(cluster: Cluster, gvk: Gvk, spec: Any, name: str = "it") -> dict[str, Any]:
    """Created, read, deleted."""
    made = cluster.create(gvk, a(gvk, name, spec))
    cluster.delete(Ref(gvk, "ml", name))
    return dict(made)


BAD_LEVELS: dict[str, tuple[dict[str, Any], str, str]] = {
    "nothing promised": ({"objectives": []}, "spec.objectives", "at least 1 item"),
    "a perfect promise": (
        {"objectives": [{**AVAILABLE, "target": "100"}]},
        "spec.objectives[0].target",
        "should match",
    ),
    "a promise of nothing": (
        {"objectives": [{**AVAILABLE, "target": "0"}]},
        "spec.objectives[0].target",
        "should match",
    ),
    "latency without a threshold": (
        {"objectives": [{k: v for k, v in FAST.items() if k != "threshold"}]},
        "spec.objectives[0].threshold",
        "give threshold with type Latency",
    ),
    "availability with a threshold": (
        {"objectives": [{**AVAILABLE, "threshold": "1s"}]},
        "spec.objectives[0].threshold",
        "give threshold with type Latency",
    ),
    "accuracy without labels": (
        {"objectives": [{k: v for k, v in RIGHT.items() if k != "monitorRef"}]},
        "spec.objectives[0].monitorRef",
        "give monitorRef with type Accuracy",
    ),
    "a window too short": ({"window": "1m"}, "spec.window", "must be from 10m to 90d"),
    "two of a name": ({"objectives": [AVAILABLE, AVAILABLE]}, "spec.objectives[1]", "Duplicate value"),
    "an unknown action": ({"onExhausted": "Panic"}, "spec.onExhausted", "Unsupported value"),
}


@pytest.mark.parametrize("what", BAD_LEVELS)
def test_a_bad_level_is_refused_with_the_field_and_the_fix(cluster: Cluster, what: str):
    change, field, words = BAD_LEVELS[what]
    with pytest.raises(Refused) as refused:
        stored(cluster, gvks.SERVICE_LEVEL_OBJECTIVE, {**LEVEL_SPEC, **change})
    assert field in str(refused.value)
    assert words in str(refused.value)


def retrain(**more: Any) -> dict[str, Any]:
    return {"retrain": {"template": TEMPLATE, **more}}


BAD_MODELS: dict[str, tuple[dict[str, Any], str, str]] = {
    "retraining without an objective": ({"objective": None}, "spec.objective", "give spec.objective with spec.retrain"),
    "a trigger of nothing": (retrain(triggers=[{}]), "spec.retrain.triggers[0]", "set exactly one of"),
    "a trigger of two": (
        retrain(triggers=[{"drift": {"monitor": "m"}, "schedule": {"cron": "0 3 * * 1"}}]),
        "spec.retrain.triggers[0]",
        "set exactly one of",
    ),
    "a cron of four fields": (
        retrain(triggers=[{"schedule": {"cron": "0 3 * *"}}]),
        "spec.retrain.triggers[0].schedule.cron",
        "should match",
    ),
    "a zone that is a path": (
        retrain(triggers=[{"schedule": {"cron": "0 3 * * 1", "timeZone": "../etc/passwd"}}]),
        "spec.retrain.triggers[0].schedule.timeZone",
        "should match",
    ),
    "a rule without end": (
        retrain(triggers=[{"rule": {"name": "r", "cel": "true" + " && true" * 100}}]),
        "spec.retrain.triggers[0].rule.cel",
        "Too long",
    ),
    "a window of nobody's time": (
        retrain(window={"last": "90d", "of": "Moon"}),
        "spec.retrain.window.of",
        "Unsupported value",
    ),
    "no template": ({"retrain": {}}, "spec.retrain.template", "Required value"),
    "no cooldown": (retrain(cooldown="0s"), "spec.retrain.cooldown", "must be from 1m to 365d"),
    "worth without a currency": (
        retrain(worthIt={"valuePerPoint": "1"}),
        "spec.retrain.worthIt.currency",
        "Required value",
    ),
    "taken back for nothing": ({"rollback": {"causes": []}}, "spec.rollback.causes", "at least 1 item"),
    "unused for no time": (
        {"retire": {"criteria": [{"type": "Unused"}]}},
        "spec.retire.criteria[0]",
        "give after with Unused",
    ),
}


@pytest.mark.parametrize("what", BAD_MODELS)
def test_a_bad_model_is_refused_with_the_field_and_the_fix(cluster: Cluster, what: str):
    change, field, words = BAD_MODELS[what]
    spec = {key: value for key, value in {**MODEL_SPEC, **change}.items() if value is not None}
    with pytest.raises(Refused) as refused:
        stored(cluster, gvks.MODEL, spec)
    assert field in str(refused.value)
    assert words in str(refused.value)


def test_a_name_whose_jobs_would_be_too_long_is_refused_only_with_retrain(cluster: Cluster):
    with pytest.raises(Refused, match="at most 27 characters"):
        stored(cluster, gvks.MODEL, MODEL_SPEC, "x" * 28)
    assert stored(cluster, gvks.MODEL, {"objective": AUC}, "x" * 28)


def test_the_template_is_kept_as_it_is(cluster: Cluster):
    assert stored(cluster, gvks.MODEL, MODEL_SPEC)["spec"]["retrain"]["template"] == TEMPLATE


@pytest.mark.parametrize("example", ["slo-flights.yaml", "model-retrain-flights.yaml"])
def test_examples_apply_as_they_are(cluster: Cluster, example: str):
    path: Path = REPOSITORY / "examples" / example
    for obj in yaml.safe_load_all(path.read_text()):
        gvk = {kind.gvk.kind: kind.gvk for kind in (MODEL, LEVEL)}[obj["kind"]]
        stored(cluster, gvk, obj["spec"], obj["metadata"]["name"])


def written(cluster: Cluster, gvk: Gvk, spec: Any, status: Any) -> Any:
    name = f"told-{len(str(status))}"
    cluster.create(gvk, a(gvk, name, spec))
    told = {"apiVersion": gvk.api_version, "kind": gvk.kind, "metadata": {"name": name, "namespace": "ml"}}
    ref = Ref(gvk, "ml", name)
    return cluster.apply(ref, {**told, "status": status}, manager="test", subresource="status")["status"]


def test_the_status_of_a_level_is_stored_whole(cluster: Cluster):
    story = LevelStory(AVAILABLE, FAST, RIGHT, onExhausted="Freeze")
    story.slow["10.0.0.1"] = (0, 0, 0)
    story.look()
    story.came(1000, 300)
    story.slow["10.0.0.1"] = (100, 500, 1000)
    story.look()
    assert story.status["exhaustedSince"]
    assert written(cluster, gvks.SERVICE_LEVEL_OBJECTIVE, LEVEL_SPEC, story.status) == story.status


def test_the_status_of_a_model_that_does_things_is_stored_whole(cluster: Cluster):
    worth = {"worthIt": {"valuePerPoint": "100", "currency": "EUR", "expectedCost": "150"}}
    schedule = {"schedule": {"cron": "0 3 * * 1", "timeZone": "Europe/Berlin"}}
    triggers = [*ON_DRIFT["triggers"], schedule]
    story = ModelStory(
        {"triggers": triggers, **worth},
        rollback={"causes": ["ObjectiveExhausted"]},
        retire={"criteria": [{"type": "Unused", "after": "1d"}, {"type": "WorseThan", "value": "0.9"}]},
    )
    story.look()
    story.version(2, "0.75")
    story.service("delay-2", ("Promoted", "delay-2"), ("Deployed", "delay-1"), spent="delay-2")
    story.drift(impact="0.01")
    story.look()
    story.drift(impact="0.05", since="2026-11-24T00:00:00Z")
    story.look()
    story.ends(1)
    story.drift(impact="0.05", since="2026-11-24T01:00:00Z")
    story.look()
    assert story.status["rolledBack"]
    assert story.suppressed
    assert written(cluster, gvks.MODEL, MODEL_SPEC, story.status) == story.status
