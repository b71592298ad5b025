"""A span of the log as the reference of a DriftMonitor: what is in it, which answers are compared, when it is another one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.unit.workloads.flights_log import FEATURES, HOUR, START, Log, month, plan, run

Job = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "log")


@pytest.fixture
def job(log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    """`job(3, reference, **plan)`: judge the hour 3."""

    def judged(at: int, reference: Any, **more: Any) -> tuple[int, dict[str, Any]]:
        return run(plan(log, reference, at, **more), tmp_path, monkeypatch)

    return judged


def span(first: int, last: int) -> dict[str, Any]:
    return {"window": {"from": (START + first * HOUR).isoformat(), "to": (START + last * HOUR).isoformat()}}


def test_a_span_of_the_log_is_a_reference_and_its_answers_are_judged_too(log: Log, job: Job):
    log.hour(0, month(1)[:6_000], probability=np.random.default_rng(1).beta(2, 6, 6_000))
    log.hour(1, month(1)[6_000:8_000], probability=np.random.default_rng(2).beta(2, 6, 2_000))
    log.hour(2, month(1)[8_000:10_000], probability=np.random.default_rng(3).beta(3, 5, 2_000))
    assert job(1, span(0, 1))[1]["drifted"] is False
    _, told = job(2, span(0, 1))
    assert told["drifted"] is True
    assert told["worst"][0]["feature"] == "prediction"


def test_a_reference_of_this_hour_stays_the_same_while_the_hour_goes_on(log: Log, job: Job):
    quarter = {"window": {"from": START.isoformat(), "to": (START + HOUR / 4).isoformat()}}
    log.hour(0, month(1)[:12_000])
    log.hour(1, month(1)[12_000:14_000])
    job(1, quarter)
    later = log.hour(0, month(1)[14_000:16_000], seed=1, minutes=(20, 60))
    assert len(later) == 2_000
    job(1, quarter)
    assert len(list(log.kept.glob("reference-*.json"))) == 1
    log.hour(0, month(1)[16_000:17_000], seed=2, minutes=(0, 10))
    job(1, quarter)
    assert len(list(log.kept.glob("reference-*.json"))) == 2


def test_the_answers_of_another_version_are_not_compared(log: Log, job: Job):
    log.hour(0, month(1)[:6_000], probability=np.random.default_rng(1).beta(2, 6, 6_000))
    log.hour(1, month(1)[6_000:8_000], version="v2", probability=np.random.default_rng(3).beta(3, 5, 2_000))
    assert job(1, span(0, 1))[1]["drifted"] is False
    (evidence,) = (json.loads(file.read_text()) for file in (log.kept / "windows").iterdir())
    assert evidence["unjudged"] == ["prediction"]


def test_a_reference_without_traffic_is_too_small(log: Log, job: Job):
    log.hour(9, month(1)[:500])
    assert job(9, span(0, 1), features=FEATURES)[1]["error"]["class"] == "ReferenceTooSmall"
