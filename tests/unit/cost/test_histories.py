"""The ledger against scripted histories: starts, ends, restarts, spot, price changes, the ends of months, clock changes."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from tests.unit.cost.histories import (
    BERLIN,
    FLIGHTS,
    HERE,
    PRICES,
    SPOT,
    TAXIS,
    at,
    by_hand,
    entry,
    euros,
    metered,
    run,
)

from gyre.cost.bill import Owner, money
from gyre.cost.meter import Meter
from gyre.cost.prices import Book, Capacity, Place, PriceList, Resource

HOUR = Fraction(2 * 31611 + 4 * 4237, 1_000_000)
"""What two cores and four GiB cost in an hour, on demand: 0.080170."""


def test_a_pod_costs_its_time_to_the_second_and_not_a_sample_more():
    meter = metered([("2026-11-02 12:00", [run("p", "2026-11-02 10:00", "2026-11-02 10:07")])])
    assert euros(meter.bill) == HOUR * 7 / 60
    assert money(meter.bill.total()) == Decimal("0.01")
    assert not meter.spans


def test_a_run_that_goes_on_is_billed_up_to_the_look_and_then_from_there():
    looks = [("2026-11-02 10:05", [run("p", "2026-11-02 10:00")]), ("2026-11-02 11:00", [run("p", "2026-11-02 10:00")])]
    assert euros(metered(looks[:1]).bill) == HOUR * 5 / 60
    assert euros(metered(looks).bill) == HOUR


def test_seen_twice_is_billed_once_also_long_after_its_end():
    ended = run("p", "2026-11-02 10:00", "2026-11-02 11:00")
    meter = metered(
        [("2026-11-02 12:00", [ended, ended]), ("2026-11-02 12:05", [ended]), ("2026-11-09 12:05", [ended])]
    )
    assert euros(meter.bill) == HOUR
    later = metered([("2026-11-02 12:00", [ended]), ("2026-11-02 12:05", []), ("2026-11-03 00:00", [ended])])
    assert euros(later.bill) == HOUR


def test_an_older_view_of_a_run_that_is_over_changes_nothing():
    ended, running = run("p", "2026-11-02 10:00", "2026-11-02 11:00"), run("p", "2026-11-02 10:00")
    meter = metered([("2026-11-02 12:00", [ended]), ("2026-11-02 13:00", [running])])
    assert euros(meter.bill) == HOUR
    assert not meter.running


def test_a_restart_is_another_run_and_the_gap_between_costs_nothing():
    first, second = run("p", "2026-11-02 10:00", "2026-11-02 10:20"), run("p", "2026-11-02 10:21", "2026-11-02 10:41")
    meter = metered([("2026-11-02 10:10", [replace(first, end=None)]), ("2026-11-02 12:00", [first, second])])
    assert euros(meter.bill) == HOUR * 40 / 60


def test_word_of_an_end_that_comes_late_gives_back_what_was_billed_beyond_it():
    running, ended = run("p", "2026-11-02 10:00"), run("p", "2026-11-02 10:00", "2026-11-02 10:20")
    meter = metered([("2026-11-02 10:30", [running]), ("2026-11-02 10:31", [ended])])
    assert meter == metered([("2026-11-02 10:31", [ended])])
    assert euros(meter.bill) == HOUR / 3


def test_one_that_vanished_unseen_is_closed_at_the_last_seen_time_and_flagged():
    running = run("p", "2026-11-02 10:00")
    meter = metered([("2026-11-02 10:30", [running]), ("2026-11-02 11:00", [])])
    assert euros(meter.bill) == HOUR / 2
    assert meter.unseen == 1
    assert not meter.running


def test_one_that_was_told_to_go_is_closed_when_it_is_missed_and_at_its_grace_at_the_latest():
    going = replace(run("p", "2026-11-02 10:00"), leaving=at("2026-11-02 10:31"))
    for missed, minutes in (("2026-11-02 10:30", 30), ("2026-11-02 11:00", 31)):
        meter = metered([("2026-11-02 10:10", [going]), (missed, [])])
        assert euros(meter.bill) == HOUR * minutes / 60
        assert meter.unseen == 1


def test_one_that_was_given_up_and_turns_up_again_goes_on_from_there():
    running, ended = run("p", "2026-11-02 10:00"), run("p", "2026-11-02 10:00", "2026-11-02 12:00")
    looks = [("2026-11-02 10:30", [running]), ("2026-11-02 11:00", []), ("2026-11-02 13:00", [ended])]
    meter = metered(looks)
    assert euros(meter.bill) == HOUR * 2
    assert meter.unseen == 0


def test_spot_costs_what_spot_costs_from_the_change_on():
    before, after = run("p", "2026-11-02 10:00"), run("p", "2026-11-02 10:00", "2026-11-02 12:00", place=SPOT)
    meter = metered(
        [
            ("2026-11-02 10:30", [before]),
            ("2026-11-02 11:00", [replace(after, end=None)]),
            ("2026-11-02 13:00", [after]),
        ]
    )
    first, second = at("2026-11-02 10:00"), at("2026-11-02 11:00")
    stretches = ((first, second, HERE), (second, at("2026-11-02 12:00"), SPOT))
    assert euros(meter.bill) == by_hand([(after, stretches)], PRICES)
    assert {line.capacity for line in meter.bill.lines} == {"OnDemand", "Spot"}


def test_an_attempt_on_spot_and_one_on_demand_are_two_prices_of_one_object():
    runs = [
        run("a1", "2026-11-02 10:00", "2026-11-02 10:31", place=SPOT),
        run("a2", "2026-11-02 10:33", "2026-11-02 11:00"),
    ]
    meter = metered([("2026-11-02 12:00", runs)])
    by = [(r, ((r.start, r.end, r.place),)) for r in runs]
    assert euros(meter.bill) == by_hand(by, PRICES)  # type: ignore[arg-type]
    assert set(meter.bill.by()) == {FLIGHTS}


def test_a_price_that_changes_in_mid_run_holds_from_that_second_on():
    change = at("2026-11-02 10:40")
    book = Book(
        (
            PriceList(
                "onprem",
                "EUR",
                (entry(Resource.CPU, "1.00", end=change), entry(Resource.CPU, "3.00", start=change)),
            ),
        )
    )
    cpu = ((Resource.CPU, Decimal(1)),)
    meter = metered([("2026-11-02 12:00", [run("p", "2026-11-02 10:00", "2026-11-02 11:00", amounts=cpu)])], book)
    assert euros(meter.bill) == Fraction(40, 60) + 3 * Fraction(20, 60)
    assert sorted(line.price for line in meter.bill.lines) == [Decimal("1.00"), Decimal("3.00")]


def test_a_list_that_is_edited_does_not_change_what_is_billed_already():
    cpu, running = ((Resource.CPU, Decimal(1)),), "2026-11-02 10:00"
    cheap, dear = (Book((PriceList("onprem", "EUR", (entry(Resource.CPU, price),)),)) for price in ("1", "2"))
    meter = metered([("2026-11-02 11:00", [run("p", running, amounts=cpu)])], cheap)
    now = at("2026-11-02 12:00")
    meter = meter.seen([run("p", running, "2026-11-02 12:00", amounts=cpu)], now).billed(dear, BERLIN, now)
    assert euros(meter.bill) == 1 + 2


def test_a_month_ends_at_midnight_in_berlin_and_the_day_on_which_clocks_go_back_has_25_hours():
    """2026-10-25: from 22:00 UTC on the 24th to 23:00 UTC on the 25th. The month ends at 23:00 UTC, in winter time."""
    meter = metered([("2026-11-02 00:00", [run("p", "2026-10-24 20:00", "2026-11-01 01:00")])])
    assert Fraction(sum(meter.bill.days["2026-10-25"].values())) / 2_628_000 == HOUR * 25
    assert Fraction(sum(meter.bill.days["2026-10-26"].values())) / 2_628_000 == HOUR * 24
    assert Fraction(meter.bill.total(["2026-11"])) / 2_628_000 == HOUR * 2
    assert Fraction(meter.bill.total(["2026-10"])) / 2_628_000 == HOUR * (2 + 25 + 6 * 24)
    assert (
        money(meter.bill.total()) == Decimal("13.87") == money(Decimal(2_628_000) * Decimal("0.08017") * Decimal(173))
    )


def test_the_day_on_which_clocks_go_forward_has_23_hours_and_march_one_hour_less():
    meter = metered([("2026-04-02 00:00", [run("p", "2026-02-28 23:00", "2026-03-31 22:00")])])
    assert Fraction(sum(meter.bill.days["2026-03-29"].values())) / 2_628_000 == HOUR * 23
    assert meter.bill.months == ("2026-03",)
    assert euros(meter.bill) == HOUR * (31 * 24 - 1)


def test_a_missing_price_is_unknown_and_never_zero_and_is_billed_once_it_is_there():
    runs = [run("p", "2026-11-02 10:00", "2026-11-02 11:00", place=Place(""))]
    meter = metered([("2026-11-02 12:00", runs)])
    assert euros(meter.bill) == 0
    assert len(meter.unpriced(at("2026-11-02 12:00"))) == 1
    now = at("2026-11-03 12:00")
    meter = meter.seen([replace(runs[0], place=HERE)], now).billed(PRICES, BERLIN, now)
    assert euros(meter.bill) == HOUR
    assert not meter.unpriced(now)


def test_half_a_price_is_no_price():
    book = Book((PriceList("onprem", "EUR", (entry(Resource.CPU, "1"),)),))
    meter = metered([("2026-11-02 12:00", [run("p", "2026-11-02 10:00", "2026-11-02 11:00")])], book)
    assert euros(meter.bill) == 0
    assert meter.unpriced(at("2026-11-02 12:00"))


def test_spot_without_a_price_of_its_own_is_not_billed_as_on_demand():
    book = Book((PriceList("onprem", "EUR", (entry(Resource.CPU, "1"), entry(Resource.MEMORY, "1"))),))
    assert book.price(SPOT, Resource.CPU, at("2026-11-02 10:00")) is None
    assert PRICES.price(Place("onprem", Capacity.SPOT), Resource.STORAGE, at("2026-11-02 10:00")) == Decimal("0.04")


def test_a_device_by_its_name_else_any_device():
    when = at("2026-11-02 10:00")
    assert PRICES.price(Place("onprem", accelerator="A100"), Resource.ACCELERATOR, when) == Decimal("2.10")
    assert PRICES.price(Place("onprem", accelerator="T4"), Resource.ACCELERATOR, when) == Decimal("0.95")


def test_storage_is_by_the_month_of_730_hours():
    disk = ((Resource.STORAGE, Decimal(100)),)
    meter = metered([("2026-12-02 12:00", [run("d", "2026-11-01 00:00", "2026-12-01 10:00", amounts=disk)])])
    assert euros(meter.bill) == Fraction(4)


def test_each_account_has_its_share_and_shares_sum_to_the_whole():
    runs = [
        run("p", "2026-11-02 10:00", "2026-11-02 11:00"),
        run("q", "2026-11-02 10:00", "2026-11-02 10:30", owner=TAXIS),
    ]
    meter = metered([("2026-11-02 12:00", runs)])
    by = meter.bill.by()
    assert Fraction(by[FLIGHTS]) / 2_628_000 == HOUR
    assert Fraction(by[TAXIS]) / 2_628_000 == HOUR / 2
    assert sum(by.values()) == meter.bill.total()
    assert isinstance(Meter().bill.by(), dict)
    assert Owner("ml", "TrainingJob", "flights", team="a") in by
