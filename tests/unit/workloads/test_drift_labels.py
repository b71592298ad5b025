"""Labels as docs/drift-contract.md has them: each counted once, in whichever window it comes, whatever is killed in between."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.workloads.flights_log import FEATURES, HOUR, START, Log, dataset, month, plan, run

from gyre_drift import labels
from gyre_drift.plan import Place, Span
from gyre_drift.store import Store

Counts = tuple[int, int]
Job = Callable[..., dict[str, Any]]


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "log")


@pytest.fixture
def job(log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    """What the Job of a window tells of labels."""
    january = dataset(tmp_path / "reference", month(1))

    def judged(at: int, reference: Any = None, **more: Any) -> dict[str, Any]:
        code, told = run(plan(log, reference or january, at, features=FEATURES, **more), tmp_path, monkeypatch)
        assert code == 0, told
        return dict(told["labels"])

    return judged


def answered(log: Log, at: int, rows: int = 200, *, right: int = 150) -> list[str]:
    """Predictions of the hour; the truth will show `right` of them to be right."""
    p = np.full(rows, 0.9)
    ids = log.hour(at, month(1)[:rows], probability=p)
    log.labels |= {one: 1.0 if n < right else 0.0 for n, one in enumerate(ids)}
    return ids


def counts(told: dict[str, Any]) -> Counts:
    return told["seen"], told["wrong"]


def test_labels_that_come_in_time_are_counted_with_those_that_were_wrong(log: Log, job: Job):
    log.label(0, answered(log, 0))
    told = job(0)
    assert (told["rows"], told["errors"]) == (200, 50)
    assert counts(told) == (200, 50)


def test_before_any_label_nothing_was_wrong_and_nothing_right(log: Log, job: Job):
    """Told from the first window on, so that an objective counts from nought."""
    answered(log, 0)
    assert counts(job(0)) == (0, 0)


def test_a_label_that_is_known_later_is_counted_when_it_is_known(log: Log, job: Job):
    ids = answered(log, 0)
    assert counts(job(0)) == (0, 0)
    log.label(3, ids)
    assert [counts(job(at)) for at in (1, 2, 3, 4)] == [(0, 0), (0, 0), (200, 50), (200, 50)]


def test_a_label_that_came_after_its_window_was_judged_is_counted_by_the_next(log: Log, job: Job):
    """Its time is of the hour 0; it reached the log when that was behind us."""
    ids = answered(log, 0)
    log.label(0, ids[:100])
    assert counts(job(0)) == (100, 0)
    log.label(0, ids[100:])
    told = job(1)
    assert (told["rows"], told["errors"]) == (100, 50)
    assert counts(told) == (200, 50)
    assert counts(job(2)) == (200, 50)


def test_late_labels_count_for_impact_and_quality_too(log: Log, job: Job):
    ids = answered(log, 0, 2_000, right=1_500)
    job(0)
    log.label(0, ids)
    job(1, metric="accuracy", baseline={"accuracy": 0.9})
    evidence = json.loads(sorted((log.kept / "windows").iterdir())[-1].read_text())
    assert evidence["labels"]["late"] == 2_000
    assert evidence["impact"]["basis"] == "Labels"
    assert evidence["impact"]["now"] == pytest.approx(0.75)
    assert (evidence["past"]["labels"], evidence["past"]["errors"]) == (2_000, 500)


def test_labels_of_a_window_that_was_skipped_are_counted_by_the_next(log: Log, job: Job):
    ids = answered(log, 0)
    job(0)
    log.label(1, ids[:100])
    log.label(2, ids[100:])
    assert counts(job(2)) == (200, 50)


def test_a_window_that_is_judged_again_counts_the_same_and_what_came_meanwhile(log: Log, job: Job):
    ids = answered(log, 0)
    log.label(0, ids[:100])
    assert counts(job(0)) == counts(job(0)) == (100, 0)
    assert counts(job(0, minEffect="0.1")) == (100, 0)
    log.label(0, ids[100:])
    assert counts(job(0)) == (200, 50)
    assert counts(job(1)) == (200, 50)


def test_windows_of_another_width_count_nothing_again(log: Log, job: Job):
    for at in range(3):
        log.label(at, answered(log, at))
        job(at)
    wide = {"window": {"from": START.isoformat(), "to": (START + 3 * HOUR).isoformat()}}
    assert counts(job(0, **wide)) == (600, 150)
    assert counts(job(2)) == (600, 150)
    log.label(3, answered(log, 3))
    assert counts(job(3)) == (800, 200)


def test_another_reference_counts_nothing_again(log: Log, job: Job, tmp_path: Path):
    log.label(0, answered(log, 0))
    job(0)
    log.label(1, answered(log, 1))
    other = dataset(tmp_path / "other", month(2))
    assert counts(job(1, reference=other)) == (400, 100)


def test_a_label_that_is_sent_again_or_corrected_later_is_not_counted_again(log: Log, job: Job):
    ids = answered(log, 0)
    log.label(0, ids)
    job(0)
    log.label(1, ids)
    log.label(2, ids, wrong=True)
    assert [counts(job(at)) for at in (1, 2)] == [(200, 50), (200, 50)]


def test_a_correction_in_the_same_window_counts_as_corrected(log: Log, job: Job):
    ids = answered(log, 0)
    log.label(0, ids, wrong=True)
    log.label(0.5, ids)
    assert counts(job(0)) == (200, 50)


def test_a_label_from_before_the_monitor_is_not_its_business(log: Log, job: Job):
    ids = answered(log, 0)
    log.label(0, ids)
    log.label(1, ids[:50])
    assert counts(job(1)) == (50, 0)
    assert counts(job(2)) == (50, 0)


def test_answers_that_are_no_probabilities_are_never_counted(log: Log, job: Job):
    ids = log.hour(0, month(1)[:200], probability=np.linspace(0, 40, 200))
    log.labels |= dict.fromkeys(ids, 7.5)
    log.label(0, ids)
    told = job(0)
    assert told == {"rows": 200}


def test_labels_whose_prediction_nobody_knows_are_told_and_not_counted(log: Log, job: Job):
    ids = answered(log, 0)
    strangers = [f"x{n}-0" for n in range(7)]
    log.labels |= dict.fromkeys(strangers, 1.0)
    log.label(0, [*ids, *strangers])
    assert counts(job(0)) == (200, 50)
    (file,) = (log.kept / "windows").iterdir()
    assert json.loads(file.read_text())["labels"]["unknown"] == 7


def test_killed_between_evidence_and_book_it_counts_once(log: Log, job: Job):
    log.label(0, answered(log, 0))
    first = job(0)
    (log.kept / "labels.json").unlink()
    assert job(0) == first
    assert counts(job(1)) == (200, 50)


def test_killed_between_book_and_evidence_it_counts_once(log: Log, job: Job):
    log.label(0, answered(log, 0))
    first = job(0)
    shutil.rmtree(log.kept / "windows")
    assert job(0) == first


@pytest.mark.parametrize("text", ["", "{}", '{"format": 2}', "not JSON"])
def test_a_book_that_cannot_be_read_is_no_empty_one(log: Log, job: Job, text: str):
    log.label(0, answered(log, 0))
    job(0)
    (log.kept / "labels.json").write_text(text)
    with pytest.raises(AssertionError, match="restore it, or delete it to count labels from now on only"):
        job(0)


def test_what_lies_beside_a_log_that_has_moved_is_another_book(log: Log, job: Job):
    log.label(0, answered(log, 0))
    first = job(0)
    shutil.rmtree(log.kept)
    log.label(1, answered(log, 1))
    second = job(1)
    assert first["book"] != second["book"]
    assert counts(second) == (200, 50), "and what came before it began is not its business"


# ── any order of labels, parts and windows ───────────────────────────────────────────────────────────────────────────

EPISODES = st.lists(
    st.one_of(
        st.tuples(st.just("part"), st.lists(st.tuples(st.integers(0, 29), st.integers(0, 330)), max_size=6)),
        st.tuples(st.just("judge"), st.integers(1, 3)),
        st.tuples(st.just("again"), st.just(0)),
    ),
    max_size=25,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(episodes=EPISODES)
def test_whatever_comes_when_each_prediction_is_counted_once(
    episodes: list[Any], tmp_path_factory: pytest.TempPathFactory
):
    """Windows of 20 minutes; labels of any minute come in any order, also of times that are over; windows are skipped."""
    log = Log(tmp_path_factory.mktemp("walk"))
    step = timedelta(minutes=20)
    ids = [f"r{n}-0" for n in range(30)]
    columns = {"id": ids, "prediction": [0.9] * 30, "code": pa.array([200] * 30, pa.int32())}
    times = pa.array([START] * 30, pa.timestamp("us", tz="UTC"))
    log.write(f"version=v1/hour={START:%Y%m%dT%H}", pa.table({**columns, "time": times}))
    service = Store.open(Place(str(log.root), "pvc://x"))
    place = service.below("drift/watch")
    at, judged, book, came = 0, None, labels.Book(), dict[str, list[int]]()

    def judge(window: Span) -> None:
        nonlocal book
        names = [name for name in service.names(".parquet") if not name.startswith("drift/")]
        scope = labels.scope(book, window, names)
        found = labels.labelled(service, names, window, scope)
        wrong = int((found.label < 0.5).sum())
        book = book.with_page(labels.Page(window, scope.fresh, found.rows, wrong))
        place.write_json(labels.FILE, book.to_json())
        assert labels.Book.of(place) == book

    for what, value in episodes:
        if what == "part" and value:
            minutes = [START + timedelta(minutes=minute) for _, minute in value]
            for hour in {f"{when:%Y%m%dT%H}" for when in minutes}:
                rows = [
                    (ids[n], when) for (n, _), when in zip(value, minutes, strict=True) if f"{when:%Y%m%dT%H}" == hour
                ]
                for one, when in rows:
                    came.setdefault(one, []).append((when - START) // timedelta(minutes=1))
                kinds = pa.timestamp("us", tz="UTC")
                table = {"id": [r[0] for r in rows], "label": [1.0] * len(rows)}
                log.write(f"labels/hour={hour}", pa.table({**table, "time": pa.array([r[1] for r in rows], kinds)}))
        elif what == "judge":
            at += value
            judged = Span(START + (at - 1) * step, START + at * step)
            judge(judged)
        elif what == "again" and judged:
            judge(judged)
    if judged is None or book.since is None:
        return
    judge(Span(judged.end, judged.end + step))  # what came since is counted now
    first, last = (book.since - START) // timedelta(minutes=1), (at + 1) * 20
    due = {one for one, minutes in came.items() if any(first <= minute < last for minute in minutes)}
    assert book.told(place)["seen"] == len(due)
    assert sum(page.rows for page in book.pages) == len(due)
