"""`gyre cost show`: what a CostBudget paid for, by project, team, cost centre, kind or object: allocation, and usage beside it.

Promises   rows sum to what was spent; what is on nobody's account, and node time that nobody asked for, are rows of their own.
Never      shows usage that nobody told: `-` is not zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from rich.table import Table

from gyre.cost.bill import Bill, Line, Owner, added, money, shown
from gyre.cost.usage import Usage, usage, with_unallocated
from gyre.kube.client import KubeApi
from gyre.money.export import Books, opened

NODE: Final = "Node"
NOBODY: Final = "(none)"
"""Objects without the label."""
UNALLOCATED: Final = "(unallocated)"


def _place(owner: Owner) -> str:
    return f"{owner.kind} {owner.namespace}/{owner.name}" if owner.namespace else f"{owner.kind} {owner.name}"


BY: Final[Mapping[str, Callable[[Owner], str]]] = {
    "project": lambda owner: owner.project or NOBODY,
    "team": lambda owner: owner.team or NOBODY,
    "cost-center": lambda owner: owner.cost_center or NOBODY,
    "kind": lambda owner: owner.kind,
    "object": _place,
}


@dataclass(frozen=True, slots=True)
class Share:
    """One row."""

    name: str
    cost: Decimal
    use: Usage


def shares(books: Books, by: str) -> list[Share]:
    """The dearest first."""
    lines = [line for line in books.meter.bill.lines if line.month in books.months]
    name = BY[by]
    named: dict[str, list[Line]] = {}
    for line in lines:
        if line.owner.kind != NODE:
            named.setdefault(name(line.owner), []).append(line)
    costs: dict[str, Decimal] = {}
    for owner, cost in _paid(books, lines).items():
        key = UNALLOCATED if owner.kind == NODE else name(owner)
        costs[key] = added((costs.get(key, Decimal(0)), cost))
    cents = shown(costs)
    order = sorted(cents, key=lambda key: (-cents[key], key))
    return [Share(key, cents[key], usage(books.meter, named.get(key, ()))) for key in order]


def _paid(books: Books, lines: Iterable[Line]) -> Mapping[Owner, Decimal]:
    held = books.meter.bill.lines
    nodes = Bill({line: held[line] for line in lines if line.owner.kind == NODE})
    pods = Bill({line: held[line] for line in lines if line.owner.kind != NODE})
    return with_unallocated(nodes, pods) if books.unallocated else pods.by()


def table(found: Iterable[Share], by: str, currency: str) -> Table:
    made = Table("", title=f"by {by}, in {currency}")
    for column in ("cost", "used", "of (looked at)", "efficiency"):
        made.add_column(column, justify="right")
    for share in found:
        known = share.use.known
        told = (f"{money(share.use.used):f}", f"{money(share.use.covered):f}", f"{share.use.efficiency} %")
        made.add_row(share.name, f"{share.cost:f}", *(told if known else ("-", "-", "-")))
    return made


async def show(name: str, *, by: str, first: str | None, last: str | None) -> Table:
    """Raises LookupError and ValueError, saying what to do."""
    api = await KubeApi.connect()
    try:
        books = await opened(api, name, first, last)
    finally:
        await api.close()
    return table(shares(books, by), by, books.currency)
