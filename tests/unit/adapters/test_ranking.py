"""Which version speaks for its Model: figures of the same rows before figures of different ones."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gyre.adapters.ranking import Withdrawal, champion, champion_of, turns
from gyre.adapters.versions import ModelVersionView
from gyre.api.objective import Goal


def a_view(
    number: int,
    auc: str | None,
    *,
    beside: tuple[int, str] | None = None,
    digest: str = "",
    ready: bool = True,
    problem: str = "",
) -> ModelVersionView:
    """Version `number`; `beside`: (number, auc) of the version that it measured on its own rows."""
    obj: dict[str, Any] = {
        "metadata": {"name": name(number), "generation": 1},
        "spec": {
            "modelRef": {"name": "delay"},
            "artifact": {"uri": "pvc://runs/x", "digest": digest or digest_of(number)},
            "evaluation": {"metrics": {"auc": auc} if auc else {}},
            "lineage": {"run": {"name": "r", "finished": f"2026-11-23T07:{number:02d}:00Z"}},
        },
        "status": {"conditions": [{"type": "Ready", "status": str(ready), "observedGeneration": 1}]},
    }
    if beside is not None:
        figures = {"problem": problem} if problem else {"metrics": {"auc": beside[1]}}
        obj["spec"]["evaluation"]["champion"] = {
            "version": name(beside[0]),
            "digest": digest_of(beside[0]),
            **figures,
        }
    return ModelVersionView.of(obj)


def name(number: int) -> str:
    return f"delay-{number:02d}"


def digest_of(number: int) -> str:
    return f"sha256:{number:064d}"


def leads(*views: ModelVersionView, goal: Goal = Goal.MAXIMIZE, withdrawn: Sequence[Withdrawal] = ()) -> str:
    found = champion(views, "auc", goal, withdrawn)
    return found.name if found else ""


OLD = a_view(1, "0.72")


def test_a_version_that_is_better_on_the_same_rows_leads_though_it_reports_less_than_the_champion_once_did():
    assert leads(OLD, a_view(2, "0.68", beside=(1, "0.64"))) == name(2)


def test_a_version_that_is_worse_on_the_same_rows_never_leads_though_it_reports_more():
    assert leads(OLD, a_view(2, "0.75", beside=(1, "0.76"))) == name(1)
    assert leads(OLD, a_view(2, "0.75", beside=(1, "0.75"))) == name(1)


def test_where_less_is_better_less_leads():
    assert leads(OLD, a_view(2, "0.75", beside=(1, "0.76")), goal=Goal.MINIMIZE) == name(2)
    assert leads(OLD, a_view(2, "0.68", beside=(1, "0.64")), goal=Goal.MINIMIZE) == name(1)


def test_without_figures_of_the_same_rows_what_each_reported_decides():
    assert leads(OLD, a_view(2, "0.71")) == name(1)
    assert leads(OLD, a_view(2, "0.73")) == name(2)
    assert leads(OLD, a_view(2, "0.73", beside=(1, ""), problem="its files are gone")) == name(2)
    assert leads(OLD, a_view(2, "0.71", beside=(1, ""), problem="its files are gone")) == name(1)


def test_measured_against_one_that_leads_no_more_what_each_reported_decides():
    other = a_view(2, "0.74")
    assert leads(OLD, other, a_view(3, "0.73", beside=(1, "0.70"))) == name(2)
    assert leads(OLD, other, a_view(3, "0.75", beside=(1, "0.70"))) == name(3)


def test_one_that_lost_stays_behind_while_the_winner_exists_whoever_leads():
    loser = a_view(2, "0.90", beside=(1, "0.91"))
    waiting = a_view(1, "0.72", ready=False)
    assert leads(waiting, loser) == ""
    back = Withdrawal(name(1), name(0), "2026-11-23T07:01:30Z")
    assert leads(a_view(0, "0.6"), OLD, loser, withdrawn=[back]) == name(0)


def test_when_a_person_deletes_the_winner_what_was_reported_is_all_that_is_left():
    assert leads(a_view(0, "0.80"), a_view(2, "0.90", beside=(1, "0.91"))) == name(2)


def test_another_version_of_that_name_is_not_the_one_that_was_measured():
    namesake = a_view(1, "0.72", digest="sha256:" + "f" * 64)
    assert leads(namesake, a_view(2, "0.68", beside=(1, "0.64"))) == name(1)


def test_whom_the_model_went_back_to_leads_whatever_it_has_measured():
    bad, back = a_view(3, "0.95"), Withdrawal(name(3), name(2), "2026-11-23T07:05:00Z")
    loser = a_view(2, "0.70", beside=(1, "0.71"))
    assert leads(OLD, loser, bad, withdrawn=[back]) == name(2)
    assert leads(OLD, loser, bad, a_view(6, "0.60", beside=(2, "0.58")), withdrawn=[back]) == name(6)
    assert leads(OLD, loser, bad, a_view(6, "0.60", beside=(2, "0.62")), withdrawn=[back]) == name(2)


def test_of_equals_the_earlier_leads_and_without_an_objective_the_latest():
    assert leads(a_view(2, "0.72"), OLD) == name(1)
    found = champion([OLD, a_view(2, "0.1")], None)
    assert found is not None
    assert found.name == name(2)


def test_why_is_said_in_figures():
    met = turns([OLD, a_view(2, "0.68", beside=(1, "0.64")), a_view(3, "0.67")], "auc", Goal.MAXIMIZE)
    assert [(turn.leads, turn.why) for turn in met] == [
        (True, "auc 0.7200"),
        (True, "auc 0.6800 against 0.6400 of delay-01 on the same rows"),
        (False, "auc 0.6700 against 0.6800 of delay-02, each on rows of its own"),
    ]


@pytest.mark.parametrize("spec", [{}, {"objective": None}, {"objective": {"metric": "auc", "goal": "Maximize"}}])
def test_the_published_model_gives_the_same_champion(spec: Any):
    found = champion_of({"spec": spec}, [OLD, a_view(2, "0.68", beside=(1, "0.64"))])
    assert found is not None
    assert found.name == name(2)


AUC = st.integers(50, 99).map(lambda value: f"0.{value}")
VERSIONS = st.lists(st.tuples(AUC, st.none() | st.tuples(st.integers(0, 9), AUC), st.booleans()), max_size=10)


@given(VERSIONS, st.randoms(use_true_random=False))
def test_no_version_leads_that_found_itself_no_better_than_one_that_exists(drawn: Any, dice: random.Random):
    views = [a_view(n, auc, beside=beside, ready=ready) for n, (auc, beside, ready) in enumerate(drawn)]
    shuffled = list(views)
    dice.shuffle(shuffled)
    found = leads(*views)
    assert leads(*shuffled) == found
    by_name = {view.name: view for view in views}
    if found and (figures := by_name[found].on_same_rows("auc")) and by_name[found].compared.version in by_name:
        assert figures[0] > figures[1]
