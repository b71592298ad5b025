"""What a kind is to the engine: five functions and three tables. Pure: nothing here reads or writes.

`Kind` is the contract between `kinds/` and `engine/`:

    seen     = await kind.gather(reader, resource)         reads only, from the cache unless `fetch`
    decision = kind.decide(resource, seen, now)            pure
    engine carries out decision.effects in order           the only writes
    status   = kind.summarize(resource, seen, decision, now)   pure; written at the end of every reconcile, if it differs

Status is never an input of `decide`: what must be remembered lives in a child (a ledger ConfigMap), so that a status lost,
stale or edited by hand changes nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar

from gyre.api.effects import Effect, Gvk, Manifest, Ref

MANAGED_BY = "app.kubernetes.io/managed-by"
"""Label with the value `gyre` on everything we create; children are watched through it, server-side."""

Object = dict[str, Any]
"""A live object as the API server returned it, without `managedFields`. Treat as read-only."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an HTTP GET. `status` is 0 when nobody answered; then `error` says why."""

    status: int
    text: str
    error: str
    at: datetime
    """When it was asked: an answer that was kept is as old as it is."""

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


class Reader(Protocol):
    """What `gather` may ask. Everything but `fetch`, `find` and `ask` answers from the cache, at once."""

    def get(self, ref: Ref) -> Object | None:
        """The object, or None when it does not exist (or its kind is not watched: use `fetch` for those)."""

    def owned(self, gvk: Gvk, owner_uid: str) -> Sequence[Object]:
        """All watched objects of a kind whose controller ownerReference has this UID, by name."""

    def labelled(self, gvk: Gvk, namespace: str, label: str, value: str) -> Sequence[Object]:
        """All watched objects of a kind in a namespace with this label, by name (indexed for `Kind.labels`)."""

    def everything(self, gvk: Gvk) -> Sequence[Object]:
        """All watched objects of a kind, by namespace and name. Linear: for small kinds such as Node."""

    def referrers(self, ref: Ref, gvk: Gvk) -> Sequence[Object]:
        """All objects of one of our kinds whose `Kind.references` name `ref`."""

    async def fetch(self, ref: Ref) -> Object | None:
        """A live GET. For kinds that are not watched (Secret, PersistentVolumeClaim, CustomResourceDefinition)."""

    def departed(self, gvk: Gvk) -> Sequence[Object]:
        """The last word of the newest objects that have gone, of kinds in `Kind.recalls`, as long as this process lives.

        It makes what is known finer, and nothing may depend on it.
        """

    async def find(self, gvk: Gvk, namespace: str, labels: Mapping[str, str]) -> Sequence[Object]:
        """A live LIST of what carries all of these labels, by namespace and name; all namespaces when that is empty."""

    async def glance(self, gvk: Gvk, labels: Mapping[str, str], *, max_age: float) -> Sequence[Object]:
        """The same, in all namespaces, of what is good to know and not needed: a list may be `max_age` seconds old, and there is
        none while the API server does not give it (an aggregated API that is not installed, away, or not ours to read)."""

    async def ask(self, url: str, headers: Mapping[str, str] | None = None, *, max_age: float = 0.0) -> Answer:
        """An HTTP GET of something in the cluster that is no API object: metrics of a pod, a route as clients see it.

        Never raises, and takes two seconds at the most. An answer that is not older than `max_age` seconds is given again.
        """


class Outcome(StrEnum):
    """How a decision leaves the object; the engine turns it into kstatus' conditions."""

    SETTLED = "Settled"  # Ready=True (or finished well); nothing to do until something changes
    PROGRESSING = "Progressing"  # Reconciling=True
    WAITING = "Waiting"  # Reconciling=True, for something outside; no event spam
    STALLED = "Stalled"  # Stalled=True, a Warning event once; until a generation or a watched object changes
    FAILED = "Failed"  # a bounded kind ended badly: Succeeded=False, Stalled=True, final


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do next and why. `reason` is from the kind's `reasons`; `after` in seconds from now, None = no timer."""

    outcome: Outcome
    reason: str
    message: str
    effects: tuple[Effect, ...] = ()
    after: float | None = None

    @classmethod
    def settled(cls, reason: str, message: str, *effects: Effect, after: float | None = None) -> Decision:
        return cls(Outcome.SETTLED, reason, message, effects, after)

    @classmethod
    def progressing(cls, reason: str, message: str, *effects: Effect, after: float | None = None) -> Decision:
        return cls(Outcome.PROGRESSING, reason, message, effects, after)

    @classmethod
    def waiting(cls, reason: str, message: str, *effects: Effect, after: float | None = None) -> Decision:
        return cls(Outcome.WAITING, reason, message, effects, after)

    @classmethod
    def stalled(cls, reason: str, message: str, *effects: Effect, after: float | None = None) -> Decision:
        return cls(Outcome.STALLED, reason, message, effects, after)

    @classmethod
    def failed(cls, reason: str, message: str, *effects: Effect) -> Decision:
        return cls(Outcome.FAILED, reason, message, effects, None)


@dataclass(frozen=True, slots=True)
class Watch:
    """A kind of object whose changes wake ours.

    Children with a controller ownerReference wake their owner by themselves, and `Kind.references` wakes referrers; `keys`
    is only for the rest: it maps a changed object to (namespace, name) of the resources to look at again.
    `managed` restricts the watch, at the server, to objects with the label `app.kubernetes.io/managed-by=gyre`.
    `everyone` wakes all resources of our kind when what it gives of the object is another than before: for kinds of which
    there are few, or where little of the object matters and that rarely changes.
    `settle`, in seconds, is waited after the first of such changes, so that a burst of them is one look.
    """

    gvk: Gvk
    keys: Callable[[Object], Iterable[tuple[str, str]]] | None = None
    managed: bool = True
    everyone: Callable[[Object], object] | None = None
    settle: float = 0.0


@dataclass(frozen=True, slots=True)
class Grant:
    """An API permission that the kind needs beyond what `owns` and `watches` imply."""

    gvk: Gvk
    verbs: tuple[str, ...]
    subresource: str = ""


class Model(Protocol):
    """What the engine needs of a parsed resource (`gyre.api.schema.Resource` provides it)."""

    @property
    def name(self) -> str: ...
    @property
    def namespace(self) -> str: ...
    @property
    def uid(self) -> str: ...
    @property
    def generation(self) -> int: ...


R = TypeVar("R", bound=Any)
S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Kind(Generic[R, S]):
    """One kind of gyre resource, whole."""

    model: type[R]
    gvk: Gvk
    gather: Callable[[Reader, R], Awaitable[S]]
    decide: Callable[[R, S, datetime], Decision]
    summarize: Callable[[R, S, Decision, datetime], Mapping[str, Any]]
    owns: tuple[Gvk, ...] = ()
    """Kinds of children that carry our controller ownerReference: written by us, watched, waking their owner."""
    watches: tuple[Watch, ...] = ()
    references: Callable[[R], Iterable[Ref]] = field(default=lambda _: ())
    """Objects named by the spec: a change of one wakes the resource, and `Reader.referrers` finds it the other way round."""
    labels: tuple[tuple[Gvk, str], ...] = ()
    """(kind, label) pairs that `Reader.labelled` is asked for; the cache keeps an index of them."""
    recalls: tuple[Gvk, ...] = ()
    """Watched kinds whose objects `Reader.departed` is asked for."""
    grants: tuple[Grant, ...] = ()
    conditions: tuple[Any, ...] = ()
    """The kind's table of conditions, for its reference page."""
    reasons: type[Any] | None = None
    """The enum of reasons that `decide` gives, for the reference page."""
    policies: Callable[[], tuple[Manifest, ...]] = field(default=tuple)
    """ValidatingAdmissionPolicies and bindings that enforce this kind's cross-object rules in the API server."""
