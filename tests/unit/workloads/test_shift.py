"""Trained before a shift and after it, over a moving window: who is the champion then, by the operator's own ranking.

The fit here is plain numpy, a logistic regression in the shape of the loop's network, so that it needs neither Ray nor torch;
rows, windows, encoder, artifact, champion, ModelVersion and ranking are the real ones. `test_training.py` has the loop itself.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests import make
from tests.unit.trainingjob.bench import Bench
from tests.unit.workloads.shifting import digest_of, run, write_months

from gyre.adapters.ranking import turns
from gyre.adapters.versions import ModelVersionView
from gyre.api import gvks
from gyre.api.objective import Goal
from gyre_train import against, artifact
from gyre_train.checkpoint import write_manifest
from gyre_train.graph import graph
from gyre_train.options import parse
from gyre_train.record import Record
from gyre_train.score import of_binary
from gyre_train.split import features_of, tables, truth_of
from gyre_train.table import encode, learn_encoder

NINETY_DAYS = str(90 * 86400)


def fitted(numbers: np.ndarray, truth: np.ndarray) -> dict[str, np.ndarray]:
    """Logistic regression by gradient descent, as the weights of a network without hidden layers."""
    wide = np.c_[numbers, np.ones(len(numbers))].astype(np.float64)
    weights = np.zeros(wide.shape[1])
    for _ in range(300):
        weights -= wide.T @ (1 / (1 + np.exp(-wide @ weights)) - truth) / len(truth)
    return {"head.0.weight": weights[None, :-1].astype(np.float32), "head.0.bias": weights[-1:].astype(np.float32)}


def probability(weights: dict[str, np.ndarray], numbers: np.ndarray) -> np.ndarray:
    logits = numbers @ weights["head.0.weight"].T + weights["head.0.bias"]
    result: np.ndarray = 1 / (1 + np.exp(-logits[:, 0]))
    return result


def train(data: Path, place: Path, beside: Any = None) -> tuple[Any, Any]:
    """(progress.json's evaluation, its artifact) of a run over the last 90 days of the data."""
    spec = run(data, place, champion=beside, windowLast=NINETY_DAYS)
    tabular = parse(spec)
    rows, held, split = tables(spec, tabular)
    encoder = learn_encoder(rows, features_of(rows, tabular))
    weights = fitted(encode(encoder, rows)[0], truth_of(rows, tabular))
    truth = truth_of(held, tabular)
    record = Record(spec, {}, 0)
    mine = of_binary(truth, probability(weights, encode(encoder, held)[0]))
    record.evaluated(mine, None, held.num_rows, split, against.measured(spec, held, truth, tabular))
    place.mkdir()
    (place / "model.onnx").write_bytes(graph(weights, encoder))
    description = {"version": 1, "flavour": "onnx", "loop": "gyre_train.tabular", "encoder": encoder.as_json()}
    description |= {"target": {"column": tabular.target, "above": tabular.above}, "network": {"hidden": []}}
    (place / artifact.DESCRIPTION).write_text(json.dumps(description))
    write_manifest(place, 1)
    told = {**make.artifact(), "digest": digest_of(place), "flavour": "onnx", "uri": f"pvc://runs/{place.name}"}
    return record.progress(1)["evaluation"], told


def registered(evaluation: Any, told: Any, *versions: make.Object) -> tuple[make.Object, Any]:
    """(the ModelVersion that the operator makes of it, what run.json told the program of the champion)."""
    bench = Bench(make.training_job(), make.dataset(), make.claim(), make.node(), make.model(), *versions).started()
    handed = json.loads(bench.run_map()["data"]["run.json"])["champion"]
    bench.says("Succeeded", step=5000, artifact=told, evaluation=evaluation)
    bench.ray_job(jobStatus="SUCCEEDED", jobDeploymentStatus="Complete")
    bench.settle()
    known = {version["metadata"]["name"] for version in versions}
    (made,) = (obj for obj in bench.all(gvks.MODEL_VERSION) if obj["metadata"]["name"] not in known)
    ready = {"type": "Ready", "status": "True", "observedGeneration": 1}
    made["metadata"] |= {"generation": 1, "creationTimestamp": "2026-11-23T08:00:00Z"}
    return {**made, "status": {"observedGeneration": 1, "conditions": [ready]}}, handed


def later(version: make.Object) -> make.Object:
    version["spec"]["lineage"]["run"]["finished"] = "2026-11-24T08:00:00Z"
    return version


@pytest.fixture
def life(tmp_path: Path):
    """(the version of January to June, that of the 90 days up to September, trained beside the first)."""
    data = tmp_path / "data"
    write_months(data, range(1, 7))
    before, _ = registered(*train(data, tmp_path / "before"))
    write_months(data, range(7, 10))
    reach = Bench(make.training_job(), make.dataset(), make.claim(), make.node(), make.model(), before)
    reach.settle()
    handed = json.loads(reach.run_map()["data"]["run.json"])["champion"]
    assert handed["digest"] == before["spec"]["artifact"]["digest"]
    beside = {**handed, "path": str(tmp_path / "before")}  # the pods mount it at handed["path"]
    after, _ = registered(*train(data, tmp_path / "after", beside), before)
    return before, later(after)


def figures(version: make.Object) -> tuple[float, float]:
    """(its auc, that of the champion on the same rows)."""
    evaluation = version["spec"]["evaluation"]
    return float(evaluation["metrics"]["auc"]), float(evaluation["champion"]["metrics"]["auc"])


def test_after_a_shift_the_better_version_is_champion_though_its_own_figure_is_lower(life):
    before, after = life
    (mine, its), once = figures(after), float(before["spec"]["evaluation"]["metrics"]["auc"])
    assert its < mine < once, "it is better than the old one now, and worse than the old one was"
    met = list(turns(map(ModelVersionView.of, life), "auc", Goal.MAXIMIZE))
    assert [turn.leads for turn in met] == [True, True]
    assert met[1].why.endswith(f"of {before['metadata']['name']} on the same rows")
    assert "since 2013-09-0" in after["spec"]["evaluation"]["split"]


def test_without_the_same_rows_the_better_version_would_be_outranked(life):
    before, after = life
    del after["spec"]["evaluation"]["champion"]
    met = list(turns(map(ModelVersionView.of, (before, after)), "auc", Goal.MAXIMIZE))
    assert [turn.leads for turn in met] == [True, False]


def test_a_version_that_is_worse_on_the_newest_rows_is_never_champion(tmp_path: Path):
    """Trained on the months before the shift, held against a champion that knows what came after it."""
    data = tmp_path / "data"
    write_months(data, range(1, 10))
    good, _ = registered(*train(data, tmp_path / "good"))
    beside = {"version": good["metadata"]["name"], "digest": good["spec"]["artifact"]["digest"]}
    beside |= {"flavour": "onnx", "path": str(tmp_path / "good"), "s3": None}
    stale = tmp_path / "stale"
    write_months(stale, range(4, 8))  # the newest quarter is July: after the shift, what is trained on is before it
    evaluation, told = train(stale, tmp_path / "bad", beside)
    assert evaluation["metrics"]["auc"] < evaluation["champion"]["metrics"]["auc"]
    bad, _ = registered(evaluation, told, good)
    met = list(turns(map(ModelVersionView.of, (good, later(bad))), "auc", Goal.MAXIMIZE))
    assert [turn.leads for turn in met] == [True, False]
