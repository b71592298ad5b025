"""The prediction log of a service: its parts, and the predictions of a span of time. Labels are labels.py's.

Promises   each prediction once, by its id, in the order of the ids; a feature has one type, whichever type a part of the log
           gave it.
Never      takes a masked value for a value.

    <root>/service=<name>/version=<version>/hour=<YYYYMMDDTHH>/part-….parquet
    <root>/service=<name>/labels/hour=<YYYYMMDDTHH>/part-….parquet
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from gyre.stats.bins import FeatureType
from gyre_drift.faults import DriftError
from gyre_drift.plan import Span
from gyre_drift.store import Store

FEATURE: Final = "in."
UNMASKED: Final = "None"
HASHED: Final = re.compile(r"[0-9a-f]{32}")
PART: Final = re.compile(
    r"(?:version=(?P<version>[^/]+)|(?P<labels>labels))/hour=(?P<hour>\d{8}T\d{2})/part-[^/]+\.parquet"
)
HOUR: Final = "%Y%m%dT%H"
LOOK_BACK: Final = timedelta(days=31)
"""How late a label may come and still find its prediction."""
OK: Final = 200


@dataclass(frozen=True, slots=True)
class Predictions:
    """Answered requests, a row each. `columns`: float64 with NaN, or text with None, equally long. `logged`: the type that each
    feature has in the log; None for neither a number nor text. `hidden`: features that masking leaves nothing of."""

    ids: tuple[str, ...]
    columns: Mapping[str, np.ndarray]
    logged: Mapping[str, FeatureType | None]
    prediction: np.ndarray
    versions: Mapping[str, int]
    hidden: frozenset[str]
    parts: tuple[str, ...]
    masked: frozenset[str] = field(default_factory=frozenset)

    @property
    def rows(self) -> int:
        return len(self.ids)

    def taken(self, places: np.ndarray) -> dict[str, np.ndarray]:
        return {name: values[places] for name, values in self.columns.items()}


def of_service(root: Store, service: str) -> Store:
    return root.below(f"service={service}")


def parts_of(names: Iterable[str], span: Span, *, labels: bool) -> list[str]:
    """The files whose hour overlaps the span."""
    first, last = span.start.strftime(HOUR), (span.end - timedelta(microseconds=1)).strftime(HOUR)
    found = ((name, PART.fullmatch(name)) for name in names)
    return [
        name for name, match in found if match and bool(match["labels"]) is labels and first <= match["hour"] <= last
    ]


def parts_within(log: Store, names: Iterable[str], span: Span) -> list[str]:
    """The parts with predictions of the span, as far as their footers tell: only those of its first and last hour are asked.
    Raises DriftError."""
    found = []
    for part in parts_of(names, span, labels=False):
        match = PART.fullmatch(part)
        hour = datetime.strptime(match["hour"] if match else "", HOUR).replace(tzinfo=UTC)
        inside = span.start <= hour and hour + timedelta(hours=1) <= span.end
        if inside or _overlaps(log, part, span):
            found.append(part)
    return found


def _overlaps(log: Store, part: str, span: Span) -> bool:
    """True where the footer does not tell."""
    try:
        with log.files.open_input_file(f"{log.folder}/{part}") as source:
            footer = pq.ParquetFile(source).metadata
            place = footer.schema.names.index("time")
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DriftError("Unreadable", f"{log.uri}/{part}: {error}; is it whole?") from error
    told = [footer.row_group(group).column(place).statistics for group in range(footer.num_row_groups)]
    if not told or not all(one is not None and one.has_min_max for one in told):
        return True
    return bool(min(one.min for one in told) < span.end and max(one.max for one in told) >= span.start)


def predictions(log: Store, names: Sequence[str], span: Span, wanted: Mapping[str, FeatureType]) -> Predictions:
    """`wanted`: the features and their types; those of the log where it is empty. Raises DriftError."""
    parts = parts_of(names, span, labels=False)
    tables = [table for table in (within(read(log, part), span) for part in parts) if table.num_rows]
    logged = types_of(tables)
    types = dict(wanted) or {name: type for name, type in logged.items() if type}
    whole = _once(tables, types)
    masked = frozenset(value for value in pc.unique(whole["masked"]).to_pylist() if value) - {UNMASKED}
    columns = {
        name: _values(whole[FEATURE + name], type)
        for name, type in types.items()
        if FEATURE + name in whole.column_names
    }
    hidden = frozenset(name for name, type in types.items() if masked and _hidden(name, type, logged, columns))
    versions = pc.value_counts(whole["version"]).to_pylist() if whole.num_rows else []
    return Predictions(
        ids=tuple(whole["id"].to_pylist()),
        columns=columns,
        logged=logged,
        prediction=_values(whole["prediction"], FeatureType.NUMERIC),
        versions={str(entry["values"]): entry["counts"] for entry in versions},
        hidden=hidden,
        parts=tuple(parts),
        masked=masked,
    )


def read(log: Store, part: str) -> pa.Table:
    """Raises DriftError."""
    try:
        with log.files.open_input_file(f"{log.folder}/{part}") as source:
            return pq.ParquetFile(source).read()
    except (OSError, pa.ArrowException) as error:
        raise DriftError("Unreadable", f"{log.uri}/{part}: {error}; is it whole?") from error


def within(table: pa.Table, span: Span) -> pa.Table:
    start, end = (pa.scalar(moment, pa.timestamp("us", tz="UTC")) for moment in (span.start, span.end))
    times = table["time"].cast(pa.timestamp("us", tz="UTC"))
    return table.filter(pc.and_(pc.greater_equal(times, start), pc.less(times, end)))


def types_of(tables: Iterable[pa.Table]) -> dict[str, FeatureType | None]:
    """Text wherever a part has text; a column without any value is a number, where no other part knows better."""
    found: dict[str, FeatureType | None] = {}
    for table in tables:
        for column in table.schema:
            if not column.name.startswith(FEATURE):
                continue
            name, now = column.name.removeprefix(FEATURE), _type(column.type)
            empty = table[column.name].null_count == table.num_rows
            if name not in found or (not empty and found[name] is not FeatureType.CATEGORICAL):
                found[name] = now
    return found


def _type(type: pa.DataType) -> FeatureType | None:
    if pa.types.is_floating(type) or pa.types.is_integer(type):
        return FeatureType.NUMERIC
    text = pa.types.is_string(type) or pa.types.is_large_string(type) or pa.types.is_boolean(type)
    return FeatureType.CATEGORICAL if text else None


def _once(tables: Sequence[pa.Table], types: Mapping[str, FeatureType]) -> pa.Table:
    """All rows that were answered, one an id, by id; columns of a feature brought to its type, absent where no part has it."""
    kinds = {FEATURE + name: type for name, type in types.items()}
    present = [name for name in kinds if any(name in table.column_names for table in tables)]
    fixed = {"id": pa.string(), "version": pa.string(), "prediction": pa.float64(), "masked": pa.string()}
    brought = []
    for table in tables:
        answered = table.filter(pc.equal(table["code"], OK))
        columns = {name: answered[name].cast(kind) for name, kind in fixed.items()}
        columns |= {name: _brought(answered, name, kinds[name]) for name in present}
        brought.append(pa.table(columns))
    empty = pa.table({name: pa.array([], kind) for name, kind in fixed.items()})
    whole = pa.concat_tables(brought) if brought else empty
    order = pc.sort_indices(whole["id"])
    ordered = whole.take(order)
    ids = ordered["id"].to_pylist()
    return ordered.filter(pa.array([at == 0 or ids[at] != ids[at - 1] for at in range(len(ids))], pa.bool_()))


def _brought(table: pa.Table, name: str, type: FeatureType) -> pa.ChunkedArray | pa.Array:
    wanted = pa.float64() if type is FeatureType.NUMERIC else pa.string()
    if name not in table.column_names:
        return pa.nulls(table.num_rows, wanted)
    column = table[name]
    if type is FeatureType.CATEGORICAL and pa.types.is_floating(column.type):
        return pa.array([None if value is None else f"{value:g}" for value in column.to_pylist()], wanted)
    if type is FeatureType.NUMERIC and _type(column.type) is not FeatureType.NUMERIC:
        return pa.nulls(table.num_rows, wanted)  # told as a break of the schema, or as masked
    return column.cast(wanted)


def _values(column: pa.ChunkedArray, type: FeatureType) -> np.ndarray:
    if type is FeatureType.NUMERIC:
        return np.asarray(pc.fill_null(column.cast(pa.float64()), float("nan")).to_numpy(), np.float64)
    return np.array(column.to_pylist(), dtype=object)


def _hidden(
    name: str, type: FeatureType, logged: Mapping[str, FeatureType | None], columns: Mapping[str, np.ndarray]
) -> bool:
    """Left out, or hashed: a number that has become text, or text of the form that hashes have."""
    if name not in logged or (type is FeatureType.NUMERIC and logged[name] is not type):
        return True
    values = [value for value in columns.get(name, ()) if isinstance(value, str)]
    return type is FeatureType.CATEGORICAL and bool(values) and all(HASHED.fullmatch(value) for value in values)
