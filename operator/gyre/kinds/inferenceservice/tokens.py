"""The token of a prediction log: who has it may send events and labels. Pure; the token itself is never here.

Promises   one Secret a service, made before the collector that wants it, and made again when a collector cannot start for want of
           it; a policy holds the operator to Secrets of this type, since the role's `create` would allow any.
Never      reads a Secret, writes over one, or deletes one: it goes with its InferenceService.
"""

from __future__ import annotations

from typing import Any, Final

from gyre.adapters.admission import ADMISSION, binding, of_install
from gyre.api import gvks, rbac
from gyre.api.effects import Generate, Manifest
from gyre.api.kind import MANAGED_BY
from gyre.kinds.inferenceservice.logspec import LogAuth
from gyre.kinds.inferenceservice.model import InferenceService
from gyre.kinds.inferenceservice.names import token_name

TYPE: Final = "gyre.dev/log-token"
KEY: Final = "token"
POLICY: Final = f"secrets-of-the-operator.{gvks.GROUP}"


def reference(gis: InferenceService) -> dict[str, str] | None:
    """Which key of which Secret; None where nobody is asked for a token."""
    log = gis.spec.log
    if log is None or log.auth is LogAuth.NONE:
        return None
    if log.token_secret_ref:
        return {"name": log.token_secret_ref.name, "key": log.token_secret_ref.key}
    return {"name": token_name(gis.name), "key": KEY}


def made_by_us(gis: InferenceService) -> bool:
    return reference(gis) is not None and gis.spec.log is not None and gis.spec.log.token_secret_ref is None


def token(gis: InferenceService) -> Generate:
    metadata = {
        "name": token_name(gis.name),
        "namespace": gis.namespace,
        "labels": {MANAGED_BY: "gyre"},
        "ownerReferences": [gis.owner_reference()],
    }
    version, kind = gvks.SECRET.api_version, gvks.SECRET.kind
    return Generate({"apiVersion": version, "kind": kind, "metadata": metadata, "type": TYPE}, KEY)


def policies() -> tuple[Manifest, ...]:
    """What the role cannot say: a Secret of another type could be, say, a bootstrap token of the cluster."""
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["secrets"]}
    user = "request.userInfo.username"
    operator = f"{user}.startsWith('system:serviceaccount:') && {user}.endsWith(':{rbac.NAME}')"
    owner = f"owner.kind == '{gvks.INFERENCE_SERVICE.kind}' && owner.apiVersion.startsWith('{gvks.GROUP}/')"
    owned = f"has(object.metadata.ownerReferences) && object.metadata.ownerReferences.exists(owner, {owner})"
    typed = f"has(object.type) && object.type == '{TYPE}'"
    refusal: dict[str, Any] = {
        "expression": f"{typed} && object.metadata.name.endsWith('{token_name('')}') && {owned}",
        "message": f"the operator may create Secrets of type {TYPE} for an InferenceService, and no others",
        "reason": "Forbidden",
    }
    policy = {
        "apiVersion": ADMISSION,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": of_install(POLICY),
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [rule]},
            "matchConditions": [{"name": "it-is-the-operator", "expression": operator}],
            "validations": [refusal],
        },
    }
    return policy, binding(POLICY, "Deny")
