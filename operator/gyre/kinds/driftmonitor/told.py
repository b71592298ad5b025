"""What a DriftMonitor's status says: the newest window, its most suspect features, what it costs, what is wrong with it."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from gyre.api.fields import BigCount, Count, Digest, Name, Number, Time, clipped
from gyre.api.markers import ListType, MaxItems, MinLength
from gyre.api.schema import Schema, Status

MAX_WORST: Final = 5
MAX_HISTORY: Final = 20


class Finding(Schema):
    """One feature of the newest window."""

    feature: Annotated[str, *clipped(128)]
    """Its name; `prediction` is what the model answered."""
    statistic: Number
    """How far it is from the reference, in standard deviations of chance."""
    threshold: Number
    """What the greatest statistic exceeds by chance as often as was asked for."""
    effect: Number
    """The share of rows that has moved, beyond what chance moves."""


class Impact(Schema):
    """What it costs."""

    estimate: Number
    """By how much the metric is worse than when the version was evaluated, 0 to 1."""
    metric: Annotated[str, *clipped(63)]
    """The metric."""
    before: Number | None = None
    """What the version was evaluated at."""
    now: Number | None = None
    """What it is in the newest window."""
    basis: Annotated[str, *clipped(63)] | None = None
    """`Labels`: measured; `Calibrated`: estimated from the model's own probabilities, which labels have proven before."""


class DataBug(Schema):
    """What is wrong rather than different."""

    reason: Annotated[str, *clipped(63)]
    """SchemaBreak, ConstantFeature, NullRateJump, UnitChange or NewCategories."""
    feature: Annotated[str, *clipped(128)]
    """The feature."""
    message: Annotated[str, *clipped(300)]
    """What was seen, and where to look."""


class Window(Schema):
    """The newest window that was looked at."""

    from_: Annotated[Time, Field(alias="from")]
    """Its first moment."""
    to: Time
    """The first moment that is not in it any more."""
    rows: BigCount
    """Predictions in it."""
    judged: BigCount | None = None
    """How many of them were compared: a 20th of the reference at the most."""


class Labelled(Schema):
    """What labels have confirmed since the monitor began; objectives of type Accuracy count by it. It only grows."""

    seen: BigCount
    """Predictions whose label has come, in time or late."""
    wrong: BigCount
    """Of these, on the wrong side of one half."""


class Quality(Schema):
    """What labels say."""

    labels: BigCount
    """Labels that came in the newest window."""
    errors: BigCount | None = None
    """Of these, predictions on the wrong side of one half."""
    evidence: Number
    """The logarithm of the e-detector against "no more errors than usual"."""
    threshold: Number
    """Where it alarms."""


class Written(Schema):
    """The report on the newest window: HTML with its pictures inside."""

    uri: Annotated[str, *clipped(1024)]
    """Where it is; the pictures lie beside it as PNG."""
    digest: Digest
    """SHA-256 of it."""


class Past(Schema):
    """One window of the history."""

    to: Time
    """When it ended."""
    rows: BigCount
    """Predictions in it."""
    verdict: Annotated[str, *clipped(63)]
    """Drifted, AsReference, Immaterial, DataBug, NoTraffic, TooFewRows or NothingComparable."""
    worst: Annotated[str, *clipped(128)] | None = None
    """The most suspect feature."""


class DriftMonitorStatus(Status):
    """What the windows told."""

    drifted: bool | None = None
    """Whether the newest window has moved away from the reference; absent while that is not known."""
    since: Time | None = None
    """Begin of the first of the drifted windows in a row."""
    worst: Annotated[tuple[Finding, ...], ListType("atomic"), MaxItems(MAX_WORST)] = ()
    """Features of the newest judged window, the most suspect first."""
    impact: Impact | None = None
    """What it costs; absent while that is not known, and then condition ImpactKnown says why."""
    data_bug: DataBug | None = None
    """What is wrong with the data of the newest window, if anything."""
    quality: Quality | None = None
    """What labels say."""
    labels: Labelled | None = None
    """What labels have confirmed so far; absent where answers are no probabilities, or labels neither 0 nor 1."""
    window: Window | None = None
    """The newest window that was looked at."""
    windows_seen: Count | None = None
    """Windows that were looked at so far."""
    windows_skipped: Count | None = None
    """Windows that never were: too many at once, or failing again and again."""
    next_window: Time | None = None
    """When the next window will be judged."""
    report: Written | None = None
    """The report on the newest judged window."""
    history: Annotated[tuple[Past, ...], ListType("atomic"), MaxItems(MAX_HISTORY)] = ()
    """The newest windows, newest first."""
    failures: Count | None = None
    """How many times in a row a Job has failed."""
    job: Annotated[Name, MinLength(1)] | None = None
    """The Job that is running."""
