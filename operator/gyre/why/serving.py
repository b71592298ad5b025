"""Who serves: the endpoint with its version, the model with its champion, and what the last verdict was computed from. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gyre.adapters.ranking import champion_of, on_same_rows
from gyre.adapters.versions import ModelVersionView, short
from gyre.api import gvks
from gyre.kinds.inferenceservice.ledger import WHOLE, Entry, Ledger, Rollout, Ruling
from gyre.kinds.inferenceservice.report import Happened
from gyre.kinds.inferenceservice.words import counted, e_value, percent
from gyre.why.answer import Fact, Section, given, known, part, rows, stamp, unknown
from gyre.why.traffic import served
from gyre.why.world import World


def sections(world: World) -> tuple[Section, ...]:
    if world.what.gvk == gvks.INFERENCE_SERVICE:
        return Section("serving", _endpoint(world)), Section("decision", _decision(world))
    return Section("serving", _places(world)), Section("champion", _champion(world))


# ── an endpoint ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _endpoint(world: World) -> tuple[Fact, ...]:
    found, service = world.served, world.service.obj
    nobody = found.unknown or "its history does not reach back so far"
    reference: Mapping[str, Any] = part(service, "spec", "modelRef") or {}
    asked_for = f"ModelVersion {reference.get('version')}" if reference.get("version") else "the Champion"
    return given(
        known("version", found.version, nobody),
        known("digest", found.digest, nobody),
        known("since", found.since, nobody),
        known(
            "askedBy",
            found.by,
            found.unknown or "nobody wrote modelRef under a name of his own (kubectl --field-manager)",
        ),
        known("because", found.why, nobody),
        known("share", None if found.unknown else _share(found.trial, world), nobody),
        Fact("candidate", _candidate(found.trial, world)) if found.trial else None,
        known("asksFor", f"{asked_for} of Model {reference.get('name')}", "spec.modelRef is not set"),
        known(
            "url", part(service, "status", "url"), "its Gateway has no address yet: see the condition RouteProgrammed"
        ),
        Fact("ab", part(service, "status", "ab")) if world.at is None and part(service, "status", "ab") else None,
        known("ready", _ready(service), "gyre has not looked at it yet") if world.at is None else None,
    )


def _share(trial: Rollout | None, world: World) -> str:
    if trial is None or not (trial.weight or world.at):
        return percent(WHOLE)
    if world.at is not None:
        return "all that its candidate did not have"
    return percent(WHOLE - (0 if trial.withdrawn else trial.weight))


def _candidate(trial: Rollout, world: World) -> dict[str, Any]:
    said: dict[str, Any] = {"version": trial.candidate.name, "digest": trial.candidate.digest, "started": trial.started}
    if trial.by:
        said["askedBy"] = trial.by
    if world.at is None:
        said["share"] = percent(0 if trial.withdrawn else trial.weight)
    return said


def _ready(obj: Any) -> str:
    found = next((row for row in rows(obj, "status", "conditions") if row.get("type") == "Ready"), None)
    return f"{found.get('status')} {found.get('reason')}: {found.get('message')}" if found else ""


# ── its last verdict ─────────────────────────────────────────────────────────────────────────────────────────────────


def _decision(world: World) -> tuple[Fact, ...]:
    ledger = world.ledger
    if ledger is None:
        return (unknown("verdict", world.served.unknown),)
    entry = last_verdict(ledger, world.at)
    if entry is None:
        return (unknown("verdict", "no version has been promoted or rolled back: the next rollout ends with one"),)
    told = (
        Fact("verdict", entry.event.value),
        Fact("version", entry.version),
        Fact("time", entry.at),
        known("askedBy", entry.by, "nobody wrote modelRef under a name of his own (kubectl --field-manager)"),
        Fact("because", entry.why),
    )
    ruling = ruling_of(ledger, entry)
    if ruling is None:
        gone = "it is not kept any more, or was never: `rulings.json` has the newest ones since gyre began to keep them"
        return (*told, unknown("evidence", gone))
    return (*told, *_evidence(ruling))


def last_verdict(ledger: Ledger, at: datetime | None) -> Entry | None:
    """The newest promotion or rollback by then."""
    ends = (Happened.PROMOTED, Happened.ROLLED_BACK)
    entries = [e for e in ledger.history if e.event in ends and (at is None or e.at <= at)]
    return entries[-1] if entries else None


def ruling_of(ledger: Ledger, entry: Entry) -> Ruling | None:
    """The two are written at once, so their time is the same to the millisecond."""
    for ruling in ledger.rulings:
        if (ruling.at, ruling.event, ruling.rollout.candidate.digest) == (entry.at, entry.event, entry.digest):
            return ruling
    return None


def _evidence(ruling: Ruling) -> tuple[Fact, ...]:
    rollout, judgement, policy = ruling.rollout, ruling.judgement, ruling.policy
    other = "insteadOf" if ruling.event is Happened.PROMOTED else "beside"
    ground = (Fact("ground", ruling.ground.value), Fact(other, ruling.against.name))
    if judgement is None or policy is None:
        return (*ground, unknown("evidence", "it was never looked at: it had no requests"))
    return (
        *ground,
        Fact("eValues", {"worse": e_value(judgement.bad), "fine": e_value(judgement.good), "by": judgement.by}),
        Fact("thresholds", {"worse": e_value(judgement.bad_threshold), "fine": e_value(judgement.good_threshold)}),
        Fact("policy", {"alpha": policy.alpha, "beta": policy.beta, "minRequests": policy.min_requests}),
        Fact(
            "margins", {"errorRate": policy.error_margin, "latency": policy.latency_margin, "floor": policy.error_floor}
        ),
        Fact("counts", counted(rollout)),
        known("weights", [_weight(share) for share in rollout.shares], "an earlier operator began this rollout"),
        known(
            "slowerThan",
            [f"{edge:g} s" for edge in rollout.edges],
            "no histogram of latency had a bound that slow answers could be told by",
        ),
    )


def _weight(share: Any) -> dict[str, Any]:
    return {
        "weight": percent(share.weight),
        "requests": share.candidate[0],
        "errors": share.candidate[1],
        "stableRequests": share.stable[0],
        "stableErrors": share.stable[1],
    }


# ── a model, a version, a job ────────────────────────────────────────────────────────────────────────────────────────


def _places(world: World) -> tuple[Fact, ...]:
    """Which services give the version their traffic."""
    if world.services.absent:
        return (unknown("services", world.services.absent),)
    name = str(part(world.version.obj, "metadata", "name") or "")
    found = []
    for service, ledger in sorted(world.ledgers.items()):
        there = served(ledger, world.at)
        if there.version == name and name:
            found.append({"service": service, "since": there.since, "askedBy": there.by, "because": there.why})
        elif there.trial and there.trial.candidate.name == name:
            found.append({"service": service, "as": "candidate", "since": there.trial.started})
    when = "then" if world.at else "now"
    missing = len(world.services.objects) - len(world.ledgers)
    unread = f"; of {missing} services the ConfigMap <service>-rollout may not be read" if missing else ""
    return (known("services", found, f"no service gives it traffic {when}{unread}"),)


def _champion(world: World) -> tuple[Fact, ...]:
    if world.what.gvk not in (gvks.MODEL, gvks.MODEL_VERSION):
        return ()
    if world.model.obj is None:
        return (unknown("champion", world.model.absent),)
    if world.versions.absent:
        return (unknown("champion", world.versions.absent),)
    objective: Mapping[str, Any] = part(world.model.obj, "spec", "objective") or {}
    found = chosen(world)
    views = [ModelVersionView.of(obj) for obj in world.versions.objects]
    metric = str(objective.get("metric") or "")
    ranked = {v.name: _figures(v, metric) for v in sorted(views, key=lambda v: v.time) if metric in v.metrics}
    rule = f"{metric}, {objective.get('goal')}" if metric else "none is stated: the latest version that is ready"
    none = "no version is ready that reports the objective's metric: train or register one"
    return given(
        known("champion", found.name if found else None, none),
        known("digest", short(found.digest) if found else None, none),
        Fact("objective", rule),
        known("ranked", ranked, "no version reports the metric of spec.objective") if metric else None,
        Fact("deleted", "versions that were deleted since are not among them") if world.at else None,
        known("history", _history(world), "nothing has become of it yet") if world.what.gvk == gvks.MODEL else None,
    )


def _figures(view: ModelVersionView, metric: str) -> str:
    """What it reports; beside its champion, where it measured both on the same rows."""
    both, other = view.on_same_rows(metric), view.compared
    return on_same_rows(metric, *both, other.version) if both and other else str(view.metrics[metric])


def chosen(world: World) -> ModelVersionView | None:
    """The champion by the versions' metrics; with a time, of those that were there then."""
    views = [ModelVersionView.of(obj) for obj in world.versions.objects]
    if world.at is not None:
        views = [view for view in views if view.time <= stamp(world.at.replace(microsecond=0))]
    return champion_of(world.model.obj or {}, views)


def _history(world: World) -> list[str]:
    lines = rows(world.model.obj, "status", "history")
    if world.at is not None:
        lines = [line for line in lines if str(line.get("time", "")) <= stamp(world.at)]
    return [
        " ".join(str(line[key]) for key in ("time", "event", "version", "service", "by", "why") if line.get(key))
        for line in lines
    ]
