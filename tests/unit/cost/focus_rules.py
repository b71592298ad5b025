"""The rules of FOCUS 1.2 as its own validator has them, asked of rows.

focus-validator 2.2.1 cannot be installed beside us: it needs Python 3.12 and pyarrow below 22. Its rules are data, and those that
hold without conditions on the provider are checked in as they are, in `focus-1.2.json`; here is what their check functions mean.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

RULES: Mapping[str, Any] = json.loads((Path(__file__).parent / "focus-1.2.json").read_text())["rules"]

ALLOWED = {
    "InvoiceId-C-005-C": "the opposite of InvoiceId-C-004-C; neither has a condition in the validator's data, so one must fail",
}
"""Rules that our files break, and why."""

Row = Mapping[str, Any]


def number(value: Any) -> bool:
    return isinstance(value, Decimal) and value.is_finite()


def key_values(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    parsed = json.loads(value)
    return isinstance(parsed, dict) and all(isinstance(v, str | int | float | bool | None) for v in parsed.values())


OF_VALUE: Mapping[str, Callable[[Any], bool]] = {
    "TypeString": lambda value: isinstance(value, str),
    "FormatString": lambda value: isinstance(value, str) and value == value.strip() and value != "",
    "TypeDateTime": lambda value: isinstance(value, datetime),
    "FormatDateTime": lambda value: isinstance(value, datetime) and value.utcoffset() is not None,
    "TypeDecimal": number,
    "FormatNumeric": number,
    "CheckDecimalValue": number,
    "FormatCurrency": lambda value: bool(re.fullmatch("[A-Z]{3}", str(value))),
    "CheckNationalCurrency": lambda value: bool(re.fullmatch("[A-Z]{3}", str(value))),
    "FormatKeyValue": key_values,
}
"""About a value that is there; what must be there is said by CheckNotValue."""


def holds(check: Mapping[str, Any], row: Row) -> bool:
    """Whether a row satisfies a requirement or a condition. Raises KeyError for a function of which nothing is known."""
    name = check["CheckFunction"]
    if name in ("AND", "OR"):
        found = [holds(item, row) for item in check["Items"]]
        return all(found) if name == "AND" else any(found)
    if name == "ColumnPresent":
        return check["ColumnName"] in row
    if name in ("CheckValue", "CheckNotValue"):
        return (row.get(check["ColumnName"]) == check["Value"]) == (name == "CheckValue")
    if name in ("CheckSameValue", "CheckNotSameValue"):
        return (row.get(check["ColumnAName"]) == row.get(check["ColumnBName"])) == (name == "CheckSameValue")
    if name == "CheckGreaterOrEqualThanValue":
        value = row.get(check["ColumnName"])
        return value is None or value >= check["Value"]
    if name == "ColumnByColumnEqualsColumnValue":
        factors = [row.get(check[key]) for key in ("ColumnAName", "ColumnBName", "ResultColumnName")]
        return None in factors or abs(factors[0] * factors[1] - factors[2]) < Decimal("1e-8")
    value = row.get(check["ColumnName"])
    return value is None or OF_VALUE[name](value)


def broken(rows: Sequence[Row]) -> set[str]:
    """The rules that some row breaks."""
    found = set()
    for name, rule in RULES.items():
        check, condition = rule["requires"], rule["when"]
        if check["CheckFunction"] == "CheckDistinctCount":
            pairs = {(row[check["ColumnAName"]], row[check["ColumnBName"]]) for row in rows}
            if len(pairs) != len({first for first, _ in pairs}) * check["ExpectedCount"]:
                found.add(name)
        elif any((not condition or holds(condition, row)) and not holds(check, row) for row in rows):
            found.add(name)
    return found
