"""Datasets: scanned, changed, failing, mended, on a volume of their own, deleted."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from tests.sweep import actors
from tests.sweep.actors import NS
from tests.sweep.scenarios import Scenario, Step, When
from tests.sweep.world import World

from gyre.api import kstatus
from gyre.api.effects import Ref
from gyre.api.gvks import CONFIG_MAP, DATASET, JOB, PERSISTENT_VOLUME_CLAIM, POD
from gyre.api.kstatus import Verdict
from gyre.kinds import KINDS
from gyre.kinds.dataset.plan import REQUESTED_AT

DS = Ref(DATASET, NS, "flights")
LEDGER = Ref(CONFIG_MAP, NS, "flights-versions")

PVC = {"source": {"pvc": {"claimName": "data", "path": "flights"}}}
VOLUME = {"source": {"volume": {"size": "5Gi"}}, "prepare": {"args": ["flights", "--months", "1-5"]}}


def is_(verdict: Verdict, ref: Ref = DS) -> When:
    return lambda world: kstatus.compute(world.find(ref)).verdict is verdict


def gone(*refs: Ref) -> When:
    return lambda world: all(world.find(ref) is None for ref in refs)


def version_is(number: int) -> When:
    return lambda world: ((world.find(DS) or {}).get("status") or {}).get("current", {}).get("version") == number


def begin(spec: dict[str, Any], found: Any = None, claims: Sequence[str] = ("data",)) -> Any:
    def setup(world: World) -> None:
        for name in claims:
            actors.claim(world, name)
        actors.disk(world, found or actors.files())
        create(spec)(world)

    return setup


def create(spec: dict[str, Any]) -> Any:
    return lambda world: actors.put(world, DATASET, DS.name, spec=spec)


def change(**spec: Any) -> Any:
    return lambda world: world.patch(DS, {"spec": spec})


def found(report: Any) -> Any:
    return lambda world: actors.disk(world, report)


def ask_again(when: str = "now") -> Any:
    return lambda world: world.patch(DS, {"metadata": {"annotations": {REQUESTED_AT: when}}})


def both(*acts: Any) -> Any:
    return lambda world: [act(world) for act in acts]


def one_scan_at_a_time(world: World) -> None:
    """Two Jobs never run on the same data."""
    jobs = [obj for obj in world.list(JOB) if not (obj.get("status") or {}).get("conditions")]
    names = [job["metadata"]["name"] for job in jobs if not job["metadata"].get("deletionTimestamp")]
    assert len(names) <= 1, f"two Jobs at once: {names}"


class VersionsOnlyGrow:
    def __init__(self) -> None:
        self.last = (0, "")

    def __call__(self, world: World) -> None:
        live = world.find(DS)
        current = ((live or {}).get("status") or {}).get("current")
        if live is None or not current:
            return
        now = (current["version"], live["metadata"]["uid"])
        assert now[1] != self.last[1] or now[0] >= self.last[0], f"version {self.last[0]} became {now[0]}"
        self.last = now


def nothing_left(world: World) -> None:
    left = [str(ref) for ref in world.objects if ref.gvk in (JOB, POD) or ref == LEDGER]
    assert not left, f"left behind: {left}"


def no_orphans(world: World) -> None:
    nothing_left(world)
    claim = Ref(PERSISTENT_VOLUME_CLAIM, NS, "flights-data")
    assert world.find(claim) is None, "its claim stayed"


def done(world: World) -> None:
    left = [str(ref) for ref in world.objects if ref.gvk in (JOB, POD)]
    assert not left, f"left behind: {left}"


def scenario(name: str, setup: Any, verdict: Verdict = Verdict.CURRENT, **more: Any) -> Scenario:
    return Scenario(
        name,
        KINDS,
        setup,
        {DS: verdict},
        actors=lambda: (actors.JobController(), actors.Kubelet()),
        loose=LOOSE,
        invariants=lambda: (one_scan_at_a_time, VersionsOnlyGrow()),
        **{"check": done, **more},
    )


LOOSE = ("runs", "failures")
"""A pod whose end no event told is taken for lost after a minute, before the sweep finds it: one more scan."""

CURRENT, FAILED, PROGRESS = is_(Verdict.CURRENT), is_(Verdict.FAILED), is_(Verdict.IN_PROGRESS)
NOT_FOUND = actors.trouble("NotFound", "no file at /gyre/data/flights")

SCENARIOS = (
    scenario("scanned", begin(PVC)),
    scenario(
        "changed files are version 2",
        begin(PVC),
        steps=(
            Step(CURRENT, both(found(actors.files("c")), ask_again()), wait=5.0),
            Step(version_is(2), lambda world: None),
        ),
    ),
    scenario(
        "the same files again are still version 1",
        begin(PVC),
        steps=(Step(CURRENT, ask_again("once"), wait=5.0), Step(CURRENT, ask_again("twice"), wait=20.0)),
    ),
    scenario(
        "a scan fails, the files appear, the retry finds them",
        begin(PVC, NOT_FOUND),
        steps=(Step(FAILED, found(actors.files()), wait=5.0),),
    ),
    scenario(
        "a bad path is mended",
        begin({"source": {"pvc": {"claimName": "data", "path": "wrong"}}}, NOT_FOUND),
        steps=(
            Step(
                FAILED,
                both(found(actors.files()), change(source={"pvc": {"claimName": "data", "path": "flights"}})),
                wait=5.0,
            ),
        ),
    ),
    scenario(
        "the claim comes late",
        begin(PVC, claims=()),
        steps=(Step(FAILED, partial(actors.claim, name="data"), wait=30.0),),
    ),
    scenario("prepared on its own volume", begin(VOLUME, claims=())),
    scenario(
        "prepared again after a change of the program",
        begin(VOLUME, claims=()),
        steps=(
            Step(
                CURRENT,
                both(found(actors.files("d")), change(prepare={"args": ["flights", "--months", "1-6"]})),
                wait=5.0,
            ),
        ),
    ),
    scenario(
        "the source changes while a scan runs",
        begin(PVC, claims=("data", "other")),
        steps=(Step(lambda world: bool(world.list(POD)), change(source={"pvc": {"claimName": "other"}})),),
    ),
    scenario(
        "an image that cannot be pulled",
        begin(PVC, "stuck"),
        Verdict.FAILED,
        check=lambda world: None,
    ),
    scenario(
        "deleted in mid-scan",
        begin(VOLUME, claims=()),
        Verdict.NOT_FOUND,
        steps=(Step(lambda world: bool(world.list(POD)), lambda world: world.delete(DS)),),
        check=no_orphans,
    ),
    scenario(
        "deleted and made anew",
        begin(PVC),
        steps=(Step(CURRENT, lambda world: world.delete(DS)), Step(gone(DS), create(PVC))),
    ),
)
