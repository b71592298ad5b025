"""Where a version comes from: how good it is, from what it was made, and the run that made it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gyre.api import gvks
from gyre.why.answer import Fact, Section, given, known, part, rows, stamp, unknown
from gyre.why.world import World

NOT_GIVEN: Final = "it was registered without spec.{}, and never changes: register a new version with it"


def sections(world: World) -> tuple[Section, ...]:
    return Section("version", _version(world)), Section("run", _run(world))


def _version(world: World) -> tuple[Fact, ...]:
    obj = world.version.obj
    if obj is None:
        nobody = world.served.unknown if world.what.gvk == gvks.INFERENCE_SERVICE else ""
        return (unknown("modelVersion", nobody or world.version.absent),)
    spec: Mapping[str, Any] = obj.get("spec") or {}
    lineage: Mapping[str, Any] = spec.get("lineage") or {}
    evaluation, artifact = spec.get("evaluation") or {}, spec.get("artifact") or {}
    return given(
        Fact("name", part(obj, "metadata", "name")),
        known("model", part(spec, "modelRef", "name"), "spec.modelRef is not set"),
        known("metrics", {**(evaluation.get("metrics") or {}), **(spec.get("metrics") or {})}, "it reports none"),
        known("baseline", _baseline(evaluation), NOT_GIVEN.format("evaluation.baseline")),
        known(
            "champion",
            _beside(evaluation),
            "the run had no champion to measure on the same rows, or did not ask for it",
        ),
        known("holdout", _holdout(evaluation), "it was not evaluated on rows of its own"),
        Fact("artifact", {key: artifact[key] for key in ("uri", "digest", "bytes", "flavour") if key in artifact}),
        known(
            "datasets", [_used(row, world) for row in rows(lineage, "datasets")], NOT_GIVEN.format("lineage.datasets")
        ),
        known("image", lineage.get("image"), NOT_GIVEN.format("lineage.image")),
        known("code", lineage.get("code"), NOT_GIVEN.format("lineage.code")),
        known("parameters", lineage.get("parameters"), "the run had none, or it was registered without"),
        known("framework", lineage.get("framework"), NOT_GIVEN.format("lineage.framework")),
        known("run", lineage.get("run"), NOT_GIVEN.format("lineage.run")),
    )


def _baseline(evaluation: Mapping[str, Any]) -> Any:
    baseline = evaluation.get("baseline") or {}
    return {"name": baseline.get("name"), **(baseline.get("metrics") or {})} if baseline else None


def _beside(evaluation: Mapping[str, Any]) -> Any:
    """The champion of that time on the same rows, or why it was not measured."""
    beside = evaluation.get("champion") or {}
    problem = {"problem": beside["problem"]} if beside.get("problem") else {}
    return {"version": beside.get("version"), **(beside.get("metrics") or {}), **problem} if beside else None


def _holdout(evaluation: Mapping[str, Any]) -> Any:
    said = {key: evaluation[key] for key in ("rows", "split") if evaluation.get(key)}
    return said or None


def _used(row: Mapping[str, Any], world: World) -> dict[str, Any]:
    """As it was then, and whether the Dataset has moved on."""
    said = {key: row[key] for key in ("name", "version", "digest", "role") if row.get(key)}
    found = world.datasets.get(str(row.get("name", "")))
    if found is None or found.obj is None:
        return {**said, "now": found.absent if found else "unknown"}
    current = part(found.obj, "status", "current", "version")
    same = part(found.obj, "status", "current", "digest") == row.get("digest")
    return {**said, "now": "the same" if same else f"version {current}"}


# ── the run ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _run(world: World) -> tuple[Fact, ...]:
    job = world.job.obj
    if job is None:
        why = world.job.absent if world.version.obj else "its version is not known, and its version names it"
        return (unknown("trainingJob", f"{why}; what the version itself says of its run is above"),)
    status: Mapping[str, Any] = job.get("status") or {}
    checkpoint = part(status, "checkpoint") or {}
    return given(
        Fact("trainingJob", part(job, "metadata", "name")),
        known("created", part(job, "metadata", "creationTimestamp"), "the API server says so of every object"),
        known("started", status.get("startTime"), "it has not started: see its condition Ready"),
        known("completed", status.get("completionTime"), "it is not over yet"),
        known(
            "attempts", [_attempt(row) for row in _attempts(world)], "none was begun" + (" by then" if world.at else "")
        ),
        known("restarts", status.get("restartCount"), "the driver has not reported any"),
        known(
            "checkpoint",
            {key: checkpoint[key] for key in ("uri", "name", "step", "time", "verified") if key in checkpoint},
            "no checkpoint was written: spec.checkpoint says when one is",
        ),
        known("goodput", part(status, "goodput", "ratio"), "nothing but parked time is accounted for yet"),
        known("failures", status.get("failures"), "none") if status.get("failures") else None,
        known("madeVersion", status.get("modelVersion"), "it has made none yet")
        if world.what.gvk == gvks.TRAINING_JOB
        else None,
        known("retrains", part(job, "metadata", "labels", "gyre.dev/retrain-of"), "") if _label(job) else None,
    )


def _label(job: Mapping[str, Any]) -> bool:
    return bool(part(job, "metadata", "labels", "gyre.dev/retrain-of"))


def _attempts(world: World) -> list[Mapping[str, Any]]:
    found = rows(world.job.obj, "status", "attempts")
    if world.at is None:
        return found
    return [row for row in found if str(row.get("opened", "")) <= stamp(world.at)]


def _attempt(row: Mapping[str, Any]) -> dict[str, Any]:
    keys = ("number", "opened", "closed", "result", "class", "evidence", "fromStep", "toStep", "secondsLost")
    return {key: row[key] for key in keys if row.get(key) not in (None, "")}
