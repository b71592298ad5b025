"""CloudEvents 1.0 over HTTP: structured, batched and binary; ours, and those of KServe's logger agent. Pure.

Promises   an event is either whole and sane or refused with the attribute that is not; times that no clock of a cluster can
           mean are replaced by that of arrival.
Never      trusts an id or a version: both come from outside, and one becomes a folder.

Sources: cloudevents/spec v1.0.2 `http-protocol-binding.md` and `json-format.md`; KServe's agent: kserve/kserve v0.20.0
`pkg/logger/worker.go` and `handler.go`. Its `id` is the caller's `Ce-Id` or chance; the request's own id is in `metadata`, a JSON
of the headers that `spec.predictor.logger.metadataHeaders` lists in Go's spelling.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import unquote

import orjson

from gyre_log.faults import Refused
from gyre_log.sampling import REQUEST_ID
from gyre_log.settings import NAME

REQUEST: Final = "org.kubeflow.serving.inference.request"
RESPONSE: Final = "org.kubeflow.serving.inference.response"
BATCH, STRUCTURED = "application/cloudevents-batch+json", "application/cloudevents+json"
HEADER: Final = "X-Request-Id"
MOST_EVENTS: Final = 10_000
EARLIEST: Final = timedelta(days=400)
LATEST: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Event:
    """One half of an exchange."""

    id: str
    version: str
    response: bool
    time: datetime
    body: bytes
    code: int | None = None  # of a response
    seconds: float | None = None  # of a response, where its sender has measured it
    categorical: frozenset[str] | None = None  # of a request, where its sender knows the schema


def events(content_type: str, headers: Mapping[str, str], body: bytes, now: datetime) -> list[Event | Refused]:
    """Each event of a message, or why it is none. Raises Refused where there is no telling events apart."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == BATCH:
        found = parsed(body)
        if not isinstance(found, list):
            raise Refused("json", "a batch is a JSON list of events")
        if len(found) > MOST_EVENTS:
            raise Refused("size", f"more than {MOST_EVENTS} events: send fewer at once")
        return [tried(entry, now) for entry in found]
    if kind == STRUCTURED:
        return [tried(parsed(body), now)]
    if "ce-id" in headers and "ce-type" in headers:
        attributes: dict[str, Any] = {
            name[3:]: unquote(value) for name, value in headers.items() if name.startswith("ce-")
        }
        return [tried({**attributes, "datacontenttype": content_type}, now, body)]
    raise Refused("type", f"expected {BATCH}, {STRUCTURED} or the headers of a binary CloudEvent, got {kind[:60]!r}")


def parsed(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refused("json", f"not JSON: {error}") from error


def tried(given: Any, now: datetime, body: bytes | None = None) -> Event | Refused:
    try:
        return event(given, now, body)
    except Refused as refused:
        return refused


def event(given: Any, now: datetime, body: bytes | None) -> Event:
    if not isinstance(given, dict) or given.get("specversion") != "1.0":
        raise Refused("event", "specversion: expected a CloudEvent of version 1.0")
    if not isinstance(given.get("source"), str) or not given["source"]:
        raise Refused("event", "source: expected text that is not empty")
    if given.get("type") not in (REQUEST, RESPONSE):
        raise Refused("type", f"type: expected {REQUEST} or {RESPONSE}")
    response = given["type"] == RESPONSE
    version = given.get("endpoint")
    if not isinstance(version, str) or not NAME.fullmatch(version):
        raise Refused(
            "version", "endpoint: expected the name of a ModelVersion; KServe takes it from the pod's label `endpoint`"
        )
    return Event(
        id=request_id(given),
        version=version,
        response=response,
        time=moment(given.get("time"), now),
        body=data(given) if body is None else body,
        code=code(given.get("gyrecode", 200)) if response else None,
        seconds=seconds(given.get("gyreseconds")) if response else None,
        categorical=names(given.get("gyrecategorical")) if not response else None,
    )


def request_id(given: Mapping[str, Any]) -> str:
    """The header that callers and gateways know a request by, where the agent has copied it; else the event's own id."""
    metadata = given.get("metadata")
    if isinstance(metadata, str):
        try:
            values = orjson.loads(metadata).get(HEADER)
        except (orjson.JSONDecodeError, AttributeError):
            values = None
        if isinstance(values, list) and values and isinstance(values[0], str) and REQUEST_ID.fullmatch(values[0]):
            return values[0]
    own = given.get("id")
    if not isinstance(own, str) or not REQUEST_ID.fullmatch(own):
        raise Refused("id", "id: expected 1 to 128 of A-Z a-z 0-9 . _ : - beginning with a letter or digit")
    return own


def moment(given: Any, now: datetime) -> datetime:
    """In UTC; a time that is missing, unreadable or impossible is that of arrival."""
    found = instant(given)
    return now if found is None or not now - EARLIEST <= found <= now + LATEST else found


NANOSECONDS: Final = re.compile(r"(\.\d{6})\d+")


def instant(given: Any) -> datetime | None:
    """RFC 3339 with a zone; Go writes nine digits of a second."""
    if not isinstance(given, str) or len(given) > 40:
        return None
    try:
        found = datetime.fromisoformat(NANOSECONDS.sub(r"\1", given))
        return found.astimezone(UTC) if found.tzinfo else None
    except (ValueError, OverflowError):
        return None


def data(given: Mapping[str, Any]) -> bytes:
    if "data_base64" in given:
        try:
            return base64.b64decode(given["data_base64"], validate=True)
        except (binascii.Error, ValueError, TypeError) as error:
            raise Refused("event", "data_base64: not base64") from error
    return orjson.dumps(given["data"]) if given.get("data") is not None else b""


def code(given: Any) -> int:
    try:
        found = int(given)
    except (ValueError, TypeError, OverflowError):
        found = 0
    if not 100 <= found <= 599:
        raise Refused("event", "gyrecode: expected an HTTP status")
    return found


def seconds(given: Any) -> float | None:
    try:
        found = float(given)
    except (ValueError, TypeError, OverflowError):
        return None
    return found if 0 <= found < 86_400 else None


def names(given: Any) -> frozenset[str] | None:
    try:
        found = orjson.loads(given)
    except (orjson.JSONDecodeError, TypeError):
        return None
    return frozenset(name for name in found if isinstance(name, str)) if isinstance(found, list) else None
