"""`spec.log`: which requests and answers are kept, where, for how long, and what of them. Pure."""

from __future__ import annotations

from typing import Annotated, Final

from gyre.api.fields import Duration, Image, Percent, SecretKeyRef, Subdomain
from gyre.api.markers import ListType, MaxItems, MaxLength, Pattern, Rule, Span
from gyre.api.model import Schema
from gyre.api.terms import Term
from gyre.kinds.inferenceservice.parts import Bucket

PLACE: Final = r"^(pvc://[a-z0-9]([-.a-z0-9]*[a-z0-9])?|s3://[a-z0-9][-.a-z0-9]*[a-z0-9])(/[-._a-zA-Z0-9=]+)*$"
Feature = Annotated[str, MaxLength(256), Pattern(r"^[^\r\n]+$")]


class Masking(Term):
    """What of a request is kept."""

    NONE = "None", "everything"
    HASH = "Hash", "a keyed hash of each value: equal ones stay equal, and nobody without the key finds a value"
    MASKED = "Masked", "features are left out"
    FULL = "Full", "version, code, time and latency alone; bodies are not even parsed"


class MaskingPolicy(
    Schema,
    rules=(
        Rule(
            "!has(self.mode) || self.mode != 'Hash' || has(self.keySecretRef)",
            "name the Secret and key with the hash's salt, 16 characters at least, or choose another mode",
            field_path=".keySecretRef",
            reason="FieldValueRequired",
        ),
        Rule(
            "(has(self.mode) && self.mode == 'Hash') || !has(self.keySecretRef)",
            "leave keySecretRef out, or set mode to Hash",
            field_path=".keySecretRef",
            reason="FieldValueForbidden",
        ),
        Rule(
            "(has(self.mode) && self.mode in ['Hash', 'Masked']) || !has(self.features)",
            "leave features out, or set mode to Hash or Masked",
            field_path=".features",
            reason="FieldValueForbidden",
        ),
    ),
):
    """What of a request is kept; applied before anything is on a disk.

    `has(self.mode)`: the API server holds the default `{}` against these rules, before it fills in the mode.
    """

    mode: Masking = Masking.NONE
    """How."""
    features: Annotated[tuple[Feature, ...], ListType("set"), MaxItems(256)] = ()
    """Which features, with Hash and Masked; all of them when left out."""
    key_secret_ref: SecretKeyRef | None = None
    """The key of the hash, with Hash."""


class LogAuth(Term):
    """Who may send events and labels."""

    TOKEN = "Token", "who sends the token of a Secret: `Authorization: Bearer …`"
    NONE = "None", "everybody who reaches the collector: keep others out with a NetworkPolicy"


class PredictionLog(
    Schema,
    rules=(
        Rule(
            "!has(self.tokenSecretRef) || !has(self.auth) || self.auth == 'Token'",
            "leave tokenSecretRef out, or set auth to Token",
            field_path=".tokenSecretRef",
            reason="FieldValueForbidden",
        ),
        Rule(
            "self.uri.startsWith('s3://') || !(has(self.s3) || has(self.journalClaim))",
            "s3 and journalClaim are for a log in a bucket: leave them out, or give a uri s3://bucket/prefix",
            field_path=".uri",
            reason="FieldValueInvalid",
        ),
    ),
):
    """Which requests and answers are kept, as Parquet by version and hour (docs/prediction-log.md)."""

    percent: Percent = 100
    """Share of the requests, chosen by their ids."""
    uri: Annotated[
        str,
        MaxLength(512),
        Rule(f"self.matches(r'{PLACE}')", "write pvc://claim/path or s3://bucket/prefix"),
        Rule("!self.matches('(^|/)[.][.]?(/|$)')", "must stay below its root: leave out `.` and `..`"),
    ]
    """Where the log lies: `pvc://claim/path` or `s3://bucket/prefix`; other services may share it."""
    s3: Bucket | None = None
    """How to reach a bucket."""
    masking: MaskingPolicy = MaskingPolicy()
    """What of a request is kept."""
    auth: LogAuth = LogAuth.TOKEN
    """Who may send events and labels. KServe's agent cannot send a token: a runtime that is not gyre's needs None."""
    token_secret_ref: SecretKeyRef | None = None
    """With auth Token: a token of your own, 16 characters at least. Left out, gyre makes Secret <name>-log-token, key `token`."""
    retention: Annotated[Duration, Span("1d", "3650d")] | None = None
    """What is older than so many whole days goes; nothing ever when left out."""
    journal_claim: Subdomain | None = None
    """A claim for what waits to be written to a bucket; without it, that is lost when the collector's node is."""
    image: Image | None = None
    """Image with `gyre_log`; that of runtime.gyre when left out."""
