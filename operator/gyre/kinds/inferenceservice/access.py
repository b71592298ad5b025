"""The part of the spec that says who may call a service, and how often. Pure.

Secrets are named here and read by Envoy Gateway alone: nothing of gyre asks for their content. What the fields become is in
`protection.py`. Bounds are those of gateway.envoyproxy.io/v1alpha1 (envoyproxy/gateway `api/v1alpha1/jwt_types.go`, v1.7.0).
"""

from __future__ import annotations

from typing import Annotated, Final

from gyre.api.fields import Key, Positive, SecretRef, Subdomain
from gyre.api.markers import ListType, MaxItems, MaxLength, MinItems, MinLength, Pattern, Rule, exactly_one_of
from gyre.api.model import Schema
from gyre.api.terms import Term

JWKS_KEY: Final = "jwks"

HeaderName = Annotated[str, MaxLength(64), Pattern(r"^[A-Za-z0-9]([-_A-Za-z0-9]*[A-Za-z0-9])?$")]


class ApiKey(
    Schema,
    rules=(
        Rule(
            "has(self.secrets) && self.secrets.size() > 0",
            "name the Secrets that hold the keys, one Secret a client: its only entry is `<client>: <key>`",
            field_path=".secrets",
            reason="FieldValueRequired",
        ),
    ),
):
    """Callers send a key of their own in a header; the service hears who it was in `x-client-id`, never the key."""

    secrets: Annotated[tuple[SecretRef, ...], ListType("map", keys=("name",)), MaxItems(64)] = ()
    """Secrets in the same namespace, one a client, each with a single entry: the client's name and its key.

    Envoy Gateway reads only the first entry of a Secret: a second client in it is locked out without a word."""
    header: HeaderName = "x-api-key"
    """The header that holds the key."""


class JwksSource(Schema):
    """An entry of a ConfigMap in the same namespace."""

    name: Subdomain
    """The ConfigMap."""
    key: Key = JWKS_KEY
    """The entry with the JSON Web Key Set. It is read once a minute; keys that are not whole are left out."""


class Jwks(Schema, rules=(exactly_one_of("uri", "configMap"),)):
    """Where the public keys of the issuer are."""

    uri: (
        Annotated[
            str,
            MaxLength(253),
            Pattern(r"^https?://[^\s]+$"),
            Rule(
                "self.startsWith('https://') || self.matches('^http://[-.a-z0-9]+[.]svc([.]cluster[.]local)?(:[0-9]+)?(/|$)')",
                "use https://: keys fetched in the clear can be anybody's. A Service in the cluster may be asked over http://",
            ),
        ]
        | None
    ) = None
    """Address to fetch them from, every five minutes; of an https:// address the certificate is verified."""
    config_map: JwksSource | None = None
    """A ConfigMap with them."""


class Jwt(Schema):
    """Callers send a signed token (`Authorization: Bearer …`), such as the access token of an OAuth 2 client."""

    issuer: Annotated[
        str,
        MinLength(1),
        MaxLength(253),
        Rule(
            "!self.contains(':') || isURL(self)",
            "an issuer with a colon must be a whole URL, such as https://issuer.example",
        ),
        Rule(
            "self.contains(':') || !self.contains('@') || self.matches('^[^@ ]+@[^@ ]+$')",
            "an issuer with @ must be an e-mail address",
        ),
    ]
    """The token's `iss`."""
    audiences: Annotated[
        tuple[Annotated[str, MinLength(1), MaxLength(253)], ...], ListType("set"), MinItems(1), MaxItems(8)
    ]
    """The token's `aud` has one of these; without any, a token that the issuer gave for another service would do."""
    jwks: Jwks
    """Where the public keys of the issuer are."""


class Mtls(Schema):
    """Callers show a client certificate; the service gets a Gateway of its own, `<name>`, with an HTTPS listener on 443."""

    ca_secret: SecretRef
    """A Secret whose entry `ca.crt` holds the authorities that sign client certificates."""
    certificate_secret: SecretRef
    """A Secret of type kubernetes.io/tls with the certificate that the service shows."""


class Auth(Schema, rules=(exactly_one_of("apiKey", "jwt", "mtls"),)):
    """Who may call. Each way is proved by requests that must be refused: see the condition AccessVerified."""

    api_key: ApiKey | None = None
    """Whoever knows a key."""
    jwt: Jwt | None = None
    """Whoever has a token of an issuer."""
    mtls: Mtls | None = None
    """Whoever has a certificate of an authority."""


class Period(Term):
    """A stretch of time that requests are counted over."""

    SECOND = "Second", "refilled every second"
    MINUTE = "Minute", "refilled every minute"
    HOUR = "Hour", "refilled every hour"


class RateLimit(Schema):
    """How many requests are let through; the rest is answered with 429, before any version sees it.

    Callers that were refused do not count. Each Envoy pod counts for itself; under A/B so does each of the route's three rules.
    """

    requests: Positive
    """So many."""
    per: Period = Period.SECOND
    """In so long."""


__all__ = ["ApiKey", "Auth", "Jwks", "JwksSource", "Jwt", "Mtls", "Period", "RateLimit"]
