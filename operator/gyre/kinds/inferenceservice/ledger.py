"""What an InferenceService must remember, kept in its ConfigMap `<name>-rollout`: who has the traffic, who is judged, what for.

Promises   every change is one new value (nothing is edited), and one guarded write in the cluster; the route is a function of
           it, so whatever a crash left behind is put right by the next decision.
Never      reads a clock or a cluster.

    no version ─▶ first ─▶ stable ─▶ stable + candidate ─┬─▶ promoted: stable, the old one warm
                                          ▲              ├─▶ rolled back: stable, the candidate's digest quarantined
                                          └──────────────┴─▶ abandoned: stable
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from gyre.api.terms import Term, clip
from gyre.kinds.inferenceservice.policy import OnInconclusive
from gyre.kinds.inferenceservice.report import Happened
from gyre.stats.judge import Judgement, Policy

KEPT_HISTORY = 20
KEPT_QUARANTINED = 32
KEPT_RULINGS = 8
LONGEST = 400
WHOLE = 1000
"""Weights add up to this."""


@dataclass(frozen=True, slots=True)
class Version:
    """A ModelVersion as far as serving needs it: what runs goes on although the object may be gone."""

    name: str
    digest: str
    uri: str
    flavour: str = ""


@dataclass(frozen=True, slots=True)
class Counts:
    requests: int = 0
    errors: int = 0

    def plus(self, requests: int, errors: int) -> Counts:
        return Counts(self.requests + requests, self.errors + errors)


@dataclass(frozen=True, slots=True)
class Share:
    """All that both versions answered while the candidate had this weight: requests, errors, and those beyond each edge."""

    weight: int
    policy: Policy
    """By which it was taken for evidence: spec.rollout may change on the way."""
    stable: tuple[int, ...]
    candidate: tuple[int, ...]
    early: tuple[int, ...]
    """Failures of the candidate that were told in a look before the requests they belong to: of errors, of each edge."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """A candidate on its way. `first`: there is nothing to compare it with."""

    candidate: Version
    started: datetime
    by: str = ""
    first: bool = False
    step: int = -1
    """Of spec.rollout.steps; -1 before it has any traffic."""
    weight: int = 0
    """Its share, of WHOLE."""
    since: datetime | None = None
    """When this weight was written down."""
    withdrawn: datetime | None = None
    """Since when it has no traffic because no pod of it is ready."""
    counting: datetime | None = None
    """Since when requests of this weight are counted; what came before belongs to nobody."""
    looked: datetime | None = None
    """The last look at the counts."""
    sources: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """What each source had counted at the last look: see counting.py."""
    timed_by: str = ""
    """Whose histogram tells latency, and its edges in seconds: fixed at the first look."""
    edges: tuple[float, ...] = ()
    evidence: Mapping[str, Any] = field(default_factory=dict)
    """Of the judge; empty before the first look."""
    stable: Counts = Counts()
    candidate_counts: Counts = Counts()
    in_step: int = 0
    """Requests of the candidate at this weight."""
    shares: tuple[Share, ...] = ()
    """The counts that the evidence was computed from, a line a weight: all of them, or none."""


class Ground(Term):
    """What a rollout was ended on."""

    EVIDENCE = "Evidence", "the counts: `judge.py`, failing fast, maxBadRequests"
    DEADLINE = "Deadline", "the deadline, and onInconclusive"
    PODS = "Pods", "what its pods showed: a crash, other files than it says, not ready in time"


@dataclass(frozen=True, slots=True)
class Ruling:
    """A promotion or rollback with all that it was computed from, so that anybody can compute it again: see rulings.py."""

    at: datetime
    event: Happened
    ground: Ground
    rollout: Rollout
    """As it was then; without its sources, which tell nothing any more."""
    against: Version
    """The version that had the rest of the traffic."""
    cause: str = ""
    """Of a rollback."""
    policy: Policy | None = None
    judgement: Judgement | None = None
    """None when it was never looked at."""
    max_bad_requests: int | None = None
    last: bool = False
    """Whether it had the largest share that there is before all."""
    deadline: float = 0.0
    """Seconds from its start."""
    on_inconclusive: OnInconclusive = OnInconclusive.HOLD


@dataclass(frozen=True, slots=True)
class Warm:
    version: Version
    until: datetime


@dataclass(frozen=True, slots=True)
class Quarantined:
    digest: str
    version: str
    at: datetime
    cause: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    at: datetime
    event: Happened
    version: str
    digest: str
    by: str = ""
    why: str = ""
    started: datetime | None = None
    """When the rollout began that this is the end of: with the digest, its name for ever."""


@dataclass(frozen=True, slots=True)
class Ledger:
    stable: Version | None = None
    since: datetime | None = None
    """Since when the stable version has the traffic."""
    rollout: Rollout | None = None
    warm: tuple[Warm, ...] = ()
    quarantined: tuple[Quarantined, ...] = ()
    """Oldest first."""
    released: str = ""
    """The value of the releasing annotation that was obeyed: each value releases once."""
    history: tuple[Entry, ...] = ()
    """Oldest first."""
    rulings: tuple[Ruling, ...] = ()
    """Oldest first: what the newest promotions and rollbacks were computed from."""

    @property
    def needed(self) -> tuple[Version, ...]:
        """Versions that are to be up: the stable one first, each digest once."""
        named = [
            *([self.stable] if self.stable else []),
            *([self.rollout.candidate] if self.rollout else []),
            *(entry.version for entry in self.warm),
        ]
        found: dict[str, Version] = {}
        for version in named:
            found.setdefault(version.digest, version)
        return tuple(found.values())

    @property
    def weights(self) -> tuple[tuple[Version, int], ...]:
        """Who gets which share of WHOLE; the stable version first, nobody with nothing."""
        share = self.rollout.weight if self.rollout and not self.rollout.withdrawn else 0
        if self.stable is None:
            return ()
        if self.rollout is None or share == 0:
            return ((self.stable, WHOLE),)
        return ((self.stable, WHOLE - share), (self.rollout.candidate, share))

    def quarantine_of(self, digest: str) -> Quarantined | None:
        return next((entry for entry in self.quarantined if entry.digest == digest), None)

    def warm_one(self, digest: str) -> Version | None:
        return next((entry.version for entry in self.warm if entry.version.digest == digest), None)

    # ── what happens to it ───────────────────────────────────────────────────────────────────────────────────────────

    def started(self, candidate: Version, now: datetime, by: str) -> Ledger:
        rollout = Rollout(candidate, milliseconds(now), by, first=self.stable is None)
        return replace(self, rollout=rollout, warm=self._warm_without(candidate.digest))

    def with_rollout(self, **changes: Any) -> Ledger:
        """The same, with changes to the rollout."""
        assert self.rollout is not None  # noqa: S101 - asked by every rule about a rollout
        return replace(self, rollout=replace(self.rollout, **changes))

    def weighted(self, step: int, weight: int, now: datetime) -> Ledger:
        """Another share for the candidate: counting begins anew once the gateway has confirmed it."""
        return self.with_rollout(
            step=step, weight=weight, since=milliseconds(now), withdrawn=None, counting=None, sources={}, in_step=0
        )

    def withdrawn(self, now: datetime) -> Ledger:
        return self.with_rollout(withdrawn=milliseconds(now), counting=None, sources={})

    def resumed(self, now: datetime) -> Ledger:
        return self.with_rollout(withdrawn=None, since=milliseconds(now), counting=None, sources={})

    def taken_over(self, now: datetime, event: Happened, why: str, *, warm_until: datetime | None = None) -> Ledger:
        """The candidate is the stable version; the one before it stays warm."""
        assert self.rollout is not None  # noqa: S101 - asked by every rule about a rollout
        rollout, after = self.rollout, replace(self, rollout=None)
        served = after.with_stable(rollout.candidate, now, warm_until=warm_until)
        return served.noted(now, event, rollout.candidate, rollout.by, why, rollout.started)

    def with_stable(self, version: Version, now: datetime, *, warm_until: datetime | None) -> Ledger:
        warm = self._warm_without(version.digest)
        if self.stable is not None and self.stable.digest != version.digest and warm_until is not None:
            warm = (*warm, Warm(self.stable, milliseconds(warm_until)))
        return replace(self, stable=version, since=milliseconds(now), warm=warm[-4:])

    def rolled_back(self, now: datetime, cause: str, message: str) -> Ledger:
        """The candidate is out, its digest quarantined."""
        assert self.rollout is not None  # noqa: S101 - asked by every rule about a rollout
        bad, by, started = self.rollout.candidate, self.rollout.by, self.rollout.started
        entry = Quarantined(bad.digest, bad.name, milliseconds(now), cause, clip(message, LONGEST))
        others = tuple(known for known in self.quarantined if known.digest != bad.digest)
        after = replace(self, rollout=None, quarantined=(*others, entry)[-KEPT_QUARANTINED:])
        return after.noted(now, Happened.ROLLED_BACK, bad, by, f"{cause}: {message}", started)

    def ruled(self, ruling: Ruling) -> Ledger:
        return replace(self, rulings=(*self.rulings, ruling)[-KEPT_RULINGS:])

    def abandoned(self, now: datetime, by: str, why: str) -> Ledger:
        assert self.rollout is not None  # noqa: S101 - asked by every rule about a rollout
        rollout, after = self.rollout, replace(self, rollout=None)
        return after.noted(now, Happened.ABANDONED, rollout.candidate, by, why, rollout.started)

    def freed(self, digests: frozenset[str], value: str, now: datetime) -> Ledger:
        """Out of quarantine, and the annotation's value remembered."""
        out = [entry for entry in self.quarantined if entry.digest in digests]
        kept = tuple(entry for entry in self.quarantined if entry.digest not in digests)
        after = replace(self, quarantined=kept, released=value)
        for entry in out:
            version = Version(entry.version, entry.digest, "")
            after = after.noted(now, Happened.RELEASED, version, "annotation", f"was quarantined for {entry.cause}")
        return after

    def cooled(self, now: datetime, asked: str = "") -> Ledger:
        """Without the warm versions whose time has come, unless it is the digest that is asked for again at this moment."""
        return replace(self, warm=tuple(e for e in self.warm if e.until > now or e.version.digest == asked))

    def noted(
        self, now: datetime, event: Happened, version: Version, by: str, why: str, started: datetime | None = None
    ) -> Ledger:
        at, said = milliseconds(now), clip(why, LONGEST)
        entry = Entry(at, event, version.name, version.digest, clip(by, 128), said, started)
        return replace(self, history=(*self.history, entry)[-KEPT_HISTORY:])

    def _warm_without(self, digest: str) -> tuple[Warm, ...]:
        return tuple(entry for entry in self.warm if entry.version.digest != digest)


def milliseconds(time: datetime) -> datetime:
    return time.replace(microsecond=time.microsecond // 1000 * 1000)
