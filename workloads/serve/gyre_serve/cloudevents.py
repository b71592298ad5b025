"""Requests and responses as a batch of CloudEvents 1.0 (docs/serve-contract.md, "The prediction log"). Pure.

Types, and one id for both halves, are those of KServe's logger agent (kserve/kserve v0.20.0 `pkg/logger`), so that one collector
understands both. Our extensions: `gyrecode` and `gyreseconds` of a response, `gyrecategorical` of a request: the columns that are
categories, as a JSON list, whatever their values look like.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson

REQUEST: Final = "org.kubeflow.serving.inference.request"
RESPONSE: Final = "org.kubeflow.serving.inference.response"
BATCH: Final = "application/cloudevents-batch+json"
OVERHEAD: Final = 1024
"""Bytes of two events beside their bodies, roughly."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and what came of it, as the gate saw it; the bodies are the very objects that were received and sent."""

    id: str
    time: float  # when it was whole, seconds since 1970
    code: int
    seconds: float
    request: bytes | None  # None: it was refused unread
    response: tuple[bytes, ...]

    @property
    def size(self) -> int:
        return OVERHEAD + len(self.request or b"") + sum(map(len, self.response))


@dataclass(frozen=True, slots=True)
class Origin:
    """What all events of a process have in common."""

    model: str
    version: str
    host: str
    categorical: tuple[str, ...] = ()

    @property
    def attributes(self) -> dict[str, Any]:
        return {
            "specversion": "1.0",
            "source": f"gyre/{self.model}/{self.host}",
            "inferenceservicename": self.model,
            "component": "predictor",
            "endpoint": self.version,
            "datacontenttype": "application/json",
        }


def batch(origin: Origin, exchanges: Iterable[Exchange]) -> bytes:
    common, categorical = origin.attributes, orjson.dumps(origin.categorical).decode()
    events: list[dict[str, Any]] = []
    for exchange in exchanges:
        begun, ended = stamp(exchange.time), stamp(exchange.time + exchange.seconds)
        good = exchange.code == 200
        asked = {**common, "type": REQUEST, "id": exchange.id, "time": begun, "gyrecategorical": categorical}
        told = {**common, "type": RESPONSE, "id": exchange.id, "time": ended, "gyrecode": exchange.code}
        told["gyreseconds"] = f"{exchange.seconds:.6f}"
        if good and exchange.request:  # what was answered with 200 was parsed: it is JSON, and not parsed again
            asked["data"] = orjson.Fragment(exchange.request)
            told["data"] = orjson.Fragment(b"".join(exchange.response))
        elif exchange.request:
            asked["data_base64"] = base64.b64encode(exchange.request).decode()
        events += (asked, told)
    return orjson.dumps(events)


def stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
