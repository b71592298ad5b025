"""Two pictures of a window as PNG: its features against the reference, and the statistic against its threshold over time.

Promises   the same evidence gives the same picture; a feature that has moved is marked, and the most suspect come first.
Never      shows a value of a single row.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure

from gyre_drift.reference import Known
from gyre_drift.window import moment

MOST_FEATURES: Final = 12
MOST_BINS: Final = 14
ACROSS: Final = 3
BAD, CALM, USUAL, INK, QUIET = "#c0362c", "#4c6a92", "#b9c0ca", "#222222", "#8a8f98"
STYLE: Final[dict[Any, Any]] = {
    "font.size": 9,
    "font.family": "DejaVu Sans",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": QUIET,
}


def features(evidence: Mapping[str, Any], reference: Known) -> bytes | None:
    """None when nothing was compared."""
    findings = evidence["findings"][:MOST_FEATURES]
    if not findings:
        return None
    down = -(-len(findings) // ACROSS)
    with rc_context(STYLE):
        figure = Figure(figsize=(4.2 * ACROSS, 2.7 * down), dpi=110, layout="constrained")
        axes = figure.subplots(down, ACROSS, squeeze=False).ravel()
        for axis in axes[len(findings) :]:
            axis.set_visible(False)
        for axis, finding in zip(axes, findings, strict=False):
            _feature(axis, finding, evidence, reference)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper right", ncols=2, frameon=False)
        return _png(figure)


def _feature(axis: Axes, finding: Mapping[str, Any], evidence: Mapping[str, Any], reference: Known) -> None:
    name = finding["feature"]
    place = next(at for at, bins in enumerate(reference.features) if bins.name == name)
    bins, usual = reference.features[place], np.asarray(reference.shares[place])
    counts = np.asarray(evidence["counts"][name], np.float64)
    now, labels = counts / counts.sum(), np.array(bins.labels(), dtype=object)
    shown = np.sort(np.argsort(-(usual + now), kind="stable")[:MOST_BINS])
    at = np.arange(len(shown))
    moved = finding["statistic"] > finding["threshold"]
    material = moved and finding["effect"] >= evidence["minEffect"]
    axis.bar(at - 0.2, usual[shown], 0.4, color=USUAL, label="reference")
    axis.bar(at + 0.2, now[shown], 0.4, color=BAD if material else CALM, label="window")
    axis.set_xticks(at, [str(label)[:12] for label in labels[shown]], rotation=60, ha="right", fontsize=7)
    axis.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    word = "moved" if material else "moved a little" if moved else "as before"
    title = f"{name[:28]}: {word}, {finding['statistic']:.1f} of {finding['threshold']:.1f}, {finding['effect']:.1%} of the rows"
    axis.set_title(title, loc="left", fontsize=8, color=BAD if material else INK)


def over_time(windows: Sequence[Mapping[str, Any]]) -> bytes | None:
    """The greatest statistic of each window, oldest first; None when none was judged."""
    judged = [window for window in windows if window["findings"]]
    if not judged:
        return None
    begins, ends = ([float(date2num(moment(window[side]))) for window in judged] for side in ("from", "to"))
    times = [(begin + end) / 2 for begin, end in zip(begins, ends, strict=True)]
    statistic = [window["findings"][0]["statistic"] for window in judged]
    threshold = [window["findings"][0]["threshold"] for window in judged]
    with rc_context(STYLE):
        figure = Figure(figsize=(4.2 * ACROSS, 3.6), dpi=110, layout="constrained")
        axis = figure.subplots()
        axis.hlines(threshold, begins, ends, color=INK, linestyle="--", linewidth=1, label="threshold")
        width = ends[-1] - begins[-1]
        axis.set_xlim(
            begins[0] - width / 2, ends[-1] + width / 2
        )  # of one window alone matplotlib would show four years
        axis.plot(times, statistic, color=CALM, linewidth=1, zorder=1)
        for colour, label, wanted in ((CALM, "quiet", False), (BAD, "drifted", True)):
            places = [at for at, window in enumerate(judged) if bool(window["drifted"]) is wanted]
            axis.scatter(
                [times[at] for at in places],
                [statistic[at] for at in places],
                s=28,
                color=colour,
                label=label,
                zorder=2,
            )
        bugs = [at for at, window in enumerate(judged) if window["bugs"]]
        if bugs:
            axis.scatter(
                [times[at] for at in bugs],
                [statistic[at] for at in bugs],
                s=90,
                marker="x",
                color=INK,
                label="data bug",
                zorder=3,
            )
        if max(statistic) > 20 * max(threshold):
            axis.set_yscale("symlog", linthresh=2 * max(threshold))
        axis.set_ylim(bottom=min(0.0, *statistic))
        locator = AutoDateLocator(minticks=3, maxticks=9)
        axis.xaxis.set_major_locator(locator)
        axis.xaxis.set_major_formatter(ConciseDateFormatter(locator))
        axis.set_ylabel("greatest statistic of the window")
        axis.legend(loc="upper left", frameon=False, ncols=4, fontsize=8)
        return _png(figure)


def _png(figure: Figure) -> bytes:
    sink = io.BytesIO()
    figure.savefig(sink, format="png", metadata={"Software": None})
    return sink.getvalue()
