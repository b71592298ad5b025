"""`gyre rollout` against a real API server, by somebody who may read the service and its ledger and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.api.cluster import Cluster
from tests.api.commands import Gyre, command, reader
from tests.api.conftest import Replicas
from tests.unit.inferenceservice.worlds import GIS, LEDGER
from tests.unit.rollout.test_rollout_reading import rolled_back

from gyre.api import gvks
from gyre.api.effects import Ref


@pytest.fixture
def gyre(cluster: Cluster, namespace: str, replicas: Replicas, tmp_path: Path) -> Gyre:
    """The command in a namespace with a rollout that failed; the operator is down."""
    replicas.none()
    story = rolled_back()
    service, ledger = story.cluster.objects[GIS], story.cluster.objects[LEDGER]
    cluster.create(
        gvks.INFERENCE_SERVICE,
        {
            "apiVersion": gvks.INFERENCE_SERVICE.api_version,
            "kind": gvks.INFERENCE_SERVICE.kind,
            "metadata": {"name": GIS.name, "namespace": namespace},
            "spec": service["spec"],
        },
    )
    metadata = {"name": LEDGER.name, "namespace": namespace}
    cluster.create(
        gvks.CONFIG_MAP, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": ledger["data"]}
    )
    # One service and one ConfigMap, and nothing else.
    rules = [
        {"apiGroups": [ref.gvk.group], "resources": [ref.gvk.plural], "resourceNames": [ref.name], "verbs": ["get"]}
        for ref in (GIS, LEDGER)
    ]
    kubeconfig = reader(cluster, namespace, rules)
    return command(kubeconfig, namespace, tmp_path, "rollout", columns=120)


def test_a_reader_sees_what_became_of_the_rollout_while_the_operator_is_down(gyre: Gyre):
    answer = gyre("status", "gis/late")
    assert answer.returncode == 0, answer.stderr
    assert "delays-a" in answer.stdout
    assert "quarantined" in answer.stdout
    assert "RolledBack" in answer.stdout


def test_a_reader_draws_the_evidence(gyre: Gyre, tmp_path: Path):
    answer = gyre("plot", "gis/late", "-o", "evidence.png")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.strip() == "evidence.png"
    assert (tmp_path / "evidence.png").read_bytes().startswith(b"\x89PNG")


def test_what_is_not_there_is_one_line_and_not_a_traceback(gyre: Gyre, cluster: Cluster, namespace: str):
    forbidden = gyre("status", "gis/other")
    assert forbidden.returncode == 1
    assert "cannot get resource" in forbidden.stderr
    assert "Traceback" not in forbidden.stderr
    cluster.delete(Ref(gvks.CONFIG_MAP, namespace, LEDGER.name))
    nothing = gyre("plot", "gis/late")
    assert nothing.returncode == 1
    assert "no evidence to draw" in nothing.stderr
