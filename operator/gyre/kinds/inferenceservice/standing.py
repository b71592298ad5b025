"""All that a ledger wants of the cluster, as effects in the order in which they are written. Pure.

Every decision names all of it every time: what is there already is not sent, what a crash left out or somebody deleted comes
back, what nobody needs goes. What cannot be written now is left out, so that the rest can: without KServe's webhooks no
predictor, without a Gateway no route.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from gyre.api import gvks
from gyre.api.effects import Apply, Delete, Effect, Manifest, Ref
from gyre.kinds.inferenceservice import comparison, desired, logged
from gyre.kinds.inferenceservice.comparison import Compared
from gyre.kinds.inferenceservice.ledger import Ledger
from gyre.kinds.inferenceservice.memory import Point
from gyre.kinds.inferenceservice.model import InferenceService
from gyre.kinds.inferenceservice.names import predictor_name
from gyre.kinds.inferenceservice.observe import KServe, Observed
from gyre.kinds.inferenceservice.troubles import Backend


def standing(
    gis: InferenceService,
    seen: Observed,
    ledger: Ledger,
    *,
    series: Sequence[Point] | None = None,
    compared: Compared | None = None,
) -> tuple[Effect, ...]:
    """The ledger first, guarded; `series` and `compared` are those that were seen unless others are given."""
    memory = seen.memory
    points = series if series is not None else (memory.series if memory else ())
    arms = compared or (memory.compared if memory else None)
    kept = arms if desired.splits(gis, ledger) else None
    if desired.fallback(gis, ledger, seen.beside):
        kept = comparison.paused(kept)
    effects: list[Effect] = [desired.ledger_write(gis, ledger, points, kept, seen.seen_version)]
    if seen.kserve in (KServe.NOT_ASKED, KServe.UP):
        effects += desired.predictors(gis, desired.needed(ledger, seen.beside))
    effects += map(Apply, desired.shadow_address(gis, seen.beside))
    route = desired.route(gis, ledger, seen.beside)
    if seen.parent is not None and route is not None:
        wanted = desired.policies(gis, seen.parent.class_name, seen.keys)
        effects += [*(Apply(policy) for policy in wanted), Apply(route), *_unwanted(seen, wanted)]
    return (*effects, *_leaving(gis, seen, ledger), *logged.effects(gis, seen.log, seen.backends.values()))


def leftovers(gis: InferenceService, seen: Observed, ledger: Ledger) -> list[Backend]:
    """Predictors that nobody needs."""
    names = {predictor_name(gis.name, version.digest) for version in desired.needed(ledger, seen.beside)}
    return [backend for backend in seen.backends.values() if backend.predictor and backend.name not in names]


def _leaving(gis: InferenceService, seen: Observed, ledger: Ledger) -> list[Delete]:
    """They go once the gateway has confirmed that it sends nothing there; so does the address of a shadow that is no more."""
    if not believed(gis, seen, ledger):
        return []
    unused = seen.address if seen.beside.shadow is None else ()
    return [Delete(owned.ref, owned.uid) for owned in unused] + [
        Delete(Ref(gvks.KSERVE_SERVICE, gis.namespace, backend.name), backend.predictor.uid)
        for backend in leftovers(gis, seen, ledger)
        if backend.predictor and not backend.predictor.deleting
    ]


def _unwanted(seen: Observed, wanted: Sequence[Manifest]) -> list[Delete]:
    """Policies that the spec asks for no longer."""
    kept = {manifest["kind"] for manifest in wanted}
    return [Delete(owned.ref, owned.uid) for owned in seen.guards if owned.ref.gvk.kind not in kept]


def believed(gis: InferenceService, seen: Observed, ledger: Ledger) -> bool:
    """The gateway has confirmed the weights of this ledger; and nothing, where nothing is to be served yet."""
    meant = desired.route(gis, ledger, seen.beside)
    if meant is None:
        return seen.route is None
    return seen.route is not None and seen.route.believed(meant)


def unconfirmed(gis: InferenceService, seen: Observed) -> str:
    """Why the weights are not believed yet, and who has to do something about it."""
    namespace, name, _ = desired.through(gis)
    where = f"Gateway {namespace}/{name}"
    if seen.gateway is not None and not seen.gateway.programmed:
        return f"{where} is not programmed: {seen.gateway.message}"
    if seen.route is None or not seen.route.problem:
        return f"{where} has not taken up the route's newest weights yet"
    return seen.route.problem


def until(time: datetime) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%SZ")
