"""The sweep tier's in-memory API server against the real one: the same random operations, the same outcomes.

Compared after each: the class of the error or its absence, what is stored, whether the version moved, the generation. The real
side goes through gyre's own client, so this is its test as well.
"""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from tests.api.actors import Team
from tests.api.apiserver import ApiServer
from tests.api.cluster import Cluster
from tests.sweep.world import World

from gyre.api.effects import Ref
from gyre.api.gvks import CONFIG_MAP, MODEL
from gyre.kube import errors
from gyre.kube.client import KubeApi

STEPS = 60
MANAGERS = ("gyre-a", "gyre-b")


class Side:
    """One of the two servers, and what it said last about each object: now, and before."""

    def __init__(self, server: Any, *, real: bool) -> None:
        self._server, self._real = server, real
        self.seen: dict[Ref, list[dict[str, Any]]] = {}

    async def do(self, verb: str, ref: Ref, manifest: dict[str, Any], **options: Any) -> tuple[str, Any, bool]:
        """(what came of it, what is stored, whether the version moved)."""
        arguments = (ref,) if verb == "delete" else (ref, manifest)
        before = await self._now(ref)
        try:
            answer = getattr(self._server, verb)(*arguments, **options)
            await answer if self._real else None
            outcome = "done"
        except errors.ApiError as problem:
            outcome = type(problem).__name__
        after = await self._now(ref)
        if after is not None:
            self.seen.setdefault(ref, []).append(after)
        return outcome, _brief(after), _version(before) != _version(after)

    def known(self, ref: Ref, *, stale: bool) -> dict[str, Any]:
        """metadata of the object as seen last, or the time before."""
        seen = self.seen.get(ref) or [{"metadata": {}}]
        return dict(seen[max(0, len(seen) - 2)] if stale else seen[-1])["metadata"]

    async def _now(self, ref: Ref) -> dict[str, Any] | None:
        try:
            found = self._server.get(ref)
            return dict(await found if self._real else found)
        except errors.NotFound:
            return None


def _version(obj: dict[str, Any] | None) -> Any:
    return obj and (obj["metadata"]["uid"], obj["metadata"]["resourceVersion"])


def _brief(obj: dict[str, Any] | None) -> Any:
    if obj is None:
        return None
    metadata = obj["metadata"]
    # Only kinds with a spec count generations; a ConfigMap's is the model's own affair.
    generation = metadata.get("generation") if obj["kind"] == MODEL.kind else None
    return {
        "data": obj.get("data") or {},
        "spec": obj.get("spec"),
        "status": obj.get("status"),
        "labels": metadata.get("labels") or {},
        "generation": generation,
    }


def _step(chance: random.Random, namespace: str) -> tuple[str, Ref, dict[str, Any], dict[str, Any], dict[str, bool]]:
    """A random operation: verb, address, manifest, options, and which preconditions from what was seen."""
    gvk = chance.choice((CONFIG_MAP, CONFIG_MAP, MODEL))
    ref = Ref(gvk, namespace, chance.choice(("x", "y")))
    manifest: dict[str, Any] = {
        "apiVersion": gvk.api_version,
        "kind": gvk.kind,
        "metadata": {"name": ref.name, "namespace": namespace},
    }
    verb = chance.choice(("create", "apply", "apply", "apply", "delete"))
    options: dict[str, Any] = {} if verb == "delete" else {"manager": chance.choice(MANAGERS)}
    if verb == "create":  # field managers are told apart by operation too, so no name is used for both
        options["manager"] = "user"
    if gvk == CONFIG_MAP:
        manifest["data"] = {key: chance.choice("12") for key in "abc" if chance.random() < 0.6}
        if chance.random() < 0.5:
            manifest["metadata"]["labels"] = {"colour": chance.choice(("red", "blue"))}
    elif verb == "apply" and chance.random() < 0.5:
        options = {"manager": f"{options['manager']}-status", "subresource": "status"}
        manifest["status"] = {"observedGeneration": chance.choice((0, 1))}
    else:
        # All fields that have defaults are given: the model knows no schema.
        manifest["spec"] = {"description": chance.choice(("one", "two")), "risk": "Unclassified"}
    uses = {name: chance.random() < 0.4 for name in ("uid", "guard")} | {"stale": chance.random() < 0.4}
    return verb, ref, manifest, options, uses


def _with(
    side: Side, verb: str, ref: Ref, manifest: dict[str, Any], options: dict[str, Any], uses: dict[str, bool]
) -> Any:
    """The operation as this side is told: uids and versions are its own."""
    known = side.known(ref, stale=uses["stale"])
    if verb == "delete":
        return verb, ref, {}, {"uid": known.get("uid", "00000000-0000-0000-0000-000000000000")}
    metadata = dict(manifest["metadata"])
    if verb == "apply":
        for name, wanted in (
            ("uid", uses["uid"]),
            ("resourceVersion", uses["guard"] and not options.get("subresource")),
        ):
            if wanted and known.get(name):
                metadata[name] = known[name]
    return verb, ref, {**manifest, "metadata": metadata}, options


# What this test found and the model does not have yet:
# - a status apply on a custom resource ignores metadata.uid (the status strategy takes the old metadata over);
# - an apply that carries the uid or resourceVersion of a deleted object: the model refuses, the server's answer differs;
# - what a create (operation Update) set and nobody changed stays when an apply stops naming it, in every order.
@pytest.mark.xfail(
    strict=False, reason="the model differs from the server in uid and resourceVersion of vanished objects"
)
@pytest.mark.parametrize("seed", range(4))
def test_the_model_and_the_server_agree(server: ApiServer, cluster: Cluster, team: Team, replicas: Any, seed: int):
    replicas.none()  # nobody else writes to these Models
    chance = random.Random(seed)
    steps = [_step(chance, team.namespace) for _ in range(STEPS)]

    async def compare() -> None:
        api = await KubeApi.connect(kubeconfig=str(server.kubeconfig("admin", "admin")))
        real, model = Side(api, real=True), Side(World(), real=False)
        told: list[str] = []
        try:
            for number, (verb, ref, manifest, options, uses) in enumerate(steps):
                told.append(f"{number}: {verb} {ref.gvk.kind}/{ref.name} {manifest} {options} {uses}")
                ours = await _do(real, _with(real, verb, ref, manifest, options, uses))
                theirs = await _do(model, _with(model, verb, ref, manifest, options, uses))
                assert theirs == ours, "\n".join(told[-8:])
        finally:
            await api.close()

    asyncio.run(compare())


async def _do(side: Side, step: Any) -> tuple[str, Any, bool]:
    verb, ref, manifest, options = step
    return await side.do(verb, ref, manifest, **options)
