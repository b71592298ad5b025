"""One window, judged: its evidence as it is kept beside the log, from which every number of the verdict is recomputed.

Promises   the evidence of a window is written once, and made anew only when the log has got further parts for it; the rows that
           are judged are chosen by their ids alone.
Never      judges what the model never saw, or fewer rows than tell anything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np

from gyre.stats import drift, performance, quality
from gyre.stats.bins import FeatureType
from gyre.stats.databugs import LEVELS, DataBug, Profile, recognised, schema_breaks
from gyre.stats.performance import FEWEST_LABELS, Reliability
from gyre_drift import labels, log, sketches
from gyre_drift.faults import DriftError
from gyre_drift.plan import Plan
from gyre_drift.reference import PREDICTION, Known
from gyre_drift.store import Store

FORMAT: Final = 1
STAMP: Final = "%Y%m%dT%H%M%SZ"
HISTORY: Final = 60
"""Windows that a picture shows."""

Evidence = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Past:
    """What the windows before tell: counts that add up."""

    errors: int = 0
    labels: int = 0
    detector: float = 0.0
    usual: float | None = None
    reliability: Reliability = field(default_factory=Reliability)

    @classmethod
    def of(cls, evidence: Mapping[str, Any] | None) -> Past:
        """Of the window before; nothing where there is none, or where it cannot be read."""
        try:
            data = (evidence or {})["past"]
            numbers = (int(data["errors"]), int(data["labels"]), float(data["detector"]))
            usual = None if data["usual"] is None else float(data["usual"])
            return cls(*numbers, usual, Reliability.from_json(data["reliability"]))
        except (KeyError, TypeError, ValueError):
            return cls()

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "reliability": self.reliability.to_json()}


def file_of(plan: Plan, key: str) -> str:
    return f"windows/{plan.window.start.astimezone(UTC).strftime(STAMP)}-{key}.json"


def kept(place: Store, plan: Plan, reference: Known, parts: Sequence[str]) -> Evidence | None:
    """The evidence of this window, if it was made of these parts."""
    found = place.read_json(file_of(plan, reference.key))
    same = isinstance(found, dict) and found.get("format") == FORMAT and found.get("asked") == asked(plan, parts)
    return found if same else None


def asked(plan: Plan, parts: Sequence[str]) -> str:
    """Names what a verdict depends on besides the reference: the window, its parts of the log, what the user set."""
    baseline = sorted(plan.baseline.items())
    words = [plan.window.start, plan.window.end, *sorted(parts), plan.windows, plan.min_effect, plan.metric, baseline]
    return hashlib.sha256("\n".join(map(str, words)).encode()).hexdigest()[:32]


def history(place: Store, plan: Plan, key: str) -> list[Evidence]:
    """The windows before this one, oldest first, as they were judged against the same reference."""
    now = file_of(plan, key)
    names = [f"windows/{name}" for name in place.below("windows").names(f"-{key}.json")]
    found = (place.read_json(name) for name in [name for name in names if name < now][-HISTORY:])
    return [entry for entry in found if isinstance(entry, dict) and entry.get("format") == FORMAT]


def judged(
    plan: Plan,
    place: Store,
    service: Store,
    names: Sequence[str],
    reference: Known,
    before: Mapping[str, Any] | None,
    scope: labels.Scope,
) -> Evidence:
    """`scope`: where its labels are. Raises DriftError, and drift.TooSmall."""
    types = {name: type for name, type in reference.types.items() if name != PREDICTION}
    rows = log.predictions(service, names, plan.window, types)
    columns, answering = _columns(rows, reference)
    hidden = sorted(name for name in types if name in rows.hidden and rows.masked != reference.masked)
    if rows.rows and not set(types) - set(hidden):
        how = ", ".join(sorted(rows.masked))
        raise DriftError(
            "Masked", f"the log is masked ({how}), so no feature can be compared: set the service's spec.log.masking"
        )
    size = drift.judged_rows(rows.rows, reference.rows)
    breaks = schema_breaks({n: t for n, t in types.items() if n not in hidden}, rows.logged) if rows.rows else ()
    broken = {bug.feature for bug in breaks}
    features = [
        bins.name for bins in reference.features if bins.name in columns and bins.name not in {*hidden, *broken}
    ]
    chosen = _chosen(rows.ids, size)
    evidence: Evidence = {
        "format": FORMAT,
        "asked": asked(plan, [*rows.parts, *scope.asked]),
        "from": plan.window.start.isoformat(),
        "to": plan.window.end.isoformat(),
        "reference": {"key": reference.key, "rows": reference.rows},
        "rows": rows.rows,
        "judged": size,
        "versions": dict(sorted(rows.versions.items())),
        "hidden": hidden,
        "unjudged": [] if answering else [PREDICTION],
        "minEffect": plan.min_effect,
        "bugs": [_bug(bug) for bug in breaks],
        "findings": [],
        "drifted": None,
    }
    if size and features:
        evidence |= _compared(plan, place, reference, features, columns, chosen, evidence["bugs"])
    counted = labels.labelled(service, names, plan.window, scope)
    return evidence | _performance(plan, counted, scope, rows.prediction, Past.of(before))


def _columns(rows: log.Predictions, reference: Known) -> tuple[dict[str, np.ndarray], bool]:
    """The columns that are compared, and whether the answers are among them: only those of versions that the reference has."""
    answering = PREDICTION in reference.types and set(rows.versions) <= reference.versions
    return {**rows.columns, **({PREDICTION: rows.prediction} if answering else {})}, answering


def _chosen(ids: Sequence[str], size: int) -> np.ndarray:
    """Rows by the digest of their ids: by chance, and the same every time."""
    digests = [hashlib.blake2b(one.encode(), digest_size=8).digest() for one in ids]
    return np.sort(np.array(sorted(range(len(ids)), key=digests.__getitem__)[:size], np.int64))


def _compared(
    plan: Plan,
    place: Store,
    reference: Known,
    features: Sequence[str],
    columns: Mapping[str, np.ndarray],
    chosen: np.ndarray,
    breaks: Sequence[Mapping[str, str]],
) -> Evidence:
    bins = [one for one in reference.features if one.name in features]
    shares = [share for one, share in zip(reference.features, reference.shares, strict=True) if one.name in features]
    counts = [one.counts(columns[one.name][chosen]) for one in bins]
    threshold = reference.threshold(place, features, len(chosen), plan.windows)
    findings = drift.judge(bins, shares, counts, threshold)
    made = {one.name: sketches.sketched(columns[one.name]) for one in bins if one.type is FeatureType.NUMERIC}
    profiles = {
        one.name: Profile.of(
            one.type,
            columns[one.name],
            one.categories,
            sketches.quantiles(made[one.name], LEVELS) if one.name in made else None,
        )
        for one in bins
    }
    bugs = recognised(reference.profiles, {name: profile for name, profile in profiles.items() if name != PREDICTION})
    return {
        "threshold": threshold.to_json(),
        "counts": {one.name: [int(n) for n in count] for one, count in zip(bins, counts, strict=True)},
        "sketches": {name: sketches.to_text(sketch) for name, sketch in made.items()},
        "profiles": {name: profile.to_json() for name, profile in profiles.items()},
        "findings": [asdict(finding) for finding in findings],
        "drifted": drift.drifted(findings, plan.min_effect),
        "bugs": [*breaks, *map(_bug, bugs)],
    }


def _bug(bug: DataBug) -> dict[str, str]:
    return {"reason": bug.reason.value, "feature": bug.feature, "message": bug.message}


def _performance(
    plan: Plan, found: labels.Labelled, scope: labels.Scope, prediction: np.ndarray, past: Past
) -> Evidence:
    """Labels that came, the detector of lost quality, and the impact as far as it is known."""
    binary = bool(
        np.isin(found.label, (0.0, 1.0)).all() and ((found.probability >= 0) & (found.probability <= 1)).all()
    )
    answers = prediction[np.isfinite(prediction)]
    probable = bool(answers.size and binary and ((answers >= 0) & (answers <= 1)).all())
    told: Evidence = {"rows": found.rows, "late": found.late, "repeated": found.repeated, "unknown": found.unknown}
    told |= {"from": scope.first.isoformat(), "parts": list(scope.fresh)}
    if binary and (found.rows or probable):
        told["errors"] = int(((found.probability >= 0.5) != (found.label >= 0.5)).sum())
    if found.rows and binary:
        told["metrics"] = _finite(performance.realised(found.probability, found.label))
        past = _after(past, told["errors"], found.rows, Reliability.of(found.probability, found.label))
    expected = _finite(performance.expected(answers)) if probable else {}
    goal = quality.threshold(plan.windows)
    return {
        "labels": told,
        "expected": expected,
        "past": past.to_json(),
        "quality": {
            "evidence": past.detector,
            "threshold": goal,
            "lost": past.detector >= goal if past.usual else None,
        },
        "impact": _impact(plan, told, expected, past, probable),
    }


def _after(past: Past, errors: int, labels: int, reliability: Reliability) -> Past:
    """The first FEWEST_LABELS labels say how often the model errs usually; from then on the detector counts."""
    sums = (past.errors + errors, past.labels + labels)
    if past.usual is None:
        usual = quality.usual_rate(*sums) if sums[1] >= FEWEST_LABELS else None
        return Past(*sums, 0.0, usual, past.reliability + reliability)
    return Past(
        *sums, quality.step(past.detector, errors, labels, past.usual), past.usual, past.reliability + reliability
    )


def _impact(plan: Plan, told: Evidence, expected: Mapping[str, float], past: Past, probable: bool) -> dict[str, Any]:
    """How much worse the model is than when it was evaluated; where that is not known, why, and what would help."""
    metric = performance.known(plan.metric) or "auc"
    baseline = {performance.known(name): value for name, value in plan.baseline.items() if performance.known(name)}
    measured, have = told.get("metrics", {}).get(metric), past.reliability.labels

    def unknown(reason: str, message: str) -> dict[str, Any]:
        return {"metric": metric, "reason": reason, "message": message}

    if metric not in baseline:
        fix = "evaluate it on held-out rows, so that there is something to be worse than"
        return unknown("NoBaseline", f"the version that serves states no {metric}: {fix}")
    if measured is not None and told["rows"] >= FEWEST_LABELS:
        return _loss(metric, baseline[metric], measured, "Labels")
    if not probable:
        return unknown(
            "NotBinary", "answers and labels are no probabilities and classes: nothing is estimated from them"
        )
    if have < FEWEST_LABELS:
        need = f"{FEWEST_LABELS} are needed to know whether the probabilities are calibrated"
        return unknown("NoLabels", f"{have} labels came, and {need}: send labels")
    if not past.reliability.proven:
        off = f"the probabilities are off by {past.reliability.error:.3f} on {have} labels"
        return unknown("NotCalibrated", f"{off}, so nothing is estimated from them: calibrate the model")
    return _loss(metric, baseline[metric], expected[metric], "Calibrated")


def _loss(metric: str, before: float, now: float, basis: str) -> dict[str, Any]:
    return {
        "metric": metric,
        "estimate": performance.loss(metric, before, now),
        "before": before,
        "now": now,
        "basis": basis,
    }


def _finite(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in metrics.items() if np.isfinite(value)}


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
