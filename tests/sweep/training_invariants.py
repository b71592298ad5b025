"""What must hold at every moment of every run of a TrainingJob, whatever goes wrong."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from typing import Any

from tests.sweep.world import World

from gyre.api.effects import Ref
from gyre.api.gvks import (
    CONFIG_MAP,
    MODEL,
    MODEL_VERSION,
    POD,
    RAY_CLUSTER,
    RAY_JOB,
    ROLE,
    ROLE_BINDING,
    SERVICE_ACCOUNT,
)
from gyre.api.kind import Object
from gyre.kinds.trainingjob.names import ATTEMPT_LABEL, JOB_LABEL, run_name


def ledger_of(run: Object | None) -> dict[str, Any]:
    text = ((run or {}).get("data") or {}).get("attempts.json")
    kept: dict[str, Any] = json.loads(text) if text else {}
    return kept


def attempt(obj: Object) -> int:
    return int(obj["metadata"]["labels"][ATTEMPT_LABEL])


class OneAttemptAtATime:
    """Never two RayJobs of one job at once, and none is made while pods of an earlier attempt exist."""

    def __init__(self) -> None:
        self.known: set[str] = set()

    def __call__(self, world: World) -> None:
        jobs = world.list(RAY_JOB)
        for name, count in Counter(obj["metadata"]["labels"][JOB_LABEL] for obj in jobs).items():
            assert count <= 1, f"{count} RayJobs of {name}: {sorted(obj['metadata']['name'] for obj in jobs)}"
        for obj in jobs:
            uid, labels = obj["metadata"]["uid"], obj["metadata"]["labels"]
            if uid in self.known:
                continue
            self.known.add(uid)
            older = [
                pod["metadata"]["name"]
                for pod in world.list(POD)
                if pod["metadata"]["labels"].get(JOB_LABEL) == labels[JOB_LABEL]
                and pod["metadata"]["labels"].get(ATTEMPT_LABEL)
            ]
            assert not older, f"RayJob {obj['metadata']['name']} was made while {older} existed"


class LedgerFirst:
    """Every attempt is written down once, before its RayJob exists; what was written down is never lost or changed back."""

    def __init__(self) -> None:
        self.seen: dict[str, dict[int, dict[str, Any]]] = {}
        self.ray_jobs: dict[str, str] = {}

    def __call__(self, world: World) -> None:
        for run in (obj for obj in world.list(CONFIG_MAP) if "attempts.json" in (obj.get("data") or {})):
            self._grows(run)
        for obj in world.list(RAY_JOB):
            owner = obj["metadata"]["ownerReferences"][0]["uid"]
            name = run_name(obj["metadata"]["labels"][JOB_LABEL])
            kept = world.find(Ref(CONFIG_MAP, obj["metadata"]["namespace"], name))
            if kept is not None and kept["metadata"]["ownerReferences"][0]["uid"] == owner:
                count = ledger_of(kept).get("count", 0)
                assert attempt(obj) <= count, f"{obj['metadata']['name']} runs and the ledger knows {count} attempts"
            known = self.ray_jobs.setdefault(f"{owner}/{obj['metadata']['name']}", obj["metadata"]["uid"])
            assert known == obj["metadata"]["uid"], f"{obj['metadata']['name']} was made twice: an attempt ran twice"

    def _grows(self, run: Object) -> None:
        ledger, uid = ledger_of(run), run["metadata"]["uid"]
        numbers = [entry["number"] for entry in ledger.get("attempts", ())]
        assert numbers == sorted(set(numbers)), f"attempts {numbers}"
        assert not numbers or (numbers[-1] == ledger["count"] and len(numbers) == min(10, ledger["count"])), numbers
        before = self.seen.setdefault(uid, {})
        for entry in ledger.get("attempts", ()):
            old = before.get(entry["number"])
            if old is not None and old.get("end"):
                assert old == entry, f"the record of attempt {entry['number']} was changed: {old} {entry}"
            before[entry["number"]] = entry
        if before and numbers:
            assert max(before) == numbers[-1], f"attempt {max(before)} is lost"


class TimeAddsUp:
    """The time account sums to the time since creation, to the millisecond."""

    def __call__(self, world: World) -> None:
        for run in world.list(CONFIG_MAP):
            ledger = ledger_of(run)
            if not ledger:
                continue
            span = datetime.fromisoformat(ledger["mark"]) - datetime.fromisoformat(ledger["created"])
            total = sum(ledger.get("totals", {}).values())
            assert total == round(span.total_seconds() * 1000), f"{ledger.get('totals')} is not {span}"


def one_version_a_digest(world: World) -> None:
    pairs = Counter(
        (obj["spec"]["modelRef"]["name"], obj["spec"]["artifact"]["digest"]) for obj in world.list(MODEL_VERSION)
    )
    assert all(count == 1 for count in pairs.values()), f"versions made twice: {pairs}"


def invariants() -> tuple[Any, ...]:
    return OneAttemptAtATime(), LedgerFirst(), TimeAddsUp(), one_version_a_digest


# ── ends ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def nothing_runs(world: World) -> None:
    """Only the ledger is left of a job that is over."""
    kinds = (RAY_JOB, RAY_CLUSTER, POD, SERVICE_ACCOUNT, ROLE, ROLE_BINDING)
    left = [str(ref) for ref, obj in world.objects.items() if ref.gvk in kinds and JOB_LABEL in _labels(obj)]
    left += [str(ref) for ref in world.objects if ref.gvk in (SERVICE_ACCOUNT, ROLE, ROLE_BINDING)]
    assert not left, f"left behind: {left}"


def no_orphans(world: World) -> None:
    nothing_runs(world)
    left = [str(ref) for ref in world.objects if ref.gvk == CONFIG_MAP and ref.name.endswith("-run")]
    assert not left, f"left behind: {left}"


def versions(world: World, expected: int) -> None:
    found, models = world.list(MODEL_VERSION), world.list(MODEL)
    assert len(found) == expected, f"{len(found)} versions"
    assert len(models) == min(expected, 1), f"{len(models)} models"


def _labels(obj: Object) -> dict[str, str]:
    labels: dict[str, str] = obj["metadata"].get("labels") or {}
    return labels
