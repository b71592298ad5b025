"""A ModelVersion as other kinds see it, and who uses one. Which of them speaks for its Model is in `ranking.py`.

A version is in use while a TrainingJob that warm-starts from it has not finished, or while an object of a kind in `USERS`
(a predictor of an InferenceService, an attempt that measures its model against it) carries the label
`gyre.dev/uses-model-version: <version>`. This page is the only one that knows that, so that the version, its Model and the
admission policies mean the same thing. Never raises: what is malformed uses nothing and is not ready.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from gyre.adapters.datasets import readiness
from gyre.api import gvks

USES_MODEL_VERSION: Final = "gyre.dev/uses-model-version"
"""Label of an object that needs the version it names to stay, in the same namespace."""

USERS: Final = (gvks.TRAINING_JOB, gvks.RAY_JOB, gvks.KSERVE_SERVICE)
"""Kinds whose objects may use a version: a job that starts from it, an attempt that measures it, a predictor that serves it."""

SERVED_FOR: Final = "gyre.dev/inferenceservice"
"""Label of what serves a version: the InferenceService on whose behalf."""

TRAINED_FOR: Final = "gyre.dev/trainingjob"
"""Label of an attempt: the TrainingJob on whose behalf."""

WELL_KNOWN: Final = ("auc", "accuracy", "f1", "logloss", "loss", "rmse", "mae")
"""Which metric speaks for a version when its Model states no objective, most telling first."""


@dataclass(frozen=True, slots=True, order=True)
class Use:
    """An object that needs a version to stay."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True, slots=True)
class Compared:
    """The version that spoke for the Model when this one was trained, and what both are worth on the same rows."""

    version: str
    digest: str
    mine: Mapping[str, Decimal]
    its: Mapping[str, Decimal]
    """Empty when it could not be measured: then `problem` says why."""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ModelVersionView:
    """What a reader of a ModelVersion may rely on. Metrics that are not decimal numbers are left out."""

    name: str
    namespace: str
    uid: str
    ready: bool
    reason: str
    message: str
    deleting: bool
    model: str
    uri: str
    digest: str
    flavour: str
    metrics: Mapping[str, Decimal]
    baseline: Mapping[str, Decimal]
    compared: Compared | None
    """None when it was measured alone."""
    datasets: tuple[tuple[str, int | None, str], ...]
    """(name, version, digest) of each Dataset it was trained on."""
    run: str
    """The TrainingJob it came from; empty when it was registered by hand."""
    time: str
    """When its run finished, else when it was created; RFC 3339 in UTC, so that it sorts as text."""
    in_use_by: tuple[Use, ...]

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> ModelVersionView:
        metadata, spec, status = (obj.get(part) or {} for part in ("metadata", "spec", "status"))
        artifact, lineage = spec.get("artifact") or {}, spec.get("lineage") or {}
        evaluation, run = spec.get("evaluation") or {}, lineage.get("run") or {}
        ready, reason, message = readiness(metadata, status)
        return cls(
            name=str(metadata.get("name", "")),
            namespace=str(metadata.get("namespace", "")),
            uid=str(metadata.get("uid", "")),
            ready=ready,
            reason=reason,
            message=message,
            deleting=bool(metadata.get("deletionTimestamp")),
            model=str((spec.get("modelRef") or {}).get("name", "")),
            uri=str(artifact.get("uri", "")),
            digest=str(artifact.get("digest", "")),
            flavour=str(artifact.get("flavour", "")),
            metrics=numbers({**(evaluation.get("metrics") or {}), **(spec.get("metrics") or {})}),
            baseline=numbers((evaluation.get("baseline") or {}).get("metrics") or {}),
            compared=_compared(evaluation),
            datasets=tuple(
                (str(data.get("name", "")), data.get("version"), str(data.get("digest", "")))
                for data in lineage.get("datasets") or ()
            ),
            run=str(run.get("name", "")),
            time=str(run.get("finished") or metadata.get("creationTimestamp") or ""),
            in_use_by=tuple(
                Use(str(use.get("kind", "")), str(use.get("name", ""))) for use in status.get("inUseBy") or ()
            ),
        )

    def on_same_rows(self, metric: str) -> tuple[Decimal, Decimal] | None:
        """(its own value, that of the version it was compared with), where both were measured."""
        beside = self.compared
        if beside is None or metric not in beside.mine or metric not in beside.its:
            return None
        return beside.mine[metric], beside.its[metric]


def _compared(evaluation: Mapping[str, Any]) -> Compared | None:
    other = evaluation.get("champion") or {}
    if not other.get("version"):
        return None
    mine, its = (numbers(found.get("metrics") or {}) for found in (evaluation, other))
    return Compared(str(other["version"]), str(other.get("digest", "")), mine, its, str(other.get("problem", "")))


def version_used_by(obj: Mapping[str, Any]) -> str | None:
    """The ModelVersion that this object needs to stay, or None when it needs none (any more)."""
    label = ((obj.get("metadata") or {}).get("labels") or {}).get(USES_MODEL_VERSION)
    if label:
        return str(label)
    if obj.get("kind") != gvks.TRAINING_JOB.kind or finished(obj):
        return None
    warm_start = (obj.get("spec") or {}).get("warmStart") or {}
    version = warm_start.get("modelVersion")
    named = version.get("name") if isinstance(version, Mapping) else version
    return str(named) if named else None


def use_of(obj: Mapping[str, Any]) -> Use:
    """Who uses it, as a user knows it: for a predictor its InferenceService, for an attempt its TrainingJob."""
    metadata, kind = obj.get("metadata") or {}, str(obj.get("kind", ""))
    labels = metadata.get("labels") or {}
    if kind == gvks.RAY_JOB.kind and labels.get(TRAINED_FOR):
        return Use(gvks.TRAINING_JOB.kind, str(labels[TRAINED_FOR]))
    return Use(kind, str(labels.get(SERVED_FOR) or metadata.get("name", "")))


def finished(obj: Mapping[str, Any]) -> bool:
    """Whether a bounded object has come to its end, well or badly: a Succeeded that will not change."""
    conditions = {c.get("type"): c.get("status") for c in (obj.get("status") or {}).get("conditions") or ()}
    succeeded = conditions.get("Succeeded")
    return succeeded == "True" or (succeeded == "False" and conditions.get("Stalled") == "True")


def numbers(metrics: Mapping[str, Any]) -> dict[str, Decimal]:
    """The metrics that are finite decimal numbers, in alphabetical order."""
    found = {}
    for name in sorted(metrics):
        try:
            value = Decimal(str(metrics[name]))
        except InvalidOperation:
            continue
        if value.is_finite():
            found[name] = value
    return found


def headline(metrics: Mapping[str, Decimal], preferred: str | None = None) -> str:
    """The metric that speaks for a version, as people read it: `auc 0.7123`. Empty when there is none."""
    name = next((m for m in (preferred, *WELL_KNOWN, *metrics) if m is not None and m in metrics), None)
    return f"{name} {brief(metrics[name])}" if name is not None else ""


def brief(value: Decimal) -> str:
    """Four decimals where the number is of ordinary size, else four significant digits: 0.7123, 1.234e-07."""
    return f"{value:.4f}" if value == 0 or -3 <= value.adjusted() <= 9 else f"{value:.3e}"


def short(digest: str) -> str:
    """Twelve hexadecimal digits of a digest, enough for people."""
    return digest.removeprefix("sha256:")[:12]
