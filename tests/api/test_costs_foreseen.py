"""What a job will cost, as the API server says it before it is made; usage and disks, from metrics and claims to the books."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.api.apiserver import until
from tests.api.budgeting import MINE, PRICED, body, refused, says, stamp
from tests.api.cluster import Cluster, Refused
from tests.api.conftest import Replicas

from gyre.api.effects import Ref
from gyre.api.gvks import (
    COST_BUDGET,
    CUSTOM_RESOURCE_DEFINITION,
    NODE,
    PERSISTENT_VOLUME_CLAIM,
    POD,
    POD_METRICS,
    PROVIDER,
)
from gyre.cost.estimate import Basis, Expected, Took
from gyre.cost.estimate import expected as foreseen
from gyre.cost.prices import Resource

PRICES: dict[str, Any] = {"cpu": "2", "memory": "0.5"}
ASKED: dict[str, Any] = {
    "workers": 3,
    "resources": {"cpu": "500m", "memory": "1536Mi"},
    "head": {"cpu": "0.5", "memory": "1Gi"},
}
AMOUNTS = ((Resource.CPU, Decimal("2")), (Resource.MEMORY, Decimal("5.5")))
"""What that comes to: 6.75 EUR an hour."""
HISTORY: dict[str, Any] = {"model": "flights", "runs": 7, "p50": "30m", "p90": "2h"}

# what is known of the job, and how long it allows itself → what is said of its cost, as the operator itself reckons it
FORESEEN: dict[str, tuple[dict[str, Any], dict[str, Any], Took | None, int | None]] = {
    "history": ({"history": [HISTORY]}, {}, Took(7, 1800, 7200), None),
    "a history of days": ({"history": [{**HISTORY, "p50": "1d", "p90": "1d12h"}]}, {}, Took(7, 86_400, 129_600), None),
    "history and a limit": ({"history": [HISTORY]}, {"timeLimit": "1h30m"}, Took(7, 1800, 7200), 5400),
    "a limit of days": ({}, {"timeLimit": "2d"}, None, 172_800),
    "a limit of a year": ({}, {"timeLimit": "365d"}, None, 31_536_000),
    "a limit of days and hours": ({}, {"timeLimit": "1d12h"}, None, 129_600),
    "history of others": ({"history": [{**HISTORY, "model": "taxis"}]}, {}, None, None),
    "nothing": ({}, {}, None, None),
    "a device": ({"history": [HISTORY]}, {"resources": {**ASKED["resources"], "gpu": 1}}, Took(7, 1800, 7200), None),
}


def said_of(found: Expected) -> str:
    """The words of the policy for what the operator expects."""
    if found.basis is Basis.HISTORY:
        return f"; this job: P50 {found.p50:f}, P90 {found.p90:f} ({found.runs} runs of model flights)"
    if found.basis is Basis.LIMIT:
        return f"; this job: at most {found.most:f} (its time limit; {found.why})"
    why = found.why.replace("no Provider that may price it", "no Provider in EUR")
    return f"; nobody can say what this job will cost: {why}"


@pytest.mark.parametrize("known", FORESEEN)
def test_what_the_job_will_cost_is_said_before_it_is_made_as_the_operator_reckons_it(
    cluster: Cluster, namespace: str, budget: Ref, known: str
):
    status, spec, took, limit = FORESEEN[known]
    history = [{"namespace": namespace, **entry} for entry in status.get("history", ())]
    says(cluster, budget, action="None", left="100000.00", amount="200000.00", rates=PRICES, history=history)
    devices = Decimal(3 * spec.get("resources", {}).get("gpu", 0))
    asked = (*AMOUNTS, (Resource.ACCELERATOR, devices))
    rates = {Resource.CPU: Decimal(PRICES["cpu"]), Resource.MEMORY: Decimal(PRICES["memory"])}
    expected = said_of(foreseen(asked, rates, model="flights", took=took, limit=limit))

    def warned() -> str:
        assert refused(cluster, namespace, MINE, **{**ASKED, **spec}) == ""
        return cluster.warned if expected in cluster.warned else ""

    said = until(f"the policy warns of {expected!r}", warned)
    assert "100000.00 of 200000.00 EUR is left" in said
    assert "more than is left" not in said


def test_a_job_that_will_cost_more_than_is_left_is_said_to(cluster: Cluster, namespace: str, budget: Ref):
    ends = stamp(datetime.now(UTC) + timedelta(hours=100))
    says(cluster, budget, action="None", left="600.00", amount="700.00", rates=PRICES)

    def warned() -> str:
        assert refused(cluster, namespace, MINE, **ASKED, finishBy=ends) == ""
        return cluster.warned if "more than is left" in cluster.warned else ""

    said = until("the policy warns", warned)
    assert "; this job: at most 67" in said  # 6.75 EUR an hour for not quite 100 hours
    assert "(its time limit; fewer than 3 runs of model flights have succeeded), more than is left" in said


METRICS_API: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {
        "name": "pods.metrics.k8s.io",
        "annotations": {"api-approved.kubernetes.io": "unapproved, plays metrics-server in a test"},
    },
    "spec": {
        "group": POD_METRICS.group,
        "scope": "Namespaced",
        "names": {"kind": POD_METRICS.kind, "plural": POD_METRICS.plural, "singular": "podmetrics"},
        "versions": [
            {
                "name": POD_METRICS.version,
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}
"""The same path, verbs and shape as metrics-server's, so that the operator asks for it under its own role."""


def test_from_metrics_and_a_claim_to_usage_and_disks_in_the_books(cluster: Cluster, namespace: str, replicas: Replicas):
    """A pod that has run an hour, of which metrics.k8s.io tells that it uses half; a disk; what both come to."""
    replicas.one()
    node, name = f"node-{namespace}", f"usage-{namespace}"
    cluster.create(
        NODE, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": node, "labels": {"pool": namespace}}}
    )
    disks = {"resource": "Storage", "amount": "730000"}
    prices = {**PRICED, "prices": [*PRICED["prices"], disks], "nodeSelector": {"pool": namespace}}
    cluster.create(PROVIDER, body(PROVIDER, name, prices))
    cluster.create(CUSTOM_RESOURCE_DEFINITION, METRICS_API)
    budget = Ref(COST_BUDGET, "", name)
    money = {"amount": "100000", "currency": "EUR", "period": "Once", "interval": "30s"}
    cluster.create(COST_BUDGET, body(COST_BUDGET, name, {**money, "scope": {"namespaces": [namespace]}}))
    labels = {"app.kubernetes.io/managed-by": "gyre", "gyre.dev/trainingjob": "flights"}
    container = {"name": "x", "image": "x", "resources": {"requests": {"cpu": "1"}}}
    cluster.request("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "default"}})
    pod = {"nodeName": node, "containers": [container], "automountServiceAccountToken": False}
    metadata = {"name": "p", "namespace": namespace, "labels": labels}
    cluster.create(POD, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod})
    now = datetime.now(UTC).replace(microsecond=0)
    told = {"metadata": metadata, "timestamp": stamp(now), "containers": [{"name": "x", "usage": {"cpu": "500m"}}]}

    def tells() -> Any:
        try:
            return cluster.create(POD_METRICS, {"apiVersion": POD_METRICS.api_version, "kind": "PodMetrics", **told})
        except Refused:  # a kind is served a moment after its definition
            return None

    until("the API of metrics is served", tells)
    running = {"name": "x", "image": "x", "imageID": "", "ready": True, "restartCount": 0}
    running["state"] = {"running": {"startedAt": stamp(now - timedelta(hours=1))}}
    status = {"phase": "Running", "containerStatuses": [running]}
    cluster.patch(Ref(POD, namespace, "p"), {"status": status}, subresource="status")
    disk = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    claim = Ref(PERSISTENT_VOLUME_CLAIM, namespace, "data")
    on_account = {"name": "data", "namespace": namespace, "labels": {"gyre.dev/team": "a"}}
    cluster.create(
        PERSISTENT_VOLUME_CLAIM,
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": on_account, "spec": disk},
    )
    cluster.patch(claim, {"status": {"phase": "Bound"}}, subresource="status")
    try:
        seen = cluster.wait(
            budget, "knows the usage", lambda obj: "usage" in obj["status"] and len(obj["status"]["owners"]) == 2
        )
        assert seen["status"]["usage"]["efficiency"] == 50
        assert 20 <= seen["status"]["usage"]["sampled"] <= 25, "a look stands for a quarter of an hour"
        rows = {row["kind"]: row for row in seen["status"]["owners"]}
        assert rows["TrainingJob"]["usage"] == "0.19"  # half a core for a quarter of an hour at 1.50
        assert Decimal(rows["PersistentVolumeClaim"]["cost"]) > 0
        assert "usage" not in rows["PersistentVolumeClaim"]
    finally:
        cluster.patch(claim, {"metadata": {"finalizers": None}})  # nobody else does: there is no controller here
        for ref in (budget, Ref(PROVIDER, "", name), Ref(NODE, "", node), claim):
            cluster.delete(ref)
        cluster.delete(Ref(CUSTOM_RESOURCE_DEFINITION, "", METRICS_API["metadata"]["name"]))
        cluster.delete(Ref(POD, namespace, "p"), gracePeriodSeconds=0)
