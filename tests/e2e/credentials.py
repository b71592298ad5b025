"""Credentials that a test makes for itself: certificates of an authority, tokens of an issuer, and callers who show them."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

ISSUER = "https://issuer.example"
AUDIENCE = "flights"
KEY_ID = "one"
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


# ── certificates ──────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Certified:
    """A certificate with its key, as PEM."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def certificate_pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        pkcs8, open_text = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        return self.key.private_bytes(serialization.Encoding.PEM, pkcs8, open_text).decode()


def authority(name: str) -> Certified:
    key = ec.generate_private_key(ec.SECP256R1())
    usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
    builder = _certificate(name, name, key, expires=10 * DAY)
    builder = builder.add_extension(x509.BasicConstraints(True, None), critical=True).add_extension(
        usage, critical=True
    )
    return Certified(builder.sign(key, hashes.SHA256()), key)


def certified(name: str, by: Certified, *, host: str = "", expires: timedelta = DAY) -> Certified:
    """By that authority; `expires` before now is a certificate that was good until then."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = by.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    builder = _certificate(name, str(issuer), key, expires=expires)
    if host:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    return Certified(builder.sign(by.key, hashes.SHA256()), key)


def _certificate(
    subject: str, issuer: str, key: ec.EllipticCurvePrivateKey, *, expires: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    named = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in (subject, issuer)]
    return (
        x509.CertificateBuilder()
        .subject_name(named[0])
        .issuer_name(named[1])
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 2 * DAY)
        .not_valid_after(now + expires)
    )


def status_over_tls(
    address: str, host: str, path: str, *, trust: Certified, shows: Certified | None, folder: Path
) -> int | str:
    """The status of a GET by a client that shows this certificate, or how its connection failed."""
    context = ssl.create_default_context(cadata=trust.certificate_pem)
    if shows is not None:
        (folder / "client.pem").write_text(shows.certificate_pem + shows.key_pem)
        context.load_cert_chain(folder / "client.pem")
    try:
        with (
            socket.create_connection((address, 443), timeout=5) as raw,
            context.wrap_socket(raw, server_hostname=host) as tls,
        ):
            connection = http.client.HTTPSConnection(host)
            connection.sock = tls
            connection.request("GET", path)
            return connection.getresponse().status
    except (ssl.SSLError, ConnectionError, http.client.HTTPException) as refused:
        return f"{type(refused).__name__}: {refused}"


# ── tokens ────────────────────────────────────────────────────────────────────────────────────────────────────────────


class Issuer:
    """Whoever signs tokens, with a key of its own."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(65537, 2048)

    def keys(self) -> str:
        """The JSON Web Key Set."""
        public: dict[str, Any] = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key()))
        return json.dumps({"keys": [{**public, "kid": KEY_ID, "use": "sig", "alg": "RS256"}]})

    def token(self, *, issuer: str = ISSUER, audience: str = AUDIENCE, expires: timedelta = HOUR) -> str:
        claims = {"iss": issuer, "aud": audience, "sub": "a-caller", "exp": datetime.now(UTC) + expires}
        return jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": KEY_ID})
