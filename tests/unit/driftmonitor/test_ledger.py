"""The ledger as text, the reports that go into it, and what is not one."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.driftmonitor.worlds import a_report

from gyre.adapters.lastwords import Trouble
from gyre.kinds.driftmonitor.ledger import KEPT, KEY, Ledger, UnreadableLedger, from_data, to_data
from gyre.kinds.driftmonitor.report import CLASSES, Report, read
from gyre_drift import faults

START = datetime(2026, 11, 23, tzinfo=UTC)
HOUR = timedelta(hours=1)


def report(drifted: bool | None = False, **more: Any) -> Report:
    found = read(json.dumps(a_report(drifted, **more)))
    assert isinstance(found, Report)
    return found


def filled(windows: int) -> Ledger:
    ledger = Ledger()
    for at in range(windows):
        begin = START + at * HOUR
        bug = {"reason": "UnitChange", "feature": "f" * 200, "message": "m" * 900}
        ledger = ledger.with_job("t", begin, 0).with_report("t", begin, begin + HOUR, report(True, dataBug=bug))
    return ledger


def test_a_ledger_is_text_and_back():
    ledger = filled(3).with_failure("t", START, "Unreadable", "why", START)
    assert from_data(to_data(ledger)) == ledger
    assert from_data(to_data(Ledger())) == Ledger()


def test_a_ledger_of_years_is_bounded_far_below_a_megabyte():
    ledger = filled(3 * KEPT)
    assert (len(ledger.entries), ledger.seen) == (KEPT, 3 * KEPT)
    assert len(to_data(ledger)[KEY]) < 300_000


def test_what_is_false_or_nought_is_kept():
    found = from_data(to_data(Ledger().with_report("t", START, START + HOUR, report(False)))).newest
    assert found is not None
    assert found.found.drifted is False


@pytest.mark.parametrize(
    "text", ["", "x", "[]", "{}", '{"format": 2}', '{"format": 1, "runs": -1}', '{"format": 1, "done": "yesterday"}']
)
def test_what_is_no_ledger_is_refused(text: str):
    with pytest.raises(UnreadableLedger):
        from_data({KEY: text})


def test_windows_out_of_order_are_refused():
    ledger = filled(2)
    with pytest.raises(UnreadableLedger, match="not in order"):
        from_data(to_data(replace(ledger, entries=ledger.entries[::-1])))


def test_the_classes_of_trouble_are_those_of_the_program():
    assert set(faults.CLASSES) == CLASSES


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(
    message=st.fixed_dictionaries(
        {"version": st.just(1), "state": st.sampled_from(["Judged", "NoTraffic"])},
        optional=dict.fromkeys(
            ("window", "drifted", "worst", "dataBug", "impact", "labels", "quality", "report", "error"), JSON
        ),
    )
)
def test_whatever_a_job_says_is_a_report_or_a_trouble_and_fits_the_ledger(message: dict[str, Any]):
    found = read(json.dumps(message))
    if isinstance(found, Trouble):
        assert found.cause in CLASSES
        failed = Ledger().with_failure("t", START, found.cause, found.message, START)
        assert from_data(to_data(failed)) == failed
    else:
        ledger = Ledger().with_report("t", START, START + HOUR, found)
        assert from_data(to_data(ledger)) == ledger


@given(text=st.text(max_size=200))
def test_any_text_at_all_is_quoted(text: str):
    assert isinstance(read(text), Trouble)


# ── labels ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def told(at: int, seen: int, wrong: int, book: str = "b1", before: Ledger | None = None) -> Ledger:
    labels = {"rows": 1, "errors": 0, "book": book, "seen": seen, "wrong": wrong}
    begin = START + at * HOUR
    return (before or Ledger()).with_report("t", begin, begin + HOUR, report(labels=labels))


def test_sums_that_are_told_again_add_nothing():
    ledger = told(0, 100, 10)
    assert ledger.labelled == (100, 10)
    assert told(0, 100, 10, before=ledger).labelled == (100, 10)
    assert told(1, 150, 12, before=ledger).labelled == (150, 12)


def test_a_window_whose_report_was_lost_is_in_what_the_next_one_tells():
    ledger = told(0, 100, 10).without_window(START + 2 * HOUR)
    assert told(2, 300, 30, before=ledger).labelled == (300, 30)


def test_another_book_is_added_and_the_old_one_may_come_back():
    ledger = told(1, 40, 4, "b2", told(0, 100, 10))
    assert ledger.labelled == (140, 14)
    assert told(2, 110, 10, "b1", ledger).labelled == (150, 14)


def test_a_report_without_counts_leaves_what_is_known():
    before = told(0, 100, 10)
    assert before.with_report("t", START + HOUR, START + 2 * HOUR, report()).labelled == (100, 10)
    assert Ledger().with_report("t", START, START + HOUR, report()).labelled is None


@pytest.mark.parametrize(
    "labels",
    [{"seen": 1, "wrong": 0}, {"book": "b"}, {"book": "b", "seen": 1}, {"book": "b", "seen": 1, "wrong": 2}, {}, []],
)
def test_counts_that_are_not_whole_are_none(labels: Any):
    assert report(labels=labels).counted is None


@given(
    reports=st.lists(
        st.tuples(st.sampled_from([f"b{n}" for n in range(12)]), st.integers(0, 50), st.integers(0, 50)), max_size=30
    )
)
def test_counts_only_grow_whatever_is_told_and_are_text_and_back(reports: list[tuple[str, int, int]]):
    ledger, last = Ledger(), (0, 0)
    for at, (book, seen, wrong) in enumerate(reports):
        ledger = told(at, seen, min(seen, wrong), book, ledger)
        assert ledger.labelled is not None
        assert last[0] <= ledger.labelled[0]
        assert last[1] <= ledger.labelled[1] <= ledger.labelled[0]
        last = ledger.labelled
        assert from_data(to_data(ledger)) == ledger
