"""`gyre prices import`: OpenCost's CSV price file as Providers.

    EndTimestamp,InstanceID,Region,AssetClass,InstanceIDField,InstanceType,MarketPriceHourly,Version

node   the price of a whole node without its devices; a Provider prices cores and GiB, so `--shape TYPE=CORES,GIB` must say what
       the node has. Its price is split as OpenCost splits it: in the ratio of its default prices of a core and a GiB.
gpu    one device for an hour: an Accelerator in every Provider
pv     one GiB for an hour: Storage per month of 730 hours, in every Provider; a file with several has no single price of storage

Whatever cannot be taken over is said, with what to do; nothing is guessed. Source: opencost/opencost
`pkg/cloud/provider/csvprovider.go` (NodePricing: the node's price and the devices' are added), `configs/default.json`.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from gyre.api import gvks
from gyre.cost.bill import MONTH_HOURS, WIDE

HEADER: Final = (
    *("EndTimestamp", "InstanceID", "Region", "AssetClass", "InstanceIDField", "InstanceType"),
    *("MarketPriceHourly", "Version"),
)
CORE, GIB = Decimal("0.031611"), Decimal("0.004237")
"""OpenCost's default prices of a core and a GiB for an hour: only their ratio counts here."""
PLACES: Final = Decimal("0.000000000001")
TYPE_LABEL: Final = "node.kubernetes.io/instance-type"
REGION_LABEL: Final = "topology.kubernetes.io/region"
LABEL_FIELD: Final = "metadata.labels."


def providers(text: str, *, currency: str, name: str, shapes: Iterable[str]) -> tuple[list[dict[str, Any]], list[str]]:
    """(manifests, what was not taken over). Raises ValueError when it is no such file, or says nothing that can be used."""
    if not re.fullmatch(r"[A-Z]{3}", currency):
        raise ValueError(f"--currency {currency!r} is no ISO 4217 code: write it like EUR")
    rows, known = _rows(text), dict(_shape(said) for said in shapes)
    common, notes = _common(rows)
    made: dict[str, dict[str, Any]] = {}
    for number, row in rows:
        if row["AssetClass"] in ("gpu", "pv"):
            continue
        kind = row["InstanceType"] or row["InstanceID"]
        if kind not in known:
            notes.append(f"line {number}: node {kind} is left out: say --shape {kind}=CORES,GIB")
            continue
        cores, gib = known[kind]
        unit = WIDE.divide(_price(number, row), cores * CORE + gib * GIB)
        entries = [
            {"resource": "CPU", "amount": _text(unit * CORE), **_until(row)},
            {"resource": "Memory", "amount": _text(unit * GIB), **_until(row)},
        ]
        selector = _selector(row, kind)
        key = _name(name, *([row["Region"]] if row["Region"] else []), *selector.values())
        if key in made:
            notes.append(
                f"line {number}: a second price for {key} is left out: end the first (EndTimestamp), or remove it"
            )
            continue
        made[key] = _manifest(key, currency, selector, [*entries, *common])
    if not made and common:
        made[name] = _manifest(_name(name), currency, {}, common)
        notes.append("no node has a price: cores and memory stay unpriced until a Provider prices them")
    if not made:
        raise ValueError("\n".join([*notes, "nothing in the file can be taken over"]))
    return list(made.values()), notes


def _rows(text: str) -> list[tuple[int, dict[str, str]]]:
    reader = csv.reader(io.StringIO(text))
    found: list[tuple[int, dict[str, str]]] = []
    for cells in reader:
        stripped = [cell.strip() for cell in cells]
        if not any(stripped) or stripped[0].startswith("#") or tuple(stripped) == HEADER:
            continue
        if len(stripped) != len(HEADER):
            raise ValueError(f"line {reader.line_num}: {len(stripped)} fields, not {len(HEADER)}: {','.join(HEADER)}")
        found.append((reader.line_num, dict(zip(HEADER, stripped, strict=True))))
    return found


def _common(rows: Iterable[tuple[int, Mapping[str, str]]]) -> tuple[list[dict[str, Any]], list[str]]:
    """Prices that go into every Provider, and what is wrong with others."""
    devices: dict[str, dict[str, Any]] = {}
    disks: list[tuple[int, Mapping[str, str]]] = []
    notes: list[str] = []
    for number, row in rows:
        if row["AssetClass"] == "pv":
            disks.append((number, row))
        elif row["AssetClass"] == "gpu":
            device = row["InstanceID"]
            if device in devices:
                notes.append(f"line {number}: a second price for device {device} is left out")
                continue
            amount = _text(_price(number, row))
            devices[device] = {"resource": "Accelerator", "accelerator": device, "amount": amount, **_until(row)}
    prices = {_price(number, row) for number, row in disks}
    if len(prices) > 1:
        notes.append(
            "storage has several prices (pv) and a Provider one: all are left out; add a Storage price by hand"
        )
        disks = []
    storage = [
        {"resource": "Storage", "amount": _text(_price(number, row) * MONTH_HOURS), **_until(row)}
        for number, row in disks[:1]
    ]
    return [*devices.values(), *storage], notes


def _selector(row: Mapping[str, str], kind: str) -> dict[str, str]:
    """Nodes are told by the label that the file names; other fields are of single nodes, so the type has to do."""
    field = row["InstanceIDField"]
    own = {field.removeprefix(LABEL_FIELD): row["InstanceID"]} if field.startswith(LABEL_FIELD) else {TYPE_LABEL: kind}
    return {**own, **({REGION_LABEL: row["Region"]} if row["Region"] else {})}


def _manifest(name: str, currency: str, selector: Mapping[str, str], entries: list[dict[str, Any]]) -> dict[str, Any]:
    spec = {"currency": currency, **({"nodeSelector": dict(selector)} if selector else {}), "prices": entries}
    return {
        "apiVersion": gvks.PROVIDER.api_version,
        "kind": gvks.PROVIDER.kind,
        "metadata": {"name": name},
        "spec": spec,
    }


def _shape(said: str) -> tuple[str, tuple[Decimal, Decimal]]:
    kind, _, size = said.partition("=")
    try:
        cores, gib = (Decimal(part) for part in size.split(","))
    except (InvalidOperation, ValueError) as error:
        raise ValueError(f"--shape {said!r}: write it like m5.large=2,8") from error
    if not kind or cores <= 0 or gib <= 0:
        raise ValueError(f"--shape {said!r}: write it like m5.large=2,8")
    return kind, (cores, gib)


def _price(number: int, row: Mapping[str, str]) -> Decimal:
    try:
        price = Decimal(row["MarketPriceHourly"])
    except InvalidOperation as error:
        raise ValueError(f"line {number}: MarketPriceHourly {row['MarketPriceHourly']!r} is no number") from error
    if not price.is_finite() or price < 0:
        raise ValueError(f"line {number}: MarketPriceHourly {row['MarketPriceHourly']!r} is no price")
    return price


def _until(row: Mapping[str, str]) -> dict[str, str]:
    """OpenCost writes `2023-07-24 16:00:00 UTC` or RFC 3339; empty is for ever."""
    said = row["EndTimestamp"]
    if not said:
        return {}
    try:
        end = datetime.fromisoformat(said.replace(" UTC", "+00:00").replace(" ", "T", 1))
    except ValueError as error:
        raise ValueError(f"EndTimestamp {said!r} is no time") from error
    return {"until": (end if end.tzinfo else end.replace(tzinfo=UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}


def _text(value: Decimal) -> str:
    plain = format(value.quantize(PLACES, context=WIDE), "f")
    return plain.rstrip("0").rstrip(".")


def _name(*parts: str) -> str:
    """At most 40 characters, as a Kubernetes name has them."""
    kept = dict.fromkeys(re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-") for part in parts)
    return "-".join(part for part in kept if part)[:40].rstrip("-")
