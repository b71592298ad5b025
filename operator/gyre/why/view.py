"""An Answer for the terminal. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from gyre.why.answer import Answer, Check, Fact, Outcome, Section, stamp

QUIET: Final = "bright_black"
COLOURS: Final = {Outcome.EQUAL: "green", Outcome.DIFFERS: "bold red", Outcome.CANNOT: "yellow"}


def view(answer: Answer) -> RenderableType:
    parts: list[RenderableType] = []
    for section in answer.sections:
        parts += [Text(section.name, style="bold cyan"), _section(section), Text()]
    if answer.checks is not None:
        parts += [Text("checks", style="bold cyan"), _checks(answer.checks)]
    title = f"{answer.what} at {stamp(answer.at)}" if answer.at else answer.what
    return Panel(Group(*parts), title=title, title_align="left", border_style=QUIET)


def _section(section: Section) -> RenderableType:
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="bold", no_wrap=True)
    rows.add_column()
    for fact in section.facts:
        rows.add_row(_words(fact.name), _value(fact))
    return rows


def _value(fact: Fact) -> Text:
    if fact.unknown:
        return Text(f"unknown: {fact.unknown}", style="yellow")
    if isinstance(fact.value, list | tuple):
        return Text("\n".join(said(entry) for entry in fact.value))
    return Text(said(fact.value))


def said(value: Any) -> str:
    """`auc 0.71, loss 0.3`."""
    if isinstance(value, datetime):
        return stamp(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{_words(str(key))} {said(entry)}" for key, entry in value.items())
    if isinstance(value, list | tuple):
        return "; ".join(map(said, value))
    return str(value)


def _words(name: str) -> str:
    """`askedBy` → `asked by`; a name that somebody else chose, such as `logLoss` of a metric, reads as well like this."""
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name)


def _checks(checks: tuple[Check, ...]) -> RenderableType:
    if not checks:
        return Text("nothing was decided yet")
    rows = Table.grid(padding=(0, 2))
    rows.add_column(no_wrap=True)
    rows.add_column()
    for check in checks:
        rows.add_row(Text(check.outcome.value, COLOURS[check.outcome]), Text(f"{check.what}: {check.why}"))
    return rows
