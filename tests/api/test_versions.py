"""The CRDs change while the operator runs: an object it cannot read is said to be so, and harms nobody else."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from tests import make
from tests.api.actors import Team
from tests.api.apiserver import until
from tests.api.cluster import CRD, Cluster, Refused, condition, holds
from tests.api.install import apply, gyre
from tests.api.running import Operator

from gyre.api import gvks
from gyre.api.effects import Ref

JOBS = Ref(CRD, "", "trainingjobs.gyre.dev")


@pytest.fixture
def lax(cluster: Cluster) -> Any:
    """A CRD of another version of gyre: anything goes. Ours again afterwards."""
    ours = next(m for m in gyre() if m["metadata"]["name"] == JOBS.name)
    theirs: dict[str, Any] = copy.deepcopy(ours)
    schema = theirs["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["properties"] = {
        "spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "status": schema["properties"]["status"],
    }
    schema.pop("x-kubernetes-validations", None)
    apply(cluster, theirs)
    yield
    apply(cluster, ours)


def test_an_unreadable_object_is_named_and_the_others_go_on(
    cluster: Cluster, team: Team, operator: Operator, lax: None
):
    strange = {
        "apiVersion": "gyre.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": "strange", "namespace": team.namespace},
        "spec": {"workers": "as many as it takes", "novelty": True},
    }

    def taken() -> bool:
        """The API server uses a new schema a moment after it was written."""
        try:
            cluster.create(gvks.TRAINING_JOB, strange)
        except Refused:
            return False
        return True

    until("the other schema is in force", taken)

    def told() -> list[Any]:
        events = cluster.list(gvks.EVENT, team.namespace)
        return [e for e in events if e["reason"] == "Unreadable" and e["involvedObject"]["name"] == "strange"]

    until("an Event names it", told)
    assert "install the CRDs of this operator's version" in told()[0]["message"]
    team.claim("runs")
    team.dataset()
    cluster.create(
        gvks.TRAINING_JOB, {**make.training_job(), "metadata": {"name": "fine", "namespace": team.namespace}}
    )
    team.run_succeeds("fine")
    cluster.wait(team.job("fine"), "succeeded", holds("Succeeded"))
    assert operator.running
    cluster.delete(team.job("strange"))


def test_a_changed_crd_is_taken_up_without_a_restart(cluster: Cluster, team: Team, operator: Operator):
    newer = copy.deepcopy(next(m for m in gyre() if m["metadata"]["name"] == JOBS.name))
    spec = newer["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    spec["novelty"] = {"type": "string", "maxLength": 10}
    apply(cluster, newer)
    team.training_job("flights")
    job = cluster.wait(team.job("flights"), "is looked at", lambda obj: condition(obj, "Ready"))
    assert job["status"]["observedGeneration"] == 1
    assert operator.running
    apply(cluster, next(m for m in gyre() if m["metadata"]["name"] == JOBS.name))
