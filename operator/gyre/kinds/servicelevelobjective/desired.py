"""The children of a ServiceLevelObjective as plain objects: its ledger, and the alerts for Prometheus. Pure.

The alerts say the same as the operator's own evaluation, for those who want to be called by Alertmanager: the same counters, the
same windows, the same rates, the same minimum of events. Nothing is decided by them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gyre.adapters.gateway import cluster_prefix
from gyre.adapters.kept import config_map, guarded
from gyre.api import gvks
from gyre.api.effects import Effect, Manifest
from gyre.api.kind import MANAGED_BY
from gyre.kinds.servicelevelobjective import ledger as memory
from gyre.kinds.servicelevelobjective.ledger import Ledger
from gyre.kinds.servicelevelobjective.model import Kind, Objective, ServiceLevelObjective
from gyre.stats import burn

SCRAPED = 60.0
"""Seconds: no window of an alert is shorter, or it would hold less than two scrapes."""


def ledger_name(slo: str) -> str:
    return f"{slo}-budget"


def ledger_write(slo: ServiceLevelObjective, ledger: Ledger, seen: str | None) -> Effect:
    return guarded(config_map(_metadata(slo, ledger_name(slo.name)), memory.to_data(ledger)), seen)


def prometheus_rule(slo: ServiceLevelObjective, edges: Mapping[str, float]) -> Manifest:
    """Alerts for what Prometheus scrapes of the gateway, so not for accuracy. `edges`: where slow begins, by objective."""
    counted = [each for each in slo.spec.objectives if each.type is not Kind.ACCURACY]
    groups = [
        {"name": f"{slo.namespace}-{slo.name}-{each.name}", "rules": _alerts(slo, each, edges)} for each in counted
    ]
    return {
        "apiVersion": gvks.PROMETHEUS_RULE.api_version,
        "kind": gvks.PROMETHEUS_RULE.kind,
        "metadata": _metadata(slo, f"{slo.name}-slo"),
        "spec": {"groups": groups},
    }


def _alerts(slo: ServiceLevelObjective, objective: Objective, edges: Mapping[str, float]) -> list[dict[str, Any]]:
    found = []
    for page in (True, False):
        rules = [rule for rule in burn.scaled(slo.spec.window.total_seconds(), SCRAPED) if rule.page is page]
        names = {"namespace": slo.namespace, "slo": slo.name, "objective": objective.name}
        service = slo.spec.service_ref.name
        found.append(
            {
                "alert": "GyreBudgetBurnsFast" if page else "GyreBudgetBurns",
                "expr": "\nor\n".join(_burns(slo, objective, rule, edges) for rule in rules),
                "labels": {**names, "service": service, "severity": "page" if page else "ticket"},
                "annotations": {
                    "summary": f"{service}: the budget of {objective.name} {objective.target}% burns too fast",
                    "description": f"kubectl -n {slo.namespace} get slo {slo.name} -o wide",
                },
            }
        )
    return found


def _burns(slo: ServiceLevelObjective, objective: Objective, rule: burn.Rule, edges: Mapping[str, float]) -> str:
    limit = f"{rule.rate * (1 - float(objective.target) / 100):.6g}"
    long, short = _promql(rule.long), _promql(rule.short)
    bad, events = _queries(slo, objective, edges)
    shares = " and ".join(f"{bad(window)} / {events(window)} > {limit}" for window in (long, short))
    return f"({shares} and {events(long)} * {round(rule.long)} > {slo.spec.min_events})"


def _queries(slo: ServiceLevelObjective, objective: Objective, edges: Mapping[str, float]) -> tuple[Any, Any]:
    """(bad events a second, all events a second), each over a window."""
    route = f'envoy_cluster_name=~"{cluster_prefix(slo.namespace, slo.spec.service_ref.name)}.*"'

    def total(metric: str, more: str = "") -> Any:
        return lambda window: f"sum(rate({metric}{{{route}{more}}}[{window}]))"

    if objective.type is Kind.AVAILABILITY:
        name = "envoy_cluster_upstream_rq_xx"
        return total(name, ',envoy_response_code_class="5"'), total(name)
    threshold = objective.threshold.total_seconds() if objective.threshold else 0.0
    timed = total("envoy_cluster_upstream_rq_time_count")
    fast = total("envoy_cluster_upstream_rq_time_bucket", f',le="{edges.get(objective.name, threshold) * 1000:g}"')
    return lambda window: f"({timed(window)} - {fast(window)})", timed


def _promql(seconds: float) -> str:
    return f"{round(seconds)}s"


def _metadata(slo: ServiceLevelObjective, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "namespace": slo.namespace,
        "labels": {MANAGED_BY: "gyre", "gyre.dev/slo": slo.name},
        "ownerReferences": [slo.owner_reference()],
    }
