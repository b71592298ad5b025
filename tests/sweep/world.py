"""A model of the API server: objects, versions, field owners, deletion, garbage collection and what a watch would tell.

Promises   resourceVersions rise over all kinds together; a write that changes nothing changes no version and tells nobody;
           `generation` rises with the spec only; main resource and status are written separately; preconditions on uid and
           resourceVersion hold; UIDs are functions of the address and its incarnation, so two runs can be compared.
Never      decides for an actor: garbage collection is a step that somebody has to take; changes an object in place: what is
           handed out is shared, so nobody else may either.

The same surface as `gyre.kube.client.Api`, synchronous; `operators.Door` makes it asynchronous and breaks it on purpose.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.sweep import fieldsets

from gyre.api.effects import Gvk, Manifest, Ref
from gyre.api.gvks import GROUP
from gyre.api.kind import MANAGED_BY, Answer, Object
from gyre.kube import errors

EPOCH = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
_NAMES = uuid.UUID("6f8f9d0a-0000-4000-8000-000000000000")


@dataclass(frozen=True, slots=True)
class Told:
    """One watch event. `managed` and `was_managed`: whether a watch on our label sees the object now, saw it before."""

    type: str
    obj: Object
    managed: bool
    was_managed: bool


def nobody(world: World, url: str, headers: Mapping[str, str]) -> tuple[int, str]:
    return 0, f"nobody answers {url}"


def stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class World:
    def __init__(self) -> None:
        self.now = EPOCH
        self.version = 100
        self.objects: dict[Ref, Object] = {}
        self.owners: dict[Ref, fieldsets.Owners] = {}
        self.history: dict[Gvk, list[Told]] = {}
        self.absent: set[Gvk] = set()
        self.answers: Callable[[World, str, Mapping[str, str]], tuple[int, str]] = nobody
        """Who answers HTTP in this world: (URL, headers) → (status, text); status 0 and the reason when nobody does."""
        self._incarnations: dict[Ref, int] = {}

    def fork(self) -> World:
        """The same world again, to go another way from here; watches begin with nothing told."""
        other = World()
        other.now, other.version = self.now, self.version
        other.objects, other.absent = dict(self.objects), set(self.absent)
        other.answers = self.answers
        other.owners = {ref: dict(owners) for ref, owners in self.owners.items()}
        other._incarnations = dict(self._incarnations)
        return other

    # ── time ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def clock(self) -> datetime:
        return self.now

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def find(self, ref: Ref) -> Object | None:
        return self.objects.get(ref)

    def get(self, ref: Ref) -> Object:
        obj = self.find(ref)
        if obj is None:
            raise errors.NotFound(404, "NotFound", f"{ref} not found")
        return obj

    def list(
        self, gvk: Gvk, *, namespace: str = "", labels: Mapping[str, str] | None = None, managed: bool = False
    ) -> list[Object]:
        if gvk in self.absent:
            raise errors.NotFound(404, "NotFound", "the server could not find the requested resource")
        wanted = {**(labels or {}), **({MANAGED_BY: "gyre"} if managed else {})}.items()
        return [
            obj
            for ref, obj in self.objects.items()
            if ref.gvk == gvk
            and namespace in ("", ref.namespace)
            and wanted <= (obj["metadata"].get("labels") or {}).items()
        ]

    def answer(self, url: str, headers: Mapping[str, str]) -> Answer:
        status, text = self.answers(self, url, headers)
        return Answer(status, text if status else "", "" if status else text, self.now)

    # ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def create(self, ref: Ref, manifest: Manifest, *, manager: str = "actor") -> Object:
        if ref in self.objects:
            raise errors.AlreadyExists(409, "AlreadyExists", f"{ref} already exists")
        if manifest["metadata"].get("uid") or manifest["metadata"].get("resourceVersion"):
            raise errors.Conflict(409, "Conflict", f"{ref}: uid and resourceVersion name an object that does not exist")
        obj = fieldsets.clone(manifest)
        obj.pop("status", None)
        self._incarnations[ref] = incarnation = self._incarnations.get(ref, 0) + 1
        name = f"{ref.gvk.kind}/{ref.namespace}/{ref.name}/{incarnation}"
        obj["metadata"] = {
            **obj["metadata"],
            "name": ref.name,
            **({"namespace": ref.namespace} if ref.namespace else {}),
            "uid": str(uuid.uuid5(_NAMES, name)),
            "creationTimestamp": stamp(self.now),
            "generation": 1,
        }
        if ref.gvk.group == GROUP:
            obj["status"] = {"observedGeneration": -1}
        self.owners[ref] = {manager: fieldsets.claimed(manifest, None)}
        return self._store(ref, None, obj, "ADDED")

    def apply(self, ref: Ref, manifest: Manifest, *, manager: str, subresource: str = "") -> Object:
        live = self.objects.get(ref)
        if live is None:
            if subresource:
                raise errors.NotFound(404, "NotFound", f"{ref} not found")
            return self.create(ref, manifest, manager=manager)
        self._check_preconditions(ref, live, manifest["metadata"])
        owned = dict(self.owners[ref])
        after = fieldsets.apply(live, self.owners[ref], manager, manifest, subresource or None)
        if (
            after == live and owned != self.owners[ref]
        ):  # who owns what is a part of the object, and a change of it an event
            return self._store(ref, live, dict(after), "MODIFIED")
        return self._update(ref, live, after)

    def replace(self, ref: Ref, manifest: Manifest, *, manager: str = "actor") -> Object:
        live = self.objects.get(ref)
        if live is None:
            raise errors.NotFound(404, "NotFound", f"{ref} not found")
        self._check_preconditions(ref, live, manifest["metadata"])
        kept = {name: live["metadata"][name] for name in ("uid", "resourceVersion", "creationTimestamp", "generation")}
        after = {**fieldsets.clone(manifest), "metadata": {**manifest["metadata"], **kept}}
        if "status" in live:
            after["status"] = live["status"]
        return self._update(ref, live, after)

    def patch(self, ref: Ref, changes: Mapping[str, Any]) -> Object:
        """A merge patch by an actor, of the main resource and the status alike. None removes a field."""
        live = self.objects.get(ref)
        if live is None:
            raise errors.NotFound(404, "NotFound", f"{ref} not found")
        return self._update(ref, live, _merge(live, changes))

    def delete(self, ref: Ref, *, uid: str | None = None) -> Object:
        live = self.objects.get(ref)
        if live is None:
            raise errors.NotFound(404, "NotFound", f"{ref} not found")
        if uid is not None and live["metadata"]["uid"] != uid:
            raise errors.Conflict(409, "Conflict", f"{ref}: uid precondition {uid} is not {live['metadata']['uid']}")
        if live["metadata"].get("finalizers"):
            if live["metadata"].get("deletionTimestamp"):
                return live
            return self._update(ref, live, _merge(live, {"metadata": {"deletionTimestamp": stamp(self.now)}}))
        self._remove(ref, live)
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}

    def collect_garbage(self) -> bool:
        """Delete what all of its owners have left behind; True when there was something."""
        alive = {obj["metadata"]["uid"] for obj in self.objects.values()}
        for ref, obj in sorted(self.objects.items(), key=lambda item: str(item[0])):
            owners = obj["metadata"].get("ownerReferences") or ()
            if owners and not obj["metadata"].get("deletionTimestamp") and all(o["uid"] not in alive for o in owners):
                self.delete(ref)
                return True
        return False

    # ── inside ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _check_preconditions(self, ref: Ref, live: Object, given: Mapping[str, Any]) -> None:
        for name in ("uid", "resourceVersion"):
            if given.get(name) and given[name] != live["metadata"][name]:
                raise errors.Conflict(409, "Conflict", f"{ref}: {name} is {live['metadata'][name]}, not {given[name]}")

    def _update(self, ref: Ref, live: Object, after: Object) -> Object:
        if after == live:
            return live
        if after.get("spec") != live.get("spec"):
            after["metadata"] = {**after["metadata"], "generation": live["metadata"]["generation"] + 1}
        if after["metadata"].get("deletionTimestamp") and not after["metadata"].get("finalizers"):
            self._remove(ref, after)
            return after
        return self._store(ref, live, after, "MODIFIED")

    def _store(self, ref: Ref, before: Object | None, obj: Object, type: str) -> Object:
        self.version += 1
        obj["metadata"] = {**obj["metadata"], "resourceVersion": str(self.version)}
        self.objects[ref] = obj
        self._tell(ref, before, obj, type)
        return obj

    def _remove(self, ref: Ref, obj: Object) -> None:
        self.version += 1
        gone = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self.version)}}
        del self.objects[ref], self.owners[ref]
        self._tell(ref, obj, gone, "DELETED")

    def _tell(self, ref: Ref, before: Object | None, obj: Object, type: str) -> None:
        told = Told(type, obj, is_managed(obj), before is not None and is_managed(before))
        self.history.setdefault(ref.gvk, []).append(told)


def is_managed(obj: Mapping[str, Any]) -> bool:
    return (obj["metadata"].get("labels") or {}).get(MANAGED_BY) == "gyre"


def _merge(live: Mapping[str, Any], changes: Mapping[str, Any]) -> Object:
    after = dict(live)
    for key, value in changes.items():
        if value is None:
            after.pop(key, None)
        elif isinstance(value, Mapping):
            inner = after.get(key)
            after[key] = _merge(inner if isinstance(inner, dict) else {}, value)
        else:
            after[key] = value
    return after
