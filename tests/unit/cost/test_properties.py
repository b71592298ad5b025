"""What holds for all histories: rows sum to the total, order does not matter, what is seen twice is billed once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.cost.histories import BERLIN, FLIGHTS, HERE, PRICES, SPOT, TAXIS, at, euros, run

from gyre.cost.bill import Owner, money, shown
from gyre.cost.meter import Meter, Sighting
from gyre.cost.prices import Place, Resource
from gyre.cost.text import MOST_LINES, Unreadable, bounded, dump, from_text, load, to_text
from gyre.cost.usage import UNALLOCATED, with_unallocated

BEGIN = at("2026-10-24 18:00")
END = BEGIN + timedelta(days=10)


@st.composite
def ended_runs(draw: st.DrawFn) -> Sighting:
    start = BEGIN + timedelta(seconds=draw(st.integers(0, 8 * 86_400)))
    end = start + timedelta(seconds=draw(st.integers(0, 2 * 86_400 - 1)))
    amounts = tuple(
        (resource, draw(st.decimals(min_value="0.001", max_value=64, places=3)))
        for resource in draw(
            st.sets(st.sampled_from([Resource.CPU, Resource.MEMORY, Resource.ACCELERATOR]), min_size=1)
        )
        if resource is not Resource.ACCELERATOR
    )
    place = draw(st.sampled_from([HERE, SPOT]))
    owner = draw(st.sampled_from([FLIGHTS, TAXIS, Owner("ops", "Dataset", "d")]))
    return run(f"uid-{draw(st.integers(0, 10**9))}", start, end, owner=owner, place=place, amounts=amounts)


histories = st.lists(ended_runs(), max_size=8, unique_by=lambda r: r.key)


def billed(meter: Meter, sightings: list[Sighting], now: object) -> Meter:
    return meter.seen(sightings, now).billed(PRICES, BERLIN, now)  # type: ignore[arg-type]


@given(histories)
def test_rows_of_a_bill_sum_to_its_total_and_so_do_the_cents_that_are_shown(runs: list[Sighting]):
    bill = billed(Meter(), runs, END).bill
    assert sum(bill.by().values(), Decimal(0)) == bill.total()
    assert sum(bill.total([month]) for month in bill.months) == bill.total()
    assert sum((sum(of_day.values()) for of_day in bill.days.values()), Decimal(0)) == bill.total()
    assert sum(shown(bill.by()).values(), Decimal(0)) == money(bill.total())


@given(histories, st.data())
def test_the_order_of_events_and_how_often_they_are_told_do_not_matter(runs: list[Sighting], data: st.DataObject):
    once = billed(Meter(), runs, END).bill
    told = data.draw(st.permutations([*runs, *runs, *(replace(r, end=None) for r in runs)]))
    known: dict[str, Sighting] = {}
    meter = Meter()
    for sighting in told:  # a pod that is told stays to be seen; each look sees them all, the newest word last
        known[sighting.key] = sighting
        meter = meter.seen(known.values(), BEGIN)
    for ended in runs:
        known[ended.key] = ended
    assert billed(meter, list(known.values()), END).bill == once


@given(histories, st.lists(st.integers(0, 10 * 86_400), max_size=12))
def test_it_is_all_the_same_when_one_looks(runs: list[Sighting], looks: list[int]):
    meter = Meter()
    for seconds in sorted(looks):
        now = BEGIN + timedelta(seconds=seconds)
        there = [r if r.end is not None and r.end <= now else replace(r, end=None) for r in runs if r.start <= now]
        meter = billed(meter, there, now)
    assert billed(meter, runs, END).bill == billed(Meter(), runs, END).bill


@given(histories, st.lists(st.tuples(st.integers(0, 10 * 86_400), st.integers(0, 7200)), max_size=8))
def test_however_late_the_word_of_an_end_comes_the_bill_is_the_same(runs: list[Sighting], looks: list[tuple[int, int]]):
    meter = Meter()
    for seconds, late in sorted(looks):
        now, known = BEGIN + timedelta(seconds=seconds), BEGIN + timedelta(seconds=seconds - late)
        there = [r if r.end is not None and r.end <= known else replace(r, end=None) for r in runs if r.start <= now]
        meter = billed(meter, there, now)
    assert billed(meter, runs, END).bill == billed(Meter(), runs, END).bill


@given(histories)
def test_text_and_back_is_the_same_meter(runs: list[Sighting]):
    meter = billed(Meter(), runs[: len(runs) // 2] + [replace(r, end=None) for r in runs[len(runs) // 2 :]], END)
    assert from_text(to_text(meter)) == meter
    assert to_text(from_text(to_text(meter))) == to_text(meter)


def test_what_is_folded_keeps_its_sum():
    many = [
        run(
            f"u{n}",
            BEGIN,
            BEGIN + timedelta(minutes=n + 1),
            owner=Owner("ml", "TrainingJob", f"j{n}", team=f"t{n % 3}"),
        )
        for n in range(MOST_LINES)
    ]
    meter = billed(Meter(), many, END)
    small = bounded(meter)
    assert len(small.bill.lines) <= MOST_LINES < len(meter.bill.lines)
    assert small.bill.total() == meter.bill.total()
    assert {owner.team for owner in small.bill.by()} == {"t0", "t1", "t2"}
    assert len(to_text(small)) < 900_000


@pytest.mark.parametrize("text", ["", "{}", '{"format":2}', "[1]", '{"format":1,"owners":[],"lines":[[1]]}'])
def test_what_cannot_be_read_is_never_taken_for_an_empty_meter(text: str):
    with pytest.raises(Unreadable):
        from_text(text)


@given(histories)
def test_an_edited_number_is_noticed(runs: list[Sighting]):
    content = dump(billed(Meter(), runs, END))
    for broken in (
        {**content, "spans": {"a": [0]}},
        {**content, "unseen": "x"},
        {**content, "days": {"d": {"9999": "1"}}},
    ):
        with pytest.raises(Unreadable):
            load(broken)


@given(histories)
def test_node_time_that_nobody_asked_for_is_a_row_of_its_own(runs: list[Sighting]):
    node = run(
        "node",
        BEGIN,
        END,
        owner=Owner("", "Node", "n1"),
        amounts=((Resource.CPU, Decimal(2000)), (Resource.MEMORY, Decimal(4000))),
    )
    nodes, pods = billed(Meter(), [node], END).bill, billed(Meter(), runs, END).bill
    rows = with_unallocated(nodes, pods)
    assert sum(rows.values()) == nodes.total()
    assert rows[UNALLOCATED] > 0
    assert euros(nodes) > 0
    assert isinstance(HERE, Place)


def test_a_disk_is_nobodys_node_and_comes_on_top():
    node = run("node", BEGIN, END, owner=Owner("", "Node", "n1"), amounts=((Resource.CPU, Decimal(8)),))
    disk = Owner("ml", "PersistentVolumeClaim", "data")
    claim = run("claim", BEGIN, END, owner=disk, amounts=((Resource.STORAGE, Decimal(100)),))
    nodes, pods = billed(Meter(), [node], END).bill, billed(Meter(), [claim], END).bill
    rows = with_unallocated(nodes, pods)
    assert rows == {UNALLOCATED: nodes.total(), disk: pods.total()}
