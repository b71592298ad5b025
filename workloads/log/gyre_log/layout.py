"""Where rows lie and what a part holds: docs/prediction-log.md, "Layout". Pure.

Promises   the same exchanges make the same parts with the same names, whenever and by whichever version they are made, so that
           storing a segment twice is storing it once.

    service=<name>/version=<modelversion>/hour=<YYYYMMDDTHH>/part-<16 hexadecimal digits>.parquet
    service=<name>/labels/hour=<YYYYMMDDTHH>/part-….parquet
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from gyre_log.halves import Exchange, Label

HOUR: Final = "%Y%m%dT%H"
HOUR_FOLDER: Final = re.compile(r"hour=(\d{8}T\d{2})")
TIME: Final = pa.timestamp("us", tz="UTC")
BEFORE: Final = (
    pa.field("id", pa.string()),
    pa.field("time", TIME),
    pa.field("service", pa.string()),
    pa.field("version", pa.string()),
    pa.field("code", pa.int32()),
    pa.field("seconds", pa.float64()),
)
AFTER: Final = (pa.field("prediction", pa.float64()), pa.field("masked", pa.string()))
LABELS: Final = pa.schema([pa.field("id", pa.string()), pa.field("label", pa.float64()), pa.field("time", TIME)])
FEATURE: Final = "in."


@dataclass(frozen=True, slots=True)
class Part:
    path: str  # below the root
    table: pa.Table


def parts(service: str, exchanges: Iterable[Exchange], labels: Iterable[Label]) -> list[Part]:
    grouped: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for exchange in exchanges:
        grouped.setdefault((exchange.version, hour_of(exchange.micros)), []).extend(rows(service, exchange))
    told: dict[str, list[dict[str, Any]]] = {}
    for label in labels:
        told.setdefault(hour_of(label.micros), []).append({"id": label.id, "label": label.label, "time": label.micros})
    made = [
        Part(f"service={service}/version={version}/hour={hour}/{name_of(found)}", table(found, schema_of(found)))
        for (version, hour), found in sorted(grouped.items())
    ]
    return made + [
        Part(f"service={service}/labels/hour={hour}/{name_of(found)}", table(found, LABELS))
        for hour, found in sorted(told.items())
    ]


def rows(service: str, exchange: Exchange) -> list[dict[str, Any]]:
    """One a row of the request; one at least, for a request without a readable row has a code, too."""
    good = exchange.code == 200
    count = max(1, exchange.rows, len(exchange.predictions))
    return [
        {
            "id": f"{exchange.id}-{at}",
            "time": exchange.micros,
            "service": service,
            "version": exchange.version,
            "code": exchange.code,
            "seconds": exchange.seconds,
            **{FEATURE + name: values[at] for name, values in exchange.columns.items() if at < len(values)},
            "prediction": exchange.predictions[at] if good and at < len(exchange.predictions) else None,
            "masked": exchange.masked,
        }
        for at in range(count)
    ]


def schema_of(found: Sequence[Mapping[str, Any]]) -> pa.Schema:
    """Features by name; text when any row's value is."""
    names = sorted({name for row in found for name in row if name.startswith(FEATURE)})
    kinds = {
        name: pa.string() if any(isinstance(row.get(name), str) for row in found) else pa.float64() for name in names
    }
    return pa.schema([*BEFORE, *(pa.field(name, kind) for name, kind in kinds.items()), *AFTER])


def table(found: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    columns = []
    for field in schema:
        values = [row.get(field.name) for row in found]
        if field.type == pa.string():
            values = [value if value is None or isinstance(value, str) else f"{value:g}" for value in values]
        columns.append(pa.array(values, field.type))
    return pa.table(columns, schema=schema)


def name_of(found: Sequence[Mapping[str, Any]]) -> str:
    """Of the rows, not of the file's bytes: another version of the library writes other bytes for the same rows."""
    return f"part-{hashlib.sha256(orjson.dumps(found)).hexdigest()[:16]}.parquet"


def encoded(made: pa.Table) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    pq.write_table(made, sink, compression="zstd")
    return sink.getvalue()


def hour_of(micros: int) -> str:
    return instant(micros).strftime(HOUR)


def instant(micros: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)


def over(folder: str, days: int, now: datetime) -> bool:
    """Whether all of an hour's folder is older than so many days. A folder of another name is nobody's business here."""
    match = HOUR_FOLDER.fullmatch(folder)
    if match is None or days == 0:
        return False
    try:
        ends = datetime.strptime(match[1], HOUR).replace(tzinfo=UTC) + timedelta(hours=1)
    except ValueError:
        return False
    return ends <= now - timedelta(days=days)
