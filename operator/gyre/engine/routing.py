"""Which of our resources an observed change concerns. Pure look-ups: tables from KINDS, indexes from the cache."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from gyre.api.effects import Gvk, Ref
from gyre.api.kind import Kind, Object, Watch
from gyre.engine.cache import Cache, controller_of, ref_of


@dataclass(frozen=True, slots=True)
class Key:
    """One resource of ours to look at. No event content: what happened is read from the cache."""

    gvk: Gvk
    namespace: str
    name: str

    @classmethod
    def of(cls, ref: Ref) -> Key:
        return cls(ref.gvk, ref.namespace, ref.name)

    @property
    def ref(self) -> Ref:
        return Ref(self.gvk, self.namespace, self.name)

    def __str__(self) -> str:
        return (
            f"{self.gvk.kind.lower()}/{self.namespace}/{self.name}"
            if self.namespace
            else f"{self.gvk.kind.lower()}/{self.name}"
        )


class Routes:
    """From a changed object to the keys it wakes."""

    def __init__(self, kinds: Iterable[Kind[Any, Any]]) -> None:
        self.kinds = {kind.gvk: kind for kind in kinds}
        self._by_owner_kind = {(gvk.api_version, gvk.kind): gvk for gvk in self.kinds}
        self._told: dict[tuple[Gvk, Ref], int] = {}
        """Of what concerns everyone: what was last told, as a hash. Forgetting it wakes once too often."""
        self._watches: dict[Gvk, list[tuple[Gvk, Watch]]] = {}
        for kind in self.kinds.values():
            for watch in kind.watches:
                self._watches.setdefault(watch.gvk, []).append((kind.gvk, watch))

    def watched(self) -> dict[Gvk, bool]:
        """Every kind to watch; True when only objects labelled as managed by gyre are wanted."""
        wanted: dict[Gvk, bool] = dict.fromkeys(self.kinds, False)
        for kind in self.kinds.values():
            for child in kind.owns:
                wanted.setdefault(child, True)
            for watch in kind.watches:
                wanted[watch.gvk] = wanted.get(watch.gvk, True) and watch.managed
        return wanted

    def woken(self, gvk: Gvk, obj: Object, cache: Cache) -> Iterator[tuple[Key, float]]:
        """Whom to look at, and in how many seconds at the latest."""
        for key in self._concerned(gvk, obj, cache):
            yield key, 0.0
        ref = ref_of(gvk, obj)
        for kind, watch in self._watches.get(gvk, ()):
            if watch.everyone and self._told_anew(kind, ref, watch.everyone(obj), cache):
                yield from ((Key.of(one), watch.settle) for one in tuple(cache.entries(kind)))

    def _concerned(self, gvk: Gvk, obj: Object, cache: Cache) -> Iterator[Key]:
        ref = ref_of(gvk, obj)
        if gvk in self.kinds:
            yield Key.of(ref)
        owner = controller_of(obj)
        if owner:
            owner_gvk = self._by_owner_kind.get((owner["apiVersion"], owner["kind"]))
            if owner_gvk:
                yield Key(owner_gvk, ref.namespace if owner_gvk.namespaced else "", owner["name"])
        for kind in self.kinds:
            for referrer in cache.referrer_refs(ref, kind):
                yield Key.of(referrer)
        for kind, watch in self._watches.get(gvk, ()):
            for namespace, name in watch.keys(obj) if watch.keys else ():
                yield Key(kind, namespace, name)

    def _told_anew(self, kind: Gvk, ref: Ref, value: object, cache: Cache) -> bool:
        """Whether this is another value than was told before. Of an object that has gone, nothing is kept."""
        if cache.entry(ref) is None:
            self._told.pop((kind, ref), None)
            return True
        told = hash(repr(value))
        if self._told.get((kind, ref)) == told:
            return False
        self._told[kind, ref] = told
        return True
