"""The proof that a service refuses whom it must: requests that have to fail, and the condition AccessVerified. Pure.

Promises   AccessVerified is True only when every wanted policy is in force at its newest generation *and* each request that
           must be refused was refused; one that was let in is an open door, whatever the policies say of themselves.
Never      sends a credential that could be right.

    auth     must be refused
    apiKey   no key; a wrong key                       401 or 403
    jwt      no token; an unsigned one; a forged one   401 or 403
    mtls     a client without a certificate            the TLS handshake fails

The requests ask for the path of readiness, which a version answers with 200: so a door that is open shows. `observe` sends
them through `Reader.ask`: a refusal is good for PROVED_FOR seconds, anything else is asked again at the next look.
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from gyre.adapters.envoy import PolicyView
from gyre.adapters.gateway import GatewayView
from gyre.api import gvks
from gyre.api.conditions import Verdict, no, unknown, yes
from gyre.api.effects import Manifest
from gyre.api.kind import Answer
from gyre.api.terms import Reason
from gyre.kinds.inferenceservice.access import Auth, Jwt
from gyre.kinds.inferenceservice.keysets import Keys

PROVED_FOR: Final = 60.0
"""Seconds for which a refusal is taken as proof, and after which it is asked for again when somebody looks."""
LOOK_AGAIN: Final = 2.0
"""Seconds until the next look while it is not proved."""

FAR: Final = 4102444800
"""2100-01-01: a probe must not be refused for its age."""


class Access(Reason):
    """Reasons of AccessVerified."""

    REFUSED = "Refused", "requests without a right credential were refused, as they must be"
    OPEN_DOOR = "OpenDoor", "a request without a right credential was let in"
    POLICY_INVALID = "PolicyInvalid", "something that the policy needs is missing or broken: everybody is refused"
    NOT_PROGRAMMED = "NotProgrammed", "the gateway has not taken up the policy or the route yet"
    UNANSWERED = "Unanswered", "nobody answered the requests that must be refused"
    NO_AUTH = "NoAuth", "the spec asks for no credential: whoever reaches the gateway may call"


@dataclass(frozen=True, slots=True)
class Probe:
    """A request that must be refused, and how."""

    name: str
    """As in: a request … was refused."""
    url: str
    headers: Mapping[str, str] = field(hash=False)
    handshake: bool = False
    """Refused by TLS, before there is any HTTP."""


def probes(
    auth: Auth | None, gateway: GatewayView | None, *, host: str, path: str, section: str | None = None
) -> tuple[Probe, ...]:
    """None while the gateway has no address. `path` is that of readiness: a version answers it with 200."""
    if auth is None or gateway is None or (base := _base(gateway, section)) is None:
        return ()
    named = {"Host": host}
    bare = Probe(
        "without a certificate" if auth.mtls else "without a credential", base + path, named, auth.mtls is not None
    )
    if auth.api_key is not None:
        return bare, Probe("with a wrong key", base + path, {**named, auth.api_key.header: "gyre-probe-of-a-wrong-key"})
    if auth.jwt is not None:
        tokens = (("an unsigned token", _token(auth.jwt, "none")), ("a forged token", _token(auth.jwt, "RS256")))
        forged = ((f"with {name}", {**named, "Authorization": f"Bearer {token}"}) for name, token in tokens)
        return bare, *(Probe(name, base + path, headers) for name, headers in forged)
    return (bare,)


def _base(gateway: GatewayView, section: str | None) -> str | None:
    host = f"[{gateway.address}]" if ":" in gateway.address else gateway.address
    for name, protocol, port in gateway.listeners:
        if host and protocol in ("HTTP", "HTTPS") and section in (None, name):
            return f"{protocol.lower()}://{host}:{port}"
    return None


def _token(jwt: Jwt, algorithm: str) -> str:
    """All it says is right, but nobody has signed it."""
    header = {"alg": algorithm, "kid": "gyre-probe", "typ": "JWT"}
    claims = {"iss": jwt.issuer, "aud": list(jwt.audiences), "sub": "gyre-probe", "exp": FAR}
    signature = b"" if algorithm == "none" else b"nobody signed this".ljust(256, b".")
    return ".".join((_base64(json.dumps(header)), _base64(json.dumps(claims)), _base64(signature)))


def _base64(part: str | bytes) -> str:
    raw = part.encode() if isinstance(part, str) else part
    return urlsafe_b64encode(raw).decode().rstrip("=")


# What came of it ------------------------------------------------------------------------------------------------------

REFUSALS: Final = frozenset({401, 403})
UNCLEAR: Final = frozenset({404, 408, 429})
"""The gateway's own, more likely than a version's: it does not know the route yet, or is busy."""
HANDSHAKE: Final = re.compile(r"certificate.required|handshake.failure|bad.certificate|unknown.ca", re.IGNORECASE)
"""TLS alerts of somebody who wanted to see a certificate (RFC 8446 §6.2)."""


def refused(probe: Probe, answer: Answer) -> bool:
    if probe.handshake:
        return answer.status == 0 and HANDSHAKE.search(answer.error) is not None
    return answer.status in REFUSALS


def let_in(probe: Probe, answer: Answer) -> bool:
    """A version answered, or would have: 5xx is what the gateway says when it refuses everybody."""
    return not refused(probe, answer) and 200 <= answer.status < 500 and answer.status not in UNCLEAR


def verified(
    auth: Auth | None,
    *,
    wanted: Iterable[Manifest],
    live: Sequence[PolicyView],
    asked: Sequence[tuple[Probe, Answer]],
    keys: Keys | None = None,
) -> Verdict:
    """The condition AccessVerified."""
    if auth is None:
        return unknown(Access.NO_AUTH, "spec.auth is not set: whoever reaches the gateway may call")
    told = [_about(manifest, live) for manifest in wanted if manifest["kind"] in GUARDS]
    for probe, answer in asked:
        if let_in(probe, answer):
            return no(Access.OPEN_DOOR, _open_door(probe, answer, [problem for problem in told if problem]))
    if keys is not None and keys.problem:
        return unknown(Access.POLICY_INVALID, keys.problem)
    if (problem := unmet(wanted, live)) is not None:
        return unknown(*problem)
    if not asked:
        return unknown(Access.NOT_PROGRAMMED, "the Gateway has no address to ask at yet")
    for probe, answer in asked:
        if not refused(probe, answer):
            return unknown(
                Access.UNANSWERED, f"a request {probe.name} was neither refused nor let in: {_said(auth, answer)}"
            )
    results = ", ".join(f"{probe.name}: {answer.status or answer.error}" for probe, answer in asked)
    return yes(Access.REFUSED, f"refused as they must be: requests {results}")


GUARDS: Final = frozenset({gvks.SECURITY_POLICY.kind, gvks.CLIENT_TRAFFIC_POLICY.kind})
"""Kinds of policies that keep somebody out."""


def unmet(wanted: Iterable[Manifest], live: Sequence[PolicyView]) -> tuple[Access, str] | None:
    """The first wanted policy (the rate limit's, too) that is not in force, and what to do. The Gateway speaks for itself."""
    for manifest in wanted:
        if manifest["kind"] != gvks.GATEWAY.kind and (problem := _about(manifest, live)) is not None:
            return problem
    return None


def _about(manifest: Manifest, live: Sequence[PolicyView]) -> tuple[Access, str] | None:
    kind, name = manifest["kind"], manifest["metadata"]["name"]
    view = next((policy for policy in live if policy.kind == kind and policy.name == name), None)
    if view is None or view.deleting:
        return Access.NOT_PROGRAMMED, f"{kind} {name} is not there yet"
    if view.in_force(manifest):
        return None
    if view.problem:
        return Access.POLICY_INVALID, f"{kind} {name}: {view.problem} {fix(view)}".strip()
    return Access.NOT_PROGRAMMED, f"Envoy Gateway has not said that it acts on {kind} {name}"


def _said(auth: Auth, answer: Answer) -> str:
    if answer.status == 404 and auth.api_key is not None:
        names = ", ".join(secret.name for secret in auth.api_key.secrets)
        return f"404, the gateway has not taken up the route; an empty key in a Secret ({names}) would keep it from it"
    return str(answer.status) if answer.status else answer.error


def _open_door(probe: Probe, answer: Answer, told: Sequence[tuple[Access, str]]) -> str:
    found = f"a request {probe.name} was answered with {answer.status}"
    if told:
        return (
            f"{found}: {told[0][1]}. If it stays so, restart Envoy Gateway: one that started before its CRDs were there never "
            "looks at policies (kubectl -n envoy-gateway-system rollout restart deployment envoy-gateway)"
        )
    return (
        f"{found} although the gateway says that it acts on the policies: look for another route or policy of this host "
        "(kubectl get httproute,securitypolicy,clienttrafficpolicy -A)"
    )


# What to do about a policy that the gateway refuses -------------------------------------------------------------------

FIXES: Final[tuple[tuple[re.Pattern[str], str, str], ...]] = (
    #  what the gateway says (v1.7.0)                  in a policy of kind          what to do
    (
        re.compile(r"[Ss]ecret (?P<ns>[^/\s]+)/(?P<name>\S+) does not exist"),
        gvks.SECURITY_POLICY.kind,
        "Create it: kubectl -n {ns} create secret generic {name} --from-literal=<client>=<key>",
    ),
    (
        re.compile(r"[Ss]ecret (?P<ns>[^/\s]+)/(?P<name>\S+) does not exist"),
        gvks.CLIENT_TRAFFIC_POLICY.kind,
        "Create it: kubectl -n {ns} create secret generic {name} --from-file=ca.crt=<file>",
    ),
    (
        re.compile(r"duplicated API key"),
        gvks.SECURITY_POLICY.kind,
        "Two of the Secrets of spec.auth.apiKey.secrets hold the same key: give each client one of its own",
    ),
    (
        re.compile(r"no key ca\.crt|no valid certificates|failed to get certificate"),
        gvks.CLIENT_TRAFFIC_POLICY.kind,
        "Put the authorities, as PEM, into entry `ca.crt` of the Secret of spec.auth.mtls.caSecret",
    ),
    (
        re.compile(r"another (?P<kind>\w+) has already attached|overridden by other"),
        "",
        "Delete the other policy, or aim it at another route",
    ),
)


def fix(view: PolicyView) -> str:
    """What somebody has to do, as a sentence; empty when the gateway's own words have to do."""
    for pattern, kind, text in FIXES:
        if kind in ("", view.kind) and (found := pattern.search(view.problem)):
            return text.format(**{key: value.rstrip(".") for key, value in found.groupdict().items() if value})
    return ""
