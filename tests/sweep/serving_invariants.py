"""What must hold at every moment of every rollout, whatever goes wrong."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from tests.sweep.actors import NS
from tests.sweep.serving import letter_of, ref_of
from tests.sweep.world import World

from gyre.api.effects import Ref
from gyre.api.gvks import CONFIG_MAP, ENDPOINT_SLICE, HTTP_ROUTE, KSERVE_SERVICE
from gyre.kinds.inferenceservice import memory, rulings
from gyre.kinds.inferenceservice.ledger import KEPT_RULINGS, WHOLE
from gyre.kinds.inferenceservice.report import Happened

LEDGER = Ref(CONFIG_MAP, NS, "late-rollout")
ROUTE = Ref(HTTP_ROUTE, NS, "late")


def ledger_of(world: World) -> dict[str, Any]:
    live = world.find(LEDGER)
    kept: dict[str, Any] = json.loads(live["data"]["rollout.json"]) if live else {}
    return kept


def weights_of(world: World) -> dict[str, int]:
    """By letter, of 100; as they are written, taken up or not."""
    route = world.find(ROUTE)
    refs = route["spec"]["rules"][0]["backendRefs"] if route else ()
    total, shares = sum(ref["weight"] for ref in refs), Counter[str]()
    for ref in refs:
        shares[letter_of(ref["name"].removesuffix("-predictor"))] += ref["weight"]
    return {letter: round(100 * share / total) for letter, share in shares.items()}


def two_places(world: World) -> None:
    """A backend that leaves a route leaves requests without an answer: none ever does (docs/decisions/0011)."""
    route = world.find(ROUTE)
    places = [len(rule["backendRefs"]) for rule in route["spec"]["rules"]] if route else []
    assert set(places) <= {2}, places


class WeightsRise:
    """A candidate's share never falls but to nothing, and it comes to each step after the one before it."""

    def __init__(self, steps: tuple[int, ...]) -> None:
        self.steps = steps
        self.candidate = ""
        self.last = 0

    def __call__(self, world: World) -> None:
        rollout = ledger_of(world).get("rollout") or {}
        candidate = f"{rollout.get('candidate', {}).get('digest')} {rollout.get('started')}"
        if candidate != self.candidate:
            self.candidate, self.last = candidate, 0
        share = weights_of(world).get(rollout["candidate"]["digest"][7], 0) if rollout else 0
        if share == 0:  # none yet, or none while no pod of it is ready: then it gets back what it had
            return
        assert share in self.steps, f"{share} % is no step of {self.steps}"
        allowed = {self.last, *self.steps[self.steps.index(self.last) + 1 :][:1]} if self.last else {self.steps[0]}
        assert share in allowed, f"from {self.last} to {share}"
        self.last = share


class OnlyToTheReady:
    """Whoever gets traffic has had a ready endpoint before."""

    def __init__(self) -> None:
        self.ready: set[str] = set()

    def __call__(self, world: World) -> None:
        for obj in world.list(ENDPOINT_SLICE):
            if any(endpoint["conditions"]["ready"] for endpoint in obj["endpoints"]):
                self.ready.add(letter_of(obj["metadata"]["name"].removesuffix("-predictor")))
        for letter, share in weights_of(world).items():
            assert letter in self.ready, f"{letter} gets {share} % and was never ready"


def never_to_the_quarantined(world: World) -> None:
    """The ledger is written first: a route that still names a digest after its quarantine is the next thing written."""
    ledger, route = ledger_of(world), world.find(ROUTE)
    if route is None or not ledger:
        return
    condemned = {entry["digest"][7] for entry in ledger.get("quarantined", ())}
    stable = (ledger.get("stable") or {}).get("digest", "sha256:-")[7]
    led = {letter for letter in weights_of(world) if letter != stable}
    candidate = ((ledger.get("rollout") or {}).get("candidate") or {}).get("digest", "sha256:-")[7]
    assert candidate not in condemned, f"{candidate} is a candidate again, and quarantined"
    assert led <= {candidate} | condemned | _left(ledger), f"{led - {candidate}} has traffic and no part in the ledger"


def _left(ledger: dict[str, Any]) -> set[str]:
    """Who had a part in it a moment ago: the route follows the ledger."""
    return {entry["digest"][7] for entry in ledger.get("history", ())[-2:]} | {
        entry["version"]["digest"][7] for entry in ledger.get("warm", ())
    }


class RoutesOutliveNobody:
    """A predictor goes only when the gateway has confirmed a route without it."""

    def __init__(self) -> None:
        self.deleted: set[str] = set()

    def __call__(self, world: World) -> None:
        route = world.find(ROUTE)
        if route is None:
            return
        live = {letter_of(obj["metadata"]["name"]): obj for obj in world.list(KSERVE_SERVICE)}
        going = {letter for letter, obj in live.items() if obj["metadata"].get("deletionTimestamp")}
        for letter in going - self.deleted:
            told = [c for p in (route.get("status") or {}).get("parents") or () for c in p["conditions"]]
            current = told and all(c["observedGeneration"] == route["metadata"]["generation"] for c in told)
            assert letter not in weights_of(world), f"{letter} goes and the route names it"
            assert current, f"{letter} goes and the gateway has not confirmed the route without it"
        self.deleted = going


def one_candidate(world: World) -> None:
    """Stable, one candidate, and what is warm: nobody else has a predictor, but who is on the way out."""
    ledger = ledger_of(world)
    if not ledger:
        return
    entitled = {(ledger.get("stable") or {}).get("digest", "")[7:8]}
    entitled |= {((ledger.get("rollout") or {}).get("candidate") or {}).get("digest", "")[7:8]}
    entitled |= {entry["version"]["digest"][7] for entry in ledger.get("warm", ())}
    there = {letter_of(obj["metadata"]["name"]) for obj in world.list(KSERVE_SERVICE)}
    surplus = there - entitled
    assert len(surplus) <= 1, f"predictors {sorted(there)}, entitled {sorted(entitled)}"
    candidate = ((ledger.get("rollout") or {}).get("candidate") or {}).get("digest", "")[7:8]
    assert not (surplus and candidate in there), f"{candidate} comes up while {surplus} is there"


class VerdictsStay:
    """What the history says is never changed or lost, and its newest line is the only one that is new."""

    def __init__(self) -> None:
        self.lines: list[Any] = []
        self.uid = ""

    def __call__(self, world: World) -> None:
        live = world.find(LEDGER)
        if live is None:
            return
        now = ledger_of(world).get("history", [])
        if live["metadata"]["uid"] == self.uid:
            assert now[: len(self.lines)] == self.lines, f"history changed: {self.lines} {now}"
        self.lines, self.uid = now, live["metadata"]["uid"]


def verdicts_are_explained(world: World) -> None:
    """Each has what it was computed from, written in the same moment, and computed again it is the same."""
    live = world.find(LEDGER)
    ledger = memory.of(live).ledger if live else None
    if ledger is None:
        return
    ended = [e.at for e in ledger.history if e.event in (Happened.PROMOTED, Happened.ROLLED_BACK)]
    kept = [ruling.at for ruling in ledger.rulings if ruling.at >= ledger.history[0].at]
    assert kept[-KEPT_RULINGS:] == ended[-KEPT_RULINGS:], f"{ended} ended, and {kept} is explained"
    for ruling in ledger.rulings:
        found = rulings.again(ruling)
        assert found.equal is not False, found.why


def shares_add_up(world: World) -> None:
    rollout = ledger_of(world).get("rollout") or {}
    assert 0 <= rollout.get("weight", 0) < WHOLE
    assert sum(weights_of(world).values()) in (0, 99, 100, 101)


def invariants(steps: tuple[int, ...]) -> tuple[Any, ...]:
    return (
        WeightsRise(steps),
        OnlyToTheReady(),
        never_to_the_quarantined,
        RoutesOutliveNobody(),
        one_candidate,
        two_places,
        VerdictsStay(),
        verdicts_are_explained,
        shares_add_up,
    )


# ── ends ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def served(letter: str, *, warm: str = "", quarantined: str = "") -> Any:
    """One version has everything; these are warm and quarantined; nothing else is left."""

    def check(world: World) -> None:
        ledger = ledger_of(world)
        assert (ledger.get("stable") or {}).get("name") == f"delays-{letter}", ledger.get("stable")
        assert ledger.get("rollout") is None, ledger["rollout"]
        assert weights_of(world) == {letter: 100}, weights_of(world)
        out = "".join(sorted(entry["digest"][7] for entry in ledger.get("quarantined", ())))
        assert out == quarantined, f"quarantined: {out}"
        kept = "".join(sorted(entry["version"]["digest"][7] for entry in ledger.get("warm", ())))
        assert kept == warm, f"warm: {kept}"
        there = sorted(letter_of(obj["metadata"]["name"]) for obj in world.list(KSERVE_SERVICE))
        assert there == sorted({letter, *warm}), f"predictors {there}"

    return check


def events(*expected: str) -> Any:
    """The history, oldest first: `Deployed a`."""

    def check(world: World) -> None:
        now = [f"{entry['event']} {entry['version'][-1]}" for entry in ledger_of(world).get("history", ())]
        assert now == list(expected), now

    return check


def nothing_left(world: World) -> None:
    left = [str(ref) for ref in world.objects if ref in (LEDGER, ROUTE) or ref.gvk == KSERVE_SERVICE]
    assert not left, f"left behind: {left}"


__all__ = ["events", "invariants", "ledger_of", "nothing_left", "ref_of", "served", "weights_of"]
