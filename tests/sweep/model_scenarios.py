"""Models and versions: registered, owned, deleted together, and never brought back by what goes with them."""

from __future__ import annotations

from typing import Any

from tests.sweep import actors
from tests.sweep.actors import NS
from tests.sweep.scenarios import Scenario, Step, When
from tests.sweep.world import World
from tests.unit.modelversion.versions import a_version

from gyre.api import kstatus
from gyre.api.effects import Ref
from gyre.api.gvks import MODEL, MODEL_VERSION
from gyre.api.kstatus import Verdict
from gyre.kinds import KINDS

THE_MODEL = Ref(MODEL, NS, "delay")
ONE, TWO = (Ref(MODEL_VERSION, NS, f"delay-{number}") for number in (1, 2))
AUC = {"objective": {"metric": "auc", "goal": "Maximize"}}


def version(ref: Ref, auc: str = "0.7") -> Any:
    return lambda world: actors.put(world, MODEL_VERSION, ref.name, spec=a_version(ref.name, auc=auc)["spec"])


def model(spec: dict[str, Any]) -> Any:
    return lambda world: actors.put(world, MODEL, THE_MODEL.name, spec=spec)


def all_of(*acts: Any) -> Any:
    def act(world: World) -> None:
        for one in acts:
            one(world)

    return act


def current(*refs: Ref) -> When:
    return lambda world: all(kstatus.compute(world.find(ref)).verdict is Verdict.CURRENT for ref in refs)


def counts(number: int) -> Any:
    def check(world: World) -> None:
        obj = world.find(THE_MODEL)
        assert obj is not None
        assert obj["status"]["versions"] == number
        for ref in (ONE, TWO):
            if (found := world.find(ref)) is not None:
                owners = [owner["uid"] for owner in found["metadata"].get("ownerReferences") or ()]
                assert owners == [obj["metadata"]["uid"]], f"{ref} is not its Model's"

    return check


def delete(ref: Ref) -> Any:
    return lambda world: world.delete(ref)


def no_model(world: World) -> None:
    assert not world.list(MODEL), "a deleted Model came back"
    assert not world.list(MODEL_VERSION), "a version stayed"


CURRENT, GONE = Verdict.CURRENT, Verdict.NOT_FOUND

SCENARIOS = (
    Scenario("a version brings its Model", KINDS, version(ONE), {ONE: CURRENT, THE_MODEL: CURRENT}, check=counts(1)),
    Scenario(
        "two versions at once make one Model",
        KINDS,
        all_of(version(ONE), version(TWO, "0.8")),
        {ONE: CURRENT, TWO: CURRENT, THE_MODEL: CURRENT},
        check=counts(2),
    ),
    Scenario(
        "a Model that was there first keeps its spec",
        KINDS,
        all_of(model(AUC), version(ONE), version(TWO, "0.8")),
        {ONE: CURRENT, TWO: CURRENT, THE_MODEL: CURRENT},
        check=counts(2),
    ),
    Scenario(
        "a version is deleted",
        KINDS,
        all_of(version(ONE), version(TWO)),
        {TWO: CURRENT, THE_MODEL: CURRENT},
        steps=(Step(current(ONE, TWO, THE_MODEL), delete(ONE)),),
        check=counts(1),
    ),
    Scenario(
        "the Model is deleted and its versions go with it",
        KINDS,
        all_of(version(ONE), version(TWO)),
        {ONE: GONE, TWO: GONE, THE_MODEL: GONE},
        steps=(Step(current(ONE, TWO, THE_MODEL), delete(THE_MODEL), wait=5.0),),
        check=no_model,
    ),
    Scenario(
        "an objective is mended",
        KINDS,
        all_of(model({"objective": {"metric": "acu", "goal": "Maximize"}}), version(ONE)),
        {ONE: CURRENT, THE_MODEL: CURRENT},
        steps=(
            Step(
                lambda world: kstatus.compute(world.find(THE_MODEL)).verdict is Verdict.FAILED,
                lambda world: world.patch(THE_MODEL, {"spec": AUC}),
            ),
        ),
        check=counts(1),
    ),
)
