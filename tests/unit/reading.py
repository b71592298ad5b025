"""A handful of objects in memory: what `gather` reads, and what effects make of it. No watch, no time, no failures."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from gyre.api.effects import Apply, Create, Delete, Effect, Generate, Gvk, Note, Ref
from gyre.api.kind import Answer, Decision, Kind, Object
from gyre.kinds import KINDS

LOOKS = 8


class Cluster:
    """`gyre.api.kind.Reader` over a dict; `carry_out` is the engine at its simplest."""

    def __init__(self) -> None:
        self.objects: dict[Ref, Object] = {}
        self.live: dict[Ref, Object] = {}
        """What a live GET finds, where the watch has not told it yet."""
        self.notes: list[Note] = []
        self.answers: Callable[[str, Mapping[str, str]], tuple[int, str]] = lambda url, headers: (0, "nobody answers")
        """Who answers HTTP: (URL, headers) → (status, text); status 0 and the reason when nobody does."""
        self.asked: list[str] = []
        """What was asked of whom: `GET url`, `LIST Pod`."""
        self.recalled: list[tuple[Gvk, Object]] = []
        """What `departed` tells, oldest first."""
        self.now = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
        self.version = 0
        self.born = 0

    def put(self, gvk: Gvk, obj: Object) -> Object:
        self.version += 1
        metadata = obj["metadata"]
        if "uid" not in metadata:
            self.born += 1
            metadata["uid"] = f"uid-{self.born}"
        metadata["resourceVersion"] = str(self.version)
        obj = {"apiVersion": gvk.api_version, "kind": gvk.kind, **obj}
        self.objects[Ref(gvk, metadata.get("namespace", ""), metadata["name"])] = obj
        return obj

    def all(self, gvk: Gvk) -> list[Object]:
        return [obj for ref, obj in sorted(self.objects.items(), key=lambda item: item[0].name) if ref.gvk == gvk]

    # ── Reader ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def get(self, ref: Ref) -> Object | None:
        return self.objects.get(ref)

    async def fetch(self, ref: Ref) -> Object | None:
        return self.live.get(ref) or self.objects.get(ref)

    async def find(self, gvk: Gvk, namespace: str, labels: Mapping[str, str]) -> Sequence[Object]:
        self.asked.append(f"LIST {gvk.kind}")

        def matches(obj: Object) -> bool:
            metadata = obj["metadata"]
            there = namespace in ("", metadata.get("namespace"))
            return there and labels.items() <= (metadata.get("labels") or {}).items()

        return self._where(gvk, matches)

    def departed(self, gvk: Gvk) -> Sequence[Object]:
        return [obj for kind, obj in self.recalled if kind == gvk]

    async def glance(self, gvk: Gvk, labels: Mapping[str, str], *, max_age: float) -> Sequence[Object]:
        return await self.find(gvk, "", labels)

    async def ask(self, url: str, headers: Mapping[str, str] | None = None, *, max_age: float = 0.0) -> Answer:
        self.asked.append(f"GET {url}")
        status, text = self.answers(url, headers or {})
        return Answer(status, text if status else "", "" if status else text, self.now)

    def everything(self, gvk: Gvk) -> Sequence[Object]:
        return self.all(gvk)

    def owned(self, gvk: Gvk, owner_uid: str) -> Sequence[Object]:
        def ours(owner: Object) -> bool:
            return bool(owner.get("controller")) and owner["uid"] == owner_uid

        return self._where(gvk, lambda obj: any(map(ours, obj["metadata"].get("ownerReferences") or ())))

    def labelled(self, gvk: Gvk, namespace: str, label: str, value: str) -> Sequence[Object]:
        def matches(obj: Object) -> bool:
            metadata = obj["metadata"]
            return metadata.get("namespace") == namespace and (metadata.get("labels") or {}).get(label) == value

        return self._where(gvk, matches)

    def referrers(self, ref: Ref, gvk: Gvk) -> Sequence[Object]:
        kind = next((kind for kind in KINDS if kind.gvk == gvk), None)
        if kind is None:
            return []
        return self._where(gvk, lambda obj: ref in tuple(kind.references(kind.model.parse(obj))))

    def _where(self, gvk: Gvk, accept: Callable[[Object], bool]) -> Sequence[Object]:
        return [obj for obj in self.all(gvk) if accept(obj)]

    # ── engine ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def look(self, kind: Kind[Any, Any], ref: Ref, now: datetime) -> Decision:
        """Gather, decide, carry out, until nothing changes; then write the status. The last decision."""
        self.now = now
        for _ in range(LOOKS):
            resource = kind.model.parse(self.objects[ref])
            seen = asyncio.run(kind.gather(self, resource))
            decision = kind.decide(resource, seen, now)
            if not self.carry_out(decision.effects):
                break
        else:
            raise AssertionError(f"two rules undo each other: {decision.reason}: {decision.message}")
        status = kind.summarize(resource, seen, decision, now)
        self.objects[ref] = {**self.objects[ref], "status": status}
        return decision

    def carry_out(self, effects: Iterable[Effect]) -> bool:
        changed = False
        for effect in effects:
            match effect:
                case Create(manifest):
                    ref = ref_of(manifest)
                    if ref not in self.objects:
                        self.put(ref.gvk, copy.deepcopy(dict(manifest)))
                        changed = True
                case Generate(manifest, key):
                    ref = ref_of(manifest)
                    if ref not in self.objects:
                        self.put(ref.gvk, {**copy.deepcopy(dict(manifest)), "stringData": {key: "drawn"}})
                        changed = True
                case Apply(manifest, guard):
                    changed |= self._apply(dict(manifest), guard)
                case Delete(ref, uid):
                    if ref in self.objects and self.objects[ref]["metadata"]["uid"] == uid:
                        del self.objects[ref]
                        changed = True
                case Note():
                    self.notes.append(effect)
        return changed

    def _apply(self, manifest: Object, guard: str | None) -> bool:
        ref = ref_of(manifest)
        live = self.objects.get(ref)
        if guard is not None:
            assert live is not None
            assert live["metadata"]["resourceVersion"] == guard, f"{ref}: a decision on a stale view"
        merged = merge(live or {}, manifest)
        if merged == live:
            return False
        if merged.get("spec") != (live or {}).get("spec"):
            metadata = merged["metadata"]
            merged["metadata"] = {**metadata, "generation": metadata.get("generation", 0) + 1}
        self.put(ref.gvk, merged)
        return True


def merge(live: Any, intent: Any) -> Any:
    """Maps by key, all else replaced: near enough to server-side apply by a single manager."""
    if not isinstance(intent, dict):
        return copy.deepcopy(intent)
    base = dict(live) if isinstance(live, dict) else {}
    return {**base, **{key: merge(base.get(key), value) for key, value in intent.items()}}


def ref_of(manifest: Any) -> Ref:
    from gyre.api import gvks

    known = [gvk for gvk in vars(gvks).values() if isinstance(gvk, Gvk)]
    gvk = next(gvk for gvk in known if (gvk.api_version, gvk.kind) == (manifest["apiVersion"], manifest["kind"]))
    return Ref(gvk, manifest["metadata"].get("namespace", ""), manifest["metadata"]["name"])
