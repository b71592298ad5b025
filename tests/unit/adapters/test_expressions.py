"""Rules in CEL: what holds, what is unknown, what is unusable, and that all of them end."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gyre.adapters.expressions import LONGEST, Unknown, Unusable, check, holds

FACTS = {"metrics": {"auc": 0.68, "loss": 0.5}, "ageDays": 40, "drift": {"d": {"drifted": True, "impact": 0.02}}}


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("metrics['auc'] < 0.7", True),
        ("metrics.auc < 0.6", False),
        ("ageDays > 30 && drift.d.drifted", True),
        ("'f1' in metrics && metrics.f1 < 0.5", False),
        ("metrics.exists(name, metrics[name] > 0.65)", True),
    ],
)
def test_a_rule_is_asked_about_the_facts(text, answer):
    assert holds(text, FACTS) is answer


def test_a_fact_that_is_missing_makes_the_answer_unknown():
    with pytest.raises(Unknown, match="metrics"):
        holds("metrics.f1 < 0.5", FACTS)


def test_what_does_not_compile_says_where():
    with pytest.raises(Unusable, match="line 1, column"):
        check("metrics.auc <")


@pytest.mark.parametrize("text", ["metrics.auc", "1", "'yes'", "nobody > 1", "f(1)", "1 / 0 == 1"])
def test_what_answers_with_something_else_than_true_or_false_is_unusable(text):
    with pytest.raises((Unusable, Unknown)):
        holds(text, FACTS)


def test_what_is_too_long_or_loops_too_much_is_unusable():
    with pytest.raises(Unusable, match="at most"):
        check("true" + " && true" * LONGEST)
    with pytest.raises(Unusable, match="at most 2"):
        check("metrics.all(a, metrics.all(b, metrics.all(c, true)))")


def test_the_worst_that_is_allowed_ends_soon():
    facts = {"metrics": {f"m{n}": float(n) for n in range(64)}}
    begun = time.process_time()
    assert holds("metrics.all(a, metrics.all(b, metrics[a] + metrics[b] >= 0.0))", facts)
    assert time.process_time() - begun < 5.0


def test_deep_nesting_is_unusable_and_kills_nobody():
    text = "(" * 200 + "true" + ")" * 200
    with suppress(Unusable):
        assert holds(text, {}) is True


@settings(max_examples=150, deadline=None)
@given(text=st.text(st.sampled_from("metrics.auc<>=!&|()[]'\"0179 +-*/?:,{}nullintrue"), max_size=60))
def test_any_text_answers_or_is_unusable_or_unknown(text):
    try:
        answer = holds(text, FACTS)
    except (Unusable, Unknown):
        return
    assert answer in (True, False)
