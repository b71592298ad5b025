"""The recorder of Kubernetes Events: each thing told once."""

from __future__ import annotations

from tests.sweep.operators import Door, run
from tests.sweep.toys import widget_ref
from tests.sweep.world import World

from gyre.api.effects import Note, NoteType, Ref
from gyre.api.gvks import EVENT
from gyre.engine.events import LONGEST_MESSAGE, Recorder
from gyre.kube import errors


def tell(world: World, recorder: Recorder, *notes: Note, uid: str = "u1") -> list[dict[str, str]]:
    for note in notes:
        run(recorder.tell(widget_ref(), uid, note, world.now))
    return world.list(EVENT)


def test_the_same_thing_is_told_once() -> None:
    world = World()
    recorder = Recorder(Door(world), host="h")
    assert len(tell(world, recorder, Note("Made", "it"), Note("Made", "it"), Note("Made", "another"))) == 2


def test_the_same_thing_is_told_once_over_restarts() -> None:
    world = World()
    tell(world, Recorder(Door(world), host="h1"), Note("Made", "it"))
    assert len(tell(world, Recorder(Door(world), host="h2"), Note("Made", "it"))) == 1


def test_a_namesake_made_later_is_told_anew() -> None:
    world = World()
    recorder = Recorder(Door(world), host="h")
    tell(world, recorder, Note("Made", "it"))
    assert len(tell(world, recorder, Note("Made", "it"), uid="u2")) == 2


def test_an_event_that_was_not_recorded_is_tried_again_the_next_time() -> None:
    world = World()
    door = Door(world)
    recorder, create = Recorder(door, host="h"), door.world.create

    def refuse(ref: Ref, *args: object, **kwargs: object) -> dict[str, str]:
        raise errors.Unavailable(503, "ServiceUnavailable", "later")

    world.create = refuse  # type: ignore[method-assign]
    assert not tell(world, recorder, Note("Made", "it"))
    world.create = create  # type: ignore[method-assign]
    assert len(tell(world, recorder, Note("Made", "it"))) == 1


def test_a_long_message_is_cut_to_what_the_server_takes() -> None:
    world = World()
    (event,) = tell(world, Recorder(Door(world), host="h"), Note("Made", "x" * 5000, NoteType.WARNING))
    assert len(event["message"]) == LONGEST_MESSAGE
    assert event["type"] == "Warning"
