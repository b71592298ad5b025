"""Requests and responses, put together: an agent sends them apart, in any order, and may lose either. Pure.

Promises   what is put together from a segment depends on that segment and on the header of the next alone: read again after a
           crash it is the same.
Never      keeps a body: a half is what masking has left of it.

A half is kept as short JSON: `k` what it is (q request, a answer, l label), `id`, `v` version, `t` its time and `at` its arrival
in microseconds since 1970; `c` code, `s` seconds, `p` predictions, `n` rows, `in` features, `y` label, `m` how it was masked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from gyre_log import bodies
from gyre_log.events import Event
from gyre_log.masking import Masking, Value

UNANSWERED: Final = 0
"""The code of a request whose response nobody has sent: KServe's agent tells only those of 200."""
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Exchange:
    id: str
    version: str
    micros: int
    code: int
    seconds: float | None
    masked: str
    rows: int = 0
    columns: Mapping[str, Sequence[Value]] = field(default_factory=dict)
    predictions: Sequence[float | None] = ()


@dataclass(frozen=True, slots=True)
class Label:
    id: str
    label: float
    micros: int


def micros_of(time: datetime) -> int:
    return (time - EPOCH) // timedelta(microseconds=1)


def half(event: Event, masking: Masking) -> dict[str, Any]:
    """What is kept of an event."""
    common = {"id": event.id, "v": event.version, "t": micros_of(event.time)}
    kept: dict[str, Any]
    if event.response:
        kept = {"k": "a", **common, "c": event.code, "m": masking.mode}
        if event.seconds is not None:
            kept["s"] = event.seconds
        if event.code == 200 and masking.mode != "Full":
            kept["p"] = bodies.predictions(event.body)
        return kept
    kept = {"k": "q", **common, "m": masking.mode}
    if masking.mode != "Full":
        table = bodies.features(event.body, event.categorical)
        kept |= {"n": table.rows, "in": masking.columns(table.columns)}
    return kept


def key_of(record: Mapping[str, Any]) -> str:
    """By which a second delivery is known. A shadow answers with the same id, so the version is part of it."""
    named = f"{record['k']}\0{record['id']}\0{record.get('v', '')}"
    if record["k"] == "l":
        named += f"\0{record['t']}\0{record['y']!r}"
    return hashlib.sha256(named.encode()).hexdigest()[:16]


def place_of(record: Mapping[str, Any]) -> tuple[str, str]:
    """What its other half has in common with it."""
    return record["id"], record["v"]


def unanswered(
    header: Mapping[str, Any], records: Sequence[dict[str, Any]], *, since: int, most: int
) -> list[dict[str, Any]]:
    """Halves of a segment whose other half has not come: the last `most` of those that arrived after `since`."""
    alone: dict[tuple[str, str], dict[str, Any]] = {}
    for record in (*header["carried"], *records):
        if record["k"] == "l":
            continue
        other = alone.setdefault(place_of(record), record)
        if other["k"] != record["k"]:
            del alone[place_of(record)]
    return [record for record in alone.values() if record["at"] > since][-most:]


def together(
    header: Mapping[str, Any], records: Sequence[dict[str, Any]], carried: Sequence[Mapping[str, Any]]
) -> tuple[list[Exchange], list[Label]]:
    """What a segment holds, less what the next one has carried over."""
    left = {(*place_of(record), record["k"]) for record in carried}
    halves: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    labels: list[Label] = []
    for record in (*header["carried"], *records):
        if record["k"] == "l":
            labels.append(Label(record["id"], record["y"], record["t"]))
        elif (*place_of(record), record["k"]) not in left:
            halves.setdefault(place_of(record), {}).setdefault(record["k"], record)
    return [exchange(found.get("q"), found.get("a")) for found in halves.values()], labels


def exchange(request: Mapping[str, Any] | None, answer: Mapping[str, Any] | None) -> Exchange:
    either = request or answer
    assert either is not None  # noqa: S101 - somebody put it there
    asked, told = request or {}, answer or {}
    seconds = told.get("s")
    if seconds is None and request and answer:  # the agent's own two times
        seconds = max(0, answer["t"] - request["t"]) / 1_000_000
    return Exchange(
        id=either["id"],
        version=either["v"],
        micros=either["t"],
        code=told.get("c", UNANSWERED),
        seconds=seconds,
        masked=either["m"],
        rows=asked.get("n", 0),
        columns=asked.get("in", {}),
        predictions=told.get("p", ()),
    )
