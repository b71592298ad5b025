"""The evidence over time against both thresholds, who failed how often, the candidate's share; PNG, SVG or PDF.

Needs matplotlib: `pip install 'gyre-operator[plot]'`. The same Picture gives the same file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from math import ceil, exp, floor, log
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, DateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from gyre.api.terms import clip
from gyre.kinds.inferenceservice.ledger import Entry
from gyre.kinds.inferenceservice.report import Happened
from gyre.rollout.reading import Picture, Point

FORMATS: Final = (".png", ".svg", ".pdf")
WIDEST, FEW, MOST_TICKS = 120, 12, 8
CLOSE, NUDGE = 0.05, 7.0
BAD, GOOD, STABLE, CANDIDATE, INK, QUIET = "#c0362c", "#2b8a3e", "#4c6a92", "#8e44ad", "#222222", "#8a8f98"
LOWEST, HIGHEST = log(1e-3), log(1e9)
"""Beyond these e-values nothing is to be seen: the curve runs along the border."""
STYLE: Final[dict[Any, Any]] = {
    "font.size": 10,
    "font.family": "DejaVu Sans",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "svg.fonttype": "none",
    "svg.hashsalt": "gyre",
}
SAID: Final = {
    Happened.PROMOTED: ("promoted", GOOD),
    Happened.ROLLED_BACK: ("rolled back", BAD),
    Happened.ABANDONED: ("abandoned", QUIET),
    Happened.SWITCHED: ("abandoned", QUIET),
}


def drawn(picture: Picture) -> Figure:
    """ValueError when there is no point to draw."""
    if not picture.points:
        raise ValueError("there is no evidence to draw")
    points = _from_nothing(picture)
    with rc_context(STYLE):
        figure = Figure(figsize=(9.0, 6.8), dpi=150, layout="constrained")
        rows = figure.subplots(3, 1, sharex=True, height_ratios=(3.2, 1.3, 0.9))
        evidence, failures, weight = rows
        figure.suptitle(_title(picture, points), x=0.01, ha="left", fontsize=12, fontweight="bold")
        if picture.ending:
            evidence.set_title(clip(picture.ending.why, WIDEST), loc="left", fontsize=8.5, color=QUIET, pad=24)
        _evidence(evidence, picture, points)
        _failures(failures, points)
        _weight(weight, points, picture.ending)
        if picture.ending:
            _mark(rows, picture.ending)
        weight.xaxis.set_major_locator(AutoDateLocator(minticks=3, maxticks=8))
        weight.xaxis.set_major_formatter(DateFormatter("%H:%M:%S"))
        weight.set_xlabel(f"{points[0].t:%Y-%m-%d}, UTC")
        figure.align_ylabels()
    return figure


def save(figure: Figure, out: Path) -> None:
    """ValueError for another format than FORMATS."""
    if out.suffix.lower() not in FORMATS:
        raise ValueError(f"write to a file that ends in {', '.join(FORMATS)}, not to {out.name!r}")
    undated = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    with rc_context(STYLE):
        figure.savefig(out, metadata=undated.get(out.suffix.lower()))


def _from_nothing(picture: Picture) -> tuple[Point, ...]:
    """With the beginning, an interval before the first look: no requests, no evidence."""
    first = picture.points[0]
    start = first.t - picture.gis.spec.rollout.interval
    return (Point(start, first.weight, 0.0, 0.0, 0, 0, 0, 0), *picture.points)


def _title(picture: Picture, points: Sequence[Point]) -> str:
    name = f"{picture.gis.namespace}/{picture.gis.name}"
    if picture.ending:
        said, _ = SAID[picture.ending.event]
        return f"{name}: {picture.ending.version} {said} after {_span(points[0].t, picture.ending.at)}"
    if picture.judged:
        return f"{name}: {picture.judged.candidate.name} on trial for {_span(points[0].t, points[-1].t)}"
    return f"{name}: the newest rollout"


def _span(start: datetime, end: datetime) -> str:
    minutes, seconds = divmod(round((end - start).total_seconds()), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def _evidence(axes: Axes, picture: Picture, points: Sequence[Point]) -> None:
    policy, times = picture.gis.spec.rollout, _numbers(point.t for point in points)
    worse, fine = [point.bad for point in points], [point.good for point in points]
    goals = (-log(float(policy.alpha)), -log(float(policy.beta)))
    low = max(LOWEST, min(*worse, *fine) - 0.7)
    high = min(HIGHEST, max(*worse, *fine, *goals) + 1.2)
    axes.set_ylim(low, high)
    axes.axhline(0.0, color=QUIET, linewidth=0.8)
    _goals(axes, goals)
    up = _apart((worse[-1], fine[-1]), low, high)
    curves = (("worse than the stable version", worse, BAD, up), ("within the margins", fine, GOOD, -up))
    for name, logs, colour, nudge in curves:
        inside = np.clip(logs, low, high)
        axes.plot(times, inside, color=colour, linewidth=2.0, label=name, clip_on=False)
        axes.plot(times[-1:], inside[-1:], "o", color=colour, markersize=6, clip_on=False)
        _say(axes, power_of_ten(logs[-1]), times[-1], float(inside[-1]), colour, nudge)
    axes.set_ylabel("evidence (e-value)")
    every = max(1, ceil((high - low) / log(10.0) / MOST_TICKS))
    tens = range(floor(low / log(10.0)), ceil(high / log(10.0)) + 1)
    axes.set_yticks([n * log(10.0) for n in tens if n % every == 0 and low <= n * log(10.0) <= high])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: power_of_ten(value)))
    _legend(axes)


def _apart(ends: tuple[float, float], low: float, high: float) -> float:
    """By how many points the first of two labels is moved up, and the second down, so that both can be read."""
    first, second = np.clip(ends, low, high)
    near = abs(first - second) < CLOSE * (high - low)
    return 0.0 if not near else NUDGE if first >= second else -NUDGE


def _goals(axes: Axes, goals: tuple[float, float]) -> None:
    """One line when both risks are the same."""
    lines = [(goals[0], "proof either way", INK)]
    if goals[0] != goals[1]:
        lines = [(goals[0], "proof that it is worse", BAD), (goals[1], "proof that it is within the margins", GOOD)]
    for goal, said, colour in lines:
        axes.axhline(goal, color=colour, linewidth=1.2, linestyle=(0, (5, 3)))
        axes.annotate(
            f"{said}: {power_of_ten(goal)}", (0.0, goal), xycoords=("axes fraction", "data"),
            xytext=(4, 4), textcoords="offset points", fontsize=9, color=colour,
        )  # fmt: skip


def _numbers(times: Iterable[datetime]) -> list[float]:
    return [float(date2num(time)) for time in times]


def power_of_ten(value: float) -> str:
    """An e-value from its logarithm, short: `0.4`, `13`, `$10^{12}$`."""
    if log(0.0095) < value < log(9999.5):
        return f"{exp(value):.2g}" if value < log(99.5) else f"{exp(value):.0f}"
    return f"$10^{{{round(value / log(10.0))}}}$"


def _say(axes: Axes, text: str, time: float, height: float, colour: str, nudge: float) -> None:
    axes.annotate(
        text,
        (time, height),
        xytext=(8, nudge),
        textcoords="offset points",
        color=colour,
        va="center",
        fontweight="bold",
        annotation_clip=False,
    )


def _legend(axes: Axes) -> None:
    """Above the curves, never on them."""
    axes.grid(axis="y", color="#e9ebee", linewidth=0.8)
    axes.legend(
        loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, frameon=False, fontsize=9, labelcolor="linecolor",
        borderaxespad=0.1, borderpad=0.1,
    )  # fmt: skip


def _failures(axes: Axes, points: Sequence[Point]) -> None:
    """Since the rollout began."""
    times = _numbers(point.t for point in points)
    for name, colour, counts in (
        ("stable", STABLE, [(point.stable_errors, point.stable_requests) for point in points]),
        ("candidate", CANDIDATE, [(point.errors, point.requests) for point in points]),
    ):
        rates = [failed / asked if asked else np.nan for failed, asked in counts]
        axes.plot(times, rates, color=colour, linewidth=1.6, marker="." if len(points) < FEW else "", label=name)
    axes.set_ylim(bottom=0.0)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_ylabel("failed so far")
    _legend(axes)


def _weight(axes: Axes, points: Sequence[Point], ending: Entry | None) -> None:
    """What each look was taken at: a point's weight held since the look before."""
    times, weights = [point.t for point in points], [point.weight for point in points]
    if ending:
        after = 1.0 if ending.event is Happened.PROMOTED else 0.0
        tail = max((ending.at - points[0].t) * 0.06, timedelta(seconds=1))
        times, weights = [*times, ending.at, ending.at + tail], [*weights, weights[-1], after]
    axes.fill_between(_numbers(times), weights, step="pre", color=CANDIDATE, alpha=0.25, linewidth=0)
    axes.step(_numbers(times), weights, where="pre", color=CANDIDATE, linewidth=1.4)
    axes.set_ylim(0.0, 1.05)
    axes.set_yticks([0.0, 0.5, 1.0])
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_ylabel("share")


def _mark(rows: Sequence[Axes], ending: Entry) -> None:
    said, colour = SAID[ending.event]
    for axes in rows:
        axes.axvline(_numbers([ending.at])[0], color=colour, linewidth=1.2)
    rows[0].annotate(
        said, (_numbers([ending.at])[0], 1.0), xycoords=("data", "axes fraction"),
        xytext=(0, 5), textcoords="offset points", ha="right", va="bottom", color=colour, fontweight="bold",
    )  # fmt: skip
