"""Dashboards and alerts ask for what the code really exports, and whoever is woken finds a page that says what to do."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import promql_parser
import pytest
import yaml
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

import gyre.engine.metrics  # noqa: F401 - it registers what the operator exports
from gyre.adapters import exposition
from gyre.api.chart import templates
from gyre.api.outcomes import MEANINGS
from gyre.kinds import KINDS
from gyre.kinds.inferenceservice.reasons import Reason
from gyre_serve.metrics import Metrics

REPOSITORY = Path(__file__).parents[3]
CHART = REPOSITORY / "charts/gyre"
RUNBOOKS = REPOSITORY / "docs/runbooks"
DASHBOARDS = sorted((CHART / "dashboards").glob("*.json"))
RULES: Any = yaml.safe_load((CHART / "rules/gyre.yaml").read_text())
ALERTS = [rule for group in RULES["groups"] for rule in group["rules"]]

COMING = {"DriftMonitor", "ServiceLevelObjective", "CostBudget", "Provider"}
"""Kinds that dashboards name before their folder is here. Of those that are here the conditions are checked as well."""
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


# ── what is exported ─────────────────────────────────────────────────────────────────────────────────────────────────


@cache
def exported() -> dict[str, frozenset[str]]:
    """Series by name, with their labels: of the operator's registry, of a predictor that has answered, and of the gateway as the
    judge reads it."""
    return {**of_operator(), **of_predictor(), **of_gateway()}


def of_operator() -> dict[str, frozenset[str]]:
    found = {}
    for collector in list(REGISTRY._collector_to_names):
        labels = frozenset(getattr(collector, "_labelnames", ()))
        for family in collector.describe() if hasattr(collector, "describe") else ():
            for suffix in SUFFIXES.get(family.type, ()):
                found[family.name + suffix] = labels | ({"le"} if suffix == "_bucket" else set())
    return found


def of_predictor() -> dict[str, frozenset[str]]:
    registry = CollectorRegistry()
    Metrics(registry, "late", "late-1").answered(200, 0.01)
    return of_text(generate_latest(registry).decode())


def of_text(text: str) -> dict[str, frozenset[str]]:
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {sample.name: frozenset(sample.labels) for sample in samples}


def of_gateway() -> dict[str, frozenset[str]]:
    """The names and labels that `adapters/exposition.py` compares Envoy's lines with."""
    tree = ast.parse(Path(exposition.__file__).read_text())
    words = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    names = {word for word in words if re.fullmatch(r"envoy_cluster_upstream_\w+", word)}
    labels = frozenset(word for word in words if re.fullmatch(r"envoy_(cluster_name|response_code_class)", word)) | {
        "le"
    }
    return dict.fromkeys(names, labels)


# ── what is asked for ────────────────────────────────────────────────────────────────────────────────────────────────


def board(path: Path) -> Any:
    return json.loads(path.read_text())


def asked() -> Iterator[tuple[str, str]]:
    """(where, expression) of every panel, every variable and every alert."""
    for path in DASHBOARDS:
        for panel in board(path)["panels"]:
            for target in panel["targets"]:
                yield f"{path.name}: {panel['title']}", target["expr"]
        for variable in board(path)["templating"]["list"]:
            if variable["type"] == "query":
                found = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"]["query"])
                assert found, variable
                yield f"{path.name}: ${variable['name']}", f"count by ({found[2]}) ({found[1]})"
    for alert in ALERTS:
        yield alert["alert"], alert["expr"]


ASKED = list(asked())


def nodes(expression: Any) -> Iterator[Any]:
    yield expression
    for name in ("expr", "lhs", "rhs", "vector_selector", "param", "vs"):
        child = getattr(expression, name, None)
        if child is not None:
            yield from nodes(child)
    for child in getattr(expression, "args", None) or ():
        yield from nodes(child)


def selectors(expression: str) -> list[Any]:
    tree = promql_parser.parse(expression)
    return [node for node in nodes(tree) if isinstance(node, promql_parser.VectorSelector)]


def matchers(selector: Any) -> dict[str, str]:
    return {m.name: m.value for m in selector.matchers.matchers if m.name != "__name__"}


@pytest.mark.parametrize(("where", "expression"), ASKED, ids=[where for where, _ in ASKED])
def test_every_series_that_is_asked_for_is_one_that_the_code_exports(where: str, expression: str):
    found = selectors(expression)
    assert found, f"{where} asks for nothing"
    for selector in found:
        assert selector.name in exported(), f"{where}: nobody exports {selector.name}"
        unknown = matchers(selector).keys() - exported()[selector.name]
        assert not unknown, f"{where}: {selector.name} has no label {unknown}"


@pytest.mark.parametrize(("where", "expression"), ASKED, ids=[where for where, _ in ASKED])
def test_what_is_grouped_by_is_a_label_of_what_is_asked_for(where: str, expression: str):
    for node in nodes(promql_parser.parse(expression)):
        labels = set(node.modifier.labels) if isinstance(node, promql_parser.AggregateExpr) and node.modifier else set()
        inside = [n for n in nodes(node) if isinstance(n, promql_parser.VectorSelector)]
        for selector in inside:
            assert labels <= exported()[selector.name], f"{where}: {labels} of {selector.name}"


@pytest.mark.parametrize(("where", "expression"), ASKED, ids=[where for where, _ in ASKED])
def test_conditions_that_are_asked_for_are_ones_that_the_kind_reports(where: str, expression: str):
    kinds = {kind.gvk.kind: {row.type for row in kind.conditions} | set(MEANINGS) for kind in KINDS}
    for selector in selectors(expression):
        wanted = matchers(selector)
        named = wanted.get("kind", "")
        for name in named.split("|") if named else ():
            assert name in kinds or name in COMING, f"{where}: there is no kind {name}"
            if selector.name == "gyre_conditions" and name in kinds and wanted.get("type"):
                assert wanted["type"] in kinds[name], f"{where}: {name} has no condition {wanted['type']}"
        if named == "InferenceService" and "reason" in wanted:
            assert wanted["reason"] in {reason.value for reason in Reason}


def test_a_series_that_nobody_exports_would_be_noticed():
    expression = 'max(sum(rate(gyre_made_up_total{kind="x"}[5m])) / (2 * made_up)) or absent(up)'
    found = {selector.name for selector in selectors(expression)}
    assert found == {"gyre_made_up_total", "made_up", "up"}
    assert not found & exported().keys()
    assert {"gyre_conditions", "gyre_inference_seconds_bucket", "envoy_cluster_upstream_rq_xx"} <= exported().keys()


# ── alerts and their pages ───────────────────────────────────────────────────────────────────────────────────────────


def test_every_alert_has_its_page_and_every_page_its_alert():
    assert sorted(alert["alert"] for alert in ALERTS) == sorted(path.stem for path in RUNBOOKS.glob("*.md"))
    for alert in ALERTS:
        assert alert["annotations"]["runbook_url"] == f"docs/runbooks/{alert['alert']}.md"


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_says_how_bad_it_is_and_since_when(alert: Any):
    assert alert["labels"]["severity"] in ("critical", "warning")
    assert re.fullmatch(r"\d+m", alert["for"])
    assert {"summary", "description", "runbook_url"} == alert["annotations"].keys()
    told = set(re.findall(r"\$labels\.(\w+)", alert["annotations"]["summary"]))
    kept = {label for node in nodes(promql_parser.parse(alert["expr"])) for label in by(node)}
    assert told <= kept, "a label that the expression drops is empty in the message"


def by(node: Any) -> set[str]:
    return set(node.modifier.labels) if isinstance(node, promql_parser.AggregateExpr) and node.modifier else set()


@pytest.mark.parametrize("path", sorted(RUNBOOKS.glob("*.md")), ids=lambda path: path.stem)
def test_a_page_says_what_it_means_where_to_look_and_what_to_do(path: Path):
    text = path.read_text()
    assert re.match(rf"# {path.stem}\n\n.{{40,}}\n\n## Look\n\n.+## Do\n\n\* .+", text, re.DOTALL)


# ── the chart ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_can_be_imported_anywhere_and_its_panels_do_not_overlap(path: Path):
    found = board(path)
    assert found["uid"] == f"gyre-{path.stem}"
    assert found["templating"]["list"][0]["type"] == "datasource"
    taken: set[tuple[int, int]] = set()
    for number, panel in enumerate(found["panels"], start=1):
        assert panel["id"] == number
        assert panel["datasource"]["uid"] == "${datasource}"
        assert panel["description"], panel["title"]
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert max(x for x, _ in cells) < 24
        assert not cells & taken, panel["title"]
        taken |= cells


def test_the_values_of_the_chart_fit_their_schema_and_nothing_is_on_that_needs_other_crds():
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = json.loads((CHART / "values.schema.json").read_text())
    jsonschema.validate(values, schema)
    assert values["monitoring"]["rules"]["enabled"] is False
    values["monitoring"]["rules"]["runbooks"] = "https://wiki.example.org/runbooks"
    with pytest.raises(jsonschema.ValidationError, match="does not match"):
        jsonschema.validate(values, schema)


def test_the_template_hands_out_every_file_and_only_when_it_is_asked_to():
    text = templates(KINDS)["monitoring.yaml"]
    assert text.startswith("{{- if .Values.monitoring.rules.enabled }}")
    assert "{{- if .Values.monitoring.dashboards.enabled }}" in text
    assert text.count("{{- if") + text.count("{{- range") + text.count("{{- with") == text.count("{{- end }}")
    for name in re.findall(r'\.Files\.Get "([^"]+)"', text):
        assert (CHART / name).is_file(), name
    assert DASHBOARDS
