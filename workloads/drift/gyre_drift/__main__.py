"""`python -m gyre_drift`: one Job of a DriftMonitor; what it is asked for is in GYRE_DRIFT_PLAN (plan.py).

Promises   exactly one JSON on the termination log, at most 4096 bytes, whatever happens; exit code 1 with an error class and a
           message that names the fix. Run again for the same window, it finds what it wrote and does nothing twice.
Never      talks to the Kubernetes API, or says a window is quiet that it did not compare.

Beside the log: `<root>/service=<service>/drift/<monitor>/`
    reference-<key>.json             bins, expected shares, profiles; <key> names the reference and the features
    thresholds/<key>-….json          of a number of rows and of windows
    windows/<from>-<key>.json        the evidence of a window: counts, sketches, findings, bugs, labels
    labels.json                      which labels which window has counted (labels.py)
    reports/<from>-<key>.html, -features.png, -time.png       or below spec.report.uri
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Mapping
from typing import Any, Final

from gyre.stats.drift import FEWEST_ROWS, TooSmall
from gyre_data.termination import tell, tell_error
from gyre_drift import labels, log, window
from gyre_drift.faults import DriftError
from gyre_drift.page import page
from gyre_drift.plan import VARIABLE, Plan, Span
from gyre_drift.reference import Known, known
from gyre_drift.store import REPORT_KEYS, Store
from gyre_drift.window import Evidence

WORST: Final = 5
SHOWN: Final = 300  # characters of a message


def main() -> int:
    try:
        plan = Plan.of(os.environ.get(VARIABLE, ""))
        return tell(run(plan), 0)
    except DriftError as error:
        return tell_error(error.kind, error.message)
    except TooSmall as error:
        return tell_error("ReferenceTooSmall", f"{error}: take a longer reference, or a Dataset with more rows")
    except MemoryError:
        return tell_error("Internal", "it needs more memory than it was given: raise spec.resources.memory")
    except Exception as error:
        return tell_error("Internal", f"{type(error).__name__}: {error}")


def run(plan: Plan) -> dict[str, Any]:
    """The last word about the window. Raises DriftError, TooSmall."""
    root = Store.open(plan.log)
    service = log.of_service(root, plan.service)
    names = [name for name in service.names(".parquet") if not name.startswith("drift/")]
    if not names:
        return {"version": 1, **_silence(plan)}
    place = service.below(f"drift/{plan.monitor}")
    logged = _logged(plan, service, names)
    if not plan.features and not logged:
        return {"version": 1, **_silence(plan)}
    reference = known(plan, place, service, names, logged)
    before, book = window.history(place, plan, reference.key), labels.Book.of(place)
    scope = labels.scope(book, plan.window, names)
    evidence = window.kept(place, plan, reference, [*log.parts_of(names, plan.window, labels=False), *scope.asked])
    if evidence is None:
        evidence = window.judged(plan, place, service, names, reference, before[-1] if before else None, scope)
        place.write_json(window.file_of(plan, reference.key), evidence)
    counted = _counted(place, plan, book, scope, evidence["labels"])
    told = {**said(evidence), "report": _report(plan, place, evidence, before, reference)}
    return {"version": 1, **told, "labels": {**told["labels"], **counted}}


def _counted(place: Store, plan: Plan, book: labels.Book, scope: labels.Scope, told: Evidence) -> dict[str, Any]:
    """Into the book, which may lack a window whose evidence is there: a Job was killed between the two."""
    written = book.with_page(labels.Page(plan.window, scope.fresh, told["rows"], told.get("errors")))
    if written != book:
        place.write_json(labels.FILE, written.to_json())
    return written.told(place)


def _logged(plan: Plan, service: Store, names: list[str]) -> Mapping[str, Any]:
    """The features of the log, where the plan names none: of the reference's span, or the window, or the newest hour."""
    if plan.features:
        return {}
    spans = [plan.reference] if isinstance(plan.reference, Span) else [plan.window]
    chosen = [part for span in spans for part in log.parts_of(names, span, labels=False)]
    newest = sorted((name for name in names if name.startswith("version=")), key=lambda name: name.split("hour=")[-1])[
        -1:
    ]
    found = log.types_of(log.read(service, part) for part in chosen or newest)
    return {name: type for name, type in sorted(found.items()) if type}


def _silence(plan: Plan) -> dict[str, Any]:
    return {
        "window": {"from": plan.window.start.isoformat(), "to": plan.window.end.isoformat(), "rows": 0, "judged": 0},
        "state": "NoTraffic",
    }


def said(evidence: Evidence) -> dict[str, Any]:
    """The evidence, as far as a status needs it."""
    findings, impact, came, quality = (evidence[key] for key in ("findings", "impact", "labels", "quality"))
    state = "Judged" if findings else "NoTraffic" if not evidence["rows"] else "TooFewRows"
    if state == "TooFewRows" and evidence["judged"]:
        state = "NothingComparable"
    told: dict[str, Any] = {
        "window": {key: evidence[key] for key in ("from", "to", "rows", "judged")},
        "state": state,
        "needed": FEWEST_ROWS,
        "reference": evidence["reference"],
        "worst": [
            {
                "feature": one["feature"][:128],
                **{key: round(one[key], 6) for key in ("statistic", "threshold", "effect")},
            }
            for one in findings[:WORST]
        ],
        "impact": {
            key: round(value, 6) if isinstance(value, float) else str(value)[:SHOWN] for key, value in impact.items()
        },
        "labels": {key: came[key] for key in ("rows", "errors") if key in came},
        "quality": {key: round(value, 6) if isinstance(value, float) else value for key, value in quality.items()},
    }
    if evidence["drifted"] is not None:
        told["drifted"] = evidence["drifted"]
    if evidence["bugs"]:
        told["dataBug"] = {key: value[:SHOWN] for key, value in evidence["bugs"][0].items()}
    return told


def _report(plan: Plan, place: Store, evidence: Evidence, before: list[Evidence], reference: Known) -> dict[str, str]:
    """Where the report is, and its digest; drawn and written unless it is there already."""
    from gyre_drift import pictures

    store = Store.open(plan.report, REPORT_KEYS) if plan.report else place.below("reports")
    name = window.file_of(plan, reference.key).removeprefix("windows/").removesuffix(".json")
    drawn = {
        "features": ("Features against the reference", pictures.features(evidence, reference)),
        "time": ("Statistic against threshold over time", pictures.over_time([*before, evidence])),
    }
    content = page(plan, evidence, {title: png for title, png in drawn.values() if png})
    if store.read(f"{name}.html") != content:
        for suffix, (_, png) in drawn.items():
            if png:
                store.write(f"{name}-{suffix}.png", png)
        store.write(f"{name}.html", content)
    return {"uri": f"{store.uri}/{name}.html", "digest": f"sha256:{hashlib.sha256(content).hexdigest()}"}


if __name__ == "__main__":
    sys.exit(main())
