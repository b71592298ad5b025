"""`gyre why`, `gyre lineage` and `gyre bom` against a real API server, by somebody who may read and nothing else; the operator is
down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.api.cluster import Cluster
from tests.api.commands import Gyre, command, reader
from tests.api.conftest import Replicas
from tests.unit.inferenceservice.worlds import GIS, LEDGER
from tests.unit.rollout.test_rollout_reading import rolled_back
from tests.unit.why.worlds import VERSION, trained

from gyre.api import gvks
from gyre.api.effects import Gvk, Ref

MAY_READ = (
    gvks.INFERENCE_SERVICE,
    gvks.MODEL,
    gvks.MODEL_VERSION,
    gvks.TRAINING_JOB,
    gvks.DATASET,
    gvks.CONFIG_MAP,
)


def stored(cluster: Cluster, namespace: str, gvk: Gvk, obj: Any) -> None:
    """As a user or the operator would have written it, in this namespace; the server gives it a UID of its own."""
    metadata = {"name": obj["metadata"]["name"], "namespace": namespace, "labels": obj["metadata"].get("labels") or {}}
    kept = {key: obj[key] for key in ("spec", "data") if key in obj}
    cluster.create(gvk, {"apiVersion": gvk.api_version, "kind": gvk.kind, "metadata": metadata, **kept})


@pytest.fixture
def gyre(cluster: Cluster, namespace: str, replicas: Replicas, tmp_path: Path) -> Gyre:
    """The command in a namespace with a rollout that failed, and a version with its origin."""
    replicas.none()
    story, origin = rolled_back(), trained()
    stored(cluster, namespace, gvks.INFERENCE_SERVICE, story.cluster.objects[GIS])
    stored(cluster, namespace, gvks.CONFIG_MAP, story.cluster.objects[LEDGER])
    for gvk in (gvks.MODEL, gvks.MODEL_VERSION, gvks.DATASET, gvks.CONFIG_MAP):
        for obj in origin.all(gvk):
            stored(cluster, namespace, gvk, obj)
    stored(cluster, namespace, gvks.MODEL_VERSION, story.cluster.objects[Ref(gvks.MODEL_VERSION, "ml", "delays-a")])
    for gvk in MAY_READ:  # the storage of a new CRD answers 429 to its first lists; this asks until it does not
        cluster.list(gvk, namespace)
    # Get and list of what `gyre why` follows, and nothing else.
    rules = [{"apiGroups": [gvk.group], "resources": [gvk.plural], "verbs": ["get", "list"]} for gvk in MAY_READ]
    kubeconfig = reader(cluster, namespace, rules)
    return command(kubeconfig, namespace, tmp_path, columns=160)


def test_a_reader_learns_why_a_version_serves_and_the_verdict_computes_again(gyre: Gyre):
    answer = gyre("why", "gis/late", "--json", "--verify")
    assert answer.returncode == 0, answer.stderr
    said = json.loads(answer.stdout)
    assert said["serving"]["version"] == "delays-a"
    assert (said["decision"]["verdict"], said["decision"]["version"]) == ("RolledBack", "delays-b")
    assert said["version"]["artifact"]["digest"] == "sha256:" + "a" * 64
    checks = {check["what"].split(" at ")[0]: check["outcome"] for check in said["checks"]}
    assert checks["RolledBack delays-b"] == "recomputed equal"
    assert checks["files of delays-a"] == "recomputed equal"
    budgets = said["around"]["budgets"]["unknown"]
    assert "costbudgets" in budgets or "not installed" in budgets, "a gap is said with what closes it"


def test_evidence_that_somebody_edited_is_exit_status_1(gyre: Gyre, cluster: Cluster, namespace: str):
    ref = Ref(gvks.CONFIG_MAP, namespace, LEDGER.name)
    live = cluster.get(ref)
    assert live is not None
    rulings = json.loads(live["data"]["rulings.json"])
    rulings[0]["rollout"]["candidate_counts"]["errors"] = 0
    cluster.patch(ref, {"data": {"rulings.json": json.dumps(rulings)}})
    answer = gyre("why", "gis/late", "--verify")
    assert answer.returncode == 1
    assert "differs" in answer.stdout
    assert "Traceback" not in answer.stderr


def test_at_a_time_the_version_of_then_is_told(gyre: Gyre):
    before = gyre("why", "gis/late", "--at", "2026-11-23T07:00:00Z")
    assert before.returncode == 0, before.stderr
    assert "no version had taken the traffic yet" in before.stdout
    then = gyre("why", "gis/late", "--at", "2026-11-23T08:00:30Z", "--json")
    assert json.loads(then.stdout)["serving"]["candidate"]["version"] == "delays-b"


def test_what_is_not_there_is_one_line_and_not_a_traceback(gyre: Gyre):
    missing = gyre("why", "gis/other")
    assert missing.returncode == 1
    assert "does not exist" in missing.stderr
    assert "Traceback" not in missing.stderr


def test_a_bill_of_materials_and_lineage_come_out_the_same_each_time(gyre: Gyre, tmp_path: Path):
    first, again = gyre("bom", f"mv/{VERSION.name}"), gyre("bom", f"mv/{VERSION.name}")
    assert first.returncode == 0, first.stderr
    assert first.stdout == again.stdout
    assert json.loads(first.stdout)["metadata"]["component"]["hashes"] == [{"alg": "SHA-256", "content": "f" * 64}]
    for name in ("one.jsonl", "two.jsonl"):
        assert gyre("lineage", "export", "--file", name).returncode == 0
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "two.jsonl").read_bytes()
    jobs = {json.loads(line)["job"]["name"] for line in (tmp_path / "one.jsonl").read_text().splitlines()}
    assert jobs == {"InferenceService/late", "Dataset/flights"}
