"""A script of the user's finds the champion's files and tells what both are worth on the same rows."""

from __future__ import annotations

import pytest
from tests.unit.workloads.shifting import EXAMPLE_RUN

import gyre_train
from gyre_train import session
from gyre_train.contract import RunSpec
from gyre_train.record import Record

KNOWN = {"version": "delay-1", "digest": "sha256:1", "flavour": "sklearn", "path": "/gyre/champion/a", "s3": None}


@pytest.fixture
def in_a_run(monkeypatch):
    def begin(champion):
        raw = {**EXAMPLE_RUN, "entrypoint": {"script": {"path": "/x"}}, "storage": {"path": "/s"}, "champion": champion}
        monkeypatch.setattr(session.Session, "spec", RunSpec.parse(raw))
        monkeypatch.setattr(session.Session, "evaluation", None)

    return begin


def test_both_figures_travel_with_the_champions_name(in_a_run):
    in_a_run(KNOWN)
    assert gyre_train.champion()[1] == "/gyre/champion/a"
    gyre_train.evaluated({"auc": 0.68}, rows=10, champion={"auc": 0.64})
    record = Record(session.spec(), {}, 0)
    record.evaluated(*session.Session.evaluation)
    told = record.progress(1)["evaluation"]
    assert told["champion"] == {"version": "delay-1", "digest": "sha256:1", "metrics": {"auc": 0.64}}


def test_without_a_champion_nothing_is_said_of_one(in_a_run):
    in_a_run(None)
    assert gyre_train.champion() is None
    gyre_train.evaluated({"auc": 0.68}, champion={"auc": 0.64})
    record = Record(session.spec(), {}, 0)
    record.evaluated(*session.Session.evaluation)
    assert record.progress(1)["evaluation"]["champion"] is None
