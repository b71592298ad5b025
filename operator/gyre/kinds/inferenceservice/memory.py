"""The ConfigMap `<name>-rollout`: the ledger as text and back, and the evidence over time for whoever plots it.

    rollout.json   the ledger
    rulings.json   what the newest promotions and rollbacks were computed from, once there is one
    ab.json        the A/B comparison, while there is one
    series.json    `[{t, weight, bad, good, requests, errors, stableRequests, stableErrors}]` of the newest rollout, a point a
                   look; every other one goes when there are 300

Equal ledgers are equal text, so a settled service writes nothing. A ledger that cannot be read is never taken for an empty one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from pydantic import TypeAdapter, ValidationError

from gyre.adapters.ownership import controller_uid
from gyre.kinds.inferenceservice.comparison import Compared
from gyre.kinds.inferenceservice.ledger import Ledger, Ruling

LEDGER_KEY: Final = "rollout.json"
SERIES_KEY: Final = "series.json"
AB_KEY: Final = "ab.json"
RULINGS_KEY: Final = "rulings.json"
MOST_POINTS: Final = 300
_LEDGER: Final = TypeAdapter(Ledger)
_COMPARED: Final = TypeAdapter(Compared)
_RULINGS: Final = TypeAdapter(tuple[Ruling, ...])

Point: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Memory:
    """The ConfigMap as found. `ledger` is None only when it could not be read; of the rest, what is broken is forgotten."""

    version: str
    owner: str
    ledger: Ledger | None
    series: tuple[Point, ...] = ()
    compared: Compared | None = None
    problem: str = ""


def to_data(ledger: Ledger, series: Sequence[Point], compared: Compared | None) -> dict[str, str]:
    kept: dict[str, Any] = _LEDGER.dump_python(ledger, mode="json", exclude_defaults=True)
    rulings = {RULINGS_KEY: text(found)} if (found := kept.pop("rulings", None)) else {}
    ab = {AB_KEY: text(_COMPARED.dump_python(compared, mode="json"))} if compared else {}
    return {LEDGER_KEY: text({"version": 1, **kept}), SERIES_KEY: text(list(series)), **rulings, **ab}


def of(obj: Mapping[str, Any]) -> Memory:
    data, metadata = obj.get("data") or {}, obj["metadata"]
    owner = controller_uid(obj)
    version, series = metadata.get("resourceVersion", ""), _series(data.get(SERIES_KEY))
    compared = _compared(data.get(AB_KEY))
    try:
        kept = json.loads(data[LEDGER_KEY])
        if kept.pop("version") != 1:
            raise ValueError("its version is not 1")
        ledger = _LEDGER.validate_python({**kept, "rulings": _rulings(data.get(RULINGS_KEY))})
    except (KeyError, AttributeError, TypeError, ValidationError, ValueError) as error:
        return Memory(version, owner, None, series, compared, problem=f"{type(error).__name__}: {error}"[:300])
    return Memory(version, owner, ledger, series, compared)


def added(series: Sequence[Point], point: Point) -> tuple[Point, ...]:
    """With one more point; when there are too many, every other one goes, and the newest stays."""
    longer = (*series, point)
    if len(longer) <= MOST_POINTS:
        return longer
    return longer[(len(longer) - 1) % 2 :: 2]


def _series(said: Any) -> tuple[Point, ...]:
    try:
        points = json.loads(said) if said else []
    except (TypeError, ValueError):
        return ()
    return tuple(point for point in points if isinstance(point, dict)) if isinstance(points, list) else ()


def _rulings(said: Any) -> tuple[Ruling, ...]:
    """Nothing is decided by them, so what is broken keeps nobody from serving; `gyre why` then says that they are not there."""
    try:
        return _RULINGS.validate_json(said) if said else ()
    except (ValidationError, TypeError):
        return ()


def _compared(said: Any) -> Compared | None:
    try:
        return _COMPARED.validate_json(said) if said else None
    except ValidationError:
        return None


def text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
