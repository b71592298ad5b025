"""What the API server can answer instead of doing what was asked, in the words the engine acts on.

| class | HTTP | the engine |
|---|---|---|
| `NotFound` | 404 | the object is gone; for a write, its namespace or kind is |
| `AlreadyExists` | 409 AlreadyExists | somebody was first; ours or a stranger's? |
| `Conflict` | 409 | our view was stale: look again, soon |
| `Rejected` | 400, 403, 413, 415, 422 | the request itself is wrong or forbidden: say so on the object, back off |
| `Gone` | 410 | a list token expired: list again |
| `Unavailable` | 429, 5xx, no answer | back off; nothing is said about the object |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ApiError(Exception):
    """Any answer but success. `status` is the HTTP code (0 when there was no answer), `message` the server's own words."""

    def __init__(self, status: int, reason: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after


class NotFound(ApiError): ...


class AlreadyExists(ApiError): ...


class Conflict(ApiError): ...


class Rejected(ApiError): ...


class Gone(ApiError): ...


class Unavailable(ApiError): ...


_BY_STATUS: Mapping[int, type[ApiError]] = {
    400: Rejected,
    403: Rejected,
    404: NotFound,
    409: Conflict,
    410: Gone,
    413: Rejected,
    415: Rejected,
    422: Rejected,
}


def from_answer(status: int, body: Any, retry_after: str | None = None) -> ApiError:
    """The error for an answer that was not a success. `body` is the decoded `Status` object, or the raw text."""
    answer = body if isinstance(body, Mapping) else {"message": str(body)[:500]}
    reason, message = str(answer.get("reason", "")), str(answer.get("message", ""))
    kind = AlreadyExists if reason == "AlreadyExists" else _BY_STATUS.get(status, Unavailable)
    seconds = float(retry_after) if retry_after and retry_after.isdigit() else None
    return kind(status, reason or str(status), message, seconds)
