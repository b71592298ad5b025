"""What a person at a terminal and a GitOps tool see: kubectl itself, on the operator's own objects."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.api.actors import Team
from tests.api.apiserver import REPOSITORY, ApiServer
from tests.api.cluster import Cluster, Refused
from tests.api.running import Operator

KUBECTL = Path(sys.executable).parent / "kubectl"
EXAMPLES = sorted((REPOSITORY / "examples").rglob("*.yaml"))


@pytest.fixture(scope="session")
def kubectl(server: ApiServer, cluster: Cluster) -> Any:
    del cluster  # gyre is installed
    kubeconfig = server.kubeconfig("admin", "admin")
    env = {**os.environ, "HOME": str(server.folder), "KUBECONFIG": str(kubeconfig)}

    def run(*arguments: str, stdin: str | None = None) -> str:
        ran = subprocess.run(
            [str(KUBECTL), *arguments], env=env, input=stdin, capture_output=True, text=True, timeout=120
        )
        assert ran.returncode == 0, ran.stderr
        assert "could also match" not in ran.stderr, "a short name of ours belongs to somebody else"
        return ran.stdout

    return run


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_applies_as_it_is(kubectl: Any, namespace: str, example: Path):
    kubectl("apply", "--server-side", "--dry-run=server", "-n", namespace, "-f", str(example))


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("tj", "A TrainingJob trains once, to the end, through any number of attempts."),
        ("tj.spec.checkpoint", "When a checkpoint is written"),
        ("tj.spec.checkpoint.keep", "How many are kept"),
        ("tj.spec.failurePolicy.rules.class", "The class."),
        ("dset.spec.source", "Where the data lie"),
        ("mv.spec.artifact.digest", "Merkle root"),
    ],
)
def test_explain_describes_a_field(kubectl: Any, path: str, words: str):
    assert words in kubectl("explain", path)


def test_the_columns_answer_the_first_question(kubectl: Any, cluster: Cluster, team: Team, operator: Operator):
    team.dataset()
    team.claim("runs")
    team.training_job("flights")
    team.run_succeeds("flights")
    kubectl("wait", "--for=condition=Succeeded", "tj/flights", "-n", team.namespace, "--timeout=60s")
    header, row = kubectl("get", "tj", "-n", team.namespace).splitlines()
    assert header.split() == ["NAME", "READY", "REASON", "WORKERS", "STEP", "CKPT-AGE", "GOODPUT", "ATTEMPT", "AGE"]
    assert row.split()[:5] == ["flights", "True", "Succeeded", "2", "5000"]
    everything = kubectl("get", "gyre", "-n", team.namespace)
    assert all(f"{kind}.gyre.dev/" in everything for kind in ("dataset", "trainingjob", "model", "modelversion"))
    kubectl("wait", "--for=condition=Ready", "dset/flights", "mdl/flights", "-n", team.namespace, "--timeout=60s")


def test_applying_the_same_manifest_again_changes_nothing(
    kubectl: Any, cluster: Cluster, team: Team, operator: Operator
):
    """As Argo CD and Flux do it all day long."""
    team.dataset()
    team.claim("runs")
    manifest = yaml.safe_dump(_manifest(team))
    apply = ("apply", "--server-side", "--field-manager=argocd", "-n", team.namespace, "-f", "-")
    kubectl(*apply, stdin=manifest)
    team.run_succeeds("flights")
    kubectl("wait", "--for=condition=Succeeded", "tj/flights", "-n", team.namespace, "--timeout=60s")
    before = cluster.get(team.job("flights"))
    kubectl(*apply, stdin=manifest)
    assert cluster.get(team.job("flights")) == before


def test_a_user_who_edits_a_status_is_undone(cluster: Cluster, team: Team, operator: Operator):
    team.training_job("flights")  # waits for its Dataset
    seen = cluster.wait(team.job("flights"), "waits", lambda obj: obj["status"].get("conditions"))
    cluster.patch(team.job("flights"), {"status": {"conditions": [], "observedGeneration": 0}}, subresource="status")
    cluster.wait(team.job("flights"), "says it again", lambda obj: _untimed(obj["status"]) == _untimed(seen["status"]))


def test_a_job_may_be_deleted_while_nothing_uses_it(cluster: Cluster, team: Team, operator: Operator):
    team.training_job("flights")
    cluster.delete(team.job("flights"))
    cluster.wait_gone(team.job("flights"))
    with pytest.raises(Refused):
        cluster.delete(team.job("flights"))


def _untimed(status: dict[str, Any]) -> dict[str, Any]:
    """Since when a condition holds was erased with it: it may be a second later now."""
    conditions = [{**entry, "lastTransitionTime": ""} for entry in status["conditions"]]
    return {**status, "conditions": conditions}


def _manifest(team: Team) -> dict[str, Any]:
    from tests import make

    made = make.training_job()
    made["metadata"] = {"name": "flights", "namespace": team.namespace}
    return made
