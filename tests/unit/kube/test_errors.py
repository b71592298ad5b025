"""What the API server's refusals are called here."""

from __future__ import annotations

import pytest

from gyre.kube import errors


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        (400, "BadRequest", errors.Rejected),
        (401, "Unauthorized", errors.Unavailable),
        (403, "Forbidden", errors.Rejected),
        (404, "NotFound", errors.NotFound),
        (409, "AlreadyExists", errors.AlreadyExists),
        (409, "Conflict", errors.Conflict),
        (410, "Expired", errors.Gone),
        (413, "RequestEntityTooLarge", errors.Rejected),
        (415, "UnsupportedMediaType", errors.Rejected),
        (422, "Invalid", errors.Rejected),
        (429, "TooManyRequests", errors.Unavailable),
        (500, "InternalError", errors.Unavailable),
        (503, "ServiceUnavailable", errors.Unavailable),
        (504, "Timeout", errors.Unavailable),
    ],
)
def test_each_answer_has_its_class(status: int, reason: str, kind: type[errors.ApiError]) -> None:
    problem = errors.from_answer(status, {"reason": reason, "message": "m"})
    assert type(problem) is kind
    assert (problem.status, problem.reason, problem.message) == (status, reason, "m")


def test_an_answer_that_is_no_status_is_kept_as_text() -> None:
    assert errors.from_answer(502, "<html>" + "x" * 1000).message == ("<html>" + "x" * 1000)[:500]


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), (None, None), ("Wed, 21 Oct 2026 07:28:00 GMT", None)])
def test_retry_after_is_read_in_seconds(header: str | None, seconds: float | None) -> None:
    assert errors.from_answer(429, {}, header).retry_after == seconds
