"""The part of the spec that says how a new version comes to its traffic: steps, guarantees, limits. Pure."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Final

from gyre.api.fields import Duration, Fraction, Number
from gyre.api.markers import Between, ListType, MaxItems, MinItems, Rule, Span, at_most_one_of
from gyre.api.model import Schema
from gyre.api.terms import Term

STEPS: Final = (10, 25, 50)
"""Percent, when the spec says neither steps nor maxBadRequests."""

Risk = Annotated[
    Fraction, Rule("double(self) > 0.0 && double(self) <= 0.5", "state a probability above 0 and at most 0.5")
]
Ratio = Annotated[
    Number, Rule("double(self) > 1.0 && double(self) <= 100.0", "state a ratio above 1 and at most 100, such as 1.5")
]


class Margins(Schema):
    """How much worse than the stable version is too bad to be promoted."""

    error_rate: Ratio = Decimal("2")
    """Ratio of the error rates."""
    latency: Ratio = Decimal("1.5")
    """Ratio of the rates at which answers are slower than the stable version's usual. A candidate is rolled back for its latency
    only when it is proved to be beyond the square root of it."""
    error_floor: Annotated[Fraction, Rule("double(self) < 0.5", "state an error rate below 0.5; 0 for no floor")] = (
        Decimal("0.01")
    )
    """Below this error rate nobody minds, whatever the ratio; "0" for no floor."""
    latency_floor: Annotated[Duration, Span("0s", "1h")] = timedelta(milliseconds=10)
    """An answer within it is not slow, however fast the stable version's are; 0s for no floor. It is fixed for a rollout at its
    first look: a later change is for the next one."""


class OnInconclusive(Term):
    """What to do when the deadline finds the evidence undecided."""

    HOLD = "Hold", "the weights stay, and the evidence goes on growing"
    ROLLBACK = "Rollback", "back to the stable version; the digest is quarantined"
    PROMOTE = "Promote", "promoted, unless its metrics are gone or its weights are not honoured"


class OnNewer(Term):
    """What to do when another version is asked for in mid-rollout."""

    REPLACE = "Replace", "the candidate is dropped, the newer one begins at the first step"
    WAIT = "Wait", "the candidate is judged to the end first"


class ExpectedTraffic(Schema):
    """For the warning at admission only: whether the rollout can be decided within its deadline."""

    requests_per_second: Annotated[Number, Rule("double(self) > 0.0", "state a rate above zero, such as 2 or 0.5")]
    """Requests to the service, stable and candidate together."""
    error_rate: Annotated[Fraction, Rule("double(self) > 0.0", "state an error rate above zero, such as 0.005")] = (
        Decimal("0.005")
    )
    """Share of them that fail with the stable version."""


class RolloutPolicy(
    Schema,
    rules=(
        at_most_one_of("steps", "maxBadRequests"),
        Rule(
            # The API server asks it of the empty default, too, before it has filled in the defaults below that.
            "!has(self.interval) || !has(self.deadline) || self.interval <= self.deadline",
            "make the deadline longer than the interval between two looks",
            field_path=".deadline",
        ),
    ),
):
    """How a new version comes to its traffic."""

    steps: Annotated[
        tuple[Annotated[int, Between(1, 99)], ...],
        ListType("atomic"),
        MinItems(1),
        MaxItems(20),
        Rule(
            "self.isSorted() && self.all(x, self.exists_one(y, y == x))",
            "let each step be greater than the one before it, such as [10, 25, 50]",
        ),
    ] = ()
    """Share of the candidate at each step, in percent. [10, 25, 50] when neither this nor maxBadRequests is given."""
    max_bad_requests: Annotated[int, Between(1, 10**9)] | None = None
    """Choose the shares so that a bad candidate is expected to fail no more than so many requests; instead of steps."""
    interval: Annotated[Duration, Span("1s", "1h")] = timedelta(seconds=10)
    """Time between two looks at the metrics; a step takes one at least."""
    min_requests: Annotated[int, Between(1, 10**6)] = 50
    """Requests to the candidate that a step takes at least."""
    alpha: Risk = Decimal("0.05")
    """Probability, at the most, that a candidate no worse than the stable version is rolled back by its metrics."""
    beta: Risk = Decimal("0.05")
    """Probability, at the most, that a candidate as bad as the margins is promoted."""
    margins: Margins = Margins()
    """How much worse is too bad."""
    ready_within: Annotated[Duration, Span("10s", "1d")] = timedelta(minutes=10)
    """A candidate that is not ready by then is rolled back."""
    deadline: Annotated[Duration, Span("1m", "30d")] = timedelta(hours=1)
    """For the whole rollout; then onInconclusive."""
    on_inconclusive: OnInconclusive = OnInconclusive.HOLD
    """What to do when the deadline finds the evidence undecided."""
    on_newer: OnNewer = OnNewer.REPLACE
    """What to do when another version is asked for in mid-rollout."""
    expected_traffic: ExpectedTraffic | None = None
    """For the warning at admission only."""

    @property
    def weights(self) -> tuple[int, ...]:
        """Percent, one a step."""
        return self.steps or STEPS
