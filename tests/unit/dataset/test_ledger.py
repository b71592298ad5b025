"""The ledger and the reports that go into it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.dataset.worlds import NOW, digest

from gyre.adapters.lastwords import Trouble
from gyre.kinds.dataset.ledger import KEPT, KEY, Ledger, UnreadableLedger, from_data, to_data
from gyre.kinds.dataset.report import Report, read


def found(number: int, **more: object) -> Report:
    return Report(digest=f"sha256:{number:064x}", **more)


def test_a_ledger_comes_back_as_it_was_written():
    ledger = Ledger().with_scan("t", found(1, rows=3, schema={"a": "int64"}), NOW).with_failure("t", "Empty", "x", NOW)
    assert from_data(to_data(ledger)) == ledger
    assert from_data(to_data(Ledger())) == Ledger()


def test_a_full_ledger_forgets_the_oldest_digest_but_never_a_number():
    ledger = Ledger()
    for number in range(KEPT + 3):
        ledger = ledger.with_scan("t", found(number), NOW)
    assert len(ledger.entries) == KEPT
    assert ledger.entries[0].version == 4
    assert ledger.current
    assert ledger.current.version == KEPT + 3
    assert len(to_data(ledger)[KEY]) < 200_000


def test_failures_count_up_under_one_trigger_and_start_again_under_another():
    ledger = Ledger().with_failure("a", "Empty", "", NOW).with_failure("a", "Empty", "", NOW)
    assert ledger.failure
    assert ledger.failure.count == 2
    again = ledger.with_failure("b", "Empty", "", NOW)
    assert again.failure
    assert again.failure.count == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format": 2}',
        '{"format": 1, "entries": 3}',
        '{"format": 1, "runs": -1}',
        '{"format": 1, "scan_time": "soon"}',
        json.dumps({"format": 1, "entries": [{"version": 1, "digest": "md5:0", "time": "2026-01-01T00:00:00Z"}]}),
        json.dumps(
            {"format": 1, "entries": [{"version": 2, "digest": digest("a"), "time": "2026-01-01T00:00:00Z"}] * 2}
        ),
    ],
)
def test_what_is_no_ledger_is_never_taken_for_an_empty_one(text: str):
    with pytest.raises(UnreadableLedger):
        from_data({KEY: text})


def test_fields_of_a_newer_operator_are_ignored():
    assert from_data({KEY: '{"format": 1, "runs": 2, "colour": "blue"}'}) == Ledger(runs=2)


@given(st.text(max_size=300))
def test_any_termination_message_is_a_report_or_a_trouble(text: str):
    assert isinstance(read(text), Report | Trouble)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["version", "digest", "rows", "error", "schema", "class", "message"]), inner, max_size=5
            )
        ),
        max_leaves=12,
    )
)
def test_any_json_is_a_report_or_a_trouble(content: object):
    assert isinstance(read(json.dumps(content)), Report | Trouble)


def test_an_unknown_class_of_error_counts_as_internal():
    message = {"version": 1, "error": {"class": "Cosmic", "message": "rays"}}
    assert read(json.dumps(message)) == Trouble("Internal", "rays")


def test_the_report_of_the_run_contract_is_read():
    message = {
        "version": 1,
        "digest": digest("c"),
        "files": 5,
        "bytes": 1,
        "rows": 136000,
        "schema": {"distance": "int64"},
        "manifest": digest("d"),
    }
    assert read(json.dumps(message)) == Report(digest("c"), 5, 136000, 1, {"distance": "int64"})


def test_the_checked_in_example_of_the_run_contract_is_read():
    """The workloads hold themselves to the same file."""
    example = json.loads((Path(__file__).parents[3] / "docs" / "run-contract.example.json").read_text())
    messages = example["termination log"]
    for message in messages.values() if "version" not in messages else [messages]:
        read_back = read(json.dumps(message))
        if "error" in message:
            assert read_back == Trouble(message["error"]["class"], message["error"]["message"])
        else:
            assert isinstance(read_back, Report)
            assert (read_back.digest, read_back.rows) == (message["digest"], message["rows"])
