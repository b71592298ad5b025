"""One look at one resource: gather → decide → effects → status.

Promises   effects before status, one status write at the most and only when it differs; a decision whose effects changed
           something is followed by another look at once, so that status tells what is, not what was meant.
Never      keeps anything between two looks.

Errors: a stale view (`Conflict`) or an unreachable API server says nothing about the resource and is tried again; what the
server rejects, and a name that a stranger holds, is said on the resource as Stalled and tried again ever more rarely.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from gyre.api.effects import Note, NoteType
from gyre.api.kind import Decision, Kind, Object, Outcome
from gyre.engine.cache import Cache
from gyre.engine.clock import Monotonic, Now
from gyre.engine.effects import NameTaken, NotLeader, Writer
from gyre.engine.events import Recorder
from gyre.engine.metrics import CONDITIONS, ERRORS, RECONCILE_SECONDS, RECONCILES
from gyre.engine.routing import Key
from gyre.engine.tally import Tally
from gyre.kube import errors

log = logging.getLogger("gyre.decisions")

LOOKS = 6
"""Looks at the most in one reconcile: a safety net against two rules that undo each other, which is a bug."""


@dataclass(frozen=True, slots=True)
class Result:
    """What the queue does next: nothing, a timer (`after`, seconds), or a back-off (`failed`, not sooner than `after`)."""

    after: float | None = None
    failed: bool = False
    gone: bool = False


class Reconciler:
    def __init__(
        self,
        kinds: Mapping[Any, Kind[Any, Any]],
        cache: Cache,
        writer: Writer,
        recorder: Recorder,
        *,
        now: Now,
        monotonic: Monotonic,
    ) -> None:
        self._kinds, self._cache, self._writer, self._recorder = kinds, cache, writer, recorder
        self._now, self._monotonic = now, monotonic
        self._tally = Tally(CONDITIONS)

    async def reconcile(self, key: Key) -> Result:
        started = self._monotonic()
        name = key.gvk.kind
        try:
            result, outcome = await self._reconcile(key)
        except errors.Conflict as problem:
            result, outcome = Result(failed=True), "Conflict"
            log.info("%s: %s; looking again", key, problem.message)
        except errors.NotFound as problem:
            result, outcome = Result(failed=True), "NotFound"
            log.info("%s: %s; looking again", key, problem.message)
        except errors.ApiError as problem:
            result, outcome = Result(failed=True, after=problem.retry_after), type(problem).__name__
            log.warning("%s: the API server did not do it: %s", key, problem)
        except NotLeader as problem:
            result, outcome = Result(failed=True), "NotLeader"
            log.info("%s: %s", key, problem)
        except Exception as problem:
            result, outcome = Result(failed=True), type(problem).__name__
            log.exception("%s: a bug in gyre; the resource is left as it is and tried again", key)
        if result.failed:
            ERRORS.labels(name, outcome).inc()
        RECONCILES.labels(name, outcome).inc()
        RECONCILE_SECONDS.labels(name).observe(self._monotonic() - started)
        return result

    async def _reconcile(self, key: Key) -> tuple[Result, str]:
        kind, looks, changed = self._kinds[key.gvk], 0, False
        manager = f"gyre-{key.gvk.kind.lower()}"
        notes: dict[Note, None] = {}
        problem: Exception | None = None
        while True:
            obj = self._cache.get(key.ref)
            if obj is None or obj["metadata"].get("deletionTimestamp"):
                self._tally.gone(key.ref)
                return Result(gone=obj is None), "Gone"
            try:
                resource = kind.model.parse(obj)
            except ValueError as unreadable:
                return await self._unreadable(key, obj, unreadable)
            seen = await kind.gather(self._cache, resource)
            decision = kind.decide(resource, seen, self._now())
            notes.update(dict.fromkeys(effect for effect in decision.effects if isinstance(effect, Note)))
            try:
                wrote = await self._writer.carry_out(decision.effects, manager=manager, by=key.ref, uid=resource.uid)
            except (errors.Rejected, NameTaken) as refused:
                problem, wrote, decision = refused, False, _refused(decision, refused)
            looks, changed = looks + 1, changed or wrote
            if not wrote or looks == LOOKS:
                break
        changed |= await self._write_status(key, kind, obj, resource, seen, decision, manager)
        if changed:
            await self._tell(key, resource.uid, decision, notes)
            log.info(
                "%s",
                key,
                extra={
                    "generation": resource.generation,
                    "outcome": decision.outcome.value,
                    "reason": decision.reason,
                    "decision": decision.message,
                    "effects": [brief(effect) for effect in decision.effects],
                },
            )
        if problem is not None:
            return Result(failed=True), decision.outcome.value
        if wrote:
            log.warning("%s: still writing after %d looks; looking again later", key, looks)
            return Result(failed=True), decision.outcome.value
        if overtaken(obj, self._cache.get(key.ref)):
            return Result(after=0.0), decision.outcome.value
        return Result(after=decision.after), decision.outcome.value

    async def _unreadable(self, key: Key, obj: Object, problem: ValueError) -> tuple[Result, str]:
        """A stored object that the API server accepted under another CRD than ours. Left alone until it changes."""
        note = Note("Unreadable", f"{problem}; install the CRDs of this operator's version", NoteType.WARNING)
        await self._recorder.tell(key.ref, obj["metadata"]["uid"], note, self._now())
        log.error("%s: %s", key, problem)
        return Result(), "Unreadable"

    async def _write_status(
        self, key: Key, kind: Kind[Any, Any], obj: Object, resource: Any, seen: Any, decision: Decision, manager: str
    ) -> bool:
        status = kind.summarize(resource, seen, decision, self._now())
        self._tally.told(key.ref, status.get("conditions") or ())
        if status == obj.get("status"):
            return False
        await self._writer.status(key.ref, resource.uid, status, manager=manager)
        return True

    async def _tell(self, key: Key, uid: str, decision: Decision, notes: Mapping[Note, None]) -> None:
        bad = decision.outcome in (Outcome.STALLED, Outcome.FAILED)
        told = dict(notes)
        if bad and not any(note.type is NoteType.WARNING for note in notes):
            told[Note(decision.reason, decision.message, NoteType.WARNING)] = None
        for note in told:
            await self._recorder.tell(key.ref, uid, note, self._now())


def overtaken(decided_on: Object, now: Object | None) -> bool:
    """Whether somebody changed the resource while its status was being written.

    The answer to our write then shows their change too, so that its own event will be no news: nobody else wakes us for it.
    """
    return now is not None and _intent(now) != _intent(decided_on)


def _intent(obj: Object) -> Object:
    """All that others may change: neither the status, which is ours, nor the version, which every write moves."""
    kept = {name: value for name, value in obj.items() if name not in ("status", "metadata")}
    return kept | {"metadata": {name: value for name, value in obj["metadata"].items() if name != "resourceVersion"}}


def _refused(decision: Decision, problem: Exception) -> Decision:
    """The same decision, turned into Stalled because a write was refused for good."""
    message = problem.message if isinstance(problem, errors.ApiError) else str(problem)
    reason = "NameTaken" if isinstance(problem, NameTaken) else "WriteRejected"
    return replace(decision, outcome=Outcome.STALLED, reason=reason, message=message[:1000], effects=())


def brief(effect: Any) -> str:
    manifest = getattr(effect, "manifest", None)
    if manifest is not None:
        return f"{type(effect).__name__} {manifest['kind']}/{manifest['metadata']['name']}"
    return f"{type(effect).__name__} {getattr(effect, 'ref', None) or getattr(effect, 'reason', '')}"
