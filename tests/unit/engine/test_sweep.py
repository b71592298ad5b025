"""The sweep: what no event told is found by listing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.sweep.operators import run
from tests.sweep.toys import KIND, WIDGET
from tests.unit.engine.clusters import Bench, C

from gyre.api.effects import Gvk
from gyre.api.gvks import CONFIG_MAP
from gyre.api.kind import Object
from gyre.engine.routing import Routes
from gyre.engine.sweep import fill, sweep
from gyre.kube import errors

ROUTES = Routes((KIND,))


def swept(bench: Bench) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []

    def changed(gvk: Gvk, obj: Object) -> None:
        found.append((gvk.kind, obj["metadata"]["name"]))

    run(sweep(bench.door, bench.cache, ROUTES, changed))
    return found


def settled() -> Bench:
    bench = Bench()
    run(fill(bench.door, bench.cache, ROUTES.watched()))
    bench.exists(bench.manifest(a="1"))
    return bench


def test_a_sweep_over_what_is_known_finds_nothing() -> None:
    assert swept(settled()) == []


def test_an_object_whose_deletion_nobody_told_is_forgotten_and_its_owner_woken() -> None:
    bench = settled()
    bench.world.delete(C)
    assert swept(bench) == [("ConfigMap", "c")]
    assert bench.cache.get(C) is None


def test_an_object_that_nobody_told_of_is_taken_in() -> None:
    bench = settled()
    bench.exists(bench.manifest("d"), seen=False)
    assert swept(bench) == [("ConfigMap", "d")]


def test_a_change_that_nobody_told_is_taken_in() -> None:
    bench = settled()
    bench.world.patch(C, {"data": {"a": "2"}})
    assert swept(bench) == [("ConfigMap", "c")]
    assert (bench.cache.get(C) or {})["data"] == {"a": "2"}


def test_an_object_replaced_by_a_namesake_is_taken_in_and_both_owners_are_woken() -> None:
    bench = settled()
    bench.world.delete(C)
    new = bench.exists(bench.manifest(a="new"), seen=False)
    assert swept(bench) == [("ConfigMap", "c")] * 2
    assert (bench.cache.get(C) or {})["metadata"]["uid"] == new["metadata"]["uid"]
    assert swept(bench) == []


def test_an_object_that_lost_our_label_is_not_taken_for_gone() -> None:
    bench = settled()
    bench.world.patch(C, {"metadata": {"labels": None}})
    assert swept(bench) == [("ConfigMap", "c")]
    assert bench.cache.get(C) is not None


def test_an_object_made_after_the_list_was_taken_is_not_purged() -> None:
    bench = settled()
    listed: list[Object] = bench.world.list(CONFIG_MAP)
    late = bench.exists(bench.manifest("late"))
    bench.door.list = _lists(bench, listed)  # type: ignore[method-assign]
    assert swept(bench) == []
    assert bench.cache.get(C)
    assert bench.cache.get(_ref("late")) is not None
    assert late


def test_a_server_that_does_not_answer_purges_nothing() -> None:
    bench = settled()
    bench.world.delete(C)

    async def get(ref: Any) -> Object:
        raise errors.Unavailable(503, "ServiceUnavailable", "later")

    bench.door.get = get  # type: ignore[method-assign]
    assert swept(bench) == []
    assert bench.cache.get(C) is not None


def test_a_list_that_fails_leaves_the_kind_to_the_next_sweep() -> None:
    bench = settled()

    async def broken(gvk: Gvk, **_: Any) -> AsyncIterator[Object]:
        raise errors.Unavailable(503, "ServiceUnavailable", "later")
        yield {}

    bench.door.list = broken  # type: ignore[method-assign]
    assert swept(bench) == []


def test_what_is_not_installed_is_said_and_not_an_error() -> None:
    bench = Bench()
    bench.world.absent.add(CONFIG_MAP)
    assert run(fill(bench.door, bench.cache, ROUTES.watched())) == {CONFIG_MAP}
    assert bench.cache.entries(WIDGET)


def _ref(name: str) -> Any:
    return type(C)(C.gvk, C.namespace, name)


def _lists(bench: Bench, config_maps: list[Object]) -> Any:
    async def listing(
        gvk: Gvk, *, namespace: str = "", selector: str = "", metadata_only: bool = False
    ) -> AsyncIterator[Object]:
        for obj in config_maps if gvk == CONFIG_MAP else bench.world.list(gvk, managed=bool(selector)):
            yield obj

    return listing


OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["make", "change", "delete", "unlabel"]), st.sampled_from("abc"), st.booleans()),
    max_size=25,
)


@given(OPERATIONS)
def test_after_a_sweep_the_cache_holds_what_the_server_holds(operations: list[tuple[str, str, bool]]) -> None:
    """Any history, any of its events lost (the third of each operation says whether it was told)."""
    bench = Bench()
    run(fill(bench.door, bench.cache, ROUTES.watched()))
    cursor = 0
    for what, name, told in operations:
        ref = _ref(name)
        exists = bench.world.find(ref) is not None
        if what == "make" and not exists:
            bench.world.create(ref, bench.manifest(name))
        elif what == "change" and exists:
            bench.world.patch(ref, {"data": {"v": str(bench.world.version)}})
        elif what == "delete" and exists:
            bench.world.delete(ref)
        elif what == "unlabel" and exists:
            bench.world.patch(ref, {"metadata": {"labels": None}})
        events = bench.world.history.get(CONFIG_MAP, [])
        for event in events[cursor:] if told else ():
            if event.managed and event.type != "DELETED":
                bench.cache.observe(CONFIG_MAP, event.obj)
            elif event.was_managed or event.managed:
                bench.cache.remove(CONFIG_MAP, event.obj)
        cursor = len(events)
    swept(bench)
    server = {
        o["metadata"]["name"]: o["metadata"]["resourceVersion"] for o in bench.world.list(CONFIG_MAP, managed=True)
    }
    held = {o["metadata"]["name"]: o["metadata"]["resourceVersion"] for o in bench.cache.everything(CONFIG_MAP)}
    unlabelled = {o["metadata"]["name"] for o in bench.world.list(CONFIG_MAP)} - set(server)
    assert {name: seen for name, seen in held.items() if name not in unlabelled} == server
    assert swept(bench) == []
