"""Conditions: the table, the merge, what is cut, what is left out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gyre.api.conditions import Condition, Row, Truth, as_dicts, merge, no, report, unknown, yes
from gyre.api.terms import Reason

NOW = datetime(2026, 11, 23, 8, 0, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)


class Why(Reason):
    PINNED = "Pinned", "the content is fixed"
    WAITS = "Waits", "somebody else is slower"


@dataclass
class Seen:
    digest: str = ""
    slow: bool = False


TABLE = (
    Row[Seen]("Pinned", lambda s: yes(Why.PINNED, s.digest) if s.digest else None, "no data was chosen yet"),
    Row[Seen]("Reconciling", lambda s: yes(Why.WAITS, "for the store") if s.slow else no(Why.WAITS), "nothing to do"),
    Row[Seen]("Stalled", lambda s: None, "nothing is known to be wrong"),
)


def statuses(conditions: tuple[Condition, ...]) -> dict[str, str]:
    return {condition.type: condition.status.value for condition in conditions}


def test_every_row_is_answered_and_no_answer_is_unknown():
    (pinned,) = report(TABLE, Seen(), generation=3)
    assert pinned == Condition(
        type="Pinned", status=Truth.UNKNOWN, reason="Unknown", message="no data was chosen yet", observed_generation=3
    )


def test_abnormal_true_conditions_are_there_only_while_true():
    assert statuses(report(TABLE, Seen("sha", slow=True), 1)) == {"Pinned": "True", "Reconciling": "True"}
    assert statuses(report(TABLE, Seen("sha"), 1)) == {"Pinned": "True"}


def test_a_verdict_is_a_status_with_its_reason():
    (pinned,) = report(TABLE, Seen("sha256:1"), 1)
    assert (pinned.reason, pinned.message) == ("Pinned", "sha256:1")
    assert (yes("A").status, no("A").status, unknown("A", "b").message) == (Truth.TRUE, Truth.FALSE, "b")


def test_the_time_moves_only_when_the_status_does():
    first = merge((), report(TABLE, Seen(), 1), NOW)
    same = merge(first, report(TABLE, Seen(), 2), LATER)
    other = merge(same, report(TABLE, Seen("sha"), 2), LATER)
    assert [c.last_transition_time for c in (*first, *same, *other)] == [NOW, NOW, LATER]
    assert same[0].observed_generation == 2


def test_a_condition_that_is_no_longer_reported_goes():
    old = merge((), (Condition(type="Old", status=Truth.TRUE, reason="Past"),), NOW)
    assert merge(old, (), LATER) == ()


def test_a_message_is_cut_where_the_api_server_would_refuse_it():
    condition = Condition(type="Ready", status=Truth.FALSE, reason="Long", message="ü" * 5000)
    assert len(condition.message) == 1024


def test_conditions_are_written_as_the_api_has_them():
    assert as_dicts(merge((), report(TABLE, Seen("sha"), 1), NOW)) == [
        {
            "type": "Pinned",
            "status": "True",
            "reason": "Pinned",
            "message": "sha",
            "observedGeneration": 1,
            "lastTransitionTime": "2026-11-23T08:00:00Z",
        }
    ]


def test_reasons_are_camel_case_and_say_what_they_mean():
    assert Why.glossary() == {"Pinned": "the content is fixed", "Waits": "somebody else is slower"}
    with pytest.raises(ValueError, match="not a CamelCase reason"):

        class Wrong(Reason):
            ODD = "not camel", "a space"

    with pytest.raises(ValueError, match="needs a meaning"):

        class Mute(Reason):
            ODD = "Odd", ""


TYPES = st.sampled_from(["Ready", "Pinned", "Fresh", "Reconciling", "Stalled"])
CONDITIONS = st.lists(
    st.builds(
        Condition,
        type=TYPES,
        status=st.sampled_from(Truth),
        reason=st.just("Because"),
        last_transition_time=st.one_of(st.none(), st.just(NOW)),
    ),
    unique_by=lambda condition: condition.type,
    max_size=5,
).map(tuple)


@given(CONDITIONS, CONDITIONS)
def test_merging_is_complete_stable_and_never_rewrites_a_verdict(
    old: tuple[Condition, ...], new: tuple[Condition, ...]
):
    merged = merge(old, new, LATER)
    assert merge(merged, new, LATER + timedelta(days=1)) == merged
    assert all(condition.last_transition_time for condition in merged)
    told = {c.type: c.status for c in new if c.true or c.type not in ("Reconciling", "Stalled")}
    assert {c.type: c.status for c in merged} == told
