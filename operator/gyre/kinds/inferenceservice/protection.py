"""What stands in front of a service: Envoy Gateway's policies, and for mtls a Gateway. Pure.

Promises   the policies are named like the service and come before its route: the gateway never knows the one without the other;
           under mtls the route hangs on the service's own Gateway and on no other.
Never      reads a Secret. Whether they keep anybody out is asked in `proof.py`.

    apiKey, jwt   SecurityPolicy on the route
    mtls          ClientTrafficPolicy on the service's own Gateway
    rateLimit     BackendTrafficPolicy on the route: 429 for what is too much, whoever asks
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gyre.adapters import envoy
from gyre.api import gvks
from gyre.api.effects import Manifest
from gyre.kinds.inferenceservice.access import Auth, Jwt, RateLimit
from gyre.kinds.inferenceservice.keysets import Keys

HTTPS: Final = 443
LISTENER: Final = "https"


def policies(
    metadata: Mapping[str, Any],
    auth: Auth | None,
    limit: RateLimit | None,
    *,
    host: str,
    gateway_class: str,
    keys: Keys | None = None,
) -> tuple[Manifest, ...]:
    """All that has to be there before the route, in this order. `metadata` names them: like the service and its route.

    `keys`: what was found in the ConfigMap of auth.jwt.jwks, where there is one; without a key everybody is refused."""
    name = str(metadata["name"])
    found: list[Manifest] = []
    if auth is not None and auth.mtls is not None:
        certificates = envoy.client_certificates(auth.mtls.ca_secret.name)
        found.append(envoy.policy(gvks.CLIENT_TRAFFIC_POLICY, metadata, gvks.GATEWAY, name, certificates))
        found.append(own_gateway(metadata, auth.mtls.certificate_secret.name, host, gateway_class))
    elif auth is not None:
        found.append(envoy.policy(gvks.SECURITY_POLICY, metadata, gvks.HTTP_ROUTE, name, _credentials(auth, keys)))
    if limit is not None:
        bucket = envoy.local_rate_limit(limit.requests, str(limit.per))
        found.append(envoy.policy(gvks.BACKEND_TRAFFIC_POLICY, metadata, gvks.HTTP_ROUTE, name, bucket))
    return tuple(found)


def _credentials(auth: Auth, keys: Keys | None) -> dict[str, Any]:
    if auth.api_key is not None:
        return envoy.api_keys((secret.name for secret in auth.api_key.secrets), auth.api_key.header)
    if auth.jwt is None:
        raise ValueError("auth without apiKey, jwt or mtls: the API server refuses it")
    return _tokens(auth.jwt, keys)


def _tokens(jwt: Jwt, keys: Keys | None) -> dict[str, Any]:
    if jwt.jwks.uri is not None:
        return envoy.jwt(jwt.issuer, jwt.audiences, envoy.remote_keys(jwt.jwks.uri))
    if keys is None or not keys.text:
        return envoy.nobody()
    return envoy.jwt(jwt.issuer, jwt.audiences, envoy.local_keys(keys.text))


def own_gateway(metadata: Mapping[str, Any], certificate: str, host: str, gateway_class: str) -> dict[str, Any]:
    """A Gateway for one service: who may open a connection is a property of the listener, so it cannot be shared."""
    listener = {
        "name": LISTENER,
        "protocol": "HTTPS",
        "port": HTTPS,
        "hostname": host,
        "tls": {"mode": "Terminate", "certificateRefs": [{"group": "", "kind": "Secret", "name": certificate}]},
        "allowedRoutes": {"namespaces": {"from": "Same"}},
    }
    return {
        "apiVersion": gvks.GATEWAY.api_version,
        "kind": gvks.GATEWAY.kind,
        "metadata": dict(metadata),
        "spec": {"gatewayClassName": gateway_class, "listeners": [listener]},
    }


def has_own_gateway(auth: Auth | None) -> bool:
    """The route hangs on Gateway `<service>` in the service's namespace, and not on that of the spec."""
    return auth is not None and auth.mtls is not None
