"""A rollout for the terminal: who has which traffic, what the counts prove, how long it will take. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from gyre.adapters.versions import short
from gyre.api.durations import format_duration
from gyre.kinds.inferenceservice import endings
from gyre.kinds.inferenceservice.ledger import WHOLE, Entry, Ledger, Rollout, Version
from gyre.kinds.inferenceservice.report import Happened
from gyre.kinds.inferenceservice.words import e_value, eta, percent, rate
from gyre.rollout.reading import Metric, Picture
from gyre.stats.judge import Judgement

BAR: Final = 30
LAST: Final = 5
GOOD, BAD, QUIET = "green", "red", "bright_black"
COLOURS: Final = {Happened.PROMOTED: GOOD, Happened.DEPLOYED: GOOD, Happened.ROLLED_BACK: BAD}
EVENT_WIDTH: Final = max(len(event.value) for event in Happened)


def view(picture: Picture, now: datetime) -> RenderableType:
    gis, ledger = picture.gis, picture.ledger
    parts: list[RenderableType] = [_standing(picture)]
    if ledger is None:
        parts.append(Text(picture.problem, style="yellow"))
    else:
        parts += [Text(), _traffic(ledger)]
        if picture.judged and picture.judgement:
            parts += [Text(), _evidence(picture.judgement), _when(picture, picture.judged, picture.judgement, now)]
            parts += [Text(), _metrics(picture.metrics)]
        parts += _aside(ledger)
        if ledger.history:
            parts += [Text(), _history(ledger.history)]
    return Panel(Group(*parts), title=f"{gis.namespace}/{gis.name}", title_align="left", border_style=QUIET)


def _standing(picture: Picture) -> Text:
    """The Ready condition in its own words."""
    ready = next((entry for entry in picture.gis.status.conditions if entry.type == "Ready"), None)
    if ready is None:
        return Text("not looked at yet", style="yellow")
    colour = GOOD if ready.true else BAD if ready.false else "yellow"
    return Text.assemble((f"{ready.reason}", f"bold {colour}"), f"  {ready.message}")


def _traffic(ledger: Ledger) -> RenderableType:
    rows = Table.grid(padding=(0, 2))
    for style in ("bold", "", "", QUIET):
        rows.add_column(style=style)
    rollout, shares = ledger.rollout, {version.digest: share for version, share in ledger.weights}
    if ledger.stable:
        rows.add_row("stable", *_version(ledger.stable, shares.get(ledger.stable.digest, 0), "cyan"))
    if rollout:
        rows.add_row("candidate", *_version(rollout.candidate, shares.get(rollout.candidate.digest, 0), "magenta"))
    return rows if rows.row_count else Text("no version has taken the traffic yet")


def _version(version: Version, share: int, colour: str) -> tuple[str, Text, Text, str]:
    return (
        "",
        Text(version.name),
        Text.assemble(_bar(share / WHOLE, colour), f" {percent(share)}"),
        short(version.digest),
    )


def _bar(filled: float, colour: str) -> Text:
    """A part of BAR; what is more than nothing shows."""
    cells = 0 if filled <= 0.0 else max(1, round(min(filled, 1.0) * BAR))
    return Text.assemble(("━" * cells, colour), ("─" * (BAR - cells), QUIET))


def _evidence(judgement: Judgement) -> RenderableType:
    """Logarithms against their thresholds: a bar that is full is a verdict."""
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="bold")
    for name, log, goal, colour in (
        ("worse", judgement.bad, judgement.bad_threshold, BAD),
        ("fine", judgement.good, judgement.good_threshold, GOOD),
    ):
        rows.add_row(name, _bar(log / goal, colour), f"{e_value(log)} of {e_value(goal)}")
    return rows


def _when(picture: Picture, rollout: Rollout, judgement: Judgement, now: datetime) -> Text:
    assert picture.ledger is not None  # noqa: S101 - there is a rollout in it
    said = []
    if (wait := eta(rollout, judgement)) is not None:
        said.append(f"decided in about {format_duration(wait)}" if wait else "decided at the next look")
    else:
        said.append("nobody can tell yet when it is decided")
    said.append(f"{rate(rollout):.3g} requests/s")
    if (end := endings.deadline(picture.gis, picture.ledger)) is not None:
        left = timedelta(seconds=round((end - now).total_seconds()))
        policy = picture.gis.spec.rollout.on_inconclusive
        said.append(
            f"{format_duration(left)} to the deadline, then {policy}" if left > timedelta() else "after the deadline"
        )
    if not judgement.sample_ratio_ok:
        said.append("the requests are not split as the weights say")
    return Text(f"{judgement.message}; " + ", ".join(said), style="italic")


def _metrics(metrics: tuple[Metric, ...]) -> RenderableType:
    rows = Table(box=None, padding=(0, 2, 0, 0), header_style=QUIET)
    rows.add_column("metric", style="bold")
    for column in ("stable", "candidate", "worse", "fine"):
        rows.add_column(column, justify="right")
    for metric in metrics:
        rows.add_row(
            metric.name, _share(metric.stable), _share(metric.candidate), e_value(metric.bad), e_value(metric.good)
        )
    return rows


def _share(of: tuple[int, int]) -> str:
    failed, asked = of
    return f"{failed} of {asked} ({failed / asked:.2%})" if asked else "-"


def _aside(ledger: Ledger) -> list[RenderableType]:
    """Who else is there: warm versions, quarantined digests."""
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="bold")
    for warm in ledger.warm:
        rows.add_row("warm", warm.version.name, f"until {_clock(warm.until)}")
    for entry in ledger.quarantined[-LAST:]:
        rows.add_row("quarantined", entry.version, f"{entry.cause}, {short(entry.digest)}, since {_clock(entry.at)}")
    return [Text(), rows] if rows.row_count else []


def _history(entries: tuple[Entry, ...]) -> RenderableType:
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style=QUIET, no_wrap=True)
    rows.add_column(no_wrap=True, min_width=EVENT_WIDTH)
    rows.add_column(no_wrap=True)
    for entry in reversed(entries[-LAST:]):
        by = f" (by {entry.by})" if entry.by else ""
        rows.add_row(
            _clock(entry.at), Text(entry.event.value, COLOURS.get(entry.event, "")), entry.version, f"{entry.why}{by}"
        )
    return rows


def _clock(moment: datetime) -> str:
    return f"{moment:%m-%d %H:%M:%S}"
