"""Kubernetes quantities: `500m`, `2Gi`, `1e3`, exactly as apimachinery reads and writes them.

Promises   `parse_quantity` is exact (Decimal, no float); `format_quantity` writes the canonical form, so that
           `parse_quantity(format_quantity(q, …)) == q` for every q of at most nine decimals below 2^63.
Never      rounds silently: what apimachinery would round up (below 1n) raises here.

Source: kubernetes/apimachinery `pkg/api/resource/quantity.go`, v0.35. `kubernetes.utils.quantity` of the Python client
does the same for parsing, but `api/` imports no client.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Literal

BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60}
DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}

PATTERN = r"^([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][-+]?[0-9]{1,2})?$"
"""For fields: no sign, since nobody asks for a negative amount of memory."""

_GRAMMAR = re.compile(
    r"(?P<number>[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))"
    r"(?:(?P<binary>[KMGTPE]i)|(?P<decimal>[numkMGTPE])|[eE](?P<exponent>[-+]?[0-9]{1,2}))?"
)


def parse_quantity(text: str | int) -> Decimal:
    """`500m` → Decimal('0.5'); `2Gi` → Decimal(2147483648). Raises ValueError for anything else."""
    match = _GRAMMAR.fullmatch(str(text))
    if match is None:
        raise ValueError(f"{text!r} is not a quantity: write it like 500m, 2 or 2Gi")
    number = Decimal(match["number"])
    if match["binary"]:
        return number * BINARY[match["binary"]]
    return number.scaleb(int(match["exponent"]) if match["exponent"] else DECIMAL[match["decimal"] or ""])


def format_quantity(value: Decimal | int, form: Literal["decimal", "binary"] = "decimal") -> str:
    """The canonical text: the largest suffix that leaves a whole number. CPUs are `decimal`, bytes are `binary`."""
    exact = Decimal(value)
    if form == "binary" and exact == exact.to_integral_value():
        whole = int(exact)
        for suffix, unit in reversed(BINARY.items()):
            if whole and whole % unit == 0:
                return f"{whole // unit}{suffix}"
        return str(whole)
    for suffix, power in reversed(DECIMAL.items()):
        scaled = exact.scaleb(-power)
        if exact and scaled == scaled.to_integral_value():
            return f"{int(scaled)}{suffix}"
    if exact:
        raise ValueError(f"{value} is finer than 1n and cannot be written as a quantity")
    return "0"


def canonical(text: str) -> str:
    """As the API server's own types write it back: `1024Mi` → `1Gi`, `0.5` → `500m`."""
    return format_quantity(parse_quantity(text), "binary" if text.endswith("i") else "decimal")
