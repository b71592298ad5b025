"""InferenceServices: the ways in which a version comes to its traffic, is kept from it, and goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from tests.sweep import actors, serving
from tests.sweep.actors import NS, digest
from tests.sweep.scenarios import Scenario, Step, When
from tests.sweep.scheduler import Actor, Run
from tests.sweep.serving import Behaviour, Envoy, KServe
from tests.sweep.serving_invariants import events, invariants, ledger_of, nothing_left, served, weights_of
from tests.sweep.world import World

from gyre.api.effects import Ref
from gyre.api.gvks import DEPLOYMENT, INFERENCE_SERVICE, MODEL, MODEL_VERSION, POD, SECRET, SERVICE
from gyre.api.kstatus import Verdict
from gyre.kinds import KINDS
from gyre.kinds.inferenceservice.names import RELEASE

GIS = Ref(INFERENCE_SERVICE, NS, "late")
STEPS = (20, 50)
ROLLOUT: Mapping[str, Any] = {"steps": list(STEPS), "interval": "10s", "readyWithin": "1m"}
GOOD, BAD = Behaviour(), Behaviour(failing=0.05)
SLOW = Behaviour(within=(0.1, 0.3, 0.6, 0.8))
CRASHES = Behaviour(crashes="CUDA error: out of memory")
MISMATCH = Behaviour(
    crashes='{"version": 1, "error": {"class": "DigestMismatch", "message": "the files are of another digest"}}'
)
NUMBERS = ("why", "series.json", "rulings.json", "message")
"""What was counted depends on when somebody looked; a verdict does not."""


def asked(letter: str) -> dict[str, Any]:
    return {"name": "delays", "track": "Version", "version": f"delays-{letter}"}


@cache
def bare() -> World:
    """KServe, a Gateway, a claim, and three registered versions of a Model; made once, forked by every run."""
    world = World()
    serving.installed(world)
    actors.claim(world, "runs")
    actors.put(world, MODEL, "delays", spec={})
    for letter in "abc":
        artifact = {"uri": f"pvc://runs/{letter}", "digest": digest(letter), "flavour": "torch"}
        actors.put(
            world, MODEL_VERSION, f"delays-{letter}", spec={"modelRef": {"name": "delays"}, "artifact": artifact}
        )
    Run(KINDS, world, ()).settle()
    return world


@cache
def serving_a() -> World:
    """Version a has all traffic."""
    world = begin(bare().fork())
    envoy = Envoy()
    world.answers = envoy.answer
    Run(KINDS, world, (KServe(), envoy, actors.Kubelet())).settle()
    served("a")(world)
    return world


def begin(world: World, **spec: Any) -> World:
    actors.put(world, INFERENCE_SERVICE, GIS.name, spec=spec_of(**spec))
    return world


def spec_of(**spec: Any) -> dict[str, Any]:
    given = {"modelRef": asked("a"), "rollout": dict(ROLLOUT), **spec}
    return {key: value for key, value in given.items() if value is not None}


def scenario(
    name: str,
    verdict: Verdict = Verdict.CURRENT,
    *,
    start: Any = serving_a,
    behaviours: Mapping[str, Behaviour] | None = None,
    extra: Any = lambda envoy: (),
    silent: bool = False,
    **more: Any,
) -> Scenario:
    """From a world in which version a is served, unless `start` says otherwise."""
    told = behaviours or {}
    crew: dict[str, Envoy] = {}

    def setup(_: World) -> World:
        world: World = start().fork()
        crew["envoy"] = Envoy(told, silent=silent)
        world.answers = crew["envoy"].answer
        return world

    def the_others() -> Sequence[Actor]:
        return (KServe(told), crew["envoy"], actors.Kubelet(), *extra(crew["envoy"]))

    return Scenario(
        name,
        KINDS,
        setup,
        {GIS: verdict},
        actors=the_others,
        invariants=lambda: invariants(STEPS),
        loose=(*NUMBERS, *more.pop("loose", ())),
        **more,
    )


def ask_for(letter: str) -> Any:
    return lambda world: world.patch(GIS, {"spec": {"modelRef": asked(letter)}})


def all_true(*conditions: When) -> When:
    return lambda world: all(condition(world) for condition in conditions)


def at_once(world: World) -> bool:
    return True


def share_of(letter: str, least: int) -> When:
    return lambda world: weights_of(world).get(letter, 0) >= least


def said(reason: str) -> When:
    """Ready says so, about the newest spec."""

    def when(world: World) -> bool:
        gis = world.find(GIS)
        if gis is None or gis["status"].get("observedGeneration") != gis["metadata"]["generation"]:
            return False
        return any(c["type"] == "Ready" and c["reason"] == reason for c in gis["status"].get("conditions", ()))

    return when


def stable_is(letter: str) -> When:
    return lambda world: ledger_of(world).get("stable", {}).get("name") == f"delays-{letter}"


def rolled_back(world: World) -> bool:
    return said("RevisionQuarantined")(world)


def apply_again(world: World) -> None:
    """As Argo CD does it: the same manifest, by server-side apply."""
    manifest = {"apiVersion": INFERENCE_SERVICE.api_version, "kind": INFERENCE_SERVICE.kind}
    metadata = {"name": GIS.name, "namespace": NS}
    world.apply(GIS, {**manifest, "metadata": metadata, "spec": spec_of(modelRef=asked("b"))}, manager="argocd")


def annotate(value: str | None) -> Any:
    return lambda world: world.patch(GIS, {"metadata": {"annotations": {RELEASE: value}}})


def hush(envoy: Envoy, *, silent: bool) -> Any:
    def do(world: World) -> None:
        envoy.silent = silent

    return do


class Hushed:
    """The gateway's counters are out of reach for a minute, from the moment that the candidate has traffic."""

    def __init__(self, envoy: Envoy) -> None:
        self.envoy, self.begun, self.over = envoy, None, False

    def act(self, world: World) -> Any:
        if self.over or not share_of("b", 20)(world):
            return False
        if self.begun is None:
            self.begun, self.envoy.silent = world.now, True
        ends = self.begun + actors.timedelta(seconds=60)
        if ends > world.now:
            return ends
        self.envoy.silent, self.over = False, True
        return False


def unready(letter: str, ready: bool) -> Any:
    return lambda world: serving.set_ready(world, f"late-{letter * 8}", ready)


PROMOTED = served("b", warm="")
UP = (Step(at_once, ask_for("b")),)
NO_WARM = {"keepWarm": "0s"}


def all_of(*checks: Any) -> Any:
    def check(world: World) -> None:
        for one in checks:
            one(world)

    return check


def used(*letters: str) -> Any:
    """These versions and no others cannot be deleted, because the service needs them; the Model says so too."""

    def check(world: World) -> None:
        shown = [use["version"][-1] for use in world.get(Ref(MODEL, NS, "delays"))["status"].get("inUse") or ()]
        users = {
            version["metadata"]["name"][-1]: [use["name"] for use in version["status"].get("inUseBy") or ()]
            for version in world.list(MODEL_VERSION)
        }
        assert sorted(shown) == sorted(letters), f"the Model says that {shown} are in use"
        assert {letter for letter, by in users.items() if by == ["late"]} == set(letters), users

    return check


def remembered(*expected: str) -> Any:
    """What the Model's history says of the service, oldest first."""

    def check(world: World) -> None:
        history = world.get(Ref(MODEL, NS, "delays"))["status"]["history"]
        told = [f"{line['event']} {line['version'][-1]}" for line in reversed(history) if line.get("service") == "late"]
        assert told == list(expected), told

    return check


LOG = {"uri": "pvc://runs/log", "retention": "7d"}


def with_log(log: Any) -> Any:
    return lambda world: world.patch(GIS, {"spec": {"log": log}})


def log_healthy(world: World) -> bool:
    conditions = (world.get(GIS).get("status") or {}).get("conditions", ())
    return any(c["type"] == "LogHealthy" and c["status"] == "True" for c in conditions)


def logged(world: World) -> None:
    assert log_healthy(world)
    assert world.get(GIS)["status"]["log"] == {"uri": LOG["uri"], "logged": 7, "dropped": 3, "lag": "0s"}
    assert all(world.find(Ref(gvk, NS, "late-log")) for gvk in (DEPLOYMENT, SERVICE))


def token_goes(world: World) -> None:
    """Somebody deletes it, or the garbage collector does for a namesake's; then the collector's pod has to start anew."""
    world.delete(Ref(SECRET, NS, "late-log-token"))
    world.delete(Ref(POD, NS, "late-log-x"))


def token_is_back(world: World) -> None:
    assert world.get(Ref(SECRET, NS, "late-log-token"))["stringData"] == {"token": "drawn"}


def not_logged(world: World) -> None:
    left = [str(ref) for ref in world.objects if "late-log" in ref.name and ref.gvk != SECRET]
    assert not left, left
    assert "log" not in world.get(GIS)["status"]


def collectors(envoy: Envoy) -> Sequence[Actor]:
    return (serving.Collectors(),)


SCENARIOS = (
    scenario(
        "with a log from the start, and a canary that is logged too",
        start=lambda: begin(bare().fork(), log=dict(LOG), keepWarm="0s"),
        extra=collectors,
        steps=(Step(all_true(stable_is("a"), log_healthy), ask_for("b"), wait=5.0),),
        check=all_of(logged, served("b"), events("Deployed a", "Promoted b")),
    ),
    scenario(
        "the token of a log is deleted, and its collector starts anew",
        start=lambda: begin(bare().fork(), log=dict(LOG)),
        extra=collectors,
        steps=(Step(all_true(stable_is("a"), log_healthy), token_goes, wait=5.0),),
        check=all_of(logged, token_is_back, served("a"), events("Deployed a")),
    ),
    scenario(
        "a log is asked for and no longer wanted",
        extra=collectors,
        steps=(Step(at_once, with_log(dict(LOG))), Step(log_healthy, with_log(None), wait=10.0)),
        loose=("generation", "observedGeneration"),
        check=all_of(not_logged, served("a"), events("Deployed a")),
    ),
    scenario("the first version", start=lambda: begin(bare().fork()), check=all_of(served("a"), events("Deployed a"))),
    scenario(
        "a good canary is promoted",
        steps=UP,
        check=all_of(
            served("b"), events("Deployed a", "Promoted b"), used("b"), remembered("Deployed a", "Promoted b")
        ),
    ),
    scenario(
        "a bad canary is rolled back, and its manifest applied again",
        Verdict.FAILED,
        behaviours={"b": BAD},
        steps=(*UP, Step(rolled_back, apply_again, wait=5.0), Step(rolled_back, apply_again, wait=60.0)),
        check=all_of(served("a", quarantined="b"), events("Deployed a", "RolledBack b")),
    ),
    scenario(
        "a slow canary is rolled back",
        Verdict.FAILED,
        behaviours={"b": SLOW},
        steps=UP,
        check=all_of(served("a", quarantined="b"), events("Deployed a", "RolledBack b")),
    ),
    scenario(
        "a crashing canary is rolled back before it has traffic",
        Verdict.FAILED,
        behaviours={"b": CRASHES},
        steps=UP,
        check=all_of(served("a", quarantined="b"), events("Deployed a", "RolledBack b")),
    ),
    scenario(
        "a first version with other files than it says, then one that is right",
        start=lambda: begin(bare().fork(), modelRef=asked("b")),
        behaviours={"b": MISMATCH},
        steps=(Step(said("DigestMismatch"), ask_for("a"), wait=5.0),),
        check=all_of(served("a"), events("Abandoned b", "Deployed a")),
    ),
    scenario(
        "back to the warm version",
        steps=(*UP, Step(stable_is("b"), ask_for("a"), wait=5.0)),
        check=all_of(served("a"), events("Deployed a", "Promoted b", "Switched a")),
    ),
    scenario(
        "another version is asked for in mid-rollout",
        racing=True,
        steps=(*UP, Step(share_of("b", 20), ask_for("c"), wait=2.0)),
        check=all_of(served("c"), events("Deployed a", "Abandoned b", "Promoted c")),
    ),
    scenario(
        "another version waits until the candidate is judged",
        start=lambda: serving_a().fork(),
        steps=(
            Step(at_once, lambda world: world.patch(GIS, {"spec": {"rollout": {"onNewer": "Wait"}}})),
            *UP,
            Step(share_of("b", 20), ask_for("c"), wait=2.0),
        ),
        check=all_of(served("c"), events("Deployed a", "Promoted b", "Promoted c")),
    ),
    scenario(
        "the stable version is asked for again in mid-rollout",
        racing=True,
        steps=(*UP, Step(share_of("b", 20), ask_for("a"), wait=2.0)),
        check=all_of(served("a"), events("Deployed a", "Abandoned b")),
    ),
    scenario(
        "counters out of reach for a minute",
        steps=UP,
        extra=lambda envoy: (Hushed(envoy),),
        check=all_of(served("b"), events("Deployed a", "Promoted b")),
    ),
    scenario(
        "KServe down for a minute in mid-rollout",
        steps=(
            *UP,
            Step(share_of("b", 20), serving.kserve_down, wait=1.0),
            Step(at_once, serving.kserve_up, wait=60.0),
        ),
        check=all_of(served("b"), events("Deployed a", "Promoted b")),
    ),
    scenario(
        "the candidate's only pod is away for a while",
        steps=(
            *UP,
            Step(share_of("b", 20), unready("b", False), wait=3.0),
            Step(at_once, unready("b", True), wait=20.0),
        ),
        loose=("generation", "observedGeneration"),
        check=all_of(served("b"), events("Deployed a", "Promoted b")),
    ),
    scenario(
        "released from quarantine, it fails again",
        Verdict.FAILED,
        behaviours={"b": BAD},
        steps=(*UP, Step(rolled_back, annotate("all"), wait=5.0)),
        check=all_of(served("a", quarantined="b"), events("Deployed a", "RolledBack b", "Released b", "RolledBack b")),
    ),
    scenario(
        "deleted in mid-rollout",
        Verdict.NOT_FOUND,
        steps=(*UP, Step(share_of("b", 20), lambda world: world.delete(GIS), wait=2.0)),
        check=nothing_left,
    ),
    scenario(
        "deleted in mid-rollout and made anew",
        steps=(
            *UP,
            Step(share_of("b", 20), lambda world: world.delete(GIS), wait=2.0),
            Step(lambda world: world.find(GIS) is None, begin),
        ),
        check=all_of(served("a"), events("Deployed a")),
    ),
)
