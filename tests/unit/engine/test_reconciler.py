"""The reconciler: looks, status, refusals, and what the queue is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.sweep.operators import run
from tests.sweep.toys import KIND, WIDGET, part_ref, widget_ref
from tests.unit.engine.clusters import Bench

from gyre.api.effects import Apply, Note, Ref
from gyre.api.gvks import CONFIG_MAP, EVENT
from gyre.api.kind import Decision, Kind
from gyre.engine.events import Recorder
from gyre.engine.reconciler import LOOKS, Reconciler, Result
from gyre.engine.routing import Key
from gyre.kube import errors

W = widget_ref()


class Case(Bench):
    """One Widget and a reconciler for it."""

    def __init__(self, kind: Kind[Any, Any] = KIND, **spec: Any) -> None:
        super().__init__()
        self.kind = kind
        self.owner = self.world.patch(W, {"spec": spec})
        self.cache.observe(WIDGET, self.owner)
        recorder = Recorder(self.door, host="test")
        self.reconciler = Reconciler(
            {WIDGET: kind}, self.cache, self.writer, recorder, now=self.world.clock, monotonic=lambda: 0.0
        )

    def look(self) -> Result:
        return run(self.reconciler.reconcile(Key.of(W)))

    @property
    def status(self) -> dict[str, Any]:
        return dict(self.world.get(W)["status"])

    def condition(self, type: str) -> dict[str, Any]:
        return next((c for c in self.status.get("conditions", ()) if c["type"] == type), {})

    def events(self) -> list[tuple[str, str]]:
        return [(event["type"], event["reason"]) for event in self.world.list(EVENT)]


def deciding(decide: Callable[..., Decision]) -> Kind[Any, Any]:
    return replace(KIND, decide=decide)


def test_a_reconcile_ends_with_the_status_of_what_is_not_of_what_was_meant() -> None:
    case = Case(parts=2)
    assert case.look() == Result()
    assert case.status["parts"] == 2
    assert case.condition("Ready")["status"] == "True"


def test_the_status_is_written_once_a_reconcile_and_last() -> None:
    case = Case(parts=2)
    case.look()
    assert case.requests == ["apply w-ledger", "create w-part-0", "create w-part-1", "status w"]


def test_a_settled_system_writes_nothing_and_asks_nothing() -> None:
    case = Case(parts=2)
    case.look()
    before, case.door.get = len(case.requests), None  # type: ignore[assignment, method-assign]
    for _ in range(3):
        assert case.look() == Result()
    assert len(case.requests) == before


def test_a_change_that_came_between_the_decision_and_the_status_is_looked_at_again() -> None:
    """Its event is no news by then: the answer to our status write has told the cache already."""
    case = Case(parts=1)
    case.look()
    case.cache.observe(WIDGET, case.world.patch(W, {"spec": {"parts": 2}}))

    def change(verb: str, ref: Ref) -> None:
        if verb == "status":
            case.door.refuse = lambda verb, ref: None
            case.world.patch(W, {"spec": {"parts": 3}})

    case.door.refuse = change
    assert case.look() == Result(after=0.0)
    assert case.look() == Result()
    assert case.status["parts"] == 3


def test_a_timer_is_handed_on() -> None:
    assert Case(friend="f").look() == Result(after=60.0)


def test_a_stale_view_writes_no_status_and_is_looked_at_again() -> None:
    case = Case(parts=1)
    case.look()
    case.world.patch(Ref(CONFIG_MAP, "ns", "w-ledger"), {"data": {"theirs": "x"}})
    case.cache.observe(WIDGET, case.world.patch(W, {"spec": {"parts": 2}}))
    before = case.status
    assert case.look() == Result(failed=True)
    assert case.status == before
    case.see()
    assert case.look() == Result()


def test_a_strangers_name_is_said_on_the_resource_with_a_warning_and_tried_again() -> None:
    case = Case(parts=1)
    case.exists(case.manifest("w-part-0", owner="stranger"))
    assert case.look() == Result(failed=True)
    assert case.condition("Stalled")["reason"] == "NameTaken"
    assert "w-part-0" in case.condition("Stalled")["message"]
    assert case.events() == [("Warning", "NameTaken")]
    assert case.look() == Result(failed=True)
    assert case.events() == [("Warning", "NameTaken")]
    case.world.delete(part_ref(0))
    case.cache.purge(part_ref(0), version=case.world.version)
    assert case.look() == Result()
    assert case.condition("Stalled") == {}


def test_what_the_server_rejects_is_said_on_the_resource_in_the_servers_words() -> None:
    case = Case(parts=1)
    case.door.refuse = lambda verb, ref: errors.Rejected(403, "Forbidden", "quota") if verb == "create" else None
    assert case.look() == Result(failed=True)
    assert (case.condition("Stalled")["reason"], case.condition("Stalled")["message"]) == ("WriteRejected", "quota")
    case.door.refuse = lambda verb, ref: None
    assert case.look() == Result()
    assert case.condition("Stalled") == {}


def test_a_rejected_write_is_tried_again_by_the_back_off_not_by_the_far_timer_of_the_decision() -> None:
    def decide(widget: Any, seen: Any, now: Any) -> Decision:
        return Decision.settled("Made", "it", Apply(case.manifest("w-ledger")), after=86400.0)

    case = Case(deciding(decide))
    case.door.refuse = lambda verb, ref: errors.Rejected(403, "Forbidden", "quota") if verb == "apply" else None
    assert case.look() == Result(failed=True, after=None)


@pytest.mark.parametrize(
    ("problem", "result"),
    [
        (errors.Unavailable(503, "ServiceUnavailable", "later"), Result(failed=True)),
        (errors.Unavailable(429, "TooManyRequests", "later", 7.0), Result(failed=True, after=7.0)),
        (errors.NotFound(404, "NotFound", "namespace ns not found"), Result(failed=True)),
        (errors.Gone(410, "Expired", "gone"), Result(failed=True)),
        (errors.AlreadyExists(409, "AlreadyExists", "x"), Result(failed=True)),
    ],
)
def test_a_server_in_trouble_says_nothing_about_the_resource(problem: errors.ApiError, result: Result) -> None:
    case = Case(parts=1)
    case.door.refuse = lambda verb, ref: problem if verb == "apply" else None
    assert case.look() == result
    assert case.status == {"observedGeneration": -1}


def test_a_bug_in_a_kind_leaves_the_resource_alone_and_backs_off() -> None:
    def decide(*_: Any) -> Decision:
        raise ZeroDivisionError

    case = Case(deciding(decide))
    assert case.look() == Result(failed=True)
    assert case.requests == []


def test_a_replica_without_the_lease_writes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    case = Case(parts=1)
    case.leader = False
    assert case.look() == Result(failed=True)
    assert case.requests == []
    assert not [record for record in caplog.records if record.exc_info], "it is no bug"


def test_an_object_that_is_being_deleted_is_left_alone() -> None:
    case = Case(parts=1)
    case.cache.observe(WIDGET, case.world.patch(W, {"metadata": {"finalizers": ["x/y"]}}))
    case.world.delete(W)
    case.cache.observe(WIDGET, case.world.get(W))
    assert case.look() == Result()
    assert case.requests == []


def test_an_object_that_is_gone_is_reported_as_gone() -> None:
    case = Case()
    case.cache.purge(W, version=case.world.version)
    assert case.look() == Result(gone=True)


def test_an_unreadable_object_is_told_once_and_left_alone() -> None:
    case = Case(parts="many")
    assert [case.look(), case.look()] == [Result(), Result()]
    assert case.requests == []
    assert case.events() == [("Warning", "Unreadable")]


def test_a_status_edited_by_hand_is_put_right() -> None:
    case = Case(parts=1)
    case.look()
    right = case.status
    case.cache.observe(WIDGET, case.world.patch(W, {"status": {"parts": 77}}))
    case.look()
    assert case.status == right


def test_notes_of_every_look_are_told_once() -> None:
    def decide(widget: Any, seen: Any, now: Any) -> Decision:
        note = Note("Making", "the ledger") if not seen.ledger else Note("Made", "the ledger")
        return Decision.settled("Made", "all", Apply(case.manifest("w-ledger")), note)

    case = Case(deciding(decide))
    case.look()
    assert case.events() == [("Normal", "Making"), ("Normal", "Made")]


def test_notes_of_a_reconcile_that_wrote_nothing_are_not_told() -> None:
    case = Case(parts=0)
    case.look()
    before = case.events()
    case.reconciler._kinds = {
        WIDGET: deciding(lambda w, s, n: replace(KIND.decide(w, s, n), effects=(Note("Why", "not"),)))
    }
    case.look()
    assert case.events() == before


def test_two_rules_that_undo_each_other_are_stopped_and_looked_at_later() -> None:
    counter = iter(range(1000))

    def decide(widget: Any, seen: Any, now: Any) -> Decision:
        return Decision.settled("Made", "it", Apply(case.manifest("w-ledger", n=str(next(counter)))))

    case = Case(deciding(decide))
    assert case.look() == Result(failed=True)
    assert len([request for request in case.requests if request.startswith("apply")]) == LOOKS
