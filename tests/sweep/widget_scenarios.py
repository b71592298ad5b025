"""Scenarios of the toy kind: the sweep tried on something small before it is trusted with something real."""

from __future__ import annotations

from typing import Any

from tests.sweep.scenarios import Scenario, Step
from tests.sweep.toys import KIND, part_ref, widget, widget_ref
from tests.sweep.world import World

from gyre.api import kstatus
from gyre.api.effects import Ref
from gyre.api.gvks import CONFIG_MAP
from gyre.api.kstatus import Verdict
from gyre.engine.effects import owner_uid

LEDGER = Ref(CONFIG_MAP, "ns", "w-ledger")


def made(world: World) -> bool:
    return kstatus.compute(world.find(widget_ref())).verdict is Verdict.CURRENT


def no_part_is_forgotten(world: World) -> None:
    """The ledger names every part that exists, and never fewer than it ever did: a stale decision must not undo it."""
    ledger = world.find(LEDGER)
    named = set(ledger["data"]["made"].split(",")) if ledger else set()
    live = world.find(widget_ref())
    uid = live["metadata"]["uid"] if live else ""
    parts = {ref.name for ref, obj in world.objects.items() if "-part-" in ref.name and owner_uid(obj) == uid}
    assert parts <= named, f"{parts - named} exist and are not in the ledger"


def scenario(name: str, setup: Any, **changes: Any) -> Scenario:
    steps = changes.pop("steps", ())
    expect = changes.pop("expect", {widget_ref(): Verdict.CURRENT})
    return Scenario(
        name,
        (KIND,),
        setup,
        expect,
        steps=steps,
        invariants=lambda: (no_part_is_forgotten,),
    )


def exists(name: str = "w", **spec: Any) -> Any:
    return lambda world: world.create(widget_ref(name), widget(name, **spec))


def change(**spec: Any) -> Any:
    return lambda world: world.patch(widget_ref(), {"spec": spec})


def collected(world: World) -> None:
    left = [str(ref) for ref in world.objects if ref.gvk == CONFIG_MAP]
    assert not left, f"orphans: {left}"


SCENARIOS = (
    scenario("made", exists(parts=3, colour="red")),
    scenario(
        "more, then fewer parts, and a dropped field",
        exists(parts=1, colour="red"),
        steps=(Step(made, change(parts=3)), Step(made, change(parts=2, colour=None), wait=1.0)),
    ),
    scenario(
        "waits for a friend",
        lambda world: world.create(widget_ref(), widget(friend="f", parts=1)),
        steps=(Step(lambda world: world.version > 101, exists("f", parts=1), wait=90.0),),
    ),
    scenario("broken", exists(broken=True), expect={widget_ref(): Verdict.FAILED}),
    scenario("mended", exists(broken=True, parts=1), steps=(Step(lambda world: True, change(broken=None), wait=5.0),)),
    scenario(
        "deleted half-way",
        exists(parts=3),
        steps=(Step(lambda world: world.find(part_ref(1)) is not None, lambda world: world.delete(widget_ref())),),
        expect={widget_ref(): Verdict.NOT_FOUND},
    ),
    scenario(
        "deleted and made anew",
        exists(parts=2),
        steps=(
            Step(made, lambda world: world.delete(widget_ref())),
            Step(lambda world: world.find(widget_ref()) is None, exists(parts=1)),
        ),
    ),
    scenario(
        "a part deleted by a stranger",
        exists(parts=2),
        steps=(Step(made, lambda world: world.delete(part_ref(0))),),
    ),
)
