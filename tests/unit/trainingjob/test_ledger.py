"""The account of time sums exactly, whatever happened and however wrong the clocks were; the ledger survives its text."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from tests import make

from gyre.adapters import run
from gyre.adapters.storage import BucketPlace, ClaimPlace
from gyre.kinds.trainingjob import memory
from gyre.kinds.trainingjob.goodput import ROWS, account, share, spent
from gyre.kinds.trainingjob.ledger import (
    Attempt,
    End,
    Final,
    Ledger,
    Notice,
    Phase,
    Pin,
    Restarted,
    Suspicion,
    WarmStart,
    added,
    begin,
    millis,
)
from gyre.kinds.trainingjob.policy import C

SECONDS = st.floats(0, 1e6, allow_nan=False)
SPANS = st.integers(0, 10**9)


@st.composite
def progresses(draw: st.DrawFn) -> run.Progress:
    started = make.at(draw(st.integers(-100, 1000)))
    heartbeat = started + timedelta(milliseconds=draw(SPANS))
    saved = (
        make.checkpoint(draw(st.integers(0, 200)), make.at(draw(st.integers(-1000, 10**6))))
        if draw(st.booleans())
        else None
    )
    rows = {row: draw(SECONDS) for row in run.ROWS}
    text = make.progress(started=started, heartbeat=heartbeat, step=100, checkpoint=saved, ledger=rows)
    parsed = run.parse(json.dumps(text))
    assert parsed is not None
    return parsed


def opened() -> Ledger:
    return begin("uid", make.at(0), make.at(3.25)).opened(make.at(7.5), from_step=0)


@given(progresses(), SPANS)
def test_the_rows_of_an_attempt_sum_to_its_span_to_the_millisecond(progress: run.Progress, span: int) -> None:
    rows = share(progress, span)
    assert sum(rows.values()) == span
    assert all(value >= 0 for value in rows.values())


@given(progresses(), st.integers(-1000, 10**7), st.booleans())
def test_closing_an_attempt_accounts_for_every_millisecond(progress: run.Progress, later: int, survived: bool) -> None:
    ledger = opened()
    rows = spent(ledger, progress, ledger.mark + timedelta(milliseconds=later), survived=survived)
    assert sum(rows.values()) == max(0, later)
    assert set(rows) <= set(ROWS)
    assert all(value >= 0 for value in rows.values())


@given(progresses())
def test_the_account_of_a_running_attempt_sums_to_the_wall_time(progress: run.Progress) -> None:
    found = account(opened(), progress)
    assert sum(found.rows.values()) == found.wall
    assert found.permille is None or 0 <= found.permille <= 1000


@given(
    st.lists(st.tuples(st.sampled_from([Phase.QUEUED, Phase.PARKED, Phase.RECOVERING]), st.integers(-(10**6), 10**8)))
)
def test_turning_from_phase_to_phase_loses_no_millisecond_even_when_a_clock_goes_back(
    turns: list[tuple[Phase, int]],
) -> None:
    ledger, now = begin("uid", make.at(0), make.at(1)), make.at(1)
    for phase, passed in turns:
        now += timedelta(milliseconds=passed)
        ledger = ledger.turn(phase, now)
    assert sum(ledger.totals.values()) == millis(ledger.created, ledger.mark)


def test_work_after_the_last_checkpoint_of_a_failed_attempt_is_wasted() -> None:
    ledger = opened()
    text = make.progress(
        started=make.at(10), heartbeat=make.at(60), step=100, checkpoint=make.checkpoint(80, make.at(45))
    )
    progress = run.parse(json.dumps(text))
    rows = spent(ledger, progress, make.at(70), survived=False)
    assert rows == {"productive": 35_000, "wasted": 15_000, "starting": 2500, "recovering": 10_000}
    assert spent(ledger, progress, make.at(70), survived=True) == {
        "productive": 50_000,
        "starting": 2500,
        "other": 10_000,
    }


def test_nothing_is_wasted_when_the_last_step_was_saved() -> None:
    text = make.progress(
        started=make.at(10), heartbeat=make.at(60), step=80, checkpoint=make.checkpoint(80, make.at(45))
    )
    assert "wasted" not in spent(opened(), run.parse(json.dumps(text)), make.at(60), survived=False)


def test_the_goodput_ratio_leaves_parked_time_out() -> None:
    ledger = replace(opened(), totals={"productive": 900, "queued": 100, "parked": 9000}, mark=make.at(10), attempts=())
    assert account(ledger, None).permille == 900


FULL = Ledger(
    uid="uid",
    created=make.at(0),
    mark=make.at(99.125),
    phase=Phase.OVER,
    started=make.at(1),
    count=12,
    attempts=(
        Attempt(
            11,
            make.at(2),
            "uid-rj",
            "head",
            "node",
            make.digest(),
            make.at(9),
            End.FAILED,
            C.SPOT_RECLAIM,
            "evidence “ä” 1",
            5,
            9,
            77,
            {"productive": 5},
        ),
    ),
    totals={"productive": 1, "queued": 2},
    failures={"NodeLost": 2},
    crashes={"1240": 2},
    restores={"checkpoint_1": 2, "checkpoint_2": 1},
    restarts=(Restarted(11, "2026-11-23T08:00:45Z", C.NODE_LOST, "lost", 9, 5, True, 40100),),
    restart_count=1,
    pins=(
        Pin("train", "flights", 3, make.digest(), ClaimPlace("data", "flights")),
        Pin("holdout", "may", 1, make.digest("b"), BucketPlace("b", "p", "https://s3", "eu", "keys")),
    ),
    warm_start=WarmStart("earlier", make.digest("c"), BucketPlace("models")),
    park="park-11",
    park_deadline=make.at(50),
    notice=Notice("drain-1", ("w",), C.SPOT_RECLAIM, "taint", make.at(60)),
    suspicion=Suspicion("2026-11-23T08:00:45.000Z", make.at(40)),
    final=Final(End.FAILED, "PoisonStep", "message", make.at(70), C.USER, True),
)


def test_the_ledger_survives_its_text() -> None:
    obj = {"metadata": {"resourceVersion": "7"}, "data": memory.to_data(FULL)}
    found = memory.of(obj, "uid")
    assert found.problem == ""
    assert found.ledger == FULL
    assert memory.to_data(found.ledger) == memory.to_data(FULL)


def test_equal_counts_are_equal_text_whatever_their_order() -> None:
    assert list(added({"b": 1}, {"a": 1})) == list(added({"a": 1}, {"b": 1}))


def test_two_failed_restores_quarantine_a_checkpoint() -> None:
    assert FULL.quarantined == ("checkpoint_1",)


def test_a_ledger_of_another_version_is_not_read() -> None:
    data = memory.to_data(FULL) | {"attempts.json": '{"version":2}'}
    found = memory.of({"metadata": {}, "data": data}, "uid")
    assert found.ledger is None
    assert "its version is not 1" in found.problem


def test_only_the_last_ten_attempts_are_kept_and_the_count_goes_on() -> None:
    ledger = opened()
    for number in range(14):
        ledger = replace(ledger.with_open(end=End.FAILED), phase=Phase.RECOVERING).opened(
            make.at(10 + number), from_step=0
        )
    assert (ledger.count, len(ledger.attempts), ledger.attempts[-1].number) == (15, 10, 15)
