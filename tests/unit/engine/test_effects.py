"""The writer: what is sent, what is not, and what guards it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sweep.operators import run
from tests.sweep.toys import WIDGET, widget, widget_ref
from tests.unit.engine.clusters import Bench, C

from gyre.api.effects import Apply, Create, Delete, Effect, Note, Ref
from gyre.api.gvks import CONFIG_MAP
from gyre.api.intent import INTENT, contains
from gyre.api.kind import Object
from gyre.engine.effects import NameTaken, NotLeader
from gyre.kube import errors


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.mark.parametrize(
    ("live", "intent", "said"),
    [
        ({"a": 1, "b": 2}, {"a": 1}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ({"a": {"b": 1, "c": 2}}, {"a": {"c": 2}}, True),
        ([1, 2], [1, 2], True),
        ([1, 2], [2, 1], False),
        ([1, 2], [1], False),
        ([{"name": "x", "default": 1}], [{"name": "x"}], True),
        ({}, {"a": "", "b": False, "c": 0, "d": [], "e": {}, "f": None}, True),
        ({}, {"a": "x"}, False),
        ({"a": "x"}, {"a": ""}, False),
        ({"a": [1]}, {"a": []}, False),
        ("x", {"a": 1}, False),
    ],
)
def test_a_live_object_contains_an_intent(live: Any, intent: Any, said: bool) -> None:
    assert contains(live, intent) is said


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=10,
)


@given(JSON)
def test_everything_contains_itself(value: Any) -> None:
    assert contains(value, value)


# ── Apply ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_intent_that_is_already_so_is_not_sent(bench: Bench) -> None:
    assert bench.do(Apply(bench.manifest(a="1")))
    assert not bench.do(Apply(bench.manifest(a="1")))
    assert bench.requests == ["apply c"]


def test_a_field_left_out_of_the_intent_is_given_back(bench: Bench) -> None:
    bench.do(Apply(bench.manifest(a="1", b="2")))
    assert bench.do(Apply(bench.manifest(a="1")))
    assert bench.world.get(C)["data"] == {"a": "1"}


def test_a_field_of_another_manager_stays(bench: Bench) -> None:
    bench.do(Apply(bench.manifest(a="1")))
    bench.world.patch(C, {"data": {"theirs": "x"}})
    bench.see()
    bench.do(Apply(bench.manifest(a="2")))
    assert bench.world.get(C)["data"] == {"a": "2", "theirs": "x"}


def test_what_a_stranger_changed_in_our_fields_is_put_right(bench: Bench) -> None:
    bench.do(Apply(bench.manifest(a="1")))
    bench.world.patch(C, {"data": {"a": "theirs"}})
    bench.see()
    assert bench.do(Apply(bench.manifest(a="1")))
    assert bench.world.get(C)["data"] == {"a": "1"}


def test_an_intent_that_the_server_writes_differently_is_sent_once(bench: Bench) -> None:
    """A quantity that comes back as `1` for `1000m` never looks contained; the memory of no-ops stops the second request."""
    bench.do(Apply(bench.manifest(a="1000m")))
    apply, live = bench.world.apply, bench.world.patch(C, {"data": {"a": "1"}})
    bench.cache.observe(CONFIG_MAP, live)
    bench.world.apply = lambda *_, **__: live  # type: ignore[method-assign]
    assert not bench.do(Apply(bench.manifest(a="1000m")))
    assert not bench.do(Apply(bench.manifest(a="1000m")))
    assert bench.requests == ["apply c", "apply c"]
    bench.world.apply = apply  # type: ignore[method-assign]
    bench.world.patch(C, {"data": {"a": "2"}})
    bench.see()
    assert bench.do(Apply(bench.manifest(a="1000m"))), "remembered for that version only"


def test_a_stale_update_does_not_resurrect_a_deleted_object(bench: Bench) -> None:
    bench.do(Apply(bench.manifest(a="1")))
    bench.world.delete(C)
    with pytest.raises(errors.ApiError):
        bench.do(Apply(bench.manifest(a="2")))
    assert bench.world.find(C) is None


def test_a_stale_update_does_not_hit_a_namesake(bench: Bench) -> None:
    bench.do(Apply(bench.manifest(a="1")))
    bench.world.delete(C)
    bench.exists(bench.manifest(a="new"), seen=False)
    with pytest.raises(errors.Conflict):
        bench.do(Apply(bench.manifest(a="2")))
    assert bench.world.get(C)["data"] == {"a": "new"}


@pytest.mark.parametrize("seen", [True, False], ids=["seen", "unseen"])
@pytest.mark.parametrize("effect", [Apply, Create])
def test_a_strangers_object_is_not_touched(bench: Bench, effect: type[Apply | Create], seen: bool) -> None:
    bench.exists(bench.manifest(owner="stranger", a="theirs"), seen=seen)
    with pytest.raises(NameTaken, match="belongs to somebody else"):
        bench.do(effect(bench.manifest(a="1")))
    assert bench.world.get(C)["data"] == {"a": "theirs"}


@pytest.mark.parametrize("effect", [Apply, Create])
@pytest.mark.parametrize("now", ["gone", "ours"])
def test_a_stranger_that_is_only_remembered_is_not_complained_of(
    bench: Bench, effect: type[Apply | Create], now: str
) -> None:
    """A namesake's children go after it; when no watch told, the cache still has them."""
    bench.exists(bench.manifest(owner="stranger"))
    bench.world.delete(C)
    if now == "ours":
        bench.exists(bench.manifest(a="1"), seen=False)
    with pytest.raises(errors.Conflict):
        bench.do(effect(bench.manifest(a="1")))
    assert bench.do(effect(bench.manifest(a="1"))) is (now == "gone" or effect is Apply)
    assert bench.world.get(C)["data"] == {"a": "1"}


def test_a_child_that_the_decision_did_not_know_of_is_not_overwritten(bench: Bench) -> None:
    """Our own ledger, invisible in a lagging cache: a decision for 'there is no ledger' must not replace it."""
    bench.exists(bench.manifest(attempts="3"), seen=False)
    with pytest.raises(errors.Conflict):
        bench.do(Apply(bench.manifest(attempts="0")))
    assert bench.world.get(C)["data"] == {"attempts": "3"}
    assert bench.cache.get(C) is not None, "and the next look sees it"


def test_a_child_that_lost_our_label_is_seen_again(bench: Bench) -> None:
    bench.do(Apply(bench.manifest(a="1")))
    bare = bench.world.patch(C, {"metadata": {"labels": None}})
    bench.cache.remove(CONFIG_MAP, bare)
    with pytest.raises(errors.Conflict):
        bench.do(Apply(bench.manifest(a="1")))
    assert bench.do(Apply(bench.manifest(a="1")))
    assert bench.world.get(C)["metadata"]["labels"]


# ── guards ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def version(bench: Bench) -> str:
    return str(bench.world.get(C)["metadata"]["resourceVersion"])


def test_a_guarded_apply_on_a_stale_view_is_refused(bench: Bench) -> None:
    bench.do(Apply(bench.manifest(a="1")))
    guard = version(bench)
    bench.world.patch(C, {"data": {"theirs": "x"}})
    with pytest.raises(errors.Conflict):
        bench.do(Apply(bench.manifest(a="2"), guard=guard))
    assert bench.world.get(C)["data"]["a"] == "1"
    assert bench.do(Apply(bench.manifest(a="2"), guard=version(bench))), "the refusal has freshened the view"


@pytest.mark.parametrize("what", ["create", "delete", "apply"])
def test_a_guarded_apply_with_nothing_to_change_still_guards_what_follows(bench: Bench, what: str) -> None:
    bench.do(Apply(bench.manifest(a="1")))
    other = bench.exists(bench.manifest("d"))
    effects: dict[str, Effect] = {
        "create": Create(bench.manifest("e")),
        "delete": Delete(Ref(CONFIG_MAP, "ns", "d"), other["metadata"]["uid"]),
        "apply": Apply(bench.manifest("d", x="1")),
    }
    guard, effect = version(bench), effects[what]
    bench.world.patch(C, {"data": {"theirs": "x"}})
    before = len(bench.requests)
    with pytest.raises(errors.Conflict):
        bench.do(Apply(bench.manifest(a="1"), guard=guard), effect)
    assert len(bench.requests) == before
    bench.see()
    assert bench.do(Apply(bench.manifest(a="1"), guard=version(bench)), effect)


def test_a_guarded_apply_with_nothing_to_change_and_nothing_after_it_costs_no_request(bench: Bench) -> None:
    bench.do(Apply(bench.manifest(a="1")))
    bench.door.get = None  # type: ignore[assignment, method-assign]
    assert not bench.do(Apply(bench.manifest(a="1"), guard=version(bench)))


def test_a_guard_on_an_object_that_is_gone_is_refused(bench: Bench) -> None:
    bench.do(Apply(bench.manifest(a="1")))
    guard = version(bench)
    bench.world.delete(C)
    with pytest.raises(errors.Conflict):
        bench.do(Apply(bench.manifest(a="1"), guard=guard), Create(bench.manifest("e")))
    assert bench.world.find(Ref(CONFIG_MAP, "ns", "e")) is None


# ── for whom ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("effect", [Apply, Create])
def test_no_child_is_made_for_a_resource_whose_deletion_nobody_told(bench: Bench, effect: type[Apply | Create]) -> None:
    bench.cache.observe(WIDGET, bench.owner)
    bench.world.delete(widget_ref())
    with pytest.raises(errors.Conflict):
        bench.do(effect(bench.manifest()))
    assert bench.requests == []
    assert bench.told == [("w", "w")], "those who name it learn of it now: its event will be no news"
    assert bench.cache.get(widget_ref()) is None, "and the next look knows"


@pytest.mark.parametrize("effect", [Apply, Create])
def test_no_child_of_an_old_resource_is_made_for_its_namesake(bench: Bench, effect: type[Apply | Create]) -> None:
    bench.cache.observe(WIDGET, bench.owner)
    bench.world.delete(widget_ref())
    new = bench.world.create(widget_ref(), widget())
    with pytest.raises(errors.Conflict):
        bench.do(effect(bench.manifest()))
    assert (bench.cache.get(widget_ref()) or {})["metadata"]["uid"] == new["metadata"]["uid"]


def test_the_resource_is_asked_for_once_in_a_decision_and_only_when_something_is_made(bench: Bench) -> None:
    asked: list[Ref] = []
    get = bench.world.get

    def count(ref: Ref) -> Object:
        asked.append(ref)
        return get(ref)

    bench.world.get = count  # type: ignore[method-assign]
    bench.do(Create(bench.manifest("d")), Create(bench.manifest("e")))
    assert asked == [widget_ref()]
    bench.do(Create(bench.manifest("d")))
    assert asked == [widget_ref()]


# ── Create, Delete ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_created_once_is_never_edited(bench: Bench) -> None:
    assert bench.do(Create(bench.manifest(a="1")))
    assert not bench.do(Create(bench.manifest(a="2")))
    assert bench.world.get(C)["data"] == {"a": "1"}


def test_our_own_object_that_the_decision_did_not_know_of_stops_the_decision(bench: Bench) -> None:
    """It may be the ledger of a run that goes on: nothing that follows from its absence may be done."""
    bench.exists(bench.manifest(a="1"), seen=False)
    with pytest.raises(errors.Conflict):
        bench.do(Create(bench.manifest(a="2")), Create(bench.manifest("e")))
    assert bench.cache.get(C) is not None
    assert not bench.do(Create(bench.manifest(a="2")))
    assert bench.world.get(C)["data"] == {"a": "1"}


def test_a_deleted_child_is_gone_from_the_cache_at_once(bench: Bench) -> None:
    obj = bench.exists(bench.manifest())
    assert bench.do(Delete(C, obj["metadata"]["uid"]))
    assert bench.cache.get(C) is None


def test_a_child_that_a_finalizer_holds_is_deleted_by_one_request(bench: Bench) -> None:
    manifest = bench.manifest()
    manifest["metadata"]["finalizers"] = ["ray.io/x"]
    uid = bench.exists(manifest)["metadata"]["uid"]
    assert bench.do(Delete(C, uid))
    assert not bench.do(Delete(C, uid))
    assert bench.requests == ["delete c"]
    assert (bench.cache.get(C) or {})["metadata"]["deletionTimestamp"]


def test_a_delete_never_hits_a_namesake(bench: Bench) -> None:
    old = bench.exists(bench.manifest())
    bench.world.delete(C)
    bench.exists(bench.manifest(a="new"), seen=False)
    assert bench.do(Delete(C, old["metadata"]["uid"])), "the cache has learnt that the old one is gone"
    assert bench.world.get(C)["data"] == {"a": "new"}


def test_deleting_what_is_gone_already_is_done(bench: Bench) -> None:
    obj = bench.exists(bench.manifest())
    bench.world.delete(C)
    bench.do(Delete(C, obj["metadata"]["uid"]))
    assert bench.cache.get(C) is None


# ── order, lease, notes, who is told ─────────────────────────────────────────────────────────────────────────────────


def test_effects_go_in_order_and_stop_at_the_first_that_fails(bench: Bench) -> None:
    bench.exists(bench.manifest("d", owner="stranger"))
    with pytest.raises(NameTaken):
        bench.do(Create(bench.manifest("b")), Create(bench.manifest("d")), Create(bench.manifest("e")))
    assert bench.requests == ["create b"]


@pytest.mark.parametrize("what", ["apply", "create", "delete", "status"])
def test_nothing_is_written_without_the_lease(bench: Bench, what: str) -> None:
    uid = bench.exists(bench.manifest())["metadata"]["uid"]
    bench.leader = False
    before = bench.world.version
    acts: dict[str, Callable[[], object]] = {
        "apply": lambda: bench.do(Apply(bench.manifest(a="2"))),
        "create": lambda: bench.do(Create(bench.manifest("e"))),
        "delete": lambda: bench.do(Delete(C, uid)),
        "status": lambda: run(
            bench.writer.status(widget_ref(), bench.owner["metadata"]["uid"], {}, manager="gyre-widget")
        ),
    }
    with pytest.raises(NotLeader):
        acts[what]()
    assert bench.world.version == before


def test_the_lease_is_asked_before_each_request(bench: Bench) -> None:
    create = bench.world.create

    def create_and_lose(*args: Any, **kwargs: Any) -> Any:
        bench.leader = False
        return create(*args, **kwargs)

    bench.world.create = create_and_lose  # type: ignore[method-assign]
    with pytest.raises(NotLeader):
        bench.do(Create(bench.manifest("d")), Create(bench.manifest("e")))
    assert bench.requests == ["create d"]


def test_a_note_is_no_write(bench: Bench) -> None:
    assert not bench.do(Note("Why", "because"))


def test_our_own_writes_are_told_to_whoever_else_they_concern(bench: Bench) -> None:
    """Their watch events will be no news: the cache holds the answers already."""
    bench.do(Apply(bench.manifest(a="1")))
    bench.do(Create(bench.manifest("d")))
    bench.do(Delete(C, bench.world.get(C)["metadata"]["uid"]))
    run(bench.writer.status(widget_ref(), bench.owner["metadata"]["uid"], {"x": 1}, manager="gyre-widget"))
    assert bench.told == [("c", "w"), ("d", "w"), ("c", "w"), ("w", "w")]


def test_a_status_never_hits_a_namesake(bench: Bench) -> None:
    with pytest.raises(errors.Conflict):
        run(bench.writer.status(widget_ref(), "another-uid", {"x": 1}, manager="gyre-widget"))


def test_the_intent_is_signed(bench: Bench) -> None:
    bench.do(Apply(bench.manifest(a="1")))
    assert len(bench.world.get(C)["metadata"]["annotations"][INTENT]) == 64


def test_a_kind_that_nobody_declared_is_not_written(bench: Bench) -> None:
    with pytest.raises(KeyError, match="Deployment"):
        bench.do(Apply({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x", "namespace": "ns"}}))
