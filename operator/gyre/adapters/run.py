"""The run contract (docs/run-contract.md, version 1), the operator's side: what the driver tells us and is told.

The driver is a program that users' code runs inside of: whatever it wrote is read with suspicion. Nothing here raises;
a field of the wrong type is as good as absent, text is clipped, numbers are finite.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite
from typing import Any, Final

from gyre.adapters.pods import moment
from gyre.api.terms import clip

RUN_KEY: Final = "run.json"
COMMAND_KEY: Final = "command.json"
PROGRESS_KEY: Final = "progress.json"
VERSION: Final = 1

ROWS: Final = ("starting", "productive", "checkpointSave", "checkpointRestore", "wasted", "recovering")
"""Rows of the driver's ledger; they sum to heartbeat − started."""
LONGEST_MESSAGE: Final = 1000
MOST_METRICS: Final = 32


@dataclass(frozen=True, slots=True)
class Checkpoint:
    name: str
    uri: str
    step: int
    time: datetime | None
    bytes: int
    digest: str
    verified: bool
    blocked_seconds: float


@dataclass(frozen=True, slots=True)
class Restore:
    name: str
    step: int
    ok: bool | None
    error: str


@dataclass(frozen=True, slots=True)
class Restart:
    """The worker group was started again inside the attempt. `key` (its `at`) tells one from another."""

    key: str
    cause: str
    message: str
    from_step: int
    to_step: int
    resumed: datetime | None
    seconds_lost: float


@dataclass(frozen=True, slots=True)
class Failure:
    cls: str
    message: str
    step: int


@dataclass(frozen=True, slots=True)
class Artifact:
    uri: str
    digest: str
    bytes: int
    files: int
    flavour: str


@dataclass(frozen=True, slots=True)
class Progress:
    """The newest word of the driver of one attempt."""

    attempt: int
    head_pod: str
    head_uid: str
    started: datetime | None
    heartbeat: datetime | None
    state: str
    step: int
    total_steps: int
    epoch: int
    steps_per_second: float
    latest: Mapping[str, float]
    best: Mapping[str, float]
    checkpoint: Checkpoint | None
    restore: Restore | None
    restarts: tuple[Restart, ...]
    restart_count: int
    ledger: Mapping[str, int]
    """Milliseconds by row."""
    failure: Failure | None
    artifact: Artifact | None
    evaluation: Mapping[str, Any] = field(default_factory=dict)
    lineage: Mapping[str, Any] = field(default_factory=dict)


def parse(text: str | None) -> Progress | None:
    """`progress.json`; None when it is absent, unreadable or of another version."""
    try:
        data = json.loads(text) if text else None
    except ValueError:
        return None
    if not isinstance(data, dict) or data.get("version") != VERSION:
        return None
    head, metrics = _object(data, "head"), _object(data, "metrics")
    ledger = _object(data, "ledger")
    return Progress(
        attempt=_int(data, "attempt"),
        head_pod=_text(head, "pod", 253),
        head_uid=_text(head, "uid", 64),
        started=moment(data.get("started")),
        heartbeat=moment(data.get("heartbeat")),
        state=_text(data, "state", 32),
        step=_int(data, "step"),
        total_steps=_int(data, "totalSteps"),
        epoch=_int(data, "epoch"),
        steps_per_second=_float(data, "stepsPerSecond"),
        latest=_metrics(metrics.get("latest")),
        best=_metrics(metrics.get("best")),
        checkpoint=_checkpoint(data.get("checkpoint")),
        restore=_restore(data.get("restore")),
        restarts=tuple(_restart(entry) for entry in _list(data, "restarts")[-10:] if isinstance(entry, dict)),
        restart_count=_int(data, "restartCount"),
        ledger={row: round(max(0.0, _float(ledger, row)) * 1000) for row in ROWS},
        failure=_failure(data.get("failure")),
        artifact=_artifact(data.get("artifact")),
        evaluation=_object(data, "evaluation"),
        lineage=_object(data, "lineage"),
    )


def _checkpoint(data: Any) -> Checkpoint | None:
    if not isinstance(data, dict) or not _text(data, "name", 253):
        return None
    return Checkpoint(
        name=_text(data, "name", 253),
        uri=_text(data, "uri", 1024),
        step=_int(data, "step"),
        time=moment(data.get("time")),
        bytes=_int(data, "bytes"),
        digest=_text(data, "digest", 71),
        verified=data.get("verified") is True,
        blocked_seconds=_float(data, "blockedSeconds"),
    )


def _restore(data: Any) -> Restore | None:
    if not isinstance(data, dict) or not _text(data, "name", 253):
        return None
    ok = data.get("ok")
    known = ok if isinstance(ok, bool) else None
    return Restore(_text(data, "name", 253), _int(data, "step"), known, _text(data, "error", LONGEST_MESSAGE))


def _restart(data: Mapping[str, Any]) -> Restart:
    return Restart(
        key=_text(data, "at", 40),
        cause=_text(data, "cause", 32),
        message=_text(data, "message", 256),
        from_step=_int(data, "fromStep"),
        to_step=_int(data, "toStep"),
        resumed=moment(data.get("resumedAt")),
        seconds_lost=_float(data, "secondsLost"),
    )


def _failure(data: Any) -> Failure | None:
    if not isinstance(data, dict):
        return None
    return Failure(_text(data, "class", 32) or "Framework", _tail(data, "message"), _int(data, "step"))


def _artifact(data: Any) -> Artifact | None:
    if not isinstance(data, dict) or not _text(data, "digest", 71).startswith("sha256:"):
        return None
    return Artifact(
        uri=_text(data, "uri", 1024),
        digest=_text(data, "digest", 71),
        bytes=_int(data, "bytes"),
        files=min(_int(data, "files"), 2**31 - 1),
        flavour=_text(data, "flavour", 63),
    )


def _object(data: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = data.get(key)
    return value if isinstance(value, dict) else {}


def _list(data: Mapping[str, Any], key: str) -> list[Any]:
    value = data.get(key)
    return value if isinstance(value, list) else []


def _text(data: Mapping[str, Any], key: str, limit: int) -> str:
    value = data.get(key)
    return clip(value, limit) if isinstance(value, str) else ""


def _tail(data: Mapping[str, Any], key: str) -> str:
    """The end of a text: of a traceback, the last lines say most."""
    value = data.get(key)
    return value[-LONGEST_MESSAGE:] if isinstance(value, str) else ""


def _float(data: Mapping[str, Any], key: str) -> float:
    value = data.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    number = float(value) if abs(value) < 1e300 else 0.0
    return number if isfinite(number) else 0.0


def _int(data: Mapping[str, Any], key: str) -> int:
    return min(max(0, int(_float(data, key))), 2**53)


def _metrics(data: Any) -> dict[str, float]:
    """By name, sorted, at most 32: what is not a finite number has no place in a status."""
    if not isinstance(data, dict):
        return {}
    names = sorted(name for name in data if isinstance(name, str) and len(name) <= 63)[:MOST_METRICS]
    return {name: _float(data, name) for name in names if is_number(data[name])}


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300
