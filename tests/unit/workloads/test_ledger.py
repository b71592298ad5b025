"""The goodput ledger: six accounts that sum to wall time, whatever happened."""

from hypothesis import given
from hypothesis import strategies as st

from gyre_train.ledger import ACCOUNTS, Ledger

accounts = st.sampled_from(ACCOUNTS)
happenings = st.one_of(
    st.tuples(st.just("advance")),
    st.tuples(st.just("enter"), accounts),
    st.tuples(st.just("move"), accounts, accounts, st.integers(-10, 100_000)),
    st.tuples(st.just("mark"), st.integers(0, 50)),
    st.tuples(st.just("resumed"), st.integers(0, 50)),
)


@given(st.integers(0, 2**41), st.lists(st.tuples(st.integers(-50, 5_000), happenings), max_size=40))
def test_the_accounts_sum_to_wall_time_whatever_happens(start, story):
    ledger, now = Ledger(start), start
    for later, (what, *details) in story:
        now += later
        match what:
            case "enter":
                ledger.enter(details[0], now)
            case "move":
                ledger.move(*details)
            case "mark":
                ledger.mark(details[0])
            case "resumed":
                ledger.resumed_at(details[0])
            case _:
                ledger.advance(now)
        booked = ledger.milliseconds()
        assert sum(booked.values()) == ledger.now - start
        assert min(booked.values()) >= 0
    assert round(sum(ledger.seconds(now).values()) * 1000) == ledger.now - start


def running(since: int = 0) -> Ledger:
    ledger = Ledger(0)
    ledger.enter("productive", since)
    return ledger


def test_time_after_the_last_checkpoint_is_wasted_when_the_run_falls_back_to_it():
    ledger = running()
    ledger.advance(10_000)
    ledger.mark(100)
    ledger.enter("recovering", 14_000)
    ledger.enter("productive", 20_000)
    assert ledger.resumed_at(100) == 4_000
    assert ledger.milliseconds()["wasted"] == 4_000
    assert ledger.milliseconds()["productive"] == 10_000
    assert ledger.milliseconds()["recovering"] == 6_000


def test_falling_back_behind_a_checkpoint_wastes_what_it_held_too():
    ledger = running()
    for step, now in ((100, 10_000), (200, 20_000)):
        ledger.advance(now)
        ledger.mark(step)
    ledger.advance(25_000)
    assert ledger.resumed_at(150) == 15_000


def test_a_run_without_any_checkpoint_wastes_everything():
    ledger = running(since=3_000)
    ledger.advance(9_000)
    assert ledger.resumed_at(0) == 6_000
    assert ledger.milliseconds() == dict.fromkeys(ACCOUNTS, 0) | {"starting": 3_000, "wasted": 6_000}


def test_no_more_is_rebooked_than_there_is():
    ledger = running()
    ledger.advance(50)
    assert ledger.move("productive", "checkpointSave", 80) == 50


def test_a_clock_that_goes_back_stands_still():
    ledger = running()
    ledger.advance(1_000)
    ledger.advance(400)
    ledger.advance(1_200)
    assert ledger.milliseconds()["productive"] == 1_200
