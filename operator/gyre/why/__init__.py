"""`gyre why gis/flights`: why is this served, or this the champion, or this so: from Kubernetes resources alone.

Promises   every fact is read from an object of the cluster and every missing one is said, with what would make it known;
           `--verify` computes each decision again by the operator's own code; works while the operator is down.
Never      writes; asks anybody but the API server; takes a missing fact for a good one, or for zero.

    world.py     the objects that have to do with it, and why one of them is not there     the only reads
    answer.py    facts, sections, checks; as JSON                                          pure
    traffic.py   which version had the traffic, by the history                             pure
    serving.py   the endpoint, and what its last verdict was computed from                 pure
    origin.py    a version: how good, from what; the run that made it                      pure
    around.py    cost, budget, drift, objectives, retraining                               pure
    verify.py    each decision, computed again                                             pure
    view.py      an Answer for the terminal                                                pure
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Final

from rich.console import Console

from gyre.api import gvks
from gyre.api.effects import Ref
from gyre.engine.clock import utc_now
from gyre.kinds import KINDS
from gyre.kube.client import KubeApi
from gyre.why import around, origin, serving
from gyre.why.answer import Answer
from gyre.why.traffic import parsed
from gyre.why.verify import checks
from gyre.why.view import view
from gyre.why.world import Getter, World, gathered

ANSWERED: Final = (gvks.INFERENCE_SERVICE, gvks.MODEL, gvks.MODEL_VERSION, gvks.TRAINING_JOB)


def named(what: str, namespace: str) -> Ref:
    """`gis/flights` → its address. Raises LookupError for what is not asked for like this."""
    word, _, name = what.partition("/")
    for kind in KINDS:
        if kind.gvk in ANSWERED and word.lower() in (
            kind.gvk.kind.lower(),
            kind.gvk.plural,
            *kind.model.definition.short,
        ):
            if not name:
                raise LookupError(f"a name is missing: {word}/NAME, not {what}")
            return Ref(kind.gvk, namespace, name)
    raise LookupError(f"ask for gis/NAME, mdl/NAME, mv/NAME or tj/NAME, not {what!r}")


def answered(world: World, *, verify: bool) -> Answer:
    """What the objects say."""
    sections = (*serving.sections(world), *origin.sections(world), *around.sections(world))
    return Answer(
        what=f"{world.what.gvk.kind} {world.what.namespace}/{world.what.name}",
        at=world.at,
        sections=tuple(section for section in sections if section.facts),
        checks=checks(world) if verify else None,
    )


async def asked(api: Getter, ref: Ref, at: datetime | None, *, verify: bool) -> Answer:
    return answered(await gathered(api, ref, at), verify=verify)


async def why(what: str, namespace: str, *, at: str, as_json: bool, verify: bool, console: Console) -> bool:
    """Prints the answer; False when a decision comes to something else when it is computed again."""
    ref, time = named(what, namespace), parsed(at, utc_now()) if at else None
    api = await KubeApi.connect()
    try:
        found = await asked(api, ref, time, verify=verify)
    finally:
        await api.close()
    if as_json:
        console.out(json.dumps(found.to_json(), indent=2, ensure_ascii=False), highlight=False)
    else:
        console.print(view(found))
    return found.holds


__all__ = ["answered", "asked", "named", "why"]
