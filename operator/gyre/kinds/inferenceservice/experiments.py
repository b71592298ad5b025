"""The part of the spec that compares versions: A/B with sticky callers, and a shadow that nobody hears. Pure.

How callers come to their arm is in `splitting.py`.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Final

from gyre.api.fields import BigCount, Name, clipped
from gyre.api.markers import Between, MaxLength, Pattern, Rule
from gyre.api.model import Schema
from gyre.api.terms import Term

SIXTEENTHS: Final = 16

RESERVED: Final = ("authorization", "connection", "content-length", "content-type", "cookie", "host", "te", "upgrade")


class AssignedBy(Term):
    """What makes a caller come to the same arm every time."""

    COOKIE = "Cookie", "a cookie that the gateway sets at the first answer; for browsers and clients that keep cookies"
    HEADER = "Header", "the last hexadecimal digit of a header that callers send, such as the hash or UUID of a user"


class Metric(Term):
    """What the arms are compared by."""

    ERROR_RATE = "ErrorRate", "share of the requests that are answered with 5xx"
    LATENCY = "Latency", "share of the answers that are slower than the usual ones of arm A"


class Ab(
    Schema,
    rules=(
        Rule(
            f"self.by != 'Header' || !(self.name.lowerAscii() in {list(RESERVED)!r})",
            "name a header that identifies the caller, such as x-user-id: this one means something else",
            field_path=".name",
            reason="FieldValueForbidden",
        ),
    ),
):
    """Two versions side by side, each caller with the same one every time: arm A is the stable version, arm B this one."""

    version: Name
    """The ModelVersion of arm B."""
    by: AssignedBy = AssignedBy.COOKIE
    """What makes a caller come to the same arm every time."""
    name: Annotated[str, MaxLength(63), Pattern(r"^[A-Za-z0-9]([-_A-Za-z0-9]*[A-Za-z0-9])?$")] = "gyre-arm"
    """The name of the cookie or header."""
    split: Annotated[int, Between(1, 99)] = 50
    """Percent of the callers that come to arm B. By Header it is rounded to sixteenths: 50 is exact, 10 becomes 12.5."""
    metric: Metric = Metric.ERROR_RATE
    """What the arms are compared by."""

    @property
    def share(self) -> Fraction:
        """Of arm B, exactly as the route gives it."""
        return Fraction(self.split, 100) if self.by is AssignedBy.COOKIE else Fraction(self.sixteenths, SIXTEENTHS)

    @property
    def sixteenths(self) -> int:
        """Of the last hexadecimal digits, how many come to arm B: the nearest to `split`, but never none and never all."""
        nearest = (2 * SIXTEENTHS * self.split + 100) // 200
        return min(max(nearest, 1), SIXTEENTHS - 1)


class Shadow(Schema):
    """A version that gets copies of requests; its answers reach nobody and count for nothing."""

    version: Name
    """The ModelVersion."""
    percent: Annotated[int, Between(1, 100)] = 100
    """Share of the requests that are copied."""


class ArmCounts(Schema):
    """What one arm has answered since the comparison began."""

    version: Name | None = None
    """Its ModelVersion."""
    requests: BigCount = 0
    """Answered requests, refused ones left out."""
    errors: BigCount = 0
    """Of them, those answered with 5xx."""


class Winner(Term):
    """How the comparison stands."""

    UNDECIDED = "Undecided", "the evidence does not tell the arms apart"
    A = "A", "arm A is better"
    B = "B", "arm B is better"


class AbReport(Schema):
    """What the comparison of the arms has found."""

    a: ArmCounts = ArmCounts()
    """Arm A: the stable version."""
    b: ArmCounts = ArmCounts()
    """Arm B."""
    evidence: Annotated[str, *clipped(128)] = ""
    """As people read it: `A better 0.2/20 B better 13/20`."""
    winner: Winner = Winner.UNDECIDED
    """How the comparison stands; nothing is switched by it."""


__all__ = ["Ab", "AbReport", "ArmCounts", "AssignedBy", "Metric", "Shadow", "Winner"]
