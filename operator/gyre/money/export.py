"""`gyre cost export`: the ledger of one CostBudget as a FOCUS 1.2 file, CSV or Parquet.

One budget at a time: the scopes of two may overlap, and their rows together would count money twice.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import IO, Any
from zoneinfo import ZoneInfo

from gyre.api import gvks
from gyre.api.effects import Ref
from gyre.api.fields import Switch
from gyre.cost.focus import COLUMNS, DECIMALS, months_between, rows
from gyre.cost.meter import Meter
from gyre.engine.engine import fetched
from gyre.kinds.costbudget.account import zone_of
from gyre.kinds.costbudget.desired import ledger_ref
from gyre.kinds.costbudget.ledger import from_data
from gyre.kinds.costbudget.model import CostBudget
from gyre.kube.client import Api, KubeApi

TIME = "%Y-%m-%dT%H:%M:%SZ"


async def export(name: str, out: Path, *, form: str, first: str | None, last: str | None) -> None:
    """Writes the file. Raises LookupError and ValueError, saying what to do."""
    api = await KubeApi.connect()
    try:
        found = await read(api, name, first, last)
    finally:
        await api.close()
    if form == "parquet":
        write_parquet(found, out)
    else:
        with out.open("w", newline="", encoding="utf-8") as file:
            write_csv(found, file)


async def read(api: Api, name: str, first: str | None, last: str | None) -> list[dict[str, Any]]:
    """The rows of the ledger of this CostBudget, from one month to another."""
    books = await opened(api, name, first, last)
    return list(rows(books.meter, account=name, currency=books.currency, zone=books.zone, months=books.months))


@dataclass(frozen=True, slots=True)
class Books:
    """The ledger of a CostBudget, and the months that are asked for."""

    meter: Meter
    months: tuple[str, ...]
    currency: str
    zone: ZoneInfo
    unallocated: bool
    """Whole nodes are paid for."""


async def opened(api: Api, name: str, first: str | None, last: str | None) -> Books:
    """Raises LookupError and ValueError, saying what to do."""
    obj = await fetched(api, Ref(gvks.COST_BUDGET, "", name))
    if obj is None:
        raise LookupError(f"there is no CostBudget {name!r}: kubectl get costbudgets lists them")
    budget = CostBudget.parse(obj)
    held = await fetched(api, ledger_ref(budget))
    if held is None:
        raise LookupError(f"CostBudget {name!r} has no ledger yet: is the operator running?")
    meter, zone = from_data(held.get("data")), zone_of(budget)
    if zone is None:
        raise ValueError(f"unknown time zone {budget.spec.time_zone!r}")
    known = meter.bill.months
    months = tuple(months_between(first or known[0], last or known[-1])) if known else ()
    return Books(meter, months, budget.spec.currency, zone, budget.spec.scope.unallocated is Switch.ENABLED)


def write_csv(found: Sequence[dict[str, Any]], file: IO[str]) -> None:
    writer = csv.DictWriter(file, COLUMNS)
    writer.writeheader()
    for row in found:
        writer.writerow({name: _text(row[name]) for name in COLUMNS})


def write_parquet(found: Sequence[dict[str, Any]], out: Path) -> None:
    """Numbers as float64: FOCUS' own validator reads those best. The CSV has them in full."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    def column(name: str) -> pa.Array:
        values = [row[name] for row in found]
        if name in DECIMALS:
            return pa.array([None if value is None else float(value) for value in values], pa.float64())
        if name.endswith(("PeriodStart", "PeriodEnd")):
            return pa.array(values, pa.timestamp("us", tz="UTC"))
        return pa.array(values, pa.string())

    pq.write_table(pa.table({name: column(name) for name in COLUMNS}), out)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return format(value, "f")
    return str(value.strftime(TIME)) if hasattr(value, "strftime") else str(value)
