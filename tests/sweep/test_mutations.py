"""Can the sweep fail? Bugs planted in the engine or in a kind, each of which it must find."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Any

import pytest
from tests.sweep.modes import try_all
from tests.sweep.scenarios import Scenario
from tests.sweep.serving_scenarios import SCENARIOS as SERVING
from tests.sweep.test_history import DETOURS
from tests.sweep.training_scenarios import SCENARIOS as TRAINING
from tests.sweep.widget_scenarios import SCENARIOS as WIDGETS

from gyre.api.effects import Create, Delete, Effect, Ref
from gyre.api.kind import Object
from gyre.engine import effects
from gyre.engine.effects import Writer
from gyre.kinds.trainingjob import closing


def named(name: str, scenarios: Iterable[Scenario] = TRAINING) -> Scenario:
    return next(scenario for scenario in scenarios if scenario.name == name)


class Reordering(Writer):
    """Carries some effects out before the others."""

    first: type[Effect] = Create

    async def carry_out(self, effects: Iterable[Effect], **context: Any) -> bool:
        return await super().carry_out(sorted(effects, key=lambda e: not isinstance(e, self.first)), **context)


class RunsFirst(Reordering):
    """RayJob before ledger."""

    first = Create


class ClearsFirst(Reordering):
    """Deletes the evidence before the cause is written down."""

    first = Delete


class RoutesFirst(Writer):
    """Moves the traffic before it is written down why."""

    async def carry_out(self, effects: Iterable[Effect], **context: Any) -> bool:
        def is_route(effect: Effect) -> bool:
            return getattr(effect, "manifest", {}).get("kind") == "HTTPRoute"

        return await super().carry_out(sorted(effects, key=lambda e: not is_route(e)), **context)


class Forgetful(Writer):
    """Does not take in the answers to its own writes: everything it sees lags."""

    def _wrote(self, ref: Ref, verb: str, answer: Object, *, by: Ref) -> None:
        del ref, verb, answer, by


class Mute(Writer):
    """Tells nobody of its writes; their events are no news."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args[:4], draw=args[5])


class Heedless(Writer):
    """Makes children without asking whether there is still anybody to make them for."""

    async def _must_live(self, maker: Any) -> None:
        del maker


@pytest.mark.parametrize(
    ("writer", "scenario", "mode", "found"),
    [
        (RunsFirst, named("head lost"), "orders", "runs and the ledger knows"),
        (ClearsFirst, named("head lost"), "crash", "another end|attempts, not"),
        (Mute, named("succeeds"), "orders", "still writes|is InProgress|0 models"),
        (Heedless, named("deleted half-way", WIDGETS), "lost", "not at rest"),
        (RoutesFirst, named("a good canary is promoted", SERVING), "crash", "no part in the ledger|from|no step"),
    ],
    ids=[
        "RayJob before ledger",
        "evidence deleted first",
        "own writes told to nobody",
        "children for the dead",
        "route before ledger",
    ],
)
def test_a_bug_in_the_writer_is_found(writer: type[Writer], scenario: Scenario, mode: str, found: str) -> None:
    with pytest.raises(AssertionError, match=found):
        try_all(scenario, mode, writer)


def test_overlapping_attempts_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    decide = import_module("gyre.kinds.trainingjob.decide")
    monkeypatch.setattr(decide, "RULES", tuple(rule for rule in decide.RULES if rule is not decide.clearing))
    with pytest.raises(AssertionError, match=r"RayJobs of job|was made while"):
        try_all(named("head lost, no back-off"), "orders")


def test_an_uncleared_end_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closing, "cleared", lambda job, seen: ())
    monkeypatch.setattr("gyre.kinds.trainingjob.over.cleared", lambda job, seen: ())
    with pytest.raises(AssertionError, match="left behind"):
        try_all(named("succeeds"), "orders")


def test_a_predictor_deleted_under_its_route_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("decide", "standing"):
        module = import_module(f"gyre.kinds.inferenceservice.{place}")
        monkeypatch.setattr(module, "believed", lambda gis, seen, ledger: True)
    with pytest.raises(AssertionError, match="goes and the"):
        try_all(named("a slow canary is rolled back", SERVING), "orders")


def test_a_version_condemned_because_an_event_was_lost_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the cache shows is believed, and nothing is looked at live."""
    backends = import_module("gyre.kinds.inferenceservice.backends")
    monkeypatch.setattr(backends, "all", lambda converged: True, raising=False)
    with pytest.raises(AssertionError, match="another end"):
        try_all(named("a good canary is promoted", SERVING), "lost")


def test_two_rollouts_at_once_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    decide = import_module("gyre.kinds.inferenceservice.decide")
    monkeypatch.setattr(decide, "RULES", tuple(rule for rule in decide.RULES if rule is not decide.clearing))
    with pytest.raises(AssertionError, match=r"comes up while|predictors"):
        try_all(named("another version is asked for in mid-rollout", SERVING), "orders")


def test_a_dropped_field_that_stays_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(effects, "_digest", lambda manifest: "always the same")
    detour = next(detour for detour in DETOURS if detour.kind == "widget")
    run = detour.detour.run()
    ledger = next(obj for ref, obj in run.world.objects.items() if ref.name == "w-ledger")
    assert ledger["data"].get("colour") == "red", "without the digest the field would have stayed"


def test_a_writer_that_forgets_its_own_writes_is_slowed_by_the_guards_and_does_no_harm() -> None:
    assert try_all(named("head lost"), "orders", Forgetful)
