"""The only ways in which gyre touches the world, as data.

A kind's `decide` returns effects; the engine carries them out in order and stops at the first that fails. Every effect is
idempotent, so a crash between any two is just another world to decide on. Nothing here performs anything.

An `Apply` whose intent the live object already contains is not sent: `decide` may name every desired child every time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

Manifest: TypeAlias = Mapping[str, Any]
"""A Kubernetes object as plain JSON-like data, with `apiVersion`, `kind` and `metadata.name`."""


@dataclass(frozen=True, slots=True)
class Gvk:
    """A kind of resource: what a URL and a watch need to know of it. `group` is empty for the core group."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


@dataclass(frozen=True, slots=True)
class Ref:
    """One object's address. `namespace` is empty for cluster-scoped kinds."""

    gvk: Gvk
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.gvk.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.gvk.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Apply:
    """Server-side apply of a child: the intent is the whole of what we mean; a field left out is given back.

    `guard` is the `resourceVersion` that was seen: with it, the API server refuses the write (Conflict) when the object has
    moved since. Use it for children that are a ledger, so that a decision made on a stale view cannot undo a newer one.
    """

    manifest: Manifest
    guard: str | None = None


@dataclass(frozen=True, slots=True)
class Create:
    """Create once and never edit. An object of that name with our owner UID counts as done; a stranger's is a conflict."""

    manifest: Manifest


@dataclass(frozen=True, slots=True)
class Generate:
    """Create a Secret once, with `key` of its data drawn by chance when it is sent: a decision stays what it is, and no kind
    ever holds what was drawn. One of that name counts as done, whosever it is: it is neither read, written nor remembered."""

    manifest: Manifest
    key: str


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete exactly the object that was seen: `uid` is sent as a precondition, so a namesake is never hit. Absent is done."""

    ref: Ref
    uid: str


class NoteType(StrEnum):
    NORMAL = "Normal"
    WARNING = "Warning"


@dataclass(frozen=True, slots=True)
class Note:
    """A Kubernetes Event on the reconciled object. The same reason and message are recorded once, however often decided.

    Notes are hints for people: they are sent only by a reconcile that also wrote something, and a crash may lose one.
    """

    reason: str
    message: str
    type: NoteType = NoteType.NORMAL


Effect: TypeAlias = Apply | Create | Generate | Delete | Note
