"""What a DriftMonitor tells of labels, and that an objective counts by it: docs/drift-contract.md, "Labels"."""

from __future__ import annotations

from typing import Any

from tests.unit.driftmonitor.worlds import FLIGHTS, HOUR, Story

from gyre.adapters.labels import labelled


def started() -> Story:
    story = Story()
    story.look()
    return story


def counted(book: str, seen: int, wrong: int) -> dict[str, Any]:
    return {"labels": {"rows": 40, "errors": 4, "book": book, "seen": seen, "wrong": wrong}}


def test_labels_are_told_as_sums_that_an_objective_counts_by():
    story = started().judged(**counted("b1", 40, 4))
    assert story.status["labels"] == {"seen": 40, "wrong": 4}
    assert labelled(story.cluster.objects[FLIGHTS]) == (40, 4)
    story.look(HOUR)
    story.judged(**counted("b1", 90, 7))
    assert labelled(story.cluster.objects[FLIGHTS]) == (90, 7)


def test_where_nothing_can_be_right_or_wrong_nobody_has_confirmed_anything():
    story = started().judged(labels={"rows": 40})
    assert "labels" not in story.status
    assert labelled(story.cluster.objects[FLIGHTS]) is None


def test_a_window_that_is_judged_again_counts_its_labels_once():
    story = started().judged(**counted("b1", 40, 4))
    story.ask("again")
    story.look(60)
    story.judged(**counted("b1", 41, 4))
    assert story.status["labels"] == {"seen": 41, "wrong": 4}
    assert story.status["windowsSeen"] == 1


def test_another_spec_does_not_forget_what_labels_have_confirmed():
    story = started().judged(**counted("b1", 40, 4))
    story.edit(minEffect="0.2")
    story.look(60)
    assert story.status["labels"] == {"seen": 40, "wrong": 4}
