"""Models and ModelVersions: registered, orphaned, in use, deleted together."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from tests.sweep import actors, training_invariants
from tests.sweep.actors import NS, digest
from tests.sweep.ray import KubeRay
from tests.sweep.scenarios import Scenario, Step, When
from tests.sweep.scheduler import Run
from tests.sweep.training_invariants import ledger_of, one_version_a_digest
from tests.sweep.training_scenarios import EVIDENCE, HEAD_LOST, LOOSE, SPEC, cluster
from tests.sweep.world import World

from gyre.adapters.versions import USES_MODEL_VERSION
from gyre.api import kstatus
from gyre.api.effects import Ref
from gyre.api.gvks import CONFIG_MAP, MODEL, MODEL_VERSION, RAY_JOB, TRAINING_JOB
from gyre.api.kstatus import Verdict
from gyre.kinds import KINDS
from gyre.kinds.trainingjob.names import JOB_LABEL, ray_job_name, run_name

M = Ref(MODEL, NS, "delays")
V1, V2 = Ref(MODEL_VERSION, NS, "delays-aaaaaaaa"), Ref(MODEL_VERSION, NS, "delays-bbbbbbbb")
HEIR = Ref(TRAINING_JOB, NS, "heir")
RIVAL = Ref(TRAINING_JOB, NS, "rival")
OBJECTIVE = {"metric": "auc", "goal": "Maximize"}


def model(**spec: Any) -> Any:
    return lambda world: actors.put(world, MODEL, M.name, spec=spec)


def version(ref: Ref = V1, **metrics: str) -> Any:
    letter = ref.name[-1]
    spec = {
        "modelRef": {"name": M.name},
        "artifact": {"uri": f"pvc://runs/{letter}", "digest": digest(letter), "flavour": "torch"},
        "metrics": metrics or {"auc": "0.7"},
    }
    return lambda world: actors.put(world, MODEL_VERSION, ref.name, spec=spec)


def heir(**spec: Any) -> Any:
    """A TrainingJob that starts from version 1, and so needs it to stay."""
    warm = {**SPEC, "warmStart": {"modelVersion": {"name": V1.name}}, "suspend": True, **spec}
    return lambda world: actors.put(world, TRAINING_JOB, HEIR.name, spec=warm)


def every(*acts: Any) -> Any:
    def all_of_them(world: World) -> None:
        for act in acts:
            act(world)

    return all_of_them


def is_(ref: Ref, verdict: Verdict) -> When:
    return lambda world: kstatus.compute(world.find(ref)).verdict is verdict


def users(world: World) -> list[str]:
    status = (world.find(V1) or {}).get("status") or {}
    return [f"{use['kind']}/{use['name']}" for use in status.get("inUseBy") or ()]


def used_by(*expected: str) -> Any:
    def check(world: World) -> None:
        assert users(world) == list(expected), f"{users(world)} use it, not {expected}"
        shown = [use["by"] for use in world.get(M)["status"].get("inUse") or ()]
        assert shown == list(expected), f"the Model says {shown}"

    return check


def owned(*refs: Ref) -> Any:
    def check(world: World) -> None:
        uid = world.get(M)["metadata"]["uid"]
        for ref in refs:
            owners = [owner["uid"] for owner in world.get(ref)["metadata"].get("ownerReferences") or ()]
            assert owners == [uid], f"{ref} is owned by {owners}"
        assert world.get(M)["status"].get("versions", 0) == len(refs)

    return check


def all_gone(world: World) -> None:
    left = [str(ref) for ref in world.objects if ref.gvk in (MODEL, MODEL_VERSION)]
    assert not left, f"left behind: {left}"


@cache
def modelled() -> World:
    """Version 1, with more than it would have today, is the champion of its Model; made once, forked by every run."""
    world = cluster().fork()
    every(model(objective=OBJECTIVE), version(V1, auc="0.75"))(world)
    Run(KINDS, world, (actors.JobController(), actors.Kubelet())).settle()
    assert world.get(M)["status"]["champion"]["name"] == V1.name
    return world


def rival(**spec: Any) -> Any:
    """A TrainingJob of the same Model."""
    asked = {**SPEC, "model": {"name": M.name}, **spec}
    return lambda world: actors.put(world, TRAINING_JOB, RIVAL.name, spec=asked)


def beats_the_champion(world: World) -> None:
    """It reports less than version 1 did, and is better on the same rows."""
    (made,) = (obj for obj in world.list(MODEL_VERSION) if obj["metadata"]["name"] != V1.name)
    champion = made["spec"]["evaluation"]["champion"]
    assert champion == {"version": V1.name, "digest": digest("a"), "metrics": {"auc": "0.64"}}, champion
    assert world.get(M)["status"]["champion"]["name"] == made["metadata"]["name"]
    assert users(world) == []


def measured_against_nobody(world: World) -> None:
    (made,) = (obj for obj in world.list(MODEL_VERSION) if obj["metadata"]["name"] != V1.name)
    assert "champion" not in made["spec"]["evaluation"]
    assert world.get(M)["status"]["champion"]["name"] == V1.name


def labelled_as_frozen(world: World) -> None:
    """An attempt holds the version that its ledger says, and the program is told of that one."""
    for ray_job in world.list(RAY_JOB):
        job = ray_job["metadata"]["labels"][JOB_LABEL]
        run = world.find(Ref(CONFIG_MAP, NS, run_name(job)))
        ledger = ledger_of(run)
        if run is None or ray_job["metadata"]["name"] != ray_job_name(job, ledger.get("count", 0)):
            continue
        frozen = (ledger.get("champion") or {}).get("version")
        held = ray_job["metadata"]["labels"].get(USES_MODEL_VERSION)
        told = (json.loads(run["data"]["run.json"]).get("champion") or {}).get("version")
        assert frozen == held == told, f"{ray_job['metadata']['name']}: {frozen}, {held}, {told}"


def scenario(name: str, setup: Any, expect: Mapping[Ref, Verdict], **more: Any) -> Scenario:
    base, scripts = more.pop("base", cluster), more.pop("scripts", None)

    def begin(_: World) -> World:
        world: World = base().fork()
        setup(world)
        return world

    return Scenario(
        name,
        KINDS,
        begin,
        expect,
        actors=lambda: (KubeRay(scripts), actors.JobController(), actors.Kubelet()),
        invariants=lambda: (*training_invariants.invariants(), one_version_a_digest, labelled_as_frozen),
        loose=LOOSE,
        evidence=EVIDENCE,
        **more,
    )


CURRENT, FAILED, IN_PROGRESS = Verdict.CURRENT, Verdict.FAILED, Verdict.IN_PROGRESS
NOT_FOUND = Verdict.NOT_FOUND

MODELS = (
    scenario("an empty model", model(), {M: CURRENT}),
    scenario(
        "versions are ranked",
        every(model(objective=OBJECTIVE), version(V1, auc="0.7"), version(V2, auc="0.8")),
        {M: CURRENT, V1: CURRENT},
        check=owned(V1, V2),
    ),
    scenario(
        "an objective that nobody reports",
        every(model(objective={"metric": "f1", "goal": "Maximize"}), version()),
        {M: FAILED, V1: CURRENT},
    ),
    scenario(
        "an objective that is mended",
        every(model(objective={"metric": "f1", "goal": "Maximize"}), version()),
        {M: CURRENT},
        steps=(Step(is_(M, FAILED), lambda world: world.patch(M, {"spec": {"objective": OBJECTIVE}})),),
    ),
    scenario(
        "a version is deleted",
        every(model(), version(V1), version(V2)),
        {M: CURRENT, V1: NOT_FOUND},
        steps=(Step(is_(V1, CURRENT), lambda world: world.delete(V1), wait=5.0),),
        check=owned(V2),
    ),
    scenario(
        "deleted with its versions",
        every(model(), version(V1), version(V2)),
        {M: NOT_FOUND, V1: NOT_FOUND, V2: NOT_FOUND},
        steps=(
            Step(
                lambda world: all(is_(ref, CURRENT)(world) for ref in (M, V1, V2)),
                lambda world: world.delete(M),
                wait=1.0,
            ),
        ),
        check=all_gone,
    ),
)

VERSIONS = (
    scenario("registered with its model", every(model(), version()), {V1: CURRENT, M: CURRENT}, check=owned(V1)),
    scenario("an orphan makes its model", version(), {V1: CURRENT, M: CURRENT}, check=owned(V1)),
    scenario(
        "two orphans make one model", every(version(V1), version(V2)), {V1: CURRENT, V2: CURRENT}, check=owned(V1, V2)
    ),
    scenario(
        "the model comes late",
        version(),
        {V1: CURRENT, M: CURRENT},
        steps=(Step(is_(M, CURRENT), lambda world: world.patch(M, {"spec": {"owner": "team-a"}}), wait=2.0),),
        check=owned(V1),
    ),
    scenario(
        "better than its champion on the same rows",
        rival(),
        {V1: CURRENT, RIVAL: CURRENT, M: CURRENT},
        base=modelled,
        check=beats_the_champion,
    ),
    scenario(
        "better than its champion after a lost head",
        rival(),
        {V1: CURRENT, RIVAL: CURRENT, M: CURRENT},
        base=modelled,
        scripts={1: HEAD_LOST},
        check=beats_the_champion,
    ),
    scenario(
        "asked to be measured against nobody",
        rival(evaluate={"against": "Nothing"}),
        {RIVAL: CURRENT, M: CURRENT},
        base=modelled,
        check=measured_against_nobody,
    ),
    scenario("in use", every(model(), version(), heir()), {V1: CURRENT}, check=used_by("TrainingJob/heir")),
    scenario(
        "no longer in use once the user is done",
        every(model(), version(), heir(suspend=False)),
        {V1: CURRENT, HEIR: CURRENT},
        check=used_by(),
    ),
    scenario(
        "no longer in use once the user is deleted",
        every(model(), version(), heir()),
        {V1: CURRENT, HEIR: NOT_FOUND},
        steps=(Step(lambda world: bool(users(world)), lambda world: world.delete(HEIR), wait=1.0),),
        check=used_by(),
    ),
)
