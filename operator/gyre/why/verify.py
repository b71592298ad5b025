"""Each decision computed again: from stored evidence by the operator's own code, or from another object that must agree. Pure.

Three outcomes. `recomputed equal`: the same numbers, bit for bit, and the same decision. `differs`: somebody has changed one of
the two. `cannot`: what it was decided on is not kept anywhere; that is said, and is no contradiction.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from gyre.adapters.run import Checkpoint
from gyre.adapters.versions import ModelVersionView, short
from gyre.api import gvks
from gyre.kinds.dataset import ledger as scans
from gyre.kinds.inferenceservice import rulings
from gyre.kinds.inferenceservice.ledger import Entry, Ledger
from gyre.kinds.inferenceservice.report import Happened
from gyre.kinds.model.decide import best
from gyre.kinds.model.model import Model
from gyre.kinds.model.observe import Observed
from gyre.kinds.modelversion.model import ModelVersion
from gyre.kinds.trainingjob import closing, desired, memory
from gyre.kinds.trainingjob.ledger import End, millis
from gyre.kinds.trainingjob.ledger import Ledger as JobLedger
from gyre.kinds.trainingjob.memory import Memory
from gyre.kinds.trainingjob.model import TrainingJob
from gyre.kinds.trainingjob.policy import NEVER_AGAIN, POISON, C
from gyre.kinds.trainingjob.reasons import Reason
from gyre.why.answer import Check, part, stamp
from gyre.why.serving import chosen, ruling_of
from gyre.why.traffic import TAKES_OVER
from gyre.why.world import World

ENDS: Final = (Happened.PROMOTED, Happened.ROLLED_BACK)


def checks(world: World) -> tuple[Check, ...]:
    return (*_services(world), *_champion(world), *_version(world), *_job(world))


# ── services ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _services(world: World) -> Iterator[Check]:
    """Every verdict of an endpoint; of another question's, those about its version, or about all versions of its model."""
    if world.what.gvk == gvks.INFERENCE_SERVICE:
        if world.ledger is None:
            yield Check.of("ledger", None, world.ledger_problem)
            return
        yield from _verdicts(world.ledger, "")
        yield _traffic(world.ledger)
        return
    digest = part(world.version.obj, "spec", "artifact", "digest")
    for name, ledger in sorted(world.ledgers.items()):
        yield from _verdicts(ledger, f"gis/{name}: ", "" if world.what.gvk == gvks.MODEL else str(digest))


def _verdicts(ledger: Ledger, where: str, digest: str = "") -> Iterator[Check]:
    for entry in ledger.history:
        if entry.event in ENDS and digest in ("", entry.digest):
            yield _verdict(ledger, entry, where)
        elif entry.event is Happened.DEPLOYED and digest in ("", entry.digest):
            why = "the first version took all traffic: there was nothing to compare it with, and nothing was computed"
            yield Check.of(f"{where}Deployed {entry.version} at {stamp(entry.at)}", None, why)


def _verdict(ledger: Ledger, entry: Entry, where: str) -> Check:
    what = f"{where}{entry.event} {entry.version} at {stamp(entry.at)}"
    ruling = ruling_of(ledger, entry)
    if ruling is None:
        return Check.of(what, None, "what it was computed from is not kept: rulings.json has the newest ones only")
    found = rulings.again(ruling)
    return Check.of(what, found.equal, found.why)


def _traffic(ledger: Ledger) -> Check:
    """The version that has the traffic is the one that the history gave it to."""
    what = f"traffic of {ledger.stable.name}" if ledger.stable else "traffic"
    entry = next((entry for entry in reversed(ledger.history) if entry.event in TAKES_OVER), None)
    if ledger.stable is None or entry is None:
        return Check.of(what, None, "the history tells of no version that took it over")
    if (ledger.stable.digest, ledger.since) != (entry.digest, entry.at):
        return Check.of(
            what, False, f"the history gave it to {entry.version} ({short(entry.digest)}) at {stamp(entry.at)}"
        )
    return Check.of(what, True, f"{entry.event} at {stamp(entry.at)}")


# ── the model ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _champion(world: World) -> Iterator[Check]:
    """Which version speaks for the model, and which is the best, from the versions' metrics."""
    name = str(part(world.model.obj, "metadata", "name") or "")
    absent = world.model.absent if world.model.obj is None else world.versions.absent
    if world.model.obj is None or world.versions.absent:
        yield Check.of(f"champion of Model {name}".rstrip(), None, absent)
        return
    model = Model.parse(world.model.obj)
    if model.status.observed_generation < model.generation:
        yield Check.of(f"champion of Model {name}", None, "gyre has not looked at its newest spec yet")
        return
    metric = model.spec.objective.metric if model.spec.objective else ""
    count = f"of {len(world.versions.objects)} versions"
    by = f"{metric} {count}" if metric else f"the time {count}, since no objective is stated"
    found, told = chosen(replace(world, at=None)), model.status.champion
    if told and told.name not in {view.name for view in map(ModelVersionView.of, world.versions.objects)}:
        yield Check.of(f"champion of Model {name}", None, f"{told.name} is gone, and gyre has not looked since")
        return
    said = (told.name, told.digest) if told else None
    yield _same(f"champion of Model {name}", (found.name, found.digest or None) if found else None, said, by)
    views = sorted(map(ModelVersionView.of, world.versions.objects), key=lambda view: (view.time, view.name))
    first, shown = best(model, Observed(tuple(v for v in views if not v.deleting))), model.status.best
    if first or shown:
        yield _same(f"best of Model {name}", first, (shown.name, shown.value) if shown else None, by)


def _same(what: str, found: Any, said: Any, by: str) -> Check:
    if found == said:
        return Check.of(what, True, f"{_told(found)} by {by}")
    return Check.of(what, False, f"{by} gives {_told(found)}, and the status says {_told(said)}")


def _told(pair: Any) -> str:
    return str(pair[0]) if pair else "none"


# ── the version ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _version(world: World) -> Iterator[Check]:
    obj = world.version.obj
    if obj is None:
        if world.served.digest:
            yield Check.of(f"files of {world.served.version}", None, world.version.absent)
        return
    version = ModelVersion.parse(obj)
    served = world.served.digest
    if served:
        digest, equal = version.spec.artifact.digest, served == version.spec.artifact.digest
        why = f"{short(served)} is served, and the ModelVersion is of {short(digest)}"
        yield Check.of(f"files of {version.name}", equal, f"served is what was registered: {served}" if equal else why)
    yield from _made(world, version)
    for row in version.spec.lineage.datasets:
        yield _data(world, row.name, row.version, row.digest)


def _made(world: World, version: ModelVersion) -> Iterator[Check]:
    """All that a ModelVersion says, again from what its run has left."""
    what, run = f"spec of {version.name}", version.spec.lineage.run
    if run is None:
        yield Check.of(what, None, "it was registered by hand")
        return
    kept = _memory(world)
    if isinstance(kept, str):
        yield Check.of(what, None, kept)
        return
    job, held = kept
    if job.uid != run.uid:
        yield Check.of(what, None, f"TrainingJob {run.name} is another one by now: the run was of uid {run.uid}")
        return
    ledger, progress = held.ledger, held.progress
    if ledger is None or ledger.final is None or progress is None or progress.artifact is None:
        yield Check.of(what, None, f"ConfigMap {run.name}-run has lost the end of the run, or progress.json")
        return
    again = ModelVersion.parse(desired.model_version(job, ledger, progress, ledger.final))
    now, then = again.spec.to_dict(), version.spec.to_dict()
    other = sorted(key for key in {*now, *then} if now.get(key) != then.get(key))
    if again.name != version.name:
        other.insert(0, "name")
    if other:
        yield Check.of(what, False, f"the run gives another {', '.join(other)}")
        return
    yield Check.of(what, True, f"artifact, metrics and lineage, from what run {run.name} has reported")


def _data(world: World, name: str, number: int | None, digest: str) -> Check:
    """A Dataset's digest at that version, as its scans found it and as the run pinned it."""
    what = f"data {name}@v{number}" if number else f"data {name}"
    kept = _memory(world)
    pins = kept[1].ledger.pins if not isinstance(kept, str) and kept[1].ledger else ()
    pinned = {pin.digest for pin in pins if pin.dataset == name}
    if pinned and digest not in pinned:
        return Check.of(what, False, f"the run pinned {', '.join(map(short, sorted(pinned)))}, not {short(digest)}")
    found = world.scans.get(name)
    if found is None or found.obj is None:
        return Check.of(what, None, found.absent if found else "nothing leads to its ledger")
    try:
        ledger = scans.from_data(found.obj.get("data"))
    except scans.UnreadableLedger as error:
        return Check.of(what, None, f"the ledger of its scans cannot be read: {error}")
    entry = next((entry for entry in ledger.entries if entry.version == number), None)
    if entry is None:
        return Check.of(what, None, f"its scans keep {scans.KEPT} versions, and this is none of them")
    if entry.digest != digest:
        return Check.of(what, False, f"its scan found {short(entry.digest)} as version {number}, not {short(digest)}")
    return Check.of(what, True, f"{digest}, by the scan of {entry.time}{' and the pin of the run' if pinned else ''}")


# ── the job ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _job(world: World) -> Iterator[Check]:
    kept = _memory(world)
    if isinstance(kept, str):
        if world.job.obj is not None:
            yield Check.of(f"end of TrainingJob {part(world.job.obj, 'metadata', 'name')}", None, kept)
        return
    job, held = kept
    if held.ledger is None:
        return
    yield _accounted(job, held.ledger)
    if held.ledger.final is not None and held.ledger.final.end is not End.SUCCEEDED:
        yield _failed(job, held.ledger)
    if held.progress is not None and held.progress.checkpoint is not None:
        yield _checkpoint(world.job.obj or {}, job, held.progress.checkpoint)


def _memory(world: World) -> tuple[TrainingJob, Memory] | str:
    """The job and what it remembers, or why there is neither."""
    if world.job.obj is None:
        return world.job.absent
    if world.run.obj is None:
        return world.run.absent
    job = TrainingJob.parse(world.job.obj)
    held = memory.of(world.run.obj, job.uid)
    return (job, held) if held.ledger is not None else f"its ledger cannot be read: {held.problem}"


def _accounted(job: TrainingJob, ledger: JobLedger) -> Check:
    what, wall = f"time of TrainingJob {job.name}", millis(ledger.created, ledger.mark)
    total = sum(ledger.totals.values())
    if total != wall:
        return Check.of(what, False, f"its rows add up to {total} ms, and {wall} ms have passed")
    return Check.of(what, True, f"{len(ledger.totals)} rows add up to the {wall} ms since its creation")


def _failed(job: TrainingJob, ledger: JobLedger) -> Check:
    """Why there was no other attempt."""
    final = ledger.final
    assert final is not None  # noqa: S101 - asked by whoever calls
    what, cls = f"end of TrainingJob {job.name}: {final.reason}", final.cls
    if cls is not None and final.reason == Reason.RETRIES_SPENT.value:
        count, allowed = ledger.failed(cls), closing.budget_of(job, cls).retries
        why = f"{cls} came {count} times, {allowed} retries allowed"
        return Check.of(
            what, count > allowed, why if count > allowed else f"{why}, unless spec.failurePolicy was changed since"
        )
    if final.reason == Reason.POISON_STEP.value:
        worst = max(ledger.crashes.values(), default=0)
        return Check.of(what, worst >= POISON, f"a step crashed {worst} times, {POISON} are too many")
    if final.reason == Reason.OUT_OF_TIME.value:
        limit = closing.limit_passed(job, ledger, final.at)
        return Check.of(
            what, limit is not None, limit or "no limit had passed, unless timeLimit or finishBy was changed since"
        )
    if cls is not None and final.reason == Reason.NOT_RETRIED.value:
        return Check.of(what, cls in NEVER_AGAIN or cls is C.USER, f"{cls} is a failure that trying again cannot cure")
    return Check.of(what, None, "no rule of numbers leads to it")


def _checkpoint(obj: Mapping[str, Any], job: TrainingJob, told: Checkpoint) -> Check:
    what = f"checkpoint {told.name}"
    shown = part(obj, "status", "checkpoint") or {}
    if shown and (shown.get("name"), shown.get("step")) != (told.name, told.step):
        return Check.of(what, False, f"the status says {shown.get('name')} at step {shown.get('step')}")
    read = "the driver has read it back" if told.verified else "nobody has read it back"
    return Check.of(
        what, None, f"its bytes lie in storage, and of resources only its run has the digest {told.digest}; {read}"
    )


__all__ = ["checks"]
