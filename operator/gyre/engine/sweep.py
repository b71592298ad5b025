"""Lists everything again from time to time, because a watch can lose what it never told.

Promises   after a sweep the cache holds exactly what the API server held when asked: vanished objects are purged, missed ones
           fetched, and whoever they concern is woken. Kopf reports no deletion that happened while its stream was down
           (research: kopf 1.45.2), so without this a lost deletion would be believed for ever.
Never      reads more than metadata, except for objects that it missed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from gyre.api.effects import Gvk, Ref
from gyre.api.kind import MANAGED_BY, Object
from gyre.engine.cache import Cache, ref_of
from gyre.engine.metrics import OBJECTS, SWEEP_FOUND
from gyre.engine.routing import Routes
from gyre.kube import errors
from gyre.kube.client import Api

log = logging.getLogger("gyre.sweep")

MANAGED_SELECTOR = f"{MANAGED_BY}=gyre"


async def fill(api: Api, cache: Cache, watched: Mapping[Gvk, bool]) -> set[Gvk]:
    """Read everything once, before the first decision: no rule may mistake 'not yet listed' for 'does not exist'.

    Returns the kinds that the cluster does not know (an optional system that is not installed).
    """
    absent: set[Gvk] = set()
    for gvk, managed in watched.items():
        try:
            async for obj in api.list(gvk, selector=MANAGED_SELECTOR if managed else ""):
                cache.observe(gvk, obj)
        except errors.NotFound:
            absent.add(gvk)
    return absent


async def sweep(api: Api, cache: Cache, routes: Routes, changed: Callable[[Gvk, Object], None]) -> None:
    """Compare the cache with a metadata-only list of every watched kind and report each difference through `changed`."""
    for gvk, managed in routes.watched().items():
        before = dict(cache.entries(gvk))
        listed = await _list(api, gvk, managed)
        if listed is None:
            continue
        highest = max((int(obj["metadata"]["resourceVersion"]) for obj in listed.values()), default=0)
        for ref, entry in before.items():
            now = listed.get(ref)
            if now is None and await _look(api, cache, gvk, ref, changed) is False:
                if cache.purge(ref, version=max(entry.version, highest)):
                    SWEEP_FOUND.labels(gvk.kind, "vanished").inc()
                    changed(gvk, entry.read())
            elif now is not None and now["metadata"]["uid"] != entry.uid:
                SWEEP_FOUND.labels(gvk.kind, "replaced").inc()
                changed(gvk, entry.read())
        for ref, obj in listed.items():
            known = cache.entry(ref)
            if known is None or known.version < int(obj["metadata"]["resourceVersion"]):
                await _look(api, cache, gvk, ref, changed)
        OBJECTS.labels(gvk.kind).set(len(cache.entries(gvk)))


async def _list(api: Api, gvk: Gvk, managed: bool) -> dict[Ref, Object] | None:
    selector = MANAGED_SELECTOR if managed else ""
    try:
        return {ref_of(gvk, obj): obj async for obj in api.list(gvk, selector=selector, metadata_only=True)}
    except errors.NotFound:
        return None
    except errors.ApiError as problem:
        log.warning("could not list %s: %s; the next sweep tries again", gvk.plural, problem)
        return None


async def _look(api: Api, cache: Cache, gvk: Gvk, ref: Ref, changed: Callable[[Gvk, Object], None]) -> bool | None:
    """Whether the object exists, None when nobody answered; what a list does not say may have changed since it was taken."""
    try:
        obj = await api.get(ref)
    except errors.NotFound:
        return False
    except errors.ApiError:
        return None
    if cache.confirm(gvk, obj):
        SWEEP_FOUND.labels(gvk.kind, "missed").inc()
        changed(gvk, obj)
    return True
