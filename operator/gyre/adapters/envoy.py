"""Envoy Gateway's policies: as we write them, and whether the gateway acts on them. Pure.

Facts, each from envoyproxy/gateway v1.7.0:
- A policy is in force when `status.ancestors[].conditions[Accepted]` is True about the newest generation; an ancestor is the
  Gateway that the target hangs on (`internal/gatewayapi/securitypolicy.go`, getAncestorRefForPolicy). A policy of somebody else
  that targets a rule of the same route wins, and ours says `Overridden` (`policy_helpers.go`).
- A policy whose target does not exist has no status at all, and neither has one whose kind was not there when the controller
  started: then the route is served as if it had none. So silence is never taken for consent.
- A policy that cannot be translated (a missing Secret) says `Accepted=False, reason Invalid`, and the route answers 500 to
  everybody: closed, not open (`translateSecurityPolicyForRoute`, `translateClientTrafficPolicyForListener`).
- Of a Secret with API keys the controller's cache may know one entry only: one Secret a client.
- Of a ConfigMap with keys it takes the entry `jwks`, else any, and looks at neither (`buildLocalJWKS`). Envoy refuses the whole
  listener for a set without a whole key; the policy says Accepted all the same, the route is served without the filter, and no
  other change of that listener comes into force any more, whosever it is. Tried; so keys are only ever given inline, looked at.
- A Secret whose API key is empty stops every change of that Gateway: nothing is served that was not served before. Tried.
- The local rate limit comes after authentication (`internal/xds/translator/httpfilters.go`), one bucket a route rule and pod.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gyre.adapters.ownership import controller_uid
from gyre.api.effects import Gvk
from gyre.api.intent import INTENT, contains

CLIENT_HEADER: Final = "x-client-id"
"""Tells the predictor which client's API key was sent."""


def policy(gvk: Gvk, metadata: Mapping[str, Any], target: Gvk, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """A policy about one object of the same namespace."""
    ref = {"group": target.group, "kind": target.kind, "name": name}
    return {
        "apiVersion": gvk.api_version,
        "kind": gvk.kind,
        "metadata": dict(metadata),
        "spec": {"targetRefs": [ref], **spec},
    }


def api_keys(secrets: Iterable[str], header: str) -> dict[str, Any]:
    """Part of a SecurityPolicy. The key itself stays at the gateway (`sanitize`)."""
    return {
        "apiKeyAuth": {
            "credentialRefs": [{"group": "", "kind": "Secret", "name": secret} for secret in secrets],
            "extractFrom": [{"headers": [header]}],
            "forwardClientIDHeader": CLIENT_HEADER,
            "sanitize": True,
        }
    }


def jwt(issuer: str, audiences: Iterable[str], keys: Mapping[str, Any]) -> dict[str, Any]:
    """Part of a SecurityPolicy. A token is looked for in `Authorization: Bearer` and in the query's `access_token`."""
    return {"jwt": {"providers": [{"name": "issuer", "issuer": issuer, "audiences": list(audiences), **keys}]}}


def remote_keys(uri: str) -> dict[str, Any]:
    return {"remoteJWKS": {"uri": uri}}


def local_keys(text: str) -> dict[str, Any]:
    """A JSON Web Key Set that was looked at: see the facts above."""
    return {"localJWKS": {"type": "Inline", "inline": text}}


def nobody() -> dict[str, Any]:
    """Part of a SecurityPolicy: 403 for everybody."""
    return {"authorization": {"defaultAction": "Deny"}}


def client_certificates(secret: str) -> dict[str, Any]:
    """Part of a ClientTrafficPolicy: nobody gets in without a certificate that one of these authorities signed."""
    reference = {"group": "", "kind": "Secret", "name": secret}
    return {"tls": {"clientValidation": {"caCertificateRefs": [reference]}}}


def local_rate_limit(requests: int, unit: str) -> dict[str, Any]:
    """Part of a BackendTrafficPolicy."""
    return {"rateLimit": {"local": {"rules": [{"limit": {"requests": requests, "unit": unit}}]}}}


@dataclass(frozen=True, slots=True)
class PolicyView:
    """A policy as it is. `accepted` and `problem` are about its newest generation and the Gateway that was asked about."""

    kind: str
    name: str
    namespace: str
    uid: str
    owner: str
    deleting: bool
    spec: Mapping[str, Any]
    intent: str
    accepted: bool
    problem: str
    """Why it is not in force, in the gateway's own words; empty when the gateway has not said anything."""

    @classmethod
    def of(cls, obj: Mapping[str, Any], *, gateway: str, gateway_namespace: str) -> PolicyView:
        metadata = obj["metadata"]
        accepted, problem = _verdict(obj, gateway, gateway_namespace)
        return cls(
            kind=str(obj.get("kind", "")),
            name=metadata["name"],
            namespace=metadata.get("namespace", ""),
            uid=metadata.get("uid", ""),
            owner=controller_uid(obj),
            deleting=bool(metadata.get("deletionTimestamp")),
            spec=obj.get("spec") or {},
            intent=str((metadata.get("annotations") or {}).get(INTENT, "")),
            accepted=accepted,
            problem=problem,
        )

    def in_force(self, manifest: Mapping[str, Any]) -> bool:
        """It is what is meant, and the gateway says that it acts so."""
        return not self.deleting and self.accepted and contains(self.spec, manifest["spec"])


def _verdict(obj: Mapping[str, Any], gateway: str, namespace: str) -> tuple[bool, str]:
    generation = obj["metadata"].get("generation", 0)
    ancestors: Sequence[Mapping[str, Any]] = (obj.get("status") or {}).get("ancestors") or ()
    told = [
        {condition.get("type"): condition for condition in ancestor.get("conditions") or ()}
        for ancestor in ancestors
        if _is(ancestor.get("ancestorRef") or {}, gateway, namespace, obj["metadata"].get("namespace", ""))
    ]
    for conditions in told:
        accepted, overridden = conditions.get("Accepted") or {}, conditions.get("Overridden") or {}
        if accepted.get("observedGeneration", 0) < generation:
            return False, ""
        if accepted.get("status") != "True":
            return False, str(accepted.get("message") or accepted.get("reason") or "")
        if overridden.get("status") == "True":
            return False, str(overridden.get("message") or "overridden by another policy")
    return bool(told), ""


def _is(ref: Mapping[str, Any], gateway: str, namespace: str, own: str) -> bool:
    return ref.get("name") == gateway and (ref.get("namespace") or own) == namespace
