"""What a job will cost before it has run, and what is said where nobody can say."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.cost.histories import at

from gyre.adapters.prices import rates
from gyre.cost.estimate import KEPT_MODELS, KEPT_RUNS, Basis, History, Run, Took, expected, quantile
from gyre.cost.prices import Book, Capacity, Entry, PriceList, Resource

ASKED = ((Resource.CPU, Decimal(4)), (Resource.MEMORY, Decimal(8)))
RATES = {Resource.CPU: Decimal("0.50"), Resource.MEMORY: Decimal("0.25")}
"""Four euros an hour."""
HOUR = Took(5, 3600, 7200)

runs = st.lists(
    st.tuples(
        st.sampled_from(["ml/a", "ml/b", "other/a"]),
        st.builds(Run, st.integers(1, 99), st.uuids().map(str), st.just(60)),
    ),
    max_size=60,
)


def test_it_is_what_is_asked_for_at_the_price_for_as_long_as_such_runs_took():
    found = expected(ASKED, RATES, model="a", took=HOUR, limit=None)
    assert (found.basis, found.p50, found.p90, found.most) == (Basis.HISTORY, Decimal("4.00"), Decimal("8.00"), None)
    assert found.why == "5 runs of model a succeeded"


def test_nobody_expects_more_than_the_job_allows_itself():
    found = expected(ASKED, RATES, model="a", took=HOUR, limit=5400)
    assert (found.p50, found.p90, found.most) == (Decimal("4.00"), Decimal("6.00"), Decimal("6.00"))


def test_a_limit_alone_is_a_bound_and_no_expectation():
    found = expected(ASKED, RATES, model="a", took=None, limit=1800)
    assert (found.basis, found.p50, found.p90, found.most) == (Basis.LIMIT, None, None, Decimal("2.00"))


def test_without_history_and_limit_nobody_can_say_and_it_is_not_zero():
    found = expected(ASKED, RATES, model="a", took=None, limit=None)
    assert (found.basis, found.p50, found.p90, found.most) == (Basis.UNKNOWN, None, None, None)
    assert found.why == (
        "fewer than 3 runs of model a have succeeded, and neither spec.timeLimit nor spec.finishBy is set"
    )


def test_what_has_no_price_makes_it_unknown_whatever_the_history():
    found = expected((*ASKED, (Resource.ACCELERATOR, Decimal(1))), RATES, model="a", took=HOUR, limit=60)
    assert (found.basis, found.p50, found.most) == (Basis.UNKNOWN, None, None)
    assert found.why == "no Provider that may price it has a price of Accelerator"


@pytest.mark.parametrize(
    ("seconds", "p50", "p90"), [([1, 2, 3], 2, 3), ([5, 5, 5, 5], 5, 5), (list(range(1, 21)), 10, 18)]
)
def test_quantiles_are_values_that_were_seen(seconds: list[int], p50: int, p90: int):
    assert (quantile(seconds, 50), quantile(seconds, 90)) == (p50, p90)


def test_two_runs_are_no_history():
    two = History().entered([("ml/a", Run(1, "x", 60)), ("ml/a", Run(2, "y", 90))])
    assert two.took("ml/a") is None
    assert two.entered([("ml/a", Run(3, "z", 30))]).took("ml/a") == Took(3, 60, 90)
    assert two.took("ml/unheard-of") is None


@given(runs, st.randoms())
def test_a_history_comes_to_the_same_however_often_and_in_whatever_order_it_is_told(told: list, chance):
    at_once = History().entered(told)
    shuffled = [*told, *told]
    chance.shuffle(shuffled)
    bit_by_bit = History()
    for one in shuffled:
        bit_by_bit = bit_by_bit.entered([one])
    assert bit_by_bit == at_once
    assert at_once.entered(told) == at_once
    assert all(len(kept) <= KEPT_RUNS for kept in at_once.runs.values())


def test_a_history_is_bounded_and_the_newest_stay():
    many = [(f"ml/m{n}", Run(n, f"u{n}", 60)) for n in range(KEPT_MODELS + 5)]
    kept = History().entered(many)
    assert len(kept.runs) == KEPT_MODELS
    assert "ml/m4" not in kept.runs
    old = History().entered([("ml/a", Run(n, f"u{n}", n)) for n in range(KEPT_RUNS + 5)])
    assert [run.ended for run in old.runs["ml/a"]] == list(range(5, KEPT_RUNS + 5))


def price(resource: Resource, amount: str, **more: object) -> Entry:
    return Entry(resource, Decimal(amount), **more)  # type: ignore[arg-type]


BOOK = Book(
    (
        PriceList("here", "EUR", (price(Resource.CPU, "1"), price(Resource.CPU, "0.2", capacity=Capacity.SPOT))),
        PriceList("big", "EUR", (price(Resource.CPU, "3"),), nodes={"pool": "big"}),
        PriceList(
            "gpu",
            "EUR",
            (
                price(Resource.ACCELERATOR, "2", accelerator="T4"),
                price(Resource.ACCELERATOR, "9", accelerator="A100"),
                price(Resource.MEMORY, "7", end=at("2026-01-01 00:00")),
                price(Resource.STORAGE, "5"),
            ),
        ),
    )
)


@pytest.mark.parametrize(
    ("selector", "cpu", "accelerator"),
    [
        ({}, "3", "9"),
        ({"pool": "small"}, "1", "9"),
        ({"pool": "big"}, "3", "9"),
        ({"nvidia.com/gpu.product": "T4"}, "3", "2"),
        ({"karpenter.sh/capacity-type": "spot"}, "0.2", None),
    ],
)
def test_a_job_is_reckoned_with_the_dearest_price_where_it_may_run(
    selector: dict[str, str], cpu: str, accelerator: str | None
):
    found = rates(BOOK, at("2026-11-02 10:00"), selector)
    assert found[Resource.CPU] == Decimal(cpu)
    assert found.get(Resource.ACCELERATOR) == (None if accelerator is None else Decimal(accelerator))
    assert Resource.MEMORY not in found, "a price that has ended is none"
    assert Resource.STORAGE not in found, "no job asks for a disk"
