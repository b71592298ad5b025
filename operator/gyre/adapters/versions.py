"""A ModelVersion as other kinds see it, and who uses one.

A version is in use while a TrainingJob that warm-starts from it has not finished, or while an object of a kind in `USERS`
(as KServe's predictors of an InferenceService) carries the label `gyre.dev/uses-model-version: <version>`. This page is the
only one that knows that, so that the version, its Model and the admission policies mean the same thing. Never raises: what is
malformed uses nothing and is not ready.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from gyre.adapters.datasets import readiness
from gyre.api import gvks
from gyre.api.objective import Goal

USES_MODEL_VERSION: Final = "gyre.dev/uses-model-version"
"""Label of an object that needs the version it names to stay, in the same namespace."""

USERS: Final = (gvks.TRAINING_JOB, gvks.KSERVE_SERVICE)
"""Kinds whose objects may use a version: a job that starts from it, a predictor that serves it."""

SERVED_FOR: Final = "gyre.dev/inferenceservice"
"""Label of what serves a version: the InferenceService on whose behalf."""

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
    """Who uses it, as a user knows it: of a predictor the InferenceService that it was made for."""
    metadata = obj.get("metadata") or {}
    served_for = (metadata.get("labels") or {}).get(SERVED_FOR)
    return Use(str(obj.get("kind", "")), str(served_for or metadata.get("name", "")))


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A champion that its Model has taken back, and the version that speaks for it since."""

    version: str
    to: str
    time: str
    """RFC 3339."""


def withdrawals(model: Mapping[str, Any]) -> tuple[Withdrawal, ...]:
    """What a Model says that it has taken back, newest first."""
    told = (model.get("status") or {}).get("rolledBack") or ()
    return tuple(Withdrawal(*(str(line.get(key, "")) for key in ("version", "to", "time"))) for line in told)


def champion(
    versions: Iterable[ModelVersionView],
    metric: str | None,
    goal: Goal | None = None,
    withdrawn: Sequence[Withdrawal] = (),
) -> ModelVersionView | None:
    """Of what was not taken back: the version that the newest withdrawal went back to, until one that came later is better."""
    out, known = {each.version for each in withdrawn}, tuple(versions)
    kept = tuple(version for version in known if version.name not in out)
    last = max(withdrawn, key=lambda each: each.time, default=None)
    if last is not None and any(version.name == last.to for version in kept):
        kept = tuple(version for version in kept if version.name == last.to or version.time > last.time)
    return _first(kept, metric, goal)


def _first(versions: Iterable[ModelVersionView], metric: str | None, goal: Goal | None) -> ModelVersionView | None:
    """The version that speaks for its Model: of those that are ready, the best by the metric of the objective, and of equals the
    earliest, which has proved itself longest; the latest where no objective is stated. None when nothing can be said."""
    ready = sorted((v for v in versions if v.ready and not v.deleting), key=lambda v: (v.time, v.name))
    if metric is None:
        return ready[-1] if ready else None
    sign = -1 if goal is Goal.MAXIMIZE else 1
    reporting = [version for version in ready if metric in version.metrics]
    return min(reporting, key=lambda version: sign * version.metrics[metric]) if reporting else None


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
