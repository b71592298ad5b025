"""What may be asked of a collector: docs/prediction-log.md, "The collector".

Promises   2xx is answered only for what is durable; a body is held in memory only up to the limit; what is wrong is said, and
           does not keep what is right beside it from being taken.
Never      reads a body of somebody who does not show the token; tells what it is, or says more to a near miss.
"""

from __future__ import annotations

import asyncio
import hmac
import math
from collections.abc import Awaitable, Callable
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from gyre_log.collector import Collector
from gyre_log.events import EARLIEST, LATEST, Event, events, instant, parsed
from gyre_log.faults import Full, Refused, Unavailable
from gyre_log.halves import half, micros_of
from gyre_log.sampling import chosen

ROW_ID: Final = 140
"""Characters of a row's id: a request's, a dash and a number."""
MOST_LABELS: Final = 50_000
TOLD: Final = 3
"""Refusals that an answer names."""
UNKNOWN: Final = (
    "show the token of this log, `Authorization: Bearer <token>`: it is in the Secret of spec.log.tokenSecretRef, or else in "
    "<service>-log-token"
)
RETRY_AFTER: Final = {"retry-after": "5"}
AT_ONCE: Final = 8
"""Messages that are in memory at once: as many as the pod's memory has room for, at their largest."""
BODY_SECONDS: Final = 30.0
"""For a message to arrive whole."""


def application(collector: Collector, registry: CollectorRegistry) -> FastAPI:
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    limit, room = collector.settings.max_body_bytes, asyncio.Semaphore(AT_ONCE)
    expected = f"Bearer {collector.settings.token}".encode() if collector.settings.token else b""

    async def roomy(take: Callable[[Request], Awaitable[Response]], request: Request) -> Response:
        if expected and not hmac.compare_digest(request.headers.get("authorization", "").encode(), expected):
            collector.metrics.refused.labels("token").inc()
            return JSONResponse({"error": UNKNOWN}, 401, {"www-authenticate": "Bearer"})
        async with room:
            try:
                return await take(request)
            except Full as full:
                return JSONResponse({"error": str(full)}, 429, RETRY_AFTER)
            except Unavailable as unavailable:
                return JSONResponse({"error": str(unavailable)}, 503, RETRY_AFTER)

    async def take_events(request: Request) -> Response:
        return await roomy(its_events, request)

    async def take_labels(request: Request) -> Response:
        return await roomy(its_labels, request)

    async def its_events(request: Request) -> Response:
        try:
            content = await body(request, limit)
            found = events(request.headers.get("content-type", ""), request.headers, content, collector.clock())
        except Refused as refused:
            return refuse(collector, [refused], 1)
        right = [event for event in found if isinstance(event, Event)]
        wrong = [refused for refused in found if isinstance(refused, Refused)]
        wanted = [event for event in right if chosen(event.id, collector.settings.percent)]
        collector.metrics.events.labels("unsampled").inc(len(right) - len(wanted))
        records = [half(event, collector.settings.masking) for event in wanted]
        return await taken(collector, records, wrong, len(found))

    async def its_labels(request: Request) -> Response:
        try:
            given = parsed(await body(request, limit))
            if not isinstance(given, list) or len(given) > MOST_LABELS:
                raise Refused("label", f"expected a JSON list of at most {MOST_LABELS} {{id, label, time}}")
        except Refused as refused:
            return refuse(collector, [refused], 1)
        records, wrong = [], []
        for entry in given:
            try:
                records.append(label(entry, collector))
            except Refused as refused:
                wrong.append(refused)
        return await taken(collector, records, wrong, len(given))

    def status() -> dict[str, Any]:
        return {
            "service": collector.settings.service,
            "uri": collector.settings.uri,
            "masked": collector.settings.masking.mode,
            "logged": collector.counts["requests"],
            "rows": collector.counts["rows"],
            "labels": collector.counts["labels"],
            "duplicates": collector.duplicates,
            "lag": round(collector.lag(), 3),
            "waitingBytes": collector.waiting_bytes,
            "problem": collector.problem,
        }

    def page() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    app.add_api_route("/", take_events, methods=["POST"])  # where KServe's agent sends to
    app.add_api_route("/events", take_events, methods=["POST"])
    app.add_api_route("/labels", take_labels, methods=["POST"])
    app.add_api_route("/status", status, methods=["GET"])
    app.add_api_route("/metrics", page, methods=["GET"])
    app.add_api_route("/ready", lambda: {"ready": True}, methods=["GET"])
    return app


async def body(request: Request, limit: int) -> bytes:
    """Raises Refused when it is too large, Unavailable when it does not come: who sent it may have better luck again."""
    too_large = f"the body is larger than {limit} bytes: send fewer at once"
    if request.headers.get("content-length", "0").isdigit() and int(request.headers.get("content-length", "0")) > limit:
        raise Refused("size", too_large)
    parts, size = [], 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                parts.append(part)
                size += len(part)
                if size > limit:
                    raise Refused("size", too_large)
    except TimeoutError as error:
        raise Unavailable(f"the body did not arrive within {BODY_SECONDS:.0f} s") from error
    return b"".join(parts)


def label(entry: Any, collector: Collector) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise Refused("label", "expected {id, label, time}")
    row, value, now = entry.get("id"), entry.get("label"), collector.clock()
    if not isinstance(row, str) or not 0 < len(row) <= ROW_ID or not row.isprintable():
        raise Refused("label", "id: expected the id of a row, <request id>-<number of the row>")
    if not isinstance(value, (int, float)) or not math.isfinite(as_float(value)):
        raise Refused("label", "label: expected a finite number, true or false")
    time = instant(entry.get("time")) if "time" in entry else now
    if time is None or not now - EARLIEST <= time <= now + LATEST:
        raise Refused("time", "time: expected RFC 3339 with a zone, of the last 400 days")
    return {"k": "l", "id": row, "y": as_float(value), "t": micros_of(time)}


def as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


async def taken(collector: Collector, records: list[dict[str, Any]], wrong: list[Refused], given: int) -> Response:
    """Raises Unavailable."""
    if wrong and not records:
        return refuse(collector, wrong, given)
    known = await collector.take(records)
    count(collector, wrong)
    told = {"accepted": len(records) - known, "duplicates": known, "refused": len(wrong)}
    return JSONResponse({**told, **({"errors": said(wrong)} if wrong else {})}, 202)


def refuse(collector: Collector, wrong: list[Refused], given: int) -> Response:
    count(collector, wrong)
    code = (
        413
        if wrong[0].why == "size"
        else 415
        if given == 1 and wrong[0].args[0].startswith("expected application")
        else 400
    )
    return JSONResponse({"error": "; ".join(said(wrong)), "refused": len(wrong)}, code)


def count(collector: Collector, wrong: list[Refused]) -> None:
    collector.metrics.events.labels("refused").inc(len(wrong))
    for refused in wrong:
        collector.metrics.refused.labels(refused.why).inc()


def said(wrong: list[Refused]) -> list[str]:
    return [str(refused) for refused in wrong[:TOLD]]
