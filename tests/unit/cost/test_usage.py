"""Usage beside allocation: what was looked at, what it stands for, and what is not known."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.cost.histories import BERLIN, FLIGHTS, PRICES, at, run

from gyre.cost.bill import Bill, Line, money
from gyre.cost.meter import Meter
from gyre.cost.prices import Place, Resource
from gyre.cost.spans import Sighting
from gyre.cost.text import bounded, from_text, to_text
from gyre.cost.usage import LONGEST, Sample, entered, usage

TEN = at("2026-11-02 10:00")
RAN = run("p", TEN)
"""Two cores and four GiB."""


def look(meter: Meter, minutes: int, cores: str, gib: str, seen: Sighting = RAN) -> Meter:
    """The books after a look so many minutes past ten, at which so much was used."""
    now = TEN + timedelta(minutes=minutes)
    sample = Sample(seen.key, now, ((Resource.CPU, Decimal(cores)), (Resource.MEMORY, Decimal(gib))))
    return entered(meter.seen([seen], now).billed(PRICES, BERLIN, now), [sample], PRICES, BERLIN)


def of(meter: Meter) -> dict[Resource, tuple[Decimal, Decimal, Decimal]]:
    """Hours of each resource: used, looked at, kept free."""
    return {
        line.resource: tuple(
            held.get(line, Decimal(0)) / 3600 for held in (meter.used, meter.covered, meter.bill.lines)
        )  # type: ignore[misc]
        for line in meter.bill.lines
    }


def test_a_look_stands_for_the_time_since_the_one_before():
    meter = look(look(Meter(), 10, "1", "2"), 15, "2", "4")
    cpu = of(meter)[Resource.CPU]
    assert cpu[0] == Decimal(10 * 1 + 5 * 2) / 60
    assert (cpu[1], cpu[2]) == (Decimal(30) / 60, Decimal(30) / 60)
    found = usage(meter, meter.bill.lines)
    assert (found.known, found.sampled, found.efficiency) == (True, 100, 67)


def test_without_a_look_there_is_no_usage_which_is_not_one_of_zero():
    now = TEN + timedelta(hours=1)
    meter = Meter().seen([RAN], now).billed(PRICES, BERLIN, now)
    found = usage(meter, meter.bill.lines)
    assert (found.known, found.sampled, found.covered) == (False, 0, Decimal(0))
    assert found.allocated == meter.bill.total()


def test_a_look_of_zero_is_known_to_be_zero():
    found = usage(meter := look(Meter(), 10, "0", "0"), meter.bill.lines)
    assert (found.known, found.efficiency, found.sampled) == (True, 0, 100)


def test_who_was_away_has_not_looked():
    meter = look(Meter(), 240, "2", "4")
    found = usage(meter, meter.bill.lines)
    assert of(meter)[Resource.CPU][1] == 2 * Decimal(int(LONGEST.total_seconds())) / 3600
    assert (found.efficiency, found.sampled) == (100, 6)


def test_the_same_look_twice_and_one_that_comes_late_count_once():
    once = look(look(Meter(), 5, "1", "1"), 10, "1", "1")
    stale = Sample(RAN.key, TEN + timedelta(minutes=7), ((Resource.CPU, Decimal(2)),))
    again = entered(entered(look(once, 10, "1", "1"), [stale], PRICES, BERLIN), [stale], PRICES, BERLIN)
    assert (again.used, again.covered) == (once.used, once.covered)


def test_use_of_what_nobody_asked_for_is_nobodys_money():
    asked = run("p", TEN, amounts=((Resource.CPU, Decimal(2)),))
    meter = look(Meter(), 10, "1", "64", asked)
    assert {line.resource for line in meter.used} == {Resource.CPU}


def test_more_used_than_asked_for_is_more_than_a_hundred_percent():
    meter = look(Meter(), 10, "8", "4")
    assert usage(meter, meter.bill.lines).efficiency > 100


def test_a_resource_that_nobody_tells_of_is_not_covered():
    device = run("p", TEN, amounts=((Resource.ACCELERATOR, Decimal(1)), (Resource.CPU, Decimal(1))))
    meter = look(Meter(), 10, "1", "1", device)
    assert of(meter)[Resource.ACCELERATOR][:2] == (Decimal(0), Decimal(0))
    assert usage(meter, meter.bill.lines).sampled < 100


def test_a_size_that_changes_is_kept_free_from_the_look_that_sees_it_on():
    small, large = (run("p", TEN, amounts=((Resource.STORAGE, Decimal(gib)),)) for gib in (10, 30))
    noon, two = at("2026-11-02 12:00"), at("2026-11-02 14:00")
    meter = Meter().seen([small], noon).billed(PRICES, BERLIN, noon)
    for _ in range(2):
        meter = meter.seen([large], noon).billed(PRICES, BERLIN, noon)
    meter = from_text(to_text(meter)).seen([large], two).billed(PRICES, BERLIN, two)
    (quantity,) = meter.bill.lines.values()
    assert quantity == (2 * 10 + 2 * 30) * 3600


looks = st.lists(st.tuples(st.integers(1, 40), st.decimals(0, 4, places=3), st.decimals(0, 8, places=3)), max_size=12)


@given(looks)
def test_what_is_looked_at_never_exceeds_what_is_billed_and_text_keeps_it(told: list[tuple[int, Decimal, Decimal]]):
    meter, minutes = Meter(), 0
    for step, cores, gib in told:
        minutes += step
        meter = look(meter, minutes, str(cores), str(gib))
    for line, covered in meter.covered.items():
        assert 0 <= covered <= meter.bill.lines[line]
    kept = from_text(to_text(meter))
    assert {line: used for line, used in meter.used.items() if used} == kept.used
    assert {line: covered for line, covered in meter.covered.items() if covered} == kept.covered
    assert kept.spans == meter.spans
    found = usage(meter, meter.bill.lines)
    assert found.used == sum((line.scaled(q) for line, q in meter.used.items()), Decimal(0))


def test_old_months_take_their_usage_with_them_and_folded_ones_keep_it():
    def line(month: int) -> Line:
        return Line.of(f"{2024 + month // 12}-{month % 12 + 1:02}", FLIGHTS, Resource.CPU, Place("onprem"), Decimal(1))

    lines = {line(month): Decimal(3600) for month in range(20)}
    meter = Meter(bill=Bill(lines, {}), used=dict.fromkeys(lines, Decimal(1800)), covered=dict(lines))
    assert set(bounded(meter).used) == set(bounded(meter).bill.lines)
    whole = bounded(meter, forever=True)
    assert money(sum((one.scaled(q) for one, q in whole.used.items()), Decimal(0))) == Decimal("10.00")
