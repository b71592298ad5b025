"""What windows are compared with: rows of a Dataset, or of a span of the log; and the thresholds that were calibrated on them.

Promises   the same reference gives the same rows, bins and thresholds; a threshold is kept beside the log and calibrated once; a
           Dataset whose files are not those of the version any more is not used.
Never      reads the reference for a window that it has all numbers for already.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from gyre.stats import drift
from gyre.stats.bins import Bins, FeatureType
from gyre.stats.databugs import Profile
from gyre_data.digest import data_files, of_folder, root
from gyre_drift import log
from gyre_drift.faults import DriftError
from gyre_drift.plan import DatasetReference, Plan, Span
from gyre_drift.store import REFERENCE_KEYS, Store

FORMAT: Final = 1
MOST_ROWS: Final = 200_000
"""Of a longer reference every n-th row is taken."""
PREDICTION: Final = "prediction"
"""What the model answered, as one more feature: of a span of the log. A Dataset has no answers."""

Columns = Mapping[str, np.ndarray]


@dataclass
class Known:
    """What is kept of a reference: bins, expected shares, profiles, versions. `columns` reads the rows, and only when asked."""

    key: str
    rows: int
    features: tuple[Bins, ...]
    shares: tuple[np.ndarray, ...]
    profiles: Mapping[str, Profile]
    versions: frozenset[str]
    masked: frozenset[str]
    columns: Callable[[], Columns]
    _whole: drift.Reference | None = field(default=None, repr=False)

    @property
    def types(self) -> dict[str, FeatureType]:
        return {bins.name: bins.type for bins in self.features}

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "rows": self.rows,
            "features": [bins.to_json() for bins in self.features],
            "shares": [list(map(float, shares)) for shares in self.shares],
            "profiles": {name: profile.to_json() for name, profile in self.profiles.items()},
            "versions": sorted(self.versions),
            "masked": sorted(self.masked),
        }

    def threshold(self, store: Store, names: Sequence[str], rows: int, windows: int) -> drift.Threshold:
        """For windows of `rows` rows, judged by these features."""
        of = hashlib.sha256(json.dumps([self.key, sorted(names)]).encode()).hexdigest()
        file = f"thresholds/{self.key}-{of[:8]}-{rows}-{windows}.json"
        kept = store.read_json(file)
        try:
            if kept is not None:
                return drift.Threshold.from_json(kept)
        except (KeyError, TypeError, ValueError, AttributeError):
            pass  # not what we wrote: calibrated anew
        if self._whole is None:
            self._whole = drift.Reference.of(self.columns(), self.types)
        made = drift.calibrate(self._whole.only(names), rows, windows, seed=int(of[:12], 16))
        store.write_json(file, made.to_json())
        return made


def known(plan: Plan, place: Store, service: Store, names: Sequence[str], logged: Mapping[str, FeatureType]) -> Known:
    """`place`: where the monitor keeps things. `logged`: the log's features, for a plan that names none. Raises DriftError."""
    types = dict(plan.features) or dict(logged)
    if not types:
        raise DriftError(
            "UnknownFeature", "the log has no feature to compare: name them in spec.features, or see how it is masked"
        )
    key = _key(plan, types, service, names)
    rows = _dataset_rows if isinstance(plan.reference, DatasetReference) else _log_rows
    kept = place.read_json(f"reference-{key}.json")
    if kept is not None:
        try:
            return _from_json(key, kept, lambda: rows(plan, service, names, types)[0])
        except (KeyError, TypeError, ValueError, AttributeError):
            pass  # of another format: made anew
    columns, versions, masked = rows(plan, service, names, types)
    found = drift.Reference.of(columns, {name: _type_of(name, types) for name in columns})
    made = Known(
        key=key,
        rows=found.rows,
        features=found.features,
        shares=found.shares,
        profiles={bins.name: Profile.of(bins.type, columns[bins.name], bins.categories) for bins in found.features},
        versions=versions,
        masked=masked,
        columns=lambda: columns,
        _whole=found,
    )
    place.write_json(f"reference-{key}.json", made.to_json())
    return made


def _from_json(key: str, kept: Mapping[str, Any], columns: Callable[[], Columns]) -> Known:
    if kept["format"] != FORMAT:
        raise ValueError(kept["format"])
    return Known(
        key=key,
        rows=int(kept["rows"]),
        features=tuple(map(Bins.from_json, kept["features"])),
        shares=tuple(np.array(shares, np.float64) for shares in kept["shares"]),
        profiles={name: Profile.from_json(profile) for name, profile in kept["profiles"].items()},
        versions=frozenset(kept["versions"]),
        masked=frozenset(kept["masked"]),
        columns=columns,
    )


def _key(plan: Plan, types: Mapping[str, FeatureType], service: Store, names: Sequence[str]) -> str:
    """Names what a reference is made of: the digest of a Dataset's version, or the parts of the log, whose names are digests.

    Only parts with rows of that time: in the hour that is being written others come all the time, and each would begin anew."""
    if isinstance(plan.reference, DatasetReference):
        source: list[Any] = ["dataset", plan.reference.digest]
    else:
        span = plan.reference
        source = ["log", span.start.isoformat(), span.end.isoformat(), log.parts_within(service, names, span)]
    text = json.dumps([FORMAT, source, sorted((name, type.value) for name, type in types.items())])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _type_of(name: str, types: Mapping[str, FeatureType]) -> FeatureType:
    return types.get(name, FeatureType.NUMERIC)


def _thinned(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    rows = len(next(iter(columns.values()), ()))
    step = -(-rows // MOST_ROWS) or 1
    return {name: values[::step] for name, values in columns.items()}


Rows = tuple[dict[str, np.ndarray], frozenset[str], frozenset[str]]
"""Columns, the versions that answered, the ways in which rows are masked."""


def _log_rows(plan: Plan, service: Store, names: Sequence[str], types: Mapping[str, FeatureType]) -> Rows:
    span = plan.reference
    if not isinstance(span, Span):
        raise TypeError("only a span of the log has its rows there")
    found = log.predictions(service, names, span, types)
    if not found.rows:
        raise DriftError(
            "ReferenceTooSmall",
            f"the log has no prediction from {span.start:%Y-%m-%d %H:%M} to {span.end:%Y-%m-%d %H:%M}: "
            "choose a spec.reference.window with traffic",
        )
    if absent := sorted(set(types) - set(found.columns)):
        raise _unknown(absent, f"the log of {span.start:%Y-%m-%d %H:%M}", [*found.columns])
    columns = {
        name: values for name, values in found.columns.items() if name not in found.hidden or found.masked == {"Hash"}
    }
    if np.isfinite(found.prediction).any() and PREDICTION not in columns:
        columns[PREDICTION] = found.prediction
    return _thinned(columns), frozenset(found.versions), found.masked


def _dataset_rows(plan: Plan, service: Store, names: Sequence[str], types: Mapping[str, FeatureType]) -> Rows:
    reference = plan.reference
    if not isinstance(reference, DatasetReference):
        raise TypeError("only a Dataset has its rows there")
    store = Store.open(reference.place, REFERENCE_KEYS)
    _verified(store, reference)
    tables = []
    for part in store.names(".parquet"):
        try:
            with store.files.open_input_file(f"{store.folder}/{part}") as source:
                file = pq.ParquetFile(source)
                if absent := sorted(set(types) - set(file.schema_arrow.names)):
                    raise _unknown(absent, f"Dataset {reference.name!r}", file.schema_arrow.names)
                tables.append(file.read(columns=list(types)))
        except (OSError, pa.ArrowException) as error:
            raise DriftError("Unreadable", f"{part} of Dataset {reference.name!r}: {error}") from error
    if not tables:
        raise DriftError("NotFound", f"Dataset {reference.name!r} has no Parquet file at {store.uri}")
    whole = pa.concat_tables(tables, promote_options="permissive")
    return _thinned({name: _column(whole, name, type) for name, type in types.items()}), frozenset(), frozenset()


def _verified(store: Store, reference: DatasetReference) -> None:
    from pyarrow import fs

    selector = fs.FileSelector(store.folder, recursive=True, allow_not_found=True)
    try:
        if not data_files(store.files, store.folder, selector):
            raise DriftError("NotFound", f"there is no file of Dataset {reference.name!r} at {store.uri}")
        found = root(of_folder(store.files, store.folder, selector))
    except OSError as error:
        raise DriftError("Unreadable", f"Dataset {reference.name!r} at {store.uri}: {error}") from error
    if found != reference.digest:
        raise DriftError(
            "ReferenceChanged",
            f"the files of Dataset {reference.name!r} are {found[:19]}… and not version {reference.version} "
            f"({reference.digest[:19]}…): have it scanned anew (annotation gyre.dev/requested-at)",
        )


def _column(table: pa.Table, name: str, type: FeatureType) -> np.ndarray:
    column = table[name]
    try:
        if type is FeatureType.NUMERIC:
            return np.asarray(column.cast(pa.float64()).fill_null(float("nan")).to_numpy(), np.float64)
        return np.array(column.cast(pa.string()).to_pylist(), dtype=object)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        what = f"feature {name!r} is {column.type} in the reference and {type} for the model ({str(error)[:100]})"
        raise DriftError("UnknownFeature", f"{what}: correct spec.features") from error


def _unknown(absent: Sequence[str], where: str, there: Sequence[str]) -> DriftError:
    names = ", ".join(repr(name) for name in absent[:5])
    return DriftError(
        "UnknownFeature", f"{where} has no column {names}; it has {', '.join(there)[:250]}: correct spec.features"
    )
