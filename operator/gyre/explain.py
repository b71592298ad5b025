"""`gyre explain tj/flights`: gather and decide once, against the live cluster, and print what would be done and why.

Never writes: the effects are printed, not carried out. Because `decide` is pure, this is exactly what the operator thinks.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

from rich.console import Console

from gyre.api.effects import Ref
from gyre.api.kind import Kind
from gyre.engine.asking import Asker
from gyre.engine.cache import Cache
from gyre.engine.clock import monotonic, utc_now
from gyre.engine.engine import fetched, found
from gyre.engine.reconciler import brief
from gyre.engine.routing import Routes
from gyre.engine.sweep import fill
from gyre.kinds import KINDS
from gyre.kube.client import KubeApi


def kind_named(word: str) -> Kind[Any, Any]:
    """A kind by its kind, plural or short name, whatever the case. LookupError lists what there is."""
    for kind in KINDS:
        if word.lower() in (kind.gvk.kind.lower(), kind.gvk.plural, *kind.model.definition.short):
            return kind
    raise LookupError(f"no kind {word!r}; there are: {', '.join(k.gvk.plural for k in KINDS)}")


async def explain(what: str, namespace: str) -> None:
    word, _, name = what.partition("/")
    kind, console = kind_named(word), Console()
    api = await KubeApi.connect()

    asker = Asker(now=utc_now, monotonic=monotonic)
    try:
        cache = Cache(KINDS, partial(fetched, api), partial(found, api), asker.ask)
        await fill(api, cache, Routes(KINDS).watched())
        obj = cache.get(Ref(kind.gvk, namespace if kind.gvk.namespaced else "", name))
        if obj is None:
            console.print(f"{kind.gvk.kind} {namespace}/{name} does not exist.")
            return
        resource = kind.model.parse(obj)
        seen = await kind.gather(cache, resource)
        now: datetime = utc_now()
        decision = kind.decide(resource, seen, now)
    finally:
        await asker.close()
        await api.close()
    console.print(f"[bold]{kind.gvk.kind} {namespace}/{name}[/] generation {resource.generation}")
    console.print(f"[bold]{decision.outcome.value}[/] {decision.reason}: {decision.message}")
    for effect in decision.effects:
        console.print(f"  would: {brief(effect)}")
    if not decision.effects:
        console.print("  would do nothing")
    if decision.after is not None:
        console.print(f"  looks again in {decision.after:.0f} s at the latest")
