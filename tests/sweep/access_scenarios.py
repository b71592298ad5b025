"""InferenceServices that somebody guards, compares or shadows: who may call, two arms, copies.

policy written ──1 s──▶ the gateway acts on it and says so
request that must be refused ──▶ 401 once it does, 200 before
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from tests.sweep import actors, serving
from tests.sweep.actors import NS
from tests.sweep.scenarios import Scenario, Step, When
from tests.sweep.scheduler import Actor
from tests.sweep.serving import Envoy, KServe, ref_of
from tests.sweep.serving_invariants import (
    ROUTE,
    RoutesOutliveNobody,
    VerdictsStay,
    one_candidate,
)
from tests.sweep.serving_scenarios import GIS, NUMBERS, at_once, bare, begin, said, serving_a
from tests.sweep.world import World

from gyre.api.effects import Ref
from gyre.api.gvks import CONFIG_MAP, ENDPOINT_SLICE, KSERVE_SERVICE, SECURITY_POLICY, SERVICE
from gyre.api.kind import Object
from gyre.api.kstatus import Verdict
from gyre.kinds import KINDS

POLICY = Ref(SECURITY_POLICY, NS, "late")
ADDRESS = (Ref(SERVICE, NS, "late-shadow"), Ref(ENDPOINT_SLICE, NS, "late-shadow"))
API_KEY = {"apiKey": {"secrets": [{"name": "key-team-a"}]}}
JWT = {"jwt": {"issuer": "https://issuer.example", "audiences": ["late"], "jwks": {"configMap": {"name": "keys"}}}}
KEYS = json.dumps({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]})


@dataclass
class Guard(Envoy):
    """Takes up policies, too, and refuses whom they say once it has."""

    acts_on: Mapping[str, Any] = field(default_factory=dict)
    """The spec of the route that it has taken up."""
    in_force: int = 0
    """Generation of the policy that it acts on."""
    lasts: float = 0.0
    """Seconds until the last caller has gone."""
    began: datetime | None = None

    def act(self, world: World) -> bool | datetime:
        routes = super().act(world)
        policy = world.find(POLICY)
        if routes is True or policy is None:
            self.in_force = 0 if policy is None else self.in_force
            return routes
        generation = policy["metadata"]["generation"]
        if self._says(policy) == generation:
            self.in_force = generation
            return routes
        since = self._noticed.setdefault((policy["metadata"]["uid"], generation), world.now)
        due = since + timedelta(seconds=serving.ROUTED_AFTER)
        if due > world.now:
            return due if routes is False else min(due, routes)
        told = {"type": "Accepted", "status": "True", "reason": "Accepted", "observedGeneration": generation}
        ancestor = {"ancestorRef": {"name": "gyre", "namespace": "gyre-gateway"}, "conditions": [told]}
        world.patch(POLICY, {"status": {"ancestors": [ancestor]}})
        return True

    def _says(self, policy: Object) -> int:
        ancestors = (policy.get("status") or {}).get("ancestors") or ()
        return max((c["observedGeneration"] for a in ancestors for c in a["conditions"]), default=0)

    def _act_on(self, route: Object) -> None:
        super()._act_on(route)
        self.acts_on = route["spec"]

    def _serve(self, now: datetime) -> None:
        self.began = self.began or now
        self.rate = Envoy.rate if now < self.began + timedelta(seconds=self.lasts) else 0.0
        super()._serve(now)

    def answer(self, world: World, url: str, headers: Mapping[str, str]) -> tuple[int, str]:
        if not url.startswith("http://10.0.0.7:80/"):
            return super().answer(world, url, headers)
        if not self.acts_on:
            return 404, ""
        policy = world.find(POLICY)
        return (401, "") if policy and self.in_force == policy["metadata"]["generation"] else (200, "")


# ── always ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def mirrors(spec: Mapping[str, Any]) -> bool:
    return any(one["type"] == "RequestMirror" for rule in spec.get("rules", ()) for one in rule.get("filters") or ())


def copies_have_an_address(guard: Guard) -> Any:
    """Envoy Gateway answers 500 to everybody while a route copies to a Service that is not there, or has no address."""

    def check(world: World) -> None:
        route = world.find(ROUTE)
        if mirrors(route["spec"] if route else {}) or (route and mirrors(guard.acts_on)):
            missing = [str(ref) for ref in ADDRESS if world.find(ref) is None]
            assert not missing, f"copies go to {missing}, which is not there"

    return check


class GuardedBeforeItIsReached:
    """The route of a service that was made with auth comes after its policy."""

    def __init__(self) -> None:
        self.reached = False

    def __call__(self, world: World) -> None:
        gis, route = world.find(GIS), world.find(ROUTE)
        if self.reached or gis is None or route is None:
            return
        self.reached = True
        made_so = gis["spec"].get("auth") and gis["metadata"]["generation"] == 1
        assert not made_so or world.find(POLICY) is not None, "there is a route, and no policy"


# ── ends ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def access(status: str) -> Any:
    def check(world: World) -> None:
        (found,) = [c for c in world.get(GIS)["status"]["conditions"] if c["type"] == "AccessVerified"]
        assert found["status"] == status, found

    return check


def there(*refs: Ref) -> Any:
    def check(world: World) -> None:
        assert not [str(ref) for ref in refs if world.find(ref) is None]

    return check


def gone(*refs: Ref) -> Any:
    def check(world: World) -> None:
        assert not [str(ref) for ref in refs if world.find(ref) is not None]

    return check


def copied(world: World) -> None:
    assert mirrors(world.get(ROUTE)["spec"])


def arms(*rows: list[int], letters: str = "a") -> Any:
    """Weights of each rule's two places, and who answers in them."""

    def check(world: World) -> None:
        named = {
            ref["name"][-1 - len("-predictor")]
            for rule in world.get(ROUTE)["spec"]["rules"]
            for ref in rule["backendRefs"]
        }
        assert named == set(letters), named
        found = [[ref["weight"] for ref in rule["backendRefs"]] for rule in world.get(ROUTE)["spec"]["rules"]]
        assert found == list(rows), found

    return check


def predictors(letters: str) -> Any:
    def check(world: World) -> None:
        found = sorted(obj["metadata"]["name"][-1] for obj in world.list(KSERVE_SERVICE))
        assert found == sorted(letters), found

    return check


def all_of(*checks: Any) -> Any:
    def check(world: World) -> None:
        for one in checks:
            one(world)

    return check


# ── the scenarios ────────────────────────────────────────────────────────────────────────────────────────────────────


def scenario(
    name: str, verdict: Verdict = Verdict.CURRENT, *, start: Any = serving_a, calls: float = 0.0, **more: Any
) -> Scenario:
    """`calls`: seconds for which there are callers; a comparison is never at rest while there are any."""
    crew: dict[str, Guard] = {}

    def setup(_: World) -> World:
        world: World = start().fork()
        crew["guard"] = Guard(lasts=calls)
        world.answers = crew["guard"].answer
        return world

    def the_others() -> Sequence[Actor]:
        return (KServe(), crew["guard"], actors.Kubelet())

    def invariants() -> Sequence[Any]:
        return (
            copies_have_an_address(crew["guard"]),
            GuardedBeforeItIsReached(),
            RoutesOutliveNobody(),
            one_candidate,
            VerdictsStay(),
        )

    return Scenario(
        name,
        KINDS,
        setup,
        {GIS: verdict},
        actors=the_others,
        invariants=invariants,
        loose=(*NUMBERS, *more.pop("loose", ())),
        **more,
    )


def edit(**spec: Any) -> Any:
    return lambda world: world.patch(GIS, {"spec": spec})


def keys(text: str) -> Any:
    """As `kubectl create configmap`, or an edit of it."""

    def do(world: World) -> None:
        ref = ref_of(CONFIG_MAP, "keys")
        if world.find(ref) is None:
            world.create(ref, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "keys", "namespace": NS}})
        world.patch(ref, {"data": {"jwks": text}})

    return do


def proved(world: World) -> bool:
    gis = world.find(GIS)
    conditions = (gis["status"].get("conditions") or ()) if gis else ()
    return any(c["type"] == "AccessVerified" and c["status"] == "True" for c in conditions)


def copying(world: World) -> bool:
    route = world.find(ROUTE)
    return route is not None and mirrors(route["spec"]) and said("Serving")(world)


def both_arms(world: World) -> bool:
    route = world.find(ROUTE)
    return (
        route is not None
        and len(route["spec"]["rules"]) == 3
        and len({ref["name"] for ref in route["spec"]["rules"][1]["backendRefs"]}) == 2
    )


def unready(letter: str, ready: bool) -> Any:
    return lambda world: serving.set_ready(world, f"late-{letter * 8}", ready)


@cache
def guarded() -> World:
    return begin(bare().fork(), auth=API_KEY)


SHADOW = {"version": "delays-b", "percent": 10}
AB = {"version": "delays-b", "split": 30}
BOTH: When = both_arms
COUNTED = ("ab", "ab.json")
"""What the arms were asked depends on when somebody looked."""

SCENARIOS = (
    scenario("made with auth", start=guarded, check=all_of(there(POLICY), access("True"))),
    scenario(
        "auth comes and goes",
        steps=(Step(at_once, edit(auth=API_KEY)), Step(proved, edit(auth=None), wait=5.0)),
        check=all_of(gone(POLICY), access("Unknown")),
    ),
    scenario(
        "tokens whose keys come late",
        steps=(Step(at_once, edit(auth=JWT)), Step(said("AccessUnverified"), keys(KEYS), wait=20.0)),
        check=all_of(there(POLICY), access("True")),
    ),
    scenario(
        "a policy that somebody deletes comes back",
        start=guarded,
        steps=(Step(proved, lambda world: world.delete(POLICY), wait=5.0),),
        loose=("uid", "generation", "observedGeneration"),
        check=all_of(there(POLICY), access("True")),
    ),
    scenario(
        "a shadow comes",
        steps=(Step(at_once, edit(shadow=SHADOW)),),
        check=all_of(there(*ADDRESS), copied, predictors("ab")),
    ),
    scenario(
        "a shadow comes and goes",
        steps=(Step(at_once, edit(shadow=SHADOW)), Step(copying, edit(shadow=None), wait=5.0)),
        check=all_of(gone(*ADDRESS), predictors("a")),
    ),
    scenario(
        "two arms",
        steps=(Step(at_once, edit(ab=AB, rollout=None)),),
        calls=60.0,
        loose=COUNTED,
        check=all_of(arms([1, 0], [0, 1], [70, 30], letters="ab"), predictors("ab")),
    ),
    scenario(
        "an arm is away for a while",
        steps=(
            Step(at_once, edit(ab=AB, rollout=None)),
            Step(BOTH, unready("b", False), wait=5.0),
            Step(said("ArmDown"), unready("b", True), wait=10.0),
        ),
        racing=True,
        calls=60.0,
        loose=COUNTED,
        check=all_of(arms([1, 0], [0, 1], [70, 30], letters="ab"), predictors("ab")),
    ),
    scenario(
        "two arms come and go",
        steps=(Step(at_once, edit(ab=AB, rollout=None)), Step(BOTH, edit(ab=None), wait=5.0)),
        check=all_of(arms([999, 1]), predictors("a")),
    ),
)
