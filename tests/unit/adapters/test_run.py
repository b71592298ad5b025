"""The run contract, the operator's side: read with suspicion, held to the checked-in example."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests import make
from tests.unit.trainingjob.bench import Bench

from gyre.adapters import run
from gyre.kinds.trainingjob import desired
from gyre.kinds.trainingjob.ledger import Notice
from gyre.kinds.trainingjob.policy import C

EXAMPLE = json.loads((Path(__file__).parents[3] / "docs/run-contract.example.json").read_text())

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def test_the_example_is_read_whole() -> None:
    found = run.parse(json.dumps(EXAMPLE["progress.json"]))
    assert found is not None
    assert (found.attempt, found.state, found.step, found.total_steps) == (2, "Running", 1900, 3312)
    assert found.head_uid == EXAMPLE["progress.json"]["head"]["uid"]
    assert found.checkpoint is not None
    assert (found.checkpoint.step, found.checkpoint.verified, found.checkpoint.blocked_seconds) == (1702, True, 0.021)
    assert found.restore is not None
    assert found.restore.ok is True
    assert (found.restarts[0].from_step, found.restarts[0].to_step, found.restarts[0].seconds_lost) == (
        1420,
        1240,
        13.2,
    )
    assert found.started is not None
    assert found.heartbeat is not None
    assert sum(found.ledger.values()) == (found.heartbeat - found.started).total_seconds() * 1000


def shape(value: Any) -> Any:
    """Keys and types, so that two texts of one contract can be compared."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def test_what_we_tell_the_driver_has_the_shape_of_the_example() -> None:
    bench = Bench()
    bench.settle()
    told = json.loads(bench.run_map()["data"]["run.json"])
    example = EXAMPLE["run.json"]
    assert set(told) == set(example)
    for key in ("workers", "storage", "checkpoint"):
        assert shape(told[key]) == shape(example[key]), key
    assert set(told["datasets"][0]) == set(example["datasets"][0])
    assert set(told["entrypoint"]["tabular"]) <= set(example["entrypoint"]["tabular"]) | {"train", "holdout"}
    assert isinstance(told["entrypoint"]["tabular"]["learningRate"], float)
    assert isinstance(told["entrypoint"]["tabular"]["target"]["above"], float)


def test_what_we_command_has_the_shape_of_the_example() -> None:
    bench = Bench()
    bench.settle()
    assert bench.seen is not None
    ledger = bench.seen.ledger
    assert ledger is not None
    notice = Notice("drain-1", ("w",), C.EVICTED, "taint", make.at(60))
    told = desired.command_json(replace(ledger, notice=notice))
    assert told["park"] is None
    assert shape(told["drain"]) == shape(EXAMPLE["command.json"]["drain"])
    assert desired.command_json(replace(ledger, park="park-1"))["park"] == {"id": "park-1"}


@given(st.dictionaries(st.sampled_from(sorted(EXAMPLE["progress.json"])), JSON))
def test_whatever_was_written_reading_it_never_raises(said: dict[str, Any]) -> None:
    found = run.parse(json.dumps({"version": 1, **said}))
    assert found is None or (found.step >= 0 and all(value >= 0 for value in found.ledger.values()))


@given(st.text(max_size=50))
def test_any_text_is_progress_or_nothing(text: str) -> None:
    run.parse(text)


def test_another_version_of_the_contract_is_not_read() -> None:
    assert run.parse(json.dumps({**EXAMPLE["progress.json"], "version": 2})) is None
    assert run.parse(None) is None


def test_of_a_long_traceback_the_end_is_kept() -> None:
    said = {"version": 1, "failure": {"class": "User", "message": "x" * 5000 + "ValueError: last line", "step": 1}}
    found = run.parse(json.dumps(said))
    assert found is not None
    assert found.failure is not None
    assert found.failure.message.endswith("ValueError: last line")
    assert len(found.failure.message) == 1000
