"""The ready-made loop itself, trained before a shift and after it; left out where torch is not, which the workload image has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.unit.workloads.shifting import TABULAR, digest_of, run, write_months

torch = pytest.importorskip("torch")


def train(data: Path, storage: Path, uid: str, *, champion: Any = None, **parameters: str) -> tuple[Any, Path, str]:
    """(progress.json's evaluation, artifact, its digest), by the loop's own steps and the driver's own end of a run."""
    from gyre_train.checkpoint import write_manifest
    from gyre_train.evaluate import finish
    from gyre_train.loop import STATE
    from gyre_train.options import parse
    from gyre_train.record import Record
    from gyre_train.split import features_of, tables, truth_of
    from gyre_train.table import learn_encoder
    from gyre_train.tabular import encoded, fit, lengths, network, optimizer_of

    spec = run(data, storage, uid=uid, champion=champion, **parameters)
    tabular = parse(spec)
    table, _, _ = tables(spec, tabular)
    encoder = learn_encoder(table, features_of(table, tabular))
    rows, model = encoded(table, encoder, truth_of(table, tabular)), network(encoder, tabular)
    _, total = lengths(len(rows), tabular)
    fit(model, optimizer_of(model, tabular), rows, tabular, range(total), lambda **metrics: None)
    checkpoint = storage / uid / "checkpoint_1"
    checkpoint.mkdir(parents=True)
    torch.save({"model": model.state_dict()}, checkpoint / STATE)
    write_manifest(checkpoint, total)
    record = Record(spec, {}, 0)
    finish(spec, "checkpoint_1", record)
    told, place = record.progress(1), storage / uid / "artifact"
    assert told["artifact"]["digest"] == digest_of(place)
    return told["evaluation"], place, told["artifact"]["digest"]


@pytest.mark.parametrize("flavour", ["torch", "onnx"])
def test_trained_twice_with_a_shift_between_the_better_version_reports_less_and_beats_the_champion(
    tmp_path: Path, flavour: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TABULAR, "flavour", flavour)
    data, storage = tmp_path / "data", tmp_path / "runs"
    write_months(data, range(1, 7))
    before, place, digest = train(data, storage, "u1", windowLast=str(90 * 86400))
    assert before["champion"] is None
    write_months(data, range(7, 10))
    champion = {"version": "delay-1", "digest": digest, "flavour": flavour, "path": str(place), "s3": None}
    after, _, _ = train(data, storage, "u2", champion=champion, windowLast=str(90 * 86400))
    mine, its, once = after["metrics"]["auc"], after["champion"]["metrics"]["auc"], before["metrics"]["auc"]
    assert its < 0.5 < mine < once


def test_a_champion_measured_on_its_own_rows_has_its_own_figures(tmp_path: Path) -> None:
    data, storage = tmp_path / "data", tmp_path / "runs"
    write_months(data, range(1, 4))
    before, place, digest = train(data, storage, "u1")
    champion = {"version": "delay-1", "digest": digest, "path": str(place)}
    again, _, same = train(data, storage, "u2", champion=champion)
    assert same == digest
    assert again["champion"]["metrics"] == pytest.approx(again["metrics"], abs=1e-6)
    assert again["metrics"] == before["metrics"]


def test_a_champion_that_is_gone_fails_nothing(tmp_path: Path) -> None:
    data, storage = tmp_path / "data", tmp_path / "runs"
    write_months(data, range(1, 4))
    champion = {"version": "delay-1", "digest": "sha256:" + "0" * 64, "path": str(tmp_path / "gone")}
    told, _, _ = train(data, storage, "u1", champion=champion)
    assert "it is gone" in told["champion"]["problem"]
    assert told["metrics"]["auc"] > 0.8
