"""What is drawn by chance: once, for a living resource, and known to nobody afterwards."""

from __future__ import annotations

import pytest
from tests.sweep.toys import widget_ref
from tests.unit.engine.clusters import Bench, C

from gyre.api.effects import Apply, Create, Generate, Ref
from gyre.api.gvks import CONFIG_MAP
from gyre.engine.effects import NotLeader
from gyre.kube import errors

SEALED = Ref(CONFIG_MAP, "ns", "sealed")
"""A ConfigMap stands for the Secret: the toy operator may write nothing else."""


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_what_is_generated_is_drawn_by_chance_and_remembered_nowhere(bench: Bench) -> None:
    assert bench.do(Generate(bench.manifest("sealed"), "token"))
    made = bench.world.get(SEALED)["stringData"]["token"]
    assert len(made) >= 43
    assert bench.cache.get(SEALED) is None
    assert bench.told == [], "nobody is told of what nobody may read"
    bench.world.delete(SEALED)
    bench.do(Generate(bench.manifest("sealed"), "token"))
    assert bench.world.get(SEALED)["stringData"]["token"] != made


@pytest.mark.parametrize("owner", [None, "somebody-else"])
def test_what_was_generated_before_is_neither_read_nor_written_again(bench: Bench, owner: str | None) -> None:
    there = bench.world.create(SEALED, {**bench.manifest("sealed", owner), "stringData": {"token": "kept"}})
    read: list[Ref] = []
    get = bench.world.get
    bench.world.get = lambda ref: [read.append(ref), get(ref)][1]  # type: ignore[method-assign, func-returns-value, return-value]
    assert not bench.do(Generate(bench.manifest("sealed"), "token"))
    bench.do(Generate(bench.manifest("sealed"), "token"), Create(bench.manifest("e")))
    assert SEALED not in read
    assert bench.world.find(SEALED) == there
    assert bench.world.find(Ref(CONFIG_MAP, "ns", "e")), "it stops nothing"


def test_nothing_is_generated_on_a_stale_view_or_without_the_lease(bench: Bench) -> None:
    bench.do(Apply(bench.manifest(a="1")))
    guard = bench.world.get(C)["metadata"]["resourceVersion"]
    bench.world.patch(C, {"data": {"theirs": "x"}})
    with pytest.raises(errors.Conflict):
        bench.do(Apply(bench.manifest(a="1"), guard=guard), Generate(bench.manifest("sealed"), "token"))
    bench.leader = False
    with pytest.raises(NotLeader):
        bench.do(Generate(bench.manifest("sealed"), "token"))
    bench.leader = True
    bench.world.delete(widget_ref())
    with pytest.raises(errors.Conflict):
        bench.do(Generate(bench.manifest("sealed"), "token"))
    assert bench.world.find(SEALED) is None
