"""The cache: newest view wins, deletions stay deleted, indexes follow."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.sweep.toys import KIND, WIDGET, widget, widget_ref

from gyre.api.effects import Ref
from gyre.api.gvks import CONFIG_MAP
from gyre.api.kind import Object
from gyre.engine.cache import RECALLED, Cache


async def no_fetch(ref: Ref) -> Object | None:
    return None


def cache() -> Cache:
    return Cache((KIND,), no_fetch)


REF = Ref(CONFIG_MAP, "ns", "c")


def config(version: int, *, uid: str = "u1", owner: str = "", **labels: str) -> Object:
    metadata: dict[str, Any] = {
        "name": "c",
        "namespace": "ns",
        "uid": uid,
        "resourceVersion": str(version),
        "labels": labels,
    }
    if owner:
        metadata["ownerReferences"] = [
            {"apiVersion": WIDGET.api_version, "kind": "Widget", "name": "w", "uid": owner, "controller": True}
        ]
    return {"metadata": metadata, "data": {"version": str(version)}}


def version_of(held: Cache) -> int | None:
    obj = held.get(REF)
    return int(obj["metadata"]["resourceVersion"]) if obj else None


def test_an_older_view_never_replaces_a_newer_one() -> None:
    held = cache()
    assert held.observe(CONFIG_MAP, config(9))
    assert not held.observe(CONFIG_MAP, config(8))
    assert not held.observe(CONFIG_MAP, config(9))
    assert version_of(held) == 9


def test_versions_compare_as_numbers() -> None:
    held = cache()
    held.observe(CONFIG_MAP, config(9))
    assert held.observe(CONFIG_MAP, config(10))


def test_a_deleted_object_does_not_come_back_from_a_late_event() -> None:
    held = cache()
    held.observe(CONFIG_MAP, config(5))
    assert held.remove(CONFIG_MAP, config(7))
    assert not held.observe(CONFIG_MAP, config(6))
    assert held.get(REF) is None


def test_an_object_made_anew_after_a_deletion_is_seen() -> None:
    held = cache()
    held.remove(CONFIG_MAP, config(7))
    assert held.observe(CONFIG_MAP, config(8, uid="u2"))


def test_a_late_deletion_does_not_take_away_the_namesake() -> None:
    held = cache()
    held.observe(CONFIG_MAP, config(8, uid="u2"))
    assert not held.remove(CONFIG_MAP, config(7))
    assert version_of(held) == 8


def test_a_get_is_proof_of_life_for_what_only_left_the_watch() -> None:
    """An object that loses our label is told as deleted at the very version that lives on."""
    held = cache()
    held.observe(CONFIG_MAP, config(5))
    held.remove(CONFIG_MAP, config(6))
    assert not held.observe(CONFIG_MAP, config(6))
    assert held.confirm(CONFIG_MAP, config(6))
    assert version_of(held) == 6


def test_a_get_older_than_the_deletion_proves_nothing() -> None:
    held = cache()
    held.remove(CONFIG_MAP, config(6))
    assert not held.confirm(CONFIG_MAP, config(5))


def test_indexes_follow_owner_and_label() -> None:
    held = cache()
    held.observe(CONFIG_MAP, config(1, owner="w1", colour="red"))
    assert [o["metadata"]["name"] for o in held.owned(CONFIG_MAP, "w1")] == ["c"]
    assert held.labelled(CONFIG_MAP, "ns", "colour", "red")
    held.observe(CONFIG_MAP, config(2, owner="w2", colour="blue"))
    assert not held.owned(CONFIG_MAP, "w1")
    assert not held.labelled(CONFIG_MAP, "ns", "colour", "red")
    assert not held.labelled(CONFIG_MAP, "other", "colour", "blue")
    assert held.labelled(CONFIG_MAP, "ns", "colour", "blue")
    held.remove(CONFIG_MAP, config(3))
    assert not held.owned(CONFIG_MAP, "w2")
    assert not held.labelled(CONFIG_MAP, "ns", "colour", "blue")


def named(version: int, **spec: Any) -> Object:
    obj = widget(**spec)
    obj["metadata"] |= {"uid": "w1", "resourceVersion": str(version)}
    return obj


def test_an_object_is_found_by_what_its_spec_names() -> None:
    held = cache()
    held.observe(WIDGET, named(1, friend="f"))
    assert [o["metadata"]["name"] for o in held.referrers(widget_ref("f"), WIDGET)] == ["w"]
    held.observe(WIDGET, named(2))
    assert not held.referrers(widget_ref("f"), WIDGET)


def test_an_unreadable_object_is_kept_and_names_nothing() -> None:
    held = cache()
    held.observe(WIDGET, named(1, parts="many", friend="f"))
    assert held.get(widget_ref()) is not None
    assert not held.referrers(widget_ref("f"), WIDGET)


def test_what_is_read_can_be_changed_without_changing_the_cache() -> None:
    held = cache()
    held.observe(CONFIG_MAP, config(1))
    obj = held.get(REF)
    assert obj is not None
    obj["data"]["version"] = "changed"
    assert held.get(REF) != obj


def recalling() -> Cache:
    return Cache((replace(KIND, recalls=(CONFIG_MAP,)),), no_fetch)


def test_the_last_word_of_what_has_gone_is_recalled() -> None:
    held = recalling()
    held.observe(CONFIG_MAP, config(1))
    assert held.departed(CONFIG_MAP) == []
    held.remove(CONFIG_MAP, config(3, team="a"))
    (last,) = held.departed(CONFIG_MAP)
    assert (last["data"], last["metadata"]["labels"]) == ({"version": "3"}, {"team": "a"})
    held.observe(CONFIG_MAP, config(5, uid="u2"))
    held.purge(REF, version=5)
    assert [obj["metadata"]["uid"] for obj in held.departed(CONFIG_MAP)] == ["u1", "u2"]


def test_a_deletion_that_is_no_news_recalls_nothing() -> None:
    held = recalling()
    held.observe(CONFIG_MAP, config(9))
    assert not held.remove(CONFIG_MAP, config(8))
    assert held.departed(CONFIG_MAP) == []


def test_only_the_newest_are_recalled_and_only_of_kinds_that_somebody_asks_for() -> None:
    held, plain = recalling(), cache()
    for number in range(RECALLED + 3):
        for one in (held, plain):
            one.observe(CONFIG_MAP, config(2 * number + 1, uid=f"u{number}"))
            one.remove(CONFIG_MAP, config(2 * number + 2, uid=f"u{number}"))
    assert held.departed(CONFIG_MAP)[0]["metadata"]["uid"] == "u3"
    assert len(held.departed(CONFIG_MAP)) == RECALLED
    assert plain.departed(CONFIG_MAP) == []


def test_managed_fields_are_not_kept() -> None:
    held = cache()
    obj = config(1)
    obj["metadata"]["managedFields"] = [{"manager": "x"}]
    held.observe(CONFIG_MAP, obj)
    assert "managedFields" not in (held.get(REF) or {})["metadata"]


@st.composite
def lives(draw: st.DrawFn) -> list[tuple[str, Object]]:
    """The true history of one name: made, changed, deleted, made anew; versions rise."""
    told, version, alive, life = list[tuple[str, Object]](), 0, False, 0
    for _ in range(draw(st.integers(1, 10))):
        version += draw(st.integers(1, 3))
        if not alive:
            alive, life = True, life + 1
            told.append(("ADDED", config(version, uid=f"u{life}", owner=f"o{version % 2}")))
        elif draw(st.booleans()):
            told.append(("MODIFIED", config(version, uid=f"u{life}", owner=f"o{version % 2}")))
        else:
            alive = False
            told.append(("DELETED", config(version, uid=f"u{life}", owner=f"o{version % 2}")))
    return told


@given(lives(), st.data())
def test_any_interleaving_of_events_and_write_answers_ends_at_the_newest_state(
    told: list[tuple[str, Object]], data: st.DataObject
) -> None:
    """Every event arrives at least once; duplicates and answers to writes come at any time, in any order."""
    answers = [("ANSWER", obj) for type, obj in told if type != "DELETED"]
    extra = data.draw(st.lists(st.sampled_from(told + answers), max_size=10))
    held = cache()
    for type, obj in data.draw(st.permutations(told + extra)):
        if type == "DELETED":
            held.remove(CONFIG_MAP, obj)
        else:
            held.observe(CONFIG_MAP, obj)
    type, newest = told[-1]
    gone = type == "DELETED"
    assert version_of(held) == (None if gone else int(newest["metadata"]["resourceVersion"]))
    owner = newest["metadata"]["ownerReferences"][0]["uid"]
    assert bool(held.owned(CONFIG_MAP, owner)) != gone
    assert not held.owned(CONFIG_MAP, "o1" if owner == "o0" else "o0")
