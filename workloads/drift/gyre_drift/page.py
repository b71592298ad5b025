"""The report of a window: one HTML file with its pictures inside, that opens anywhere and loads nothing.

Promises   every number on it is in the evidence; text from data is escaped.
Never      a script, a font or a picture from elsewhere.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from gyre_drift.plan import Plan
from gyre_drift.window import moment

STYLE: Final = """body{font:15px/1.5 system-ui,sans-serif;color:#222;max-width:1180px;margin:2em auto;padding:0 1em}
h1{font-size:1.4em}h2{font-size:1.1em;margin-top:2em}
table{border-collapse:collapse}td,th{padding:.25em .9em .25em 0;text-align:left;
border-bottom:1px solid #e3e6ea;vertical-align:top}td.n{text-align:right;font-variant-numeric:tabular-nums}
img{max-width:100%}
.bad{color:#c0362c;font-weight:600}.quiet{color:#8a8f98}"""


def page(plan: Plan, evidence: Mapping[str, Any], pictures: Mapping[str, bytes]) -> bytes:
    """`pictures`: PNG by title."""
    start, end = (f"{moment(evidence[key]):%Y-%m-%d %H:%M:%S}" for key in ("from", "to"))
    parts = [
        f"<h1>{escape(plan.service)}: {start} to {end} UTC</h1>",
        f"<p>{_verdict(evidence)}</p>",
        _table("The window", ("", ""), _facts(plan, evidence)),
        _table("Features", ("feature", "statistic", "threshold", "effect", ""), _findings(evidence))
        if evidence["findings"]
        else "",
        *(
            f'<h2>{escape(title)}</h2><img alt="{escape(title)}" src="data:image/png;base64,{_text(png)}">'
            for title, png in pictures.items()
        ),
    ]
    head = f"<meta charset=utf-8><title>{escape(plan.monitor)} {start}</title><style>{STYLE}</style>"
    return f"<!doctype html><html lang=en><head>{head}</head><body>{''.join(parts)}</body></html>\n".encode()


def _verdict(evidence: Mapping[str, Any]) -> str:
    bugs = "".join(
        f"<span class=bad>Data bug</span> ({escape(bug['reason'])}): {escape(bug['message'])}.<br>"
        for bug in evidence["bugs"]
    )
    if evidence["drifted"] is None:
        said = "Nothing was compared: " + (
            "nobody asked." if not evidence["rows"] else "too few rows, or no feature that can be."
        )
    elif evidence["drifted"]:
        said = "<span class=bad>Drifted.</span>"
    else:
        said = "As the reference, as far as anyone minds."
    return bugs + said


def _labels(told: Mapping[str, Any]) -> str:
    """`900, 210 wrong; 40 came late, 3 without a prediction`."""
    wrong = f", {told['errors']} wrong" if "errors" in told else ""
    words = {"late": "came late", "repeated": "counted before", "unknown": "without a prediction"}
    more = ", ".join(f"{told[key]} {word}" for key, word in words.items() if told[key])
    return f"{told['rows']}{wrong}" + (f"; {more}" if more else "")


def _facts(plan: Plan, evidence: Mapping[str, Any]) -> list[tuple[str, ...]]:
    impact, labels = evidence["impact"], evidence["labels"]
    if "estimate" in impact:
        worse = f"{impact['before']:.4f} → {impact['now']:.4f}, worse by {impact['estimate']:.4f}"
        costs = f"{impact['metric']} {worse} ({impact['basis']})"
    else:
        costs = f"unknown ({impact['reason']}): {impact['message']}"
    facts = [
        ("rows", f"{evidence['rows']}, judged on {evidence['judged']}"),
        ("versions", ", ".join(f"{name} ({rows})" for name, rows in evidence["versions"].items()) or "none"),
        ("reference", f"{evidence['reference']['rows']} rows, {evidence['reference']['key']}"),
        (
            "false alarms",
            f"one in {plan.windows} windows on average; an effect of {plan.min_effect:.1%} of the rows is minded",
        ),
        ("labels that came", _labels(labels)),
        (
            "lost quality",
            f"log of the detector {evidence['quality']['evidence']:.2f} of {evidence['quality']['threshold']:.2f}",
        ),
        ("impact", costs),
    ]
    if evidence["hidden"]:
        facts.append(("masked", ", ".join(evidence["hidden"])))
    if evidence["unjudged"]:
        facts.append(("not judged", "prediction: the reference has no answers of the versions that answered here"))
    return facts


def _findings(evidence: Mapping[str, Any]) -> list[tuple[str, ...]]:
    def word(finding: Mapping[str, Any]) -> str:
        if finding["statistic"] <= finding["threshold"]:
            return "as before"
        return "moved" if finding["effect"] >= evidence["minEffect"] else "significant, immaterial"

    return [
        (one["feature"], f"{one['statistic']:.2f}", f"{one['threshold']:.2f}", f"{one['effect']:.1%}", word(one))
        for one in evidence["findings"]
    ]


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head) if any(head) else ""
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<h2>{escape(title)}</h2><table>{f'<tr>{top}</tr>' if top else ''}{body}</table>"


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
