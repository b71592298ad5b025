"""Argo CD's verdict agrees with kstatus'. Runs the Lua where a Lua is installed (`pip install lupa`)."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.api.kinds import a_kind

from gyre.api.argocd import HEALTH, settings
from gyre.api.kind import Decision
from gyre.api.kstatus import Verdict, compute
from gyre.api.outcomes import standard

WORDS = {
    Verdict.CURRENT: "Healthy",
    Verdict.FAILED: "Degraded",
    Verdict.IN_PROGRESS: "Progressing",
    Verdict.TERMINATING: "Progressing",
}
DECISIONS = {
    "settled": Decision.settled("Done", "all well"),
    "progressing": Decision.progressing("Busy", "at it"),
    "waiting": Decision.waiting("DatasetNotReady", "for data"),
    "stalled": Decision.stalled("DatasetMissing", "create it"),
    "failed": Decision.failed("UserError", "fix it"),
}


def an_object(decision: Decision, *, observed: int = 2, suspend: bool = False, **metadata: Any) -> dict[str, Any]:
    conditions = [condition.to_dict() for condition in standard(decision, 2)]
    return {
        "metadata": {"generation": 2, **metadata},
        "spec": {"suspend": suspend},
        "status": {"observedGeneration": observed, "conditions": conditions},
    }


def health(obj: dict[str, Any]) -> tuple[str, str]:
    lupa = pytest.importorskip("lupa")
    lua = lupa.LuaRuntime()
    lua.globals().obj = lua.table_from(obj, recursive=True)
    verdict = lua.execute(HEALTH)
    return verdict["status"], verdict["message"]


@pytest.mark.parametrize("name", DECISIONS)
@pytest.mark.parametrize("metadata", [{}, {"deletionTimestamp": "2026-11-23T08:00:00Z"}], ids=["living", "dying"])
@pytest.mark.parametrize("observed", [2, 1, -1])
def test_argo_cd_and_kstatus_agree(name: str, metadata: dict[str, str], observed: int):
    obj = an_object(DECISIONS[name], observed=observed, **metadata)
    assert health(obj)[0] == WORDS[compute(obj).verdict]


def test_the_message_is_that_of_the_condition_that_decided():
    assert health(an_object(DECISIONS["stalled"])) == ("Degraded", "create it")
    assert health(an_object(DECISIONS["settled"])) == ("Healthy", "all well")


def test_what_is_parked_is_suspended_and_not_progressing_for_ever():
    assert health(an_object(DECISIONS["waiting"], suspend=True))[0] == "Suspended"
    assert health(an_object(DECISIONS["failed"], suspend=True))[0] == "Degraded"


def test_an_object_that_nobody_looked_at_is_not_healthy():
    assert health({"metadata": {"generation": 1}})[0] == "Progressing"


def test_there_is_one_setting_a_kind():
    assert settings([a_kind()]) == {"resource.customizations.health.gyre.dev_Sample": HEALTH}
