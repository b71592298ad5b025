"""Where copies of requests go: a Service of our own that always has an address, so that a shadow can hurt nobody. Pure.

Envoy Gateway answers 500 to every request of a rule whose RequestMirror leads to a Service that does not exist or has no address
(envoyproxy/gateway v1.7.0 `internal/gatewayapi/route.go` processHTTPRouteRules; tried: 83 of 85 requests failed from the moment
that the shadow's last pod was gone). A pod that is merely not ready keeps its address; one that finds no node has none. So the
copies go to Service `<service>-shadow` over the shadow's pods, which has an EndpointSlice of ours, too: one address that leads
nowhere and is never ready: Envoy draws from it only when there is no other, and a copy that fails there is nobody's loss.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gyre.adapters import kserve
from gyre.api import gvks
from gyre.api.effects import Manifest

NOWHERE: Final = "192.0.2.1"
"""For documentation only (RFC 5737): no network leads there."""
PORT_NAME: Final = "http"
OF_SERVICE: Final = "kubernetes.io/service-name"
WRITTEN_BY: Final = "endpointslice.kubernetes.io/managed-by"


def shadow_name(service: str) -> str:
    return f"{service}-shadow"


def address(metadata: Mapping[str, Any], pods: Mapping[str, str], port: int) -> tuple[Manifest, Manifest]:
    """Written long before a route names it. `metadata` names both, `pods` are labels of the shadow's, `port` theirs."""
    labels = dict(metadata.get("labels") or {})
    name = str(metadata["name"])
    service = {
        "apiVersion": gvks.SERVICE.api_version,
        "kind": gvks.SERVICE.kind,
        "metadata": dict(metadata),
        "spec": {
            "selector": dict(pods),
            "ports": [{"name": PORT_NAME, "port": kserve.PORT, "protocol": "TCP", "targetPort": port}],
        },
    }
    nowhere = {
        "apiVersion": gvks.ENDPOINT_SLICE.api_version,
        "kind": gvks.ENDPOINT_SLICE.kind,
        "metadata": {**metadata, "labels": {**labels, OF_SERVICE: name, WRITTEN_BY: "gyre.dev"}},
        "addressType": "IPv4",
        "ports": [{"name": PORT_NAME, "port": port, "protocol": "TCP"}],
        "endpoints": [{"addresses": [NOWHERE], "conditions": {"ready": False, "serving": False, "terminating": False}}],
    }
    return service, nowhere
