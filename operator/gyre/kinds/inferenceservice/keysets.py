"""The public keys that tokens are verified with: out of a ConfigMap, and handed on only when Envoy is sure to take them. Pure.

Why not let Envoy Gateway read the ConfigMap itself (`localJWKS.valueRef`): it looks at nothing. Envoy then refuses the *whole
listener* for one bad set of keys, while the policy says Accepted, and serves the routes without the filter: tried with v1.7.0 and
Envoy 1.37, an empty set, a PEM or a cut-off file each opened the service to everybody, and kept the policies of every other
service of that Gateway from coming into force. So the operator reads the keys, which are public, and writes those of them into
the policy that are whole; without any, everybody is refused (`protection.py`).

What is taken is what jwt_verify_lib, Envoy's parser, takes for certain: RSA of 2048 to 8192 bits, EC on its named curve, Ed25519;
of a key only the members that mean something. A symmetric key (`oct`) is no public key, and is left out.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gyre.kinds.inferenceservice.access import JwksSource

LONGEST: Final = 256 * 1024
"""Characters; a set of keys is a few thousand."""


@dataclass(frozen=True, slots=True)
class Keys:
    """A set of keys, or why there is none and what to do."""

    text: str = ""
    problem: str = ""


def keys_of(config_map: Mapping[str, Any] | None, source: JwksSource, namespace: str) -> Keys:
    where = f"ConfigMap {namespace}/{source.name}"
    if config_map is None:
        create = f"kubectl -n {namespace} create configmap {source.name} --from-file={source.key}=<file>"
        return Keys(problem=f"{where} does not exist, so every token is refused. Create it: {create}")
    text = (config_map.get("data") or {}).get(source.key)
    if text is None:
        fix = "Put the JSON Web Key Set there, or fix spec.auth.jwt.jwks.configMap.key"
        return Keys(problem=f"{where} has no entry {source.key!r}, so every token is refused. {fix}")
    whole = [key for key in map(_whole, _listed(text)) if key is not None]
    if not whole:
        fix = 'It must be a JSON Web Key Set, {"keys": [...]}, with a whole public key: RSA of 2048 bits or more, EC or Ed25519'
        return Keys(
            problem=f"{where}, entry {source.key!r}, holds no key to verify with, so every token is refused. {fix}"
        )
    return Keys(text=json.dumps({"keys": whole}, separators=(",", ":"), sort_keys=True))


def _listed(text: str) -> list[Any]:
    try:
        found = json.loads(text) if len(text) <= LONGEST else None
    except (ValueError, RecursionError):
        return []
    keys = found.get("keys") if isinstance(found, dict) else None
    return keys if isinstance(keys, list) else []


# ── one key ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Curve:
    """y² = x³ − 3x + b over a prime field (NIST SP 800-186 §3.2.1)."""

    size: int
    """Bytes of a coordinate."""
    p: int
    b: int
    algorithm: str

    def has(self, x: int, y: int) -> bool:
        return x < self.p and y < self.p and (y * y - (x * x * x - 3 * x + self.b)) % self.p == 0


CURVES: Final = {
    "P-256": Curve(
        32,
        2**256 - 2**224 + 2**192 + 2**96 - 1,
        0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
        "ES256",
    ),
    "P-384": Curve(
        48,
        2**384 - 2**128 - 2**96 + 2**32 - 1,
        0xB3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF,
        "ES384",
    ),
    "P-521": Curve(
        66,
        2**521 - 1,
        0x0051953EB9618E1C9A1F929A21A0B68540EEA2DA725B99B315F3B8B489918EF109E156193951EC7E937B1652C0BD3BB1BF073573DF883D2C34F1EF451FD46B503F00,
        "ES512",
    ),
}
RSA_ALGORITHMS: Final = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})


def _rsa(key: Mapping[str, Any]) -> bool:
    n, e = _number(key, "n"), _number(key, "e")
    return (
        2048 <= n.bit_length() <= 8192 and n % 2 == 1 and e % 2 == 1 and 3 <= e < 2**32 and _says(key, RSA_ALGORITHMS)
    )


def _ec(key: Mapping[str, Any]) -> bool:
    curve = CURVES.get(str(key.get("crv")))
    if curve is None or not _says(key, {curve.algorithm}):
        return False
    if any(len(_bytes(key, member)) != curve.size for member in ("x", "y")):
        return False
    return curve.has(_number(key, "x"), _number(key, "y"))


def _ed25519(key: Mapping[str, Any]) -> bool:
    return key.get("crv") == "Ed25519" and len(_bytes(key, "x")) == 32 and _says(key, {"EdDSA"})


KINDS: Final[Mapping[str, tuple[Callable[[Mapping[str, Any]], bool], tuple[str, ...]]]] = {
    "RSA": (_rsa, ("n", "e")),
    "EC": (_ec, ("crv", "x", "y")),
    "OKP": (_ed25519, ("crv", "x")),
}
"""By `kty`: whether a key of it is whole, and the members that make it."""


def _whole(key: Any) -> dict[str, str] | None:
    """The key and nothing else; None when it is no public key that can verify."""
    if not isinstance(key, dict) or not isinstance(key.get("kid", ""), str) or key.get("use", "sig") != "sig":
        return None
    whole, members = KINDS.get(str(key.get("kty")), (None, ()))
    if whole is None or not whole(key):
        return None
    return {member: key[member] for member in ("kty", "kid", "alg", *members) if member in key}


def _says(key: Mapping[str, Any], algorithms: frozenset[str] | set[str]) -> bool:
    return "alg" not in key or (isinstance(key["alg"], str) and key["alg"] in algorithms)


def _number(key: Mapping[str, Any], member: str) -> int:
    return int.from_bytes(_bytes(key, member), "big")


def _bytes(key: Mapping[str, Any], member: str) -> bytes:
    """Base64 for URLs, without padding; nothing when it is anything else."""
    text = key.get(member)
    if not isinstance(text, str) or not text.isascii() or not all(c.isalnum() or c in "-_" for c in text):
        return b""
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return b""
