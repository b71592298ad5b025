"""Field types that our kinds share: each one is a bounded schema, a Python value and nothing else.

Promises   every string here has a length or a pattern, every number has bounds; what the API server lets through
           parses, and what is written back is what it would have let through.
Never      a float (decimal strings instead), a bare boolean (a `Term` instead), a reference into another namespace
           unless its name says so.

    type            Python            YAML
    Name            str               training-run          RFC 1123 label, ≤ 63
    Subdomain       str               a.b.example.com       RFC 1123 subdomain, ≤ 253
    Duration        timedelta         1h30m, 2d             see durations.py; PositiveDuration refuses 0s
    Time            datetime (UTC)    2026-11-23T08:00:00Z  whole seconds
    Quantity        str               500m, 2Gi, 4          parse with quantities.parse_quantity
    Fraction        Decimal           "0.95"                0 to 1
    Number          Decimal           "-1.5", "2e-05"       any finite number: metrics, thresholds
    Amount, Money   Decimal, model    {amount: "12.50", currency: EUR}
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, PlainSerializer, WithJsonSchema

from gyre.api import durations, quantities
from gyre.api.markers import EXACT, Between, MaxLength, MaxProperties, Pattern, Rule
from gyre.api.model import Schema
from gyre.api.terms import Term, clip

# Names and text ---------------------------------------------------------------------------------------------------

LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
SUBDOMAIN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"

Name = Annotated[str, MaxLength(63), Pattern(LABEL)]
Subdomain = Annotated[str, MaxLength(253), Pattern(SUBDOMAIN)]
Key = Annotated[str, MaxLength(253), Pattern(r"^[-._a-zA-Z0-9]+$")]
"""A key of a Secret's or ConfigMap's data."""
LabelName = Annotated[str, MaxLength(317), Pattern(r"^([-.a-z0-9]+/)?[A-Za-z0-9]([-._A-Za-z0-9]*[A-Za-z0-9])?$")]
"""The key of a label, with its optional prefix."""
LabelValue = Annotated[str, MaxLength(63), Pattern(r"^([A-Za-z0-9]([-._A-Za-z0-9]*[A-Za-z0-9])?)?$")]
Labels = Annotated[dict[str, LabelValue], MaxProperties(64)]
Word = Annotated[str, MaxLength(63), Pattern(r"^[A-Za-z0-9]([-._A-Za-z0-9]*[A-Za-z0-9])?$")]
"""A short identifier that is nobody's object: a metric, a column, a stage."""
Digest = Annotated[str, MaxLength(71), Pattern(r"^sha256:[0-9a-f]{64}$")]
Image = Annotated[str, MaxLength(512), Pattern(r"^[a-z0-9][-a-z0-9._/:]*(:[-A-Za-z0-9._]+)?(@sha256:[0-9a-f]{64})?$")]
Uri = Annotated[str, MaxLength(1024), Pattern(r"^[a-z][-+.a-z0-9]*://[^\s]+$")]
"""An address with its scheme: `s3://bucket/path`, `pvc://claim/path`, `https://…`."""
Line = Annotated[str, MaxLength(256)]
"""One line of text for people."""
Text = Annotated[str, MaxLength(1024)]
"""A short paragraph for people."""


def clipped(limit: int) -> Any:
    """`Annotated[str, *clipped(256)]`: text that we write and others cause; too long is cut (`…`), never an error."""
    return BeforeValidator(lambda text: clip(text, limit) if isinstance(text, str) else text), MaxLength(limit)


Message = Annotated[str, *clipped(1024)]
"""What a condition or a failure says; cut to 1024 characters."""

# Numbers ----------------------------------------------------------------------------------------------------------

Count = Annotated[int, Between(0, 2**31 - 1)]
Positive = Annotated[int, Between(1, 2**31 - 1)]
BigCount = Annotated[int, Between(0, EXACT)]
"""Bytes, rows, steps: anything that may pass two thousand million."""
Port = Annotated[int, Between(1, 65535)]
Percent = Annotated[int, Between(0, 100)]


def _exact(value: Any) -> Any:
    """A float's shortest text is what its author meant: 0.1, not 0.1000000000000000055."""
    return repr(value) if isinstance(value, float) else value


def _plain(value: Decimal) -> str:
    return format(value, "f") if value == 0 or -9 <= value.adjusted() <= 18 else f"{value.normalize():e}"


def _decimal(pattern: str, length: int) -> Any:
    schema = {"type": "string", "pattern": pattern, "maxLength": length}
    return BeforeValidator(_exact), PlainSerializer(_plain, when_used="json"), WithJsonSchema(schema)


Fraction = Annotated[Decimal, *_decimal(r"^(0(\.[0-9]{1,12})?|1(\.0{1,12})?)$", 14)]
Number = Annotated[Decimal, *_decimal(r"^-?[0-9]{1,19}(\.[0-9]{1,18})?([eE][-+]?[0-9]{1,3})?$", 44)]
Target = Annotated[Decimal, *_decimal(r"^[1-9][0-9]?(\.[0-9]{1,4})?$", 7)]
"""Percent of events that should be good: "99.5"; below 100, since a budget of nothing is spent by the first mishap."""
Amount = Annotated[Decimal, *_decimal(r"^[0-9]{1,12}(\.[0-9]{1,6})?$", 19)]
Currency = Annotated[str, MaxLength(3), Pattern(r"^[A-Z]{3}$")]


class Money(Schema):
    """An amount of money in one currency."""

    amount: Amount
    """Decimal, as a string: "12.50"."""
    currency: Currency
    """ISO 4217 code, such as EUR or USD."""


def _readable_quantity(text: str) -> str:
    quantities.parse_quantity(text)
    return text


Quantity = Annotated[
    str,
    BeforeValidator(lambda value: str(value) if isinstance(value, int) else value),
    AfterValidator(_readable_quantity),
    WithJsonSchema(
        {
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "x-kubernetes-int-or-string": True,
            "pattern": quantities.PATTERN,
            "maxLength": 32,
        }
    ),
    Rule(
        "isQuantity(string(self)) && !quantity(string(self)).isLessThan(quantity('0'))",
        "write an amount like 500m, 2 or 2Gi; it cannot be negative",
    ),
]

IntOrString = Annotated[
    int | str,
    WithJsonSchema(
        {
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "x-kubernetes-int-or-string": True,
            "maxLength": 63,
        }
    ),
]
"""A port by number or name; `2` or `"25%"`."""

# Time -------------------------------------------------------------------------------------------------------------


def _whole_seconds(value: datetime) -> datetime:
    return value.astimezone(UTC).replace(microsecond=0)


Time = Annotated[
    AwareDatetime,
    AfterValidator(_whole_seconds),
    PlainSerializer(lambda time: time.strftime("%Y-%m-%dT%H:%M:%SZ"), when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]

Duration = Annotated[
    timedelta,
    BeforeValidator(lambda value: durations.parse_duration(value) if isinstance(value, str) else value),
    PlainSerializer(durations.format_duration, when_used="json"),
    WithJsonSchema({"type": "string", "format": "duration", "pattern": durations.PATTERN, "minLength": 2}),
]

PositiveDuration = Annotated[Duration, Rule("self > duration('0s')", "must be longer than zero")]

# Words ------------------------------------------------------------------------------------------------------------


class Enforcement(Term):
    """Whether a rule acts or rehearses."""

    AUDIT = "Audit", "only reports what it would do"
    ENFORCE = "Enforce", "does it"


class Switch(Term):
    """Whether a feature is used; an enum, so that a third way can be added."""

    ENABLED = "Enabled", "in use"
    DISABLED = "Disabled", "not in use"


# References -------------------------------------------------------------------------------------------------------


class LocalRef(Schema):
    """An object of a known kind in the same namespace, or a cluster-scoped one."""

    name: Subdomain
    """Its name."""


class NamespacedRef(Schema):
    """An object of a known kind in a stated namespace."""

    namespace: Name
    """Its namespace."""
    name: Subdomain
    """Its name."""


class SecretRef(Schema):
    """A Secret in the same namespace. Its content never enters a status, an Event, a log or a child's spec."""

    name: Subdomain
    """Its name."""


class SecretKeyRef(Schema):
    """One key of a Secret in the same namespace."""

    name: Subdomain
    """The name of the Secret."""
    key: Key
    """The key in its data."""


class ConfigMapKeyRef(Schema):
    """One key of a ConfigMap in the same namespace."""

    name: Subdomain
    """The name of the ConfigMap."""
    key: Key
    """The key in its data."""
