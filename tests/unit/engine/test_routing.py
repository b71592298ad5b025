"""Whom a change wakes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.sweep.toys import KIND, WIDGET, widget
from tests.unit.engine.test_cache import no_fetch

from gyre.api.effects import Gvk
from gyre.api.gvks import CONFIG_MAP, NODE, POD
from gyre.api.kind import Kind, Object, Watch
from gyre.engine.cache import Cache
from gyre.engine.routing import Routes


def woken(gvk: Gvk, obj: Object, *known: Object, kind: Kind[Any, Any] = KIND) -> list[str]:
    cache = Cache((kind,), no_fetch)
    for number, other in enumerate(known):
        other["metadata"] |= {"uid": f"k{number}", "resourceVersion": str(number + 1)}
        cache.observe(WIDGET, other)
    return sorted({str(key) for key, _ in Routes((kind,)).woken(gvk, obj, cache)})


def child(**owner: Any) -> Object:
    reference = {"apiVersion": "gyre.dev/v1alpha1", "kind": "Widget", "name": "w", "uid": "u", "controller": True}
    return {"metadata": {"name": "c", "namespace": "ns", "ownerReferences": [reference | owner]}}


def test_a_resource_wakes_itself() -> None:
    assert woken(WIDGET, widget()) == ["widget/ns/w"]


def test_a_child_wakes_its_controller_only() -> None:
    assert woken(CONFIG_MAP, child()) == ["widget/ns/w"]
    assert woken(CONFIG_MAP, child(controller=False)) == []
    assert woken(CONFIG_MAP, child(apiVersion="apps/v1")) == []
    assert woken(CONFIG_MAP, {"metadata": {"name": "c", "namespace": "ns"}}) == []


def test_a_resource_wakes_those_that_name_it() -> None:
    assert woken(WIDGET, widget("f"), widget("a", friend="f"), widget("b")) == ["widget/ns/a", "widget/ns/f"]


def test_a_name_in_another_namespace_is_another_object() -> None:
    assert woken(WIDGET, widget("f", namespace="other"), widget("a", friend="f")) == ["widget/other/f"]


def test_a_watched_object_wakes_whom_the_kind_says() -> None:
    kind = replace(KIND, watches=(Watch(NODE, keys=lambda obj: [("ns", obj["metadata"]["labels"]["for"])]),))
    assert woken(NODE, {"metadata": {"name": "n", "labels": {"for": "w"}}}, kind=kind) == ["widget/ns/w"]


def test_a_watch_without_keys_fills_the_cache_and_wakes_nobody() -> None:
    kind = replace(KIND, watches=(Watch(NODE, managed=False),))
    assert woken(NODE, {"metadata": {"name": "n"}}, kind=kind) == []


def test_children_are_watched_by_our_label_unless_anybody_wants_them_all() -> None:
    assert Routes((KIND,)).watched() == {WIDGET: False, CONFIG_MAP: True}
    everything = replace(KIND, watches=(Watch(CONFIG_MAP, managed=False), Watch(POD), Watch(NODE, managed=False)))
    assert Routes((everything,)).watched() == {WIDGET: False, CONFIG_MAP: False, POD: True, NODE: False}


def test_a_kind_of_ours_that_is_also_a_child_is_watched_whole() -> None:
    assert Routes((replace(KIND, owns=(CONFIG_MAP, WIDGET)),)).watched()[WIDGET] is False


def test_everyone_is_woken_when_what_concerns_everyone_has_changed_and_not_otherwise() -> None:
    kind = replace(KIND, watches=(Watch(NODE, managed=False, everyone=lambda obj: obj["spec"]["price"]),))
    cache, routes = Cache((kind,), no_fetch), Routes((kind,))
    for number, name in enumerate(("a", "b")):
        made = widget(name)
        made["metadata"] |= {"uid": name, "resourceVersion": str(number + 1)}
        cache.observe(WIDGET, made)

    def told(version: int, price: int, *, gone: bool = False) -> list[str]:
        node = {"metadata": {"name": "n", "uid": "u", "resourceVersion": str(version)}, "spec": {"price": price}}
        (cache.remove if gone else cache.observe)(NODE, node)
        return sorted(str(key) for key, _ in routes.woken(NODE, node, cache))

    both = ["widget/ns/a", "widget/ns/b"]
    assert told(10, 1) == both
    assert told(11, 1) == []
    assert told(12, 2) == both
    assert told(13, 2, gone=True) == both
    assert told(14, 2) == both


def test_what_may_come_in_bursts_is_looked_at_later_and_a_child_at_once() -> None:
    kind = replace(KIND, watches=(Watch(CONFIG_MAP, everyone=lambda obj: obj["metadata"]["name"], settle=3.0),))
    cache = Cache((kind,), no_fetch)
    other = widget("other")
    other["metadata"] |= {"uid": "k", "resourceVersion": "1"}
    cache.observe(WIDGET, other)
    told = {str(key): seconds for key, seconds in Routes((kind,)).woken(CONFIG_MAP, child(), cache)}
    assert told == {"widget/ns/w": 0.0, "widget/ns/other": 3.0}
