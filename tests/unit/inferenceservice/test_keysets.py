"""Which keys reach the gateway: Envoy refuses a whole listener for a set that it cannot read, and its doors stay open."""

from __future__ import annotations

import base64
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import example, given
from hypothesis import strategies as st

from gyre.kinds.inferenceservice.access import JwksSource
from gyre.kinds.inferenceservice.keysets import Keys, keys_of

SOURCE = JwksSource(name="keys")


def read(text: str, source: JwksSource = SOURCE) -> Keys:
    return keys_of({"metadata": {"name": "keys"}, "data": {"jwks": text}}, source, "team-a")


def jwks(*keys: Any) -> str:
    return json.dumps({"keys": list(keys)})


def taken(text: str) -> list[dict[str, str]]:
    found = read(text)
    assert not found.problem, found.problem
    keys: list[dict[str, str]] = json.loads(found.text)["keys"]
    return keys


def as_jwk(key: Any) -> dict[str, Any]:
    algorithm = {
        rsa.RSAPublicKey: jwt.algorithms.RSAAlgorithm,
        ec.EllipticCurvePublicKey: jwt.algorithms.ECAlgorithm,
        ed25519.Ed25519PublicKey: jwt.algorithms.OKPAlgorithm,
    }
    to_jwk = next(found for kind, found in algorithm.items() if isinstance(key, kind)).to_jwk
    found: dict[str, Any] = json.loads(to_jwk(key))
    return found


RSA = as_jwk(rsa.generate_private_key(65537, 2048).public_key())
CURVES = {
    curve.name: as_jwk(ec.generate_private_key(curve).public_key())
    for curve in (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1())
}
P256 = CURVES["secp256r1"]
ED25519 = as_jwk(ed25519.Ed25519PrivateKey.generate().public_key())
GOOD = {"RSA": RSA, "Ed25519": ED25519, **CURVES}


@pytest.mark.parametrize("name", GOOD)
def test_a_public_key_as_issuers_publish_it_is_taken(name: str):
    named = {**GOOD[name], "kid": "one", "use": "sig"}
    (key,) = taken(jwks(named))
    assert key["kid"] == "one"
    assert key["kty"] == GOOD[name]["kty"]


def test_of_a_key_only_what_means_something_is_handed_on():
    (key,) = taken(jwks({**RSA, "kid": "one", "alg": "RS256", "x5c": ["…"], "d": "a private part"}))
    assert key == {"kty": "RSA", "kid": "one", "alg": "RS256", "n": RSA["n"], "e": RSA["e"]}


def test_broken_keys_are_left_out_and_whole_ones_stay():
    assert [key["kid"] for key in taken(jwks({"kty": "RSA"}, {**RSA, "kid": "two"}, "no key"))] == ["two"]


def test_the_same_keys_in_another_order_of_members_are_the_same_text():
    """Or a settled service would write its policy again and again."""
    assert read(jwks(RSA)).text == read(jwks(dict(reversed(RSA.items())))).text


def number(value: int, size: int = 0) -> str:
    raw = value.to_bytes(size or (value.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


BROKEN: dict[str, Any] = {
    "no JSON": "garbage",
    "a PEM": "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
    "a file that was cut off": jwks(RSA)[:-5],
    "an empty set": jwks(),
    "a bare key": json.dumps(RSA),
    "a list": json.dumps([RSA]),
    "keys that are no list": json.dumps({"keys": RSA}),
    "nothing": "",
    "nested without end": "[" * 100_000,
    "a kind that nobody knows": jwks({"kty": "what"}),
    "a symmetric key": jwks({"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"}),
    "RSA without its modulus": jwks({"kty": "RSA", "e": "AQAB"}),
    "RSA that is no base64": jwks({**RSA, "n": "!!!"}),
    "RSA with padding": jwks({**RSA, "n": RSA["n"] + "=="}),
    "RSA that is too short": jwks({**RSA, "n": number(2**1023 + 1)}),
    "RSA that is too long": jwks({**RSA, "n": number(2**9000 + 1)}),
    "RSA that is even": jwks({**RSA, "n": number(2**2047)}),
    "RSA with an exponent of one": jwks({**RSA, "e": number(1)}),
    "RSA for encryption": jwks({**RSA, "use": "enc"}),
    "RSA with an algorithm of EC": jwks({**RSA, "alg": "ES256"}),
    "RSA with a name that is no text": jwks({**RSA, "kid": 1}),
    "EC off its curve": jwks({**P256, "y": number(1, 32)}),
    "EC on another curve": jwks({**P256, "crv": "P-384"}),
    "EC with a short coordinate": jwks({**P256, "x": number(7)}),
    "EC on a curve that is not taken": jwks({**P256, "crv": "secp256k1"}),
    "EC with an algorithm of another curve": jwks({**P256, "alg": "ES384"}),
    "Ed25519 that is too short": jwks({**ED25519, "x": number(2**200)}),
    "X25519": jwks({**ED25519, "crv": "X25519"}),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_set_without_a_whole_key_never_reaches_the_gateway_and_is_told(name: str):
    found = read(BROKEN[name])
    assert found.text == ""
    assert "ConfigMap team-a/keys, entry 'jwks', holds no key to verify with" in found.problem
    assert "every token is refused" in found.problem


def test_a_config_map_that_is_missing_is_told_with_what_to_do():
    found = keys_of(None, SOURCE, "team-a")
    assert found.text == ""
    assert "kubectl -n team-a create configmap keys --from-file=jwks=<file>" in found.problem


def test_the_entry_may_have_any_name_and_must_be_there():
    named = JwksSource(name="keys", key="issuer.json")
    assert "no entry 'issuer.json'" in read(jwks(RSA), named).problem
    assert keys_of({"data": {"issuer.json": jwks(RSA)}}, named, "team-a").text


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = st.sampled_from(["kty", "crv", "n", "e", "x", "y", "alg", "kid", "use"])


@example({"kty": "EC", "crv": "P-256", "alg": []})
@given(st.dictionaries(MEMBERS, st.sampled_from(["RSA", "EC", "OKP", "P-256", "AQAB", "", "é"]) | JSON, max_size=9))
def test_whatever_is_in_the_config_map_nothing_is_raised(key: dict[str, Any]):
    found = read(json.dumps({"keys": [key]}))
    assert bool(found.text) != bool(found.problem)


@pytest.mark.parametrize("name", GOOD)
def test_a_library_takes_what_we_take(name: str):
    for key in taken(jwks(GOOD[name])):
        assert jwt.PyJWK.from_dict(key).key is not None
