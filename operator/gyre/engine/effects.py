"""Carries effects out: the only place where gyre writes children.

Promises   effects go in order and stop at the first that fails; an `Apply` whose intent the live object already contains is
           not sent; a stranger's object of the same name is never touched; no write leaves without the lease; what a write
           changed is told to whoever else it concerns, since its own watch event will be no news.
Never      decides anything.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from gyre.api.effects import Apply, Create, Delete, Effect, Generate, Gvk, Manifest, Note, Ref
from gyre.api.intent import INTENT, contains
from gyre.api.kind import Object
from gyre.engine.cache import Cache
from gyre.engine.metrics import WRITES
from gyre.kube import errors
from gyre.kube.client import Api
from gyre.kube.paths import KindOf

REMEMBERED_NO_OPS = 20_000
DRAWN_BYTES = 32

Changed: TypeAlias = Callable[[Gvk, Object, Ref], None]
"""Called after a write with the kind and the object as answered, and the resource on whose behalf it was written."""


class NotLeader(Exception):
    """The lease is not held: nothing may be written."""


class NameTaken(Exception):
    """A child's name belongs to an object that is not ours."""

    def __init__(self, ref: Ref) -> None:
        super().__init__(f"{ref} exists and belongs to somebody else; rename it or this resource")
        self.ref = ref


def owner_uid(manifest: Manifest) -> str | None:
    for owner in manifest["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            return str(owner["uid"])
    return None


@dataclass(slots=True)
class Maker:
    """On whose behalf children are made, and whether it was seen alive in this decision."""

    ref: Ref
    uid: str
    lives: bool = False


def _nobody(gvk: Gvk, obj: Object, by: Ref) -> None:
    """Nobody else is concerned."""


def drawn() -> str:
    """What nobody guesses."""
    return secrets.token_urlsafe(DRAWN_BYTES)


class Writer:
    """Applies effects for one engine. `may_write` is the lease: it is asked before every request."""

    def __init__(
        self,
        api: Api,
        cache: Cache,
        kind_of: KindOf,
        may_write: Callable[[], bool],
        changed: Changed = _nobody,
        draw: Callable[[], str] = drawn,
    ) -> None:
        self._api, self._cache, self._kind_of, self._may_write = api, cache, kind_of, may_write
        self._changed, self._draw = changed, draw
        self._no_ops: OrderedDict[Ref, tuple[int, str]] = OrderedDict()

    async def carry_out(self, effects: Iterable[Effect], *, manager: str, by: Ref, uid: str) -> bool:
        """Carry out in order, on behalf of `by` with this UID; True when something changed. Notes are not effects on the world.

        A guarded `Apply` that has nothing to change is not sent, yet it guards what follows: before the first request of
        the same decision the guard is checked with a live GET, so that no child is made or deleted on a stale view.
        Likewise, before the first child is made, a live GET tells that there is still somebody to make it for: a deletion
        that no watch told (research: kopf 1.45.2) would otherwise have us and the garbage collector at work by turns.
        """
        changed, unchecked, maker = False, dict[Ref, str](), Maker(by, uid)
        for effect in effects:
            match effect:
                case Apply(manifest, guard):
                    changed |= await self._apply(manifest, guard, manager, unchecked, maker)
                case Create(manifest):
                    changed |= await self._create(manifest, manager, unchecked, maker)
                case Generate(manifest, key):
                    changed |= await self._generate(manifest, key, manager, unchecked, maker)
                case Delete(ref, seen):
                    changed |= await self._delete(ref, seen, unchecked, by)
                case Note():
                    pass
        return changed

    async def status(self, ref: Ref, uid: str, status: Mapping[str, Any], *, manager: str) -> None:
        """Write the whole status of one of our resources; `uid` keeps it from hitting a namesake."""
        self._check_lease()
        manifest = {
            "apiVersion": ref.gvk.api_version,
            "kind": ref.gvk.kind,
            "metadata": _address(ref) | {"uid": uid},
            "status": status,
        }
        answer = await self._api.apply(ref, manifest, manager=f"{manager}-status", subresource="status")
        self._wrote(ref, "status", answer, by=ref)

    async def _apply(
        self, manifest: Manifest, guard: str | None, manager: str, unchecked: dict[Ref, str], maker: Maker
    ) -> bool:
        ref, digest = self._kind_of.ref(manifest), _digest(manifest)
        annotations = {**(manifest["metadata"].get("annotations") or {}), INTENT: digest}
        intent = {**manifest, "metadata": {**manifest["metadata"], "annotations": annotations}}
        known = self._cache.entry(ref)
        if known is None:
            await self._must_be_free(ref, manifest, maker.ref)
            await self._must_live(maker)
        else:
            live = known.read()
            await self._must_be_ours(ref, live, manifest, maker.ref)
            if guard is None and (contains(live, intent) or self._no_ops.get(ref) == (known.version, digest)):
                return False
            if guard is not None and guard == live["metadata"]["resourceVersion"] and contains(live, intent):
                unchecked[ref] = guard
                return False
        await self._may_proceed(unchecked, maker.ref)
        if known is not None:
            intent["metadata"]["uid"] = known.uid
        if guard is not None:
            intent["metadata"]["resourceVersion"] = guard
        try:
            answer = await self._api.apply(ref, intent, manager=manager)
        except errors.Conflict:
            await self._look(ref, maker.ref)
            raise
        changed = known is None or int(answer["metadata"]["resourceVersion"]) != known.version
        if not changed and known is not None:
            self._remember_no_op(ref, known.version, digest)
        self._wrote(ref, "apply", answer, by=maker.ref)
        return changed

    async def _look(self, ref: Ref, by: Ref, *, unless: Callable[[Object], bool] = lambda live: False) -> Object | None:
        """Ask the API server itself. What it says is taken in, and told to whom it concerns: no event will be news then."""
        known = self._cache.entry(ref)
        try:
            live = await self._api.get(ref)
        except errors.NotFound:
            if known and self._cache.purge(ref, version=known.version):
                self._changed(ref.gvk, known.read(), by)
            return None
        if not unless(live) and self._cache.confirm(ref.gvk, live):
            self._changed(ref.gvk, live, by)
        return live

    async def _must_be_free(self, ref: Ref, manifest: Manifest, by: Ref) -> None:
        """Server-side apply creates or overwrites, so ask first: the watch shows only what carries our label.

        Raises NameTaken for a stranger's object, Conflict for one of ours that we did not know of: the decision was made
        on a view in which it did not exist.
        """
        live = await self._look(ref, by, unless=lambda live: not _ours(live, manifest))
        if live is None:
            return
        if not _ours(live, manifest):
            raise NameTaken(ref)
        raise errors.Conflict(409, "Conflict", f"{ref} exists already, unknown to the decision")

    async def _must_be_ours(self, ref: Ref, live: Object, manifest: Manifest, by: Ref) -> None:
        """Raises NameTaken for a stranger's object, if it is still there: the child of a namesake goes after its owner."""
        if _ours(live, manifest):
            return
        now = await self._look(ref, by)
        if now is not None and not _ours(now, manifest):
            raise NameTaken(ref)
        raise errors.Conflict(409, "Conflict", f"{ref} is {'another one' if now else 'gone'} by now")

    async def _must_live(self, maker: Maker) -> None:
        """Asked once in a decision. Raises Conflict when the resource is gone, going, or another of its name."""
        if maker.lives:
            return
        live = await self._look(maker.ref, maker.ref)
        if live is None or live["metadata"]["uid"] != maker.uid or live["metadata"].get("deletionTimestamp"):
            raise errors.Conflict(409, "Conflict", f"{maker.ref} was deleted")
        maker.lives = True

    async def _create(self, manifest: Manifest, manager: str, unchecked: dict[Ref, str], maker: Maker) -> bool:
        ref = self._kind_of.ref(manifest)
        known = self._cache.entry(ref)
        if known is not None:
            await self._must_be_ours(ref, known.read(), manifest, maker.ref)
            return False
        await self._must_live(maker)
        await self._may_proceed(unchecked, maker.ref)
        try:
            answer = await self._api.create(ref, manifest, manager=manager)
        except errors.AlreadyExists:
            await self._must_be_free(ref, manifest, maker.ref)
            raise
        self._wrote(ref, "create", answer, by=maker.ref)
        return True

    async def _generate(
        self, manifest: Manifest, key: str, manager: str, unchecked: dict[Ref, str], maker: Maker
    ) -> bool:
        """The answer, which has the drawn value in it, goes no further than here."""
        ref = self._kind_of.ref(manifest)
        await self._must_live(maker)
        await self._may_proceed(unchecked, maker.ref)
        try:
            await self._api.create(ref, {**manifest, "stringData": {key: self._draw()}}, manager=manager)
        except errors.AlreadyExists:
            return False
        WRITES.labels(ref.gvk.kind, "create").inc()
        return True

    async def _delete(self, ref: Ref, uid: str, unchecked: dict[Ref, str], by: Ref) -> bool:
        known = self._cache.entry(ref)
        live = known.read() if known else None
        if live is not None and (live["metadata"]["uid"] != uid or live["metadata"].get("deletionTimestamp")):
            return False
        await self._may_proceed(unchecked, by)
        try:
            answer = await self._api.delete(ref, uid=uid)
        except (errors.NotFound, errors.Conflict):
            answer, deleted = {}, False
        else:
            deleted = True
            WRITES.labels(ref.gvk.kind, "delete").inc()
        if answer.get("metadata", {}).get("uid") == uid:
            news = self._cache.observe(ref.gvk, answer)
        else:
            news = self._cache.purge(ref, version=known.version if known else 0)
        if news and live is not None:
            self._changed(ref.gvk, live, by)
        return deleted or news

    async def _may_proceed(self, unchecked: dict[Ref, str], by: Ref) -> None:
        """Ask for the lease and settle the guards of this decision that nothing was sent for."""
        while unchecked:
            ref, seen = unchecked.popitem()
            live = await self._look(ref, by)
            if live is None or live["metadata"]["resourceVersion"] != seen:
                raise errors.Conflict(409, "Conflict", f"{ref} has moved on since it was read")
        self._check_lease()

    def _check_lease(self) -> None:
        if not self._may_write():
            raise NotLeader("the lease was lost; another replica writes now")

    def _wrote(self, ref: Ref, verb: str, answer: Object, *, by: Ref) -> None:
        WRITES.labels(ref.gvk.kind, verb).inc()
        if self._cache.observe(ref.gvk, answer):
            self._changed(ref.gvk, answer, by)

    def _remember_no_op(self, ref: Ref, version: int, digest: str) -> None:
        self._no_ops[ref] = (version, digest)
        self._no_ops.move_to_end(ref)
        if len(self._no_ops) > REMEMBERED_NO_OPS:
            self._no_ops.popitem(last=False)


def _ours(live: Object, manifest: Manifest) -> bool:
    wanted = owner_uid(manifest)
    return wanted is None or owner_uid(live) == wanted


def _address(ref: Ref) -> dict[str, str]:
    return {"name": ref.name, "namespace": ref.namespace} if ref.namespace else {"name": ref.name}


def _digest(manifest: Manifest) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
